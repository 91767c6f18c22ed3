/**
 * The options of the command line: one row each, and the record that they make. A row without `set` is an option of pasta or passt that
 * is known but not there yet; `awaits` names the work that brings it.
 */
import type { LogLevel as Level } from '../../shared/messages.ts';
import { LogLevel } from '../../shared/messages.ts';
import type { Draft } from './draft.ts';
import {
  addDns,
  addSearch,
  setAddress,
  setControlPath,
  setDnsForward,
  setDnsHost,
  setFqdn,
  setGateway,
  setGuestMac,
  setHostname,
  setIsolation,
  setMapGuestAddress,
  setMapHostLoopback,
  setNetmask,
} from './draft.ts';
import type { HandedChoice } from '../forwarding/handed-rules.ts';
import type { ForwardingSpec } from '../forwarding/spec.ts';
import { LISTEN_FD } from './listen-fd.ts';
import { MACHINE } from './machine-options.ts';
import { type GuestNamespaces, NAMESPACES } from './namespace-options.ts';
import type { DescribedOption } from './option-line.ts';
import { OUTBOUND } from './outbound-options.ts';
import { PORTS_IN, PORTS_OUT, SPLICE } from './port-options.ts';
import { SERVICE } from './service-options.ts';
import { TIMEOUTS } from './timeouts.ts';
import { interfaceValue, macValue, mtuValue, pathValue } from './values.ts';

