/**
 * `ravioli status` and `ravioli flows`: what their words mean, and what is shown of the answers. Pure.
 */
import { eachOption } from '../config/getopt.ts';
import { type DescribedOption, optionLine } from '../config/option-line.ts';
import { decimal } from '../config/values.ts';
import { printable, UsageError } from '../usage-error.ts';

/** In the order of `--help`. */
export const STATUS_OPTIONS: readonly DescribedOption[] = [
  { long: 'json', help: 'Print JSON, in one line' },
  { long: 'help', short: 'h', help: 'Print this text' },
];

const NAME_WIDTH = 12;

/** The text of `ravioli status --help` and `ravioli flows --help`. */
export const STATUS_HELP = `Usage: ravioli status [--json] [PID]
       ravioli flows [--json] [PID]

Shows the runs of this user, or that of process PID: 'status' their guests, addresses, forwarded ports and counters, 'flows' a line
for each connection, exchange of datagrams and ping.

Options:
${STATUS_OPTIONS.map((row) => optionLine(row, NAME_WIDTH)).join('\n')}

Exit status: 0 when there is a run, 1 when there is none, or the words are wrong.
`;

/** What was asked for. */
export interface StatusCommand {
  readonly json: boolean;
  readonly pid: number | null;
  readonly help: boolean;
}

/**
 * The words behind `ravioli status` or `ravioli flows`.
 * @throws UsageError
 */
export function parseStatus(words: readonly string[]): StatusCommand {
  const asked = { json: false, help: false };
  // The process may stand before the options or behind them.
  const first = words[0]?.startsWith('-') === false ? [words[0]] : [];
  const rest = eachOption(STATUS_OPTIONS, words.slice(first.length), ({ row }) => {
    if (row.long === 'json') asked.json = true;
    else asked.help = true;
    return false;
  });
  const [word, excess] = [...first, ...(rest ?? [])];
  if (excess !== undefined) throw new UsageError(`'${excess}' is one word too many; give one process ID, or none`);
  const pid = word === undefined ? null : decimal(word);
  if (word !== undefined && (pid === null || pid < 1)) throw new UsageError(`'${word}' is no process ID; give that of pasta or passt`);
  return { ...asked, pid };
}

interface ShownFamily {
  readonly address: string | null;
  readonly gateway: string | null;
  readonly uplink: string | null;
}

interface ShownRule {
  readonly protocol: string;
  readonly side: 'host' | 'guest';
  readonly address: string | null;
  readonly interface: string | null;
  readonly first: number;
  readonly last: number;
  readonly target: string | null;
  readonly targetFirst: number;
  readonly weak: boolean;
  readonly scan: boolean;
}

/** As supervisor/run-status.ts makes it. */
export interface ShownRun {
  readonly pid: number;
  readonly mode: string;
  readonly version: string;
  readonly seconds: number;
  readonly guest: {
    readonly command: number | null;
    readonly namespace: string | null;
    readonly socket: string | null;
    readonly interface: string | null;
    readonly mac: string | null;
    readonly mtu: number;
    readonly ipv4: ShownFamily | null;
    readonly ipv6: ShownFamily | null;
    readonly dns: readonly string[];
  };
  readonly control: string | null;
  readonly forwards: readonly ShownRule[];
  readonly flows: number;
  readonly counters: Readonly<Record<string, number>>;
}

/** One run for people. */
export function showRun(run: ShownRun): string {
  const { guest } = run;
  const rows: (readonly [string, string])[] = [
    ['guest', guestText(run)],
    ...familyRow('IPv4', guest.ipv4),
    ...familyRow('IPv6', guest.ipv6),
    ...(guest.dns.length === 0 ? [] : [['DNS', guest.dns.join(', ')] as const]),
    ...(run.control === null ? [] : [['control', run.control] as const]),
    ...run.forwards.map((rule, index) => [index === 0 ? 'forwards' : '', ruleText(rule)] as const),
    ['flows', String(run.flows)],
    ...Object.entries(run.counters)
      .filter(([, value]) => value !== 0)
      .map(([name, value], index) => [index === 0 ? 'counters' : '', `${name} ${value}`] as const),
  ];
  const lines = rows.map(([name, text]) => `  ${name.padEnd(8)}  ${printable(text)}`);
  return `${run.mode} ${run.version}, process ${run.pid}, for ${durationText(run.seconds)}\n${lines.join('\n')}\n`;
}

function guestText({ guest, mode }: ShownRun): string {
  if (mode === 'passt') return guest.socket === null ? 'a machine' : `the machine at ${guest.socket}`;
  const what = guest.command === null ? `namespace ${guest.namespace}` : `command ${guest.command}`;
  return guest.interface === null ? `${what}, no interface` : `${what}, interface ${guest.interface}, MAC ${guest.mac}, MTU ${guest.mtu}`;
}

function familyRow(name: string, family: ShownFamily | null): (readonly [string, string])[] {
  if (family === null) return [];
  const gateway = family.gateway === null ? '' : `, gateway ${family.gateway}`;
  const uplink = family.uplink === null ? ', no uplink' : ` by ${family.uplink}`;
  return [[name, `${family.address ?? 'link-local only'}${gateway}${uplink}`]];
}

function ruleText(rule: ShownRule): string {
  const [from, to] = rule.side === 'host' ? ['host', 'guest'] : ['guest', 'host'];
  const device = rule.interface === null ? '' : `%${rule.interface}`;
  const ports = (first: number): string => (rule.first === rule.last ? String(first) : `${first}-${first + rule.last - rule.first}`);
  const listens = `${from} ${rule.address === null ? '*' : hostText(rule.address)}${device}:${ports(rule.first)}`;
  const target = rule.target === null ? '' : `${hostText(rule.target)}:`;
  const notes = [rule.weak ? 'best effort' : '', rule.scan ? 'auto' : ''].filter((note) => note !== '');
  return `${rule.protocol} ${listens} to ${to} ${target}${ports(rule.targetFirst)}${notes.length === 0 ? '' : ` (${notes.join(', ')})`}`;
}

/** An address before a port. */
export function hostText(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

/** A time in its two largest units. */
export function durationText(seconds: number): string {
  const units = [
    [86_400, 'd'],
    [3_600, 'h'],
    [60, 'min'],
    [1, 's'],
  ] as const;
  const at = units.findIndex(([size]) => seconds >= size);
  if (at < 0) return `${seconds.toFixed(1)} s`;
  let left = Math.floor(seconds);
  return units
    .slice(at, at + 2)
    .map(([size, unit]) => {
      const count = Math.floor(left / size);
      left %= size;
      return `${count} ${unit}`;
    })
    .join(' ');
}
