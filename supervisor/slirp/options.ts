/**
 * The command line of slirp4netns, in words of pasta, or of passt for a tap that is handed over: one network of its own, whose host is at 2,
 * name server at 3, and guest at 100.
 */
import { formatAddress, parseIPv4 } from '../../shared/addresses.ts';
import { MAX_MTU } from '../../shared/limits.ts';
import { eachOption } from '../config/getopt.ts';
import { type DescribedOption, optionLine } from '../config/option-line.ts';
import { decimal, wrong } from '../config/values.ts';
import { VERSION } from '../config/version.ts';
import { randomBytes } from '../random-bytes.ts';
import { UsageError } from '../usage-error.ts';

/** What callers have for the newest version whose options and answers these are. */
const COMPATIBLE = '1.3.3';
const DEFAULT_CIDR = '10.0.2.0/24';
const NAME_WIDTH = 26;
/** Places in the network. */
const [HOST, NAME_SERVER, GUEST] = [2, 3, 100] as const;
/** The guest's place must be in it. */
const LONGEST_PREFIX = 25;

/** What the run needs besides pasta's words. */
export interface SlirpOptions {
  /** Gets a byte when everything is there; null: nobody waits. */
  readonly readyFd: number | null;
  /** Any event there ends the run; null: none is given. */
  readonly exitFd: number | null;
  /** Where ports are asked for; null: nowhere. */
  readonly apiPath: string | null;
  /** The guest's address unless a request says another; 16 bytes. */
  readonly guest: Uint8Array;
  /** What is told about the network, on stdout. */
  readonly banner: string;
}

/** A command line: a text to print, or the words of pasta or passt and what is not in them. */
export type SlirpInvocation =
  | { readonly kind: 'text'; readonly stdout: string }
  | { readonly kind: 'run'; readonly mode: 'pasta' | 'passt'; readonly words: readonly string[]; readonly slirp: SlirpOptions };

/** Of the option table: `help` is for people, and its names are what callers look for. */
export const SLIRP_OPTIONS: readonly DescribedOption[] = [
  { long: 'configure', short: 'c', help: 'Bring the interface up, with addresses and routes' },
  { long: 'exit-fd', short: 'e', argument: 'FD', help: 'End when something happens at this descriptor' },
  { long: 'ready-fd', short: 'r', argument: 'FD', help: 'Write a byte there when the network is ready' },
  { long: 'mtu', short: 'm', argument: 'MTU', help: `MTU (default=1500, max=${MAX_MTU})` },
  { long: 'enable-ipv6', short: '6', help: 'IPv6 as well' },
  { long: 'api-socket', short: 'a', argument: 'PATH', help: 'Socket by which ports are forwarded' },
  { long: 'cidr', argument: 'CIDR', help: `Network of the guest (default=${DEFAULT_CIDR})` },
  { long: 'disable-host-loopback', help: "The gateway does not lead to the host's loopback" },
  { long: 'netns-type', argument: 'TYPE', help: 'What the first word is: path or pid of a namespace, or tapfd (default=pid)' },
  { long: 'userns-path', argument: 'PATH', help: 'User namespace to join' },
  { long: 'enable-sandbox', help: 'Without effect: every room is confined' },
  { long: 'enable-seccomp', help: 'Without effect: system calls are always filtered' },
  { long: 'outbound-addr', argument: 'IPv4', help: 'Source address, or interface, of IPv4 towards the outside' },
  { long: 'outbound-addr6', argument: 'IPv6', help: 'Source address, or interface, of IPv6 towards the outside' },
  { long: 'disable-dns', help: 'No name server in the network of the guest' },
  { long: 'macaddress', argument: 'MAC', help: 'MAC address of the interface (only with -c)' },
  { long: 'target-type', argument: 'TYPE', help: 'What is connected: netns' },
  { long: 'help', short: 'h', help: 'Print this text' },
  { long: 'version', short: 'v', help: 'Print the version' },
];

/** The form of the command, as its help and its manual show it. */
export const SLIRP_SYNOPSIS = 'slirp4netns [OPTION]... PID|PATH|FD [TAPNAME]';

