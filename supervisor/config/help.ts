/**
 * The texts of `--help` and `--version`; made only when asked for.
 */
import { optionLine } from './option-line.ts';
import { OPTIONS, type OptionRow } from './options.ts';
import { VERSION } from './version.ts';

/** The forms of each command, as its help and its manual show them. */
export const SYNOPSES: Readonly<Record<Mode, readonly string[]>> = {
  pasta: ['pasta [OPTION]... [COMMAND [ARGUMENT]...]', 'pasta [OPTION]... PID', 'pasta [OPTION]... --netns PATH'],
  passt: ['passt [OPTION]...'],
};

type Mode = 'pasta' | 'passt';

/** First word the mode, second the version: Podman and rootlesskit read it. */
export function versionText(mode: Mode | 'ravioli'): string {
  return `${mode} ${VERSION}\nravioli: a network for machines and containers, without privileges\nLicensed under the Apache License 2.0\n`;
}

/** What vhost-user's convention has a back-end say of itself: a network. */
export const CAPABILITIES = '{\n  "type": "net"\n}\n';

/** What `ravioli` without a word, or with --help, shows. */
export const RAVIOLI_HELP = `Usage: ravioli COMMAND [WORD]...

A network for machines and containers, without privileges.

Commands:
  pasta      A network for a command or a network namespace
  passt      A network for a virtual machine
  run        The network that a file describes, as a service
  status     Which runs there are, whom they serve, what has moved
  flows      Their connections, exchanges of datagrams and pings
  forward    Which ports they forward, and others in their place
  doctor     Whether this machine has what is needed

Each of them has a text of its own: ravioli COMMAND --help
`;

/** Usage, and a line per option of the mode. */
export function helpText(mode: Mode): string {
  const usage = SYNOPSES[mode].join('\n       ');
  const lines = OPTIONS.filter((row) => row.modes === 'both' || row.modes === mode).map((row) =>
    optionLine({ ...row, help: helpOf(row) }, NAME_WIDTH),
  );
  const what =
    mode === 'pasta'
      ? 'Connects a new network namespace to the network of the host and runs COMMAND (or a shell) in it,\nor, in the background, one that exists.'
      : 'Connects a virtual machine to the network of the host. It is to connect to a UNIX socket, as QEMU does with -netdev stream.';
  return `Usage: ${usage}\n\n${what}\n\nOptions:\n${lines.join('\n')}\n`;
}

/** Bytes for a name and its argument. */
const NAME_WIDTH = 28;

/** What the row is for; marked where that is not there yet. */
export function helpOf(row: OptionRow): string {
  return row.set === undefined && row.awaits !== undefined ? `${row.help} (not supported yet)` : row.help;
}
