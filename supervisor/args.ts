/**
 * The command line: words to options. Nothing outside the words is looked at.
 */
import { UsageError } from './usage-error.ts';
import { finish, newDraft } from './config/draft.ts';
import { eachOption } from './config/getopt.ts';
import { CAPABILITIES, helpText, versionText } from './config/help.ts';
import { OPTIONS, type OptionRow, type Options } from './config/options.ts';

/** What the user asked for. */
export type Invocation =
  /** `onStderr`: it is looked for there as well. */
  | { readonly kind: 'text'; readonly stdout: string; readonly onStderr: boolean }
  | { readonly kind: 'run'; readonly mode: 'pasta' | 'passt'; readonly options: Options };

/**
 * `programName` is argv[0], with or without a path: its last component chooses the mode. `argv` is what follows it.
 * Throws UsageError: one line without the program's name; the exit status is then 1.
 */
export function parseArguments(programName: string, argv: readonly string[]): Invocation {
  const mode = modeOf(programName);
  const draft = newDraft(mode);
  let text: string | null = null;
  let onStderr = false;
  const words = eachOption(OPTIONS, argv, ({ row, value }) => {
    if (row.modes !== 'both' && row.modes !== mode) throw new UsageError(`--${row.long} is an option of ${row.modes}, not of ${mode}`);
    if (row.long === 'help') text = helpText(mode);
    else if (row.long === 'version') text = versionText(mode);
    else if (row.long === 'print-capabilities') {
      text = CAPABILITIES;
      onStderr = true;
    } else take(row, draft, value);
    return text !== null;
  });
  if (text !== null) return { kind: 'text', stdout: text, onStderr };
  return { kind: 'run', mode, options: finish(mode, draft, words as readonly string[]) };
}

function take(row: OptionRow, draft: Parameters<NonNullable<OptionRow['set']>>[0], value: string): void {
  if (row.set === undefined) throw new UsageError(`--${row.long} is not supported yet`);
  row.set(draft, value);
}

function modeOf(programName: string): 'pasta' | 'passt' {
  const name = programName.slice(programName.lastIndexOf('/') + 1);
  if (name.includes('pasta')) return 'pasta';
  if (name.includes('passt')) return 'passt';
  throw new UsageError(`'${name}' names no mode; start this program under the name pasta or passt`);
}