/** A command line, validated and frozen. Addresses are 16 bytes (shared/addresses.ts); null = not given. */
export interface Options {
  /** Stay attached to the terminal; always so when a command is run. The launcher decides the same way (native/command_line.c). */
  readonly foreground: boolean;
  /** Where our process ID is to be written; null = nowhere. */
  readonly pidFile: string | null;
  /** Whom root is to become; null = nobody else. */
  readonly runAs: string | null;
  /** Counters are shown at most once in so many seconds; 0 = not at all. */
  readonly statistics: number;
  /** Where lines go; null = in the background to the host's log. The file is never larger than so many bytes. */
  readonly logFile: string | null;
  readonly logSize: number;
  /** Where the frames of the guest are written; null = nowhere. */
  readonly captureFile: string | null;
  /** And what is spliced, with headers made up for it. */
  readonly captureSpliced: boolean;
  /** What is shown on stderr. WARNING when a command is run, unless more was asked for. */
  readonly logLevel: Level;
  readonly isolation: 'default' | 'strict';
  /** Families and protocols that may be served. */
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  readonly tcp: boolean;
  readonly udp: boolean;
  readonly icmp: boolean;
  readonly ndp: boolean;
  /** How long a connection may stay as it is, ms, 0 = for ever. */
  readonly tcpHandshakeTimeout: number;
  readonly tcpIdleTimeout: number;
  readonly tcpHalfClosedTimeout: number;
  /** Silence after which the guest is asked whether it is there, ms, 0 = never. */
  readonly tcpKeepalive: number;
  /** How long an idle UDP flow is kept, ms, 0 = for ever, null = as the host does: while one end only has spoken, and once both have. */
  readonly udpTimeout: number | null;
  readonly udpStreamTimeout: number | null;
  readonly ra: boolean;
  readonly dhcp: boolean;
  readonly dhcpv6: boolean;
  /** Bytes of IP packet, 0 = none advertised nor set. */
  readonly mtu: number;
  readonly ourMac: Uint8Array;
  readonly guestMac: Uint8Array | null;
  readonly templateInterface: string | null;
  readonly namespaceInterface: string | null;
  readonly address4: Uint8Array | null;
  /** From `-a`, `-n` or the class of the address; null = the template's. */
  readonly prefixLength4: number | null;
  readonly address6: Uint8Array | null;
  readonly gateway4: Uint8Array | null;
  readonly gateway6: Uint8Array | null;
  /** The gateway's address leads to the host's loopback, unless one is named for that. */
  readonly mapGateway: boolean;
  readonly mapHostLoopback4: Uint8Array | null;
  readonly mapHostLoopback6: Uint8Array | null;
  readonly mapGuestAddress4: Uint8Array | null;
  readonly mapGuestAddress6: Uint8Array | null;
  /** Source and interface of sockets to the outside; null = as routes say. */
  readonly outbound4: Uint8Array | null;
  readonly outbound6: Uint8Array | null;
  readonly outboundInterface4: string | null;
  readonly outboundInterface6: string | null;
  /** null = from resolv.conf, empty = none. */
  readonly dns: readonly Uint8Array[] | null;
  readonly search: readonly string[] | null;
  /** The guest's address for the host's resolver, per family; null = none but what resolv.conf implies. */
  readonly dnsForward4: Uint8Array | null;
  readonly dnsForward6: Uint8Array | null;
  /** The host's resolver; null = the first of resolv.conf, whatever it is at the time. */
  readonly dnsHost4: Uint8Array | null;
  readonly dnsHost6: Uint8Array | null;
  readonly hostname: string | null;
  readonly fqdn: string | null;
  /** DHCP, DHCPv6 and router advertisements tell the servers, and the search list. */
  readonly advertiseDns: boolean;
  readonly advertiseSearch: boolean;
  /** What `-t`, `-u`, `-T` and `-U` said, in their order. */
  readonly forwarding: readonly ForwardingSpec[];
  /** Where sockets that were handed in lead, as far as that was said. */
  readonly listenFd: readonly HandedChoice[];
  /** Where the control socket is to be; null = nowhere. */
  readonly controlPath: string | null;
  /** Listen on addresses that the host does not have. */
  readonly freebind: boolean;
  /** What comes from one loopback and is forwarded goes from socket to socket, without frames. */
  readonly splice: boolean;
  /** Nothing else is: the namespace gets no interface. */
  readonly spliceOnly: boolean;
  /** Spliced to the guest's loopback, in place of its address. */
  readonly loopbackToLoopback: boolean;
  readonly configureNetwork: boolean;
  readonly copyAddresses: boolean;
  readonly copyRoutes: boolean;
  /** Which namespaces a command gets besides that of the network. */
  readonly userNamespace: boolean;
  readonly pidNamespace: boolean;
  /** Where a machine connects; null = the first free path of ours. */
  readonly socketPath: string | null;
  /** A socket that a machine is connected to; null = listen. */
  readonly machineFd: number | null;
  /** Leave with the first machine. */
  readonly oneOff: boolean;
  /** Namespaces to join; null = run something in new ones. */
  readonly guest: GuestNamespaces | null;
  /** Leave when they go. */
  readonly quitsWithNamespace: boolean;
  /** What to run; null = a shell (or nothing, with `guest`). */
  readonly command: readonly string[] | null;
  /** Lines for stderr, without the program's name. */
  readonly warnings: readonly string[];
}

/** Work that brings the options which are not there yet. */
type Work = 'machine' | 'migration';

export interface OptionRow extends DescribedOption {
  /** Modes that have the option. */
  readonly modes: 'both' | 'passt' | 'pasta';
  readonly set?: (draft: Draft, value: string) => void;
  readonly awaits?: Work;
}

/** Switches that a row can turn off. */
type Flag = 'tcp' | 'udp' | 'icmp' | 'ndp' | 'ra' | 'dhcp' | 'dhcpv6' | 'mapGateway' | Advertised;
/** Those that the mode sets, and a row of the one mode or the other can change. */
type Advertised = 'advertiseDns' | 'advertiseSearch';

function off(flag: Flag): (draft: Draft) => void {
  return (draft) => {
    draft[flag] = false;
  };
}

function on(flag: Advertised): (draft: Draft) => void {
  return (draft) => {
    draft[flag] = true;
  };
}

function level(value: Level): (draft: Draft) => void {
  return (draft) => {
    draft.logLevel = value;
  };
}

function onlyFamily(family: 4 | 6): (draft: Draft) => void {
  return (draft) => {
    draft.ipv4 = family === 4;
    draft.ipv6 = family === 6;
  };
}

