/**
 * The options while they are read, and how each one changes them. The order on the command line counts: a later option wins unless its
 * rule says otherwise. `finish()` checks what only the whole line shows, and freezes.
 */
import { finishMachine } from './machine-options.ts';
import { familyOf } from '../../shared/addresses.ts';
import { DEFAULT_MTU, DEFAULT_TCP_TIMEOUTS } from '../../shared/limits.ts';
import { LogLevel } from '../../shared/messages.ts';
import type { HandedChoice } from '../forwarding/handed-rules.ts';
import type { ForwardingSpec } from '../forwarding/spec.ts';
import { UsageError } from '../usage-error.ts';
import { finishNamespaces } from './namespace-options.ts';
import type { Options } from './options.ts';
import { finishPorts } from './port-options.ts';
import {
  type Refused,
  addressValue,
  classPrefixLength,
  guestAddressValue,
  hostnameValue,
  macValue,
  netmaskValue,
  searchValue,
  socketPathValue,
  wrong,
} from './values.ts';

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** The options being read; the fields that `Options` lacks are needed only until the line has been read. */
export interface Draft extends Mutable<Omit<Options, 'dns' | 'search' | 'forwarding' | 'listenFd' | 'warnings' | 'command' | 'guest'>> {
  dns: Uint8Array[] | null;
  search: string[] | null;
  forwarding: ForwardingSpec[];
  listenFd: HandedChoice[];
  warnings: string[];
  /** From `-n`; the length behind a slash is already in `prefixLength4`. */
  netmask: number | null;
  netmaskText: string;
  /** Directions and protocols of which nothing is said are forwarded automatically. */
  automatic: boolean;
  /** `--netns`, and `--userns`, of which and `--netns-only` the later counts. */
  networkPath: string | null;
  userPath: string | null;
}

const ALL_PROTOCOLS = { ipv4: true, ipv6: true, tcp: true, udp: true, icmp: true, ndp: true, ra: true, dhcp: true, dhcpv6: true };

/** What the template or the host decides where nothing is said. */
const UNSAID = {
  udpTimeout: null,
  udpStreamTimeout: null,
  guestMac: null,
  templateInterface: null,
  namespaceInterface: null,
  address4: null,
  prefixLength4: null,
  address6: null,
  gateway4: null,
  gateway6: null,
  mapHostLoopback4: null,
  mapHostLoopback6: null,
  mapGuestAddress4: null,
  mapGuestAddress6: null,
  outbound4: null,
  outbound6: null,
  outboundInterface4: null,
  outboundInterface6: null,
  dns: null,
  search: null,
  dnsForward4: null,
  dnsForward6: null,
  dnsHost4: null,
  dnsHost6: null,
  hostname: null,
  fqdn: null,
  controlPath: null,
  socketPath: null,
  machineFd: null,
  pidFile: null,
  runAs: null,
  logFile: null,
  captureFile: null,
  networkPath: null,
  userPath: null,
  netmask: null,
} as const;

/** What holds when nothing is said. A namespace has the host's resolv.conf already, a machine has not. */
export function newDraft(mode: 'pasta' | 'passt'): Draft {
  return {
    ...UNSAID,
    advertiseDns: mode === 'passt',
    advertiseSearch: mode === 'passt',
    foreground: false,
    logLevel: LogLevel.INFO,
    isolation: 'default',
    ...ALL_PROTOCOLS,
    tcpHandshakeTimeout: DEFAULT_TCP_TIMEOUTS.handshake,
    tcpIdleTimeout: DEFAULT_TCP_TIMEOUTS.idle,
    tcpHalfClosedTimeout: DEFAULT_TCP_TIMEOUTS.halfClosed,
    tcpKeepalive: DEFAULT_TCP_TIMEOUTS.keepAlive,
    mtu: DEFAULT_MTU,
    ourMac: Uint8Array.of(0x9a, 0x55, 0x9a, 0x55, 0x9a, 0x55),
    mapGateway: true,
    forwarding: [],
    listenFd: [],
    freebind: false,
    // There is no loopback on the other side that sockets could be made in.
    splice: mode === 'pasta',
    oneOff: false,
    spliceOnly: false,
    captureSpliced: false,
    loopbackToLoopback: false,
    configureNetwork: false,
    copyAddresses: true,
    copyRoutes: true,
    pidNamespace: true,
    userNamespace: true,
    logSize: 1 << 20,
    statistics: 0,
    quitsWithNamespace: true,
    warnings: [],
    netmaskText: '',
    automatic: mode === 'pasta',
  };
}

