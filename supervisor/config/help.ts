/**
 * The texts of `--help` and `--version`; made only when asked for.
 */
import { OPTIONS, type OptionRow } from './options.ts';
import { VERSION } from './version.ts';

type Mode = 'pasta' | 'passt';

/** First word the mode, second the version: Podman and rootlesskit read it. */
export function versionText(mode: Mode): string {
  return `${mode} ${VERSION}\nravioli: a network for machines and containers, without privileges\nLicensed under the Apache License 2.0\n`;
}

/** Usage, and a line per option of the mode. */
export function helpText(mode: Mode): string {
  const usage =
    mode === 'pasta'
      ? 'pasta [OPTION]... [COMMAND [ARGUMENT]...]\n       pasta [OPTION]... PID\n       pasta [OPTION]... --netns PATH'
      : 'passt [OPTION]...';
  const lines = OPTIONS.filter((row) => row.modes === 'both' || row.modes === mode).map((row) => optionLine(row));
  const what =
    mode === 'pasta'
      ? 'Connects a new network namespace to the network of the host and runs COMMAND (or a shell) in it,\nor, in the background, one that exists.'
      : 'Connects a virtual machine to the network of the host. It is to connect to a UNIX socket, as QEMU does with -netdev stream.';
  return `Usage: ${usage}\n\n${what}\n\nOptions:\n${lines.join('\n')}\n`;
}

function optionLine(row: OptionRow): string {
  const short = row.short === undefined ? '    ' : `-${row.short}, `;
  const name = row.argument === undefined ? `--${row.long}` : `--${row.long} ${row.argument}`;
  const note = row.set === undefined && row.awaits !== undefined ? ' (not supported yet)' : '';
  return `  ${short}${name.padEnd(28)} ${row.help}${note}`;
}