function helpText(): string {
  const lines = SLIRP_OPTIONS.map((row) => optionLine(row, NAME_WIDTH));
  const purpose = 'Connects a network namespace, or a tap, to the network of the host, as slirp4netns does.';
  return `Usage: ${SLIRP_SYNOPSIS}\n\n${purpose}\n\nOptions:\n${lines.join('\n')}\n`;
}

/** Podman and rootlesskit show the lines; the first has the version. */
function versionText(): string {
  return `slirp4netns version ${COMPATIBLE}\ncommit: ravioli-${VERSION}\nlibslirp: none\nSLIRP_CONFIG_VERSION_MAX: 0\nlibseccomp: none\n`;
}

/** What was given, the last of each. */
type Given = ReadonlyMap<string, string>;

/**
 * Reads the words behind the program's name.
 * @throws UsageError
 */
export function parseSlirp(argv: readonly string[]): SlirpInvocation {
  const given = new Map<string, string>();
  let text: string | null = null;
  const words = eachOption(SLIRP_OPTIONS, argv, ({ row, value }) => {
    if (row.long === 'help') text = helpText();
    else if (row.long === 'version') text = versionText();
    else given.set(row.long, value);
    return text !== null;
  });
  if (text !== null) return { kind: 'text', stdout: text };
  return translate(given, words as readonly string[]);
}

function translate(given: Given, named: readonly string[]): SlirpInvocation {
  const [target, tap = 'tap0', excess] = named;
  if (target === undefined)
    throw new UsageError('which namespace is not said; give the ID of a process in it, or --netns-type=path and its path');
  if (excess !== undefined) throw new UsageError(`'${excess}': nothing comes behind the name of the interface; leave it out`);
  if (given.get('macaddress') !== undefined && !given.has('configure'))
    throw new UsageError('--macaddress is for an interface that is made ready; give -c as well');
  refuseOther(given, 'target-type', ['netns']);
  refuseOther(given, 'netns-type', ['path', 'pid', 'tapfd']);
  const network = networkOf(given.get('cidr') ?? DEFAULT_CIDR);
  const mtu = mtuOf(given.get('mtu') ?? '1500');
  const at = (place: number): string => formatAddress(network.at(place));
  const byTap = given.get('netns-type') === 'tapfd';
  const words = [
    ...['--foreground', '--quiet', ...(byTap ? [] : ['--ns-ifname', tap]), '--mtu', String(mtu)],
    ...['-t', 'none', '-u', 'none', ...(byTap ? [] : ['-T', 'none', '-U', 'none'])],
    ...['--address', at(GUEST), '--netmask', String(network.length), '--gateway', at(HOST)],
    ...(given.has('configure') ? ['--config-net'] : []),
    ...(given.has('disable-host-loopback') ? ['--no-map-gw'] : []),
    ...sixth(given),
    ...dnsWords(given, at(NAME_SERVER)),
    ...outboundWords(given),
    ...optional('--ns-mac-addr', given.get('macaddress')),
    ...(byTap ? tapWords(given, target) : namespaceWords(given, target)),
  ];
  const slirp: SlirpOptions = {
    readyFd: descriptorOf(given, 'ready-fd'),
    exitFd: descriptorOf(given, 'exit-fd'),
    apiPath: given.get('api-socket') ?? null,
    guest: network.at(GUEST),
    banner: bannerOf(given, network, mtu),
  };
  return { kind: 'run', mode: byTap ? 'passt' : 'pasta', words, slirp };
}

function optional(option: string, value: string | undefined): string[] {
  return value === undefined ? [] : [option, value];
}

function refuseOther(given: Given, option: string, known: readonly string[]): void {
  const value = given.get(option);
  if (value !== undefined && !known.includes(value)) throw wrong(`--${option}`, value, `is not served; give ${known.join(' or ')}`);
}

/** IPv6: the guest at a random place of fd00::/64, as the kernel would choose one. */
function sixth(given: Given): string[] {
  if (!given.has('enable-ipv6')) return ['--ipv4-only'];
  const address = new Uint8Array(16);
  address[0] = 0xfd;
  address.set(randomBytes(8), 8);
  return ['--address', formatAddress(address), '--gateway', 'fd00::2'];
}