/** `-a`: per family the last one counts. */
export function setAddress(draft: Draft, text: string): void {
  const { address, prefixLength } = guestAddressValue('--address', text);
  if (familyOf(address) === 4) {
    draft.address4 = address;
    draft.prefixLength4 = prefixLength;
  } else {
    draft.address6 = address;
  }
}

/** `-n`; together with a length behind the address it is refused by `finish`, whatever the order. */
export function setNetmask(draft: Draft, text: string): void {
  draft.netmask = netmaskValue('--netmask', text);
  draft.netmaskText = text;
}

/** `-g`: per family the last one counts. */
export function setGateway(draft: Draft, text: string): void {
  const gateway = addressValue('--gateway', text, ['unspecified', 'loopback', 'multicast', 'broadcast']);
  draft[familyOf(gateway) === 4 ? 'gateway4' : 'gateway6'] = gateway;
}

const NOT_MAPPABLE: readonly Refused[] = ['unspecified', 'loopback', 'multicast', 'broadcast'];

/** `--map-host-loopback`; `none` is `--no-map-gw`. */
export function setMapHostLoopback(draft: Draft, text: string): void {
  if (text === 'none') {
    draft.mapHostLoopback4 = null;
    draft.mapHostLoopback6 = null;
    draft.mapGateway = false;
    return;
  }
  const address = addressValue('--map-host-loopback', text, NOT_MAPPABLE);
  draft[familyOf(address) === 4 ? 'mapHostLoopback4' : 'mapHostLoopback6'] = address;
}

/** `--map-guest-addr`. */
export function setMapGuestAddress(draft: Draft, text: string): void {
  if (text === 'none') {
    draft.mapGuestAddress4 = null;
    draft.mapGuestAddress6 = null;
    return;
  }
  const address = addressValue('--map-guest-addr', text, NOT_MAPPABLE);
  draft[familyOf(address) === 4 ? 'mapGuestAddress4' : 'mapGuestAddress6'] = address;
}

/** `--dns-forward`: once per family, the last one counts. */
export function setDnsForward(draft: Draft, text: string): void {
  const address = addressValue('--dns-forward', text, NOT_MAPPABLE);
  draft[familyOf(address) === 4 ? 'dnsForward4' : 'dnsForward6'] = address;
}

/** `--dns-host`: once per family, the last one counts; a loopback address is meant for exactly this. */
export function setDnsHost(draft: Draft, text: string): void {
  const address = addressValue('--dns-host', text, ['unspecified', 'multicast', 'broadcast']);
  draft[familyOf(address) === 4 ? 'dnsHost4' : 'dnsHost6'] = address;
}

/** `-D`: three per family are kept; `none` forgets what was given of all this and what resolv.conf says. */
export function addDns(draft: Draft, text: string): void {
  if (text === 'none') {
    draft.dns = [];
    draft.dnsForward4 = null;
    draft.dnsForward6 = null;
    draft.dnsHost4 = null;
    draft.dnsHost6 = null;
    return;
  }
  const server = addressValue('--dns', text, ['unspecified', 'multicast', 'broadcast']);
  const known = draft.dns ?? [];
  const family = familyOf(server);
  if (known.filter((other) => familyOf(other) === family).length >= 3) {
    draft.warnings.push(`--dns '${text}' is left out: three IPv${family} servers were given before`);
    return;
  }
  draft.dns = [...known, server];
}

