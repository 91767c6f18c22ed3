/**
 * The file of a network: TOML, whose keys are the long options of pasta or passt. Pure.
 *
 *     mode = "passt"
 *     mtu = 1500                        # a value of an option
 *     tcp-ports = ["8080:80", "443"]    # of one that may be repeated
 *     no-icmp = true                    # an option without a value
 *
 * Each value is tried by itself, as it would be on the command line, so that what is wrong with it is told with its line.
 */
import { parse, TomlError } from 'smol-toml';
import { parseArguments } from '../args.ts';
import { newDraft } from '../config/draft.ts';
import { OPTIONS, type OptionRow } from '../config/options.ts';
import { UsageError } from '../usage-error.ts';

type Mode = 'pasta' | 'passt';

/** Options that say how a process runs, or what it prints: a service decides the one, and has no use for the other. */
const NOT_IN_FILES: ReadonlySet<string> = new Set(['foreground', 'daemonize', 'help', 'version', 'print-capabilities', 'fd']);

/** Letters that a mistaken key may have too many, too few or wrong. */
const TYPING_MISTAKES = 2;

/** What a file is for beside its text. */
export interface NetworkPlace {
  /** How messages call the file. */
  readonly path: string;
  /** Where passt listens when the file does not say. */
  readonly socket: string | null;
}

/**
 * The words of the command line that the file stands for, `pasta` or `passt` first.
 * @throws UsageError `PATH:LINE: what is wrong; what to do`
 */
export function wordsOfNetwork(text: string, { path, socket }: NetworkPlace): readonly string[] {
  const fail = (key: string | null, line: string): never => {
    throw new UsageError(`${path}${key === null ? '' : `:${lineOf(text, key)}`}: ${line}`);
  };
  const { mode, ...keys } = parseToml(text, path);
  if (mode !== 'pasta' && mode !== 'passt')
    return fail(
      mode === undefined ? null : 'mode',
      'mode is missing or none; write mode = "passt" for a machine, mode = "pasta" for a namespace',
    );
  const rows = OPTIONS.filter((row) => (row.modes === 'both' || row.modes === mode) && !NOT_IN_FILES.has(row.long));
  const words: string[] = [];
  for (const [key, value] of Object.entries(keys)) {
    const row = rows.find(({ long }) => long === key);
    if (row === undefined) return fail(key, `'${key}' is no key of a network of ${mode}; ${cureOf(key, rows)}`);
    const texts = textsOf(row, value);
    if (typeof texts === 'string') return fail(key, `'${key}' ${texts}`);
    for (const one of texts) {
      const complaint = tryOption(row, mode, one);
      if (complaint !== null) return fail(key, complaint);
      words.push(one === null ? `--${key}` : `--${key}=${one}`);
    }
  }
  if (mode === 'pasta' && !('netns' in keys))
    return fail(null, 'a network of pasta needs a namespace; write netns = "PATH", or the namespace\'s name in /run/netns');
  if (mode === 'passt' && !('socket' in keys) && socket !== null) words.push(`--socket=${socket}`);
  return tryAll(mode, ['--foreground', ...words], fail);
}

function tryAll(mode: Mode, words: readonly string[], fail: (key: null, line: string) => never): readonly string[] {
  try {
    parseArguments(mode, words);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    fail(null, error.message);
  }
  return [mode, ...words];
}

function parseToml(text: string, path: string): Record<string, unknown> {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const what = error.message.split('\n')[0]?.replace(/^Invalid TOML document: /, '');
    throw new UsageError(`${path}:${error.line}: is no TOML: ${what}; write KEY = VALUE, texts in quotes`);
  }
}

/** The values in the words of the command line, null for an option without one; or what is wrong with them. */
function textsOf(row: OptionRow, value: unknown): readonly (string | null)[] | string {
  if (row.argument === undefined) {
    if (typeof value === 'boolean') return value ? [null] : [];
    return `is an option without a value; write '${row.long} = true'`;
  }
  const wrong = `takes ${row.argument}; write a text in quotes, a whole number, or several of them in [brackets]`;
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (!values.every((one) => typeof one === 'string' || Number.isInteger(one))) return wrong;
  // The shell that starts us can't pass it on.
  if (values.some((one) => String(one).includes('\0'))) return 'has a character that can be in no option; leave \\u0000 out';
  return values.map(String);
}

/** What the option says to the value, as on the command line; null: nothing. */
function tryOption(row: OptionRow, mode: Mode, value: string | null): string | null {
  if (row.set === undefined) return `'${row.long}' is not supported yet; leave it out`;
  try {
    row.set(newDraft(mode), value ?? '');
    return null;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return error.message;
  }
}

function cureOf(key: string, rows: readonly OptionRow[]): string {
  const plain = key.replace(/^-+/, '').replaceAll('_', '-');
  const byLetter = rows.find(({ short }) => short === plain)?.long;
  const similar = rows.map(({ long }) => ({ long, mistakes: distance(plain, long) })).sort((a, b) => a.mistakes - b.mistakes)[0];
  const meant = byLetter ?? (similar !== undefined && similar.mistakes <= TYPING_MISTAKES ? similar.long : null);
  return meant === null ? "keys are the long options of its manual, and 'mode'" : `write '${meant}'`;
}

/** How many letters must be put in, taken out or changed (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      const change = (row[j] as number) + (letter === b[j] ? 0 : 1);
      next.push(Math.min(change, (row[j + 1] as number) + 1, (next[j] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}

/** Where a key of the top level is written, or the table of that name: the parser does not tell. */
function lineOf(text: string, key: string): number {
  const name = key.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const pattern = new RegExp(`^\\s*\\[{0,2}\\s*(?:${name}|"${name}"|'${name}')\\s*[=.\\]]`);
  return text.split('\n').findIndex((line) => pattern.test(line)) + 1 || 1;
}