function deprecated(draft: Draft, option: string): void {
  draft.warnings.push(`${option} is deprecated and will be dropped; give --address or --gateway instead`);
}

/** Everything that `--help` lists, in its order. */
export const OPTIONS: readonly OptionRow[] = [
  { long: 'debug', short: 'd', modes: 'both', help: 'Tell everything but single frames', set: level(LogLevel.DEBUG) },
  { long: 'trace', modes: 'both', help: 'Tell everything, each frame too', set: level(LogLevel.TRACE) },
  { long: 'quiet', short: 'q', modes: 'both', help: 'Tell only warnings and errors', set: level(LogLevel.WARNING) },
  ...SERVICE,
  {
    long: 'conf-path',
    short: 'c',
    argument: 'PATH',
    modes: 'both',
    help: 'Socket at which pesto changes what is forwarded',
    set: setControlPath,
  },
  { long: 'help', short: 'h', modes: 'both', help: 'Print this text' },
  { long: 'version', modes: 'both', help: 'Print the version' },
  { long: 'isolation', argument: 'LEVEL', modes: 'both', help: "'default', or 'strict': no executable memory at all", set: setIsolation },
  {
    long: 'pcap',
    short: 'p',
    argument: 'FILE',
    modes: 'both',
    help: 'Write the frames of the guest to this file, as tcpdump does',
    set: (draft, value) => {
      draft.captureFile = pathValue('--pcap', value);
    },
  },
  {
    long: 'pcap-spliced',
    modes: 'pasta',
    help: 'And what is spliced between loopbacks, as frames that it might have had',
    set: (draft) => {
      draft.captureSpliced = true;
    },
  },
  {
    long: 'mtu',
    short: 'm',
    argument: 'BYTES',
    modes: 'both',
    help: 'MTU of the guest, 0 for none; default 65520',
    set: (draft, value) => {
      draft.mtu = mtuValue('--mtu', value);
    },
  },
  {
    long: 'address',
    short: 'a',
    argument: 'ADDRESS[/LENGTH]',
    modes: 'both',
    help: "Address of the guest, once per family; default: the host's",
    set: setAddress,
  },
  {
    long: 'netmask',
    short: 'n',
    argument: 'MASK',
    modes: 'both',
    help: "IPv4 netmask or prefix length; default: the host's",
    set: setNetmask,
  },
  {
    long: 'mac-addr',
    short: 'M',
    argument: 'MAC',
    modes: 'both',
    help: 'Our MAC address; default 9a:55:9a:55:9a:55',
    set: (draft, value) => {
      draft.ourMac = macValue('--mac-addr', value);
    },
  },
  {
    long: 'gateway',
    short: 'g',
    argument: 'ADDRESS',
    modes: 'both',
    help: "Default gateway, once per family; default: the host's",
    set: setGateway,
  },
  {
    long: 'interface',
    short: 'i',
    argument: 'NAME',
    modes: 'both',
    help: 'Interface to take addresses and routes from; default: that of the default route',
    set: (draft, value) => {
      draft.templateInterface = interfaceValue('--interface', value);
    },
  },
  ...OUTBOUND,
  {
    long: 'dns',
    short: 'D',
    argument: 'ADDRESS',
    modes: 'both',
    help: "DNS server for the guest, up to three per family, or 'none'",
    set: addDns,
  },
  {
    long: 'dns-forward',
    argument: 'ADDRESS',
    modes: 'both',
    help: 'Address at which the guest finds the resolver of the host, once per family',
    set: setDnsForward,
  },
  {
    long: 'dns-host',
    argument: 'ADDRESS',
    modes: 'both',
    help: 'Resolver of the host, once per family; default: the first in resolv.conf',
    set: setDnsHost,
  },
  {
    long: 'search',
    short: 'S',
    argument: 'DOMAIN',
    modes: 'both',
    help: "Search domain for the guest, or several with blanks between them, up to six; or 'none'",
    set: addSearch,
  },
  { long: 'no-dhcp-dns', modes: 'passt', help: 'No DNS servers in DHCP, DHCPv6 and RA', set: off('advertiseDns') },
  { long: 'dhcp-dns', modes: 'pasta', help: 'DNS servers in DHCP, DHCPv6 and RA', set: on('advertiseDns') },
  { long: 'no-dhcp-search', modes: 'passt', help: 'No search list in DHCP, DHCPv6 and RA', set: off('advertiseSearch') },
  { long: 'dhcp-search', modes: 'pasta', help: 'Search list in DHCP, DHCPv6 and RA', set: on('advertiseSearch') },
  { long: 'no-tcp', modes: 'both', help: 'No TCP', set: off('tcp') },
  { long: 'no-udp', modes: 'both', help: 'No UDP', set: off('udp') },
  { long: 'no-icmp', modes: 'both', help: 'No ICMP, ICMPv6 and NDP', set: off('icmp') },
  { long: 'no-dhcp', modes: 'both', help: 'No DHCP server', set: off('dhcp') },
  { long: 'no-ndp', modes: 'both', help: 'No answers to NDP', set: off('ndp') },
  { long: 'no-dhcpv6', modes: 'both', help: 'No DHCPv6 server', set: off('dhcpv6') },
  { long: 'no-ra', modes: 'both', help: 'No router advertisements', set: off('ra') },
  ...TIMEOUTS,
  {
    long: 'freebind',
    modes: 'both',
    help: 'Listen on addresses that are not there yet',
    set: (draft) => {
      draft.freebind = true;
    },
  },
  {
    long: 'map-host-loopback',
    argument: 'ADDRESS',
    modes: 'both',
    help: "Address that leads the guest to the host's loopback, or 'none'; default: the gateway",
    set: setMapHostLoopback,
  },
  { long: 'no-map-gw', modes: 'both', help: "The gateway does not lead to the host's loopback", set: off('mapGateway') },
  {
    long: 'map-guest-addr',
    argument: 'ADDRESS',
    modes: 'both',
    help: "Address that leads the guest to the host's copy of its address, or 'none'",
    set: setMapGuestAddress,
  },
  { long: 'ipv4-only', short: '4', modes: 'both', help: 'Only IPv4', set: onlyFamily(4) },
  { long: 'ipv6-only', short: '6', modes: 'both', help: 'Only IPv6', set: onlyFamily(6) },
  { long: 'hostname', short: 'H', argument: 'NAME', modes: 'both', help: 'Host name of the guest', set: setHostname },
  { long: 'fqdn', argument: 'NAME', modes: 'both', help: 'Full name of the guest', set: setFqdn },
  ...PORTS_IN,
  LISTEN_FD,
  ...MACHINE,
  {
    long: 'ns-ifname',
    short: 'I',
    argument: 'NAME',
    modes: 'pasta',
    help: "Interface in the namespace; default: the host's name for it, or tap0",
    set: (draft, value) => {
      draft.namespaceInterface = interfaceValue('--ns-ifname', value);
    },
  },
  ...PORTS_OUT,
  ...NAMESPACES,
  {
    long: 'config-net',
    modes: 'pasta',
    help: 'Set up addresses and routes in the namespace',
    set: (draft) => {
      draft.configureNetwork = true;
    },
  },
  {
    long: 'no-copy-routes',
    modes: 'pasta',
    help: 'Only a default route in the namespace',
    set: (draft) => {
      draft.copyRoutes = false;
      deprecated(draft, '--no-copy-routes');
    },
  },
  {
    long: 'no-copy-addrs',
    modes: 'pasta',
    help: 'Only one address per family in the namespace',
    set: (draft) => {
      draft.copyAddresses = false;
      deprecated(draft, '--no-copy-addrs');
    },
  },
  { long: 'ns-mac-addr', argument: 'MAC', modes: 'pasta', help: 'MAC address of the interface in the namespace', set: setGuestMac },
  ...SPLICE,
];