/** `-S`: one domain or several with blanks between them, of which six are kept; `none` forgets what was given and what resolv.conf says. */
export function addSearch(draft: Draft, text: string): void {
  if (text === 'none') {
    draft.search = [];
    return;
  }
  for (const domain of searchValue('--search', text)) {
    const known = draft.search ?? [];
    if (known.length >= 6) draft.warnings.push(`--search '${domain}' is left out: six domains were given before`);
    else draft.search = [...known, domain];
  }
}

/** `-H`; empty: none. */
export function setHostname(draft: Draft, text: string): void {
  draft.hostname = text === '' ? null : hostnameValue('--hostname', text);
}

/** `--fqdn`; empty: none. */
export function setFqdn(draft: Draft, text: string): void {
  draft.fqdn = text === '' ? null : hostnameValue('--fqdn', text);
}

/** `--ns-mac-addr`. */
export function setGuestMac(draft: Draft, text: string): void {
  draft.guestMac = macValue('--ns-mac-addr', text);
}

/** `-c`. */
export function setControlPath(draft: Draft, text: string): void {
  draft.controlPath = socketPathValue('--conf-path', text);
}

/** `--isolation`. */
export function setIsolation(draft: Draft, text: string): void {
  if (text !== 'default' && text !== 'strict') throw wrong('--isolation', text, "is no level of isolation; give 'default' or 'strict'");
  draft.isolation = text;
}

/** Checks what concerns several options at once, and freezes. `words` are those behind the options, in pasta mode. */
export function finish(mode: 'pasta' | 'passt', draft: Draft, words: readonly string[]): Options {
  const { netmask, netmaskText, automatic, networkPath, userPath, ...rest } = draft;
  const prefixLength4 = finishPrefix(draft);
  if (mode === 'passt') finishMachine(draft, words);
  const guest = mode === 'pasta' ? finishNamespaces(draft, words) : null;
  if (!draft.configureNetwork) {
    for (const [option, copies] of [
      ['--no-copy-routes', draft.copyRoutes],
      ['--no-copy-addrs', draft.copyAddresses],
    ] as const) {
      if (!copies) throw new UsageError(`${option} has no meaning without --config-net; add that or leave it out`);
    }
  }
  const spawns = mode === 'pasta' && guest === null;
  if (draft.captureSpliced && draft.captureFile === null)
    throw new UsageError('--pcap-spliced has no meaning without a file for what is captured; add --pcap');
  if (draft.statistics > 0 && !draft.foreground && !spawns)
    throw new UsageError('--stats shows counters on stderr, which a run in the background has none of; add --foreground');
  return Object.freeze({
    ...rest,
    prefixLength4,
    guest,
    command: spawns && words.length > 0 ? Object.freeze([...words]) : null,
    foreground: draft.foreground || spawns,
    logLevel: spawns && draft.logLevel === LogLevel.INFO ? LogLevel.WARNING : draft.logLevel,
    ndp: draft.ndp && draft.icmp,
    ra: draft.ra && !draft.configureNetwork,
    dns: draft.dns === null ? null : Object.freeze([...draft.dns]),
    search: draft.search === null ? null : Object.freeze([...draft.search]),
    ...finishPorts(draft),
    listenFd: Object.freeze([...draft.listenFd]),
    warnings: Object.freeze([...draft.warnings, ...mtuWarnings(draft)]),
  });
}

function finishPrefix(draft: Draft): number | null {
  if (draft.netmask === null) {
    if (draft.address4 === null || draft.prefixLength4 !== null) return draft.prefixLength4;
    return classPrefixLength(draft.address4);
  }
  if (draft.prefixLength4 === null) return draft.netmask;
  throw wrong('--netmask', draft.netmaskText, `--address has a prefix length already, /${draft.prefixLength4}; give one of the two`);
}

function mtuWarnings(draft: Draft): string[] {
  if (draft.mtu === 0) return [];
  const warnings: string[] = [];
  if (draft.ipv4 && draft.mtu < 68) warnings.push(`--mtu ${draft.mtu} is too small for IPv4, which needs 68 (RFC 791)`);
  if (draft.ipv6 && draft.mtu < 1280) warnings.push(`--mtu ${draft.mtu} is too small for IPv6, which needs 1280 (RFC 8200)`);
  return warnings;
}