function dnsWords(given: Given, server: string): string[] {
  if (given.has('disable-dns')) return ['--dns', 'none'];
  const words = ['--dns-forward', server, '--dns', server];
  return given.has('enable-ipv6') ? [...words, '--dns-forward', 'fd00::3', '--dns', 'fd00::3'] : words;
}

function outboundWords(given: Given): string[] {
  const words: string[] = [];
  for (const [option, family] of [
    ['outbound-addr', 4],
    ['outbound-addr6', 6],
  ] as const) {
    const value = given.get(option);
    if (value === undefined) continue;
    if (value.includes(':') || parseIPv4(value) !== null) words.push('--outbound', value);
    else words.push(`--outbound-if${family}`, value);
  }
  return words;
}

function namespaceWords(given: Given, target: string): string[] {
  const user = given.get('userns-path');
  const byPath = given.get('netns-type') === 'path';
  if (!byPath && decimal(target) === null)
    throw new UsageError(`'${target}' is not the ID of a process; give one, or --netns-type=path before it`);
  if (!byPath && user === undefined) return [target];
  const path = byPath ? target : `/proc/${target}/ns/net`;
  // Whoever has made it ends us by --exit-fd, or by a signal.
  return [...optional('--userns', user), '--netns', path, '--no-netns-quit'];
}

/** Whose namespace the tap is in is not known. */
function tapWords(given: Given, target: string): string[] {
  for (const option of ['configure', 'userns-path'])
    if (given.has(option)) throw new UsageError(`--${option} is about a namespace, and a tap is handed over; set it up where it was made`);
  if (decimal(target) === null) throw new UsageError(`'${target}' is not the number of a descriptor; give that of a tap that is open`);
  return ['--fd', target];
}

function descriptorOf(given: Given, option: string): number | null {
  const text = given.get(option);
  if (text === undefined) return null;
  const fd = decimal(text);
  if (fd === null || fd < 0) throw wrong(`--${option}`, text, 'is not the number of a descriptor; give one that is open');
  return fd;
}

function mtuOf(text: string): number {
  const mtu = decimal(text);
  if (mtu === null || mtu < 1 || mtu > MAX_MTU) throw wrong('--mtu', text, `must be a number from 1 to ${MAX_MTU}`);
  return mtu;
}

interface Network {
  readonly length: number;
  readonly text: string;
  at(place: number): Uint8Array;
}

function networkOf(text: string): Network {
  const [base = '', prefix = ''] = text.split('/');
  const address = parseIPv4(base);
  const length = decimal(prefix);
  if (address === null || length === null || length < 1 || length > LONGEST_PREFIX || text.split('/').length !== 2)
    throw wrong('--cidr', text, `is not an IPv4 network of at most /${LONGEST_PREFIX}; give one like ${DEFAULT_CIDR}`);
  const number = new DataView(address.buffer, address.byteOffset).getUint32(12);
  const first = length === 32 ? number : Math.floor(number / 2 ** (32 - length)) * 2 ** (32 - length);
  if (first !== number) throw wrong('--cidr', text, `has bits of a host; write ${formatAddress(placed(address, first))}/${length}`);
  return { length, text: base, at: (place) => placed(address, first + place) };
}

function placed(network: Uint8Array, number: number): Uint8Array {
  const address = Uint8Array.from(network);
  new DataView(address.buffer).setUint32(12, number);
  return address;
}

function bannerOf(given: Given, network: Network, mtu: number): string {
  const at = (place: number): string => formatAddress(network.at(place));
  const lines = [
    ['MTU:', String(mtu)],
    ['Network:', `${network.text}/${network.length}`],
    ['Gateway:', at(HOST)],
    ...(given.has('disable-dns') ? [] : [['DNS:', at(NAME_SERVER)]]),
    ['Recommended IP:', at(GUEST)],
  ].map(([name, value]) => `* ${(name as string).padEnd(16)} ${value}\n`);
  const warning = given.has('disable-host-loopback')
    ? ''
    : `WARNING: 127.0.0.1:* on the host is accessible as ${at(HOST)}; --disable-host-loopback prohibits that\n`;
  return `Starting slirp4netns (ravioli ${VERSION})\n${lines.join('')}${warning}`;
}
