/**
 * The plan: every address and number of a run, decided once from options, template and facts of the host, and frozen.
 * Addresses are 16 bytes (shared/addresses.ts). An empty array in `worker` is "not set", as in channel.proto.
 */
import { formatAddress, isLinkLocal, isMulticast, parseAddress, sameAddress, samePrefix } from '../../shared/addresses.ts';
import type { PortRange } from '../forwarding/port-range.ts';
import type { ForwardingTable } from '../forwarding/table.ts';
import type { HandedSocket } from '../host/handed-sockets.ts';
import type { InterfaceAddress, Route } from '../host/rtnetlink.ts';
import type { Resolvers } from '../host/resolvers.ts';
import { type FamilyTemplate, LOCAL_MODE, type Template } from '../host/template.ts';
import type { UdpTimeouts } from '../host/udp-timeouts.ts';
import { UsageError } from '../usage-error.ts';
import { planForwarding } from './forwarding.ts';
import { type NameService, nameServiceWarnings, planNameService } from './name-service.ts';
import type { Options } from './options.ts';
import { planRenewals } from './renewal.ts';

/** What the host says of itself. */
export interface HostFacts {
  readonly hostname: string;
  readonly resolvers: Resolvers;
  readonly udpTimeouts: UdpTimeouts;
  readonly ephemeralPorts: PortRange;
  /** Sockets that whoever started us has bound. */
  readonly handedSockets: readonly HandedSocket[];
}

/** The fields of channel.proto's Config that are decided here; the rest comes from the run itself. */
export interface WorkerPlan {
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  readonly tcp: boolean;
  readonly udp: boolean;
  readonly icmp: boolean;
  readonly ndp: boolean;
  readonly tcpHandshakeTimeout: number;
  readonly tcpIdleTimeout: number;
  readonly tcpHalfClosedTimeout: number;
  readonly tcpKeepalive: number;
  readonly udpTimeout: number;
  readonly udpStreamTimeout: number;
  readonly mtu: number;
  readonly ourMac: Uint8Array;
  readonly guestAddress4: Uint8Array;
  readonly guestAddress6: Uint8Array;
  readonly gateway4: Uint8Array;
  readonly gateway6: Uint8Array;
  readonly ourLinkLocal: Uint8Array;
  readonly mapHostLoopback4: Uint8Array;
  readonly mapHostLoopback6: Uint8Array;
  readonly mapGuestAddress4: Uint8Array;
  readonly mapGuestAddress6: Uint8Array;
  readonly templateInterface: number;
  readonly splices: boolean;
  readonly taps: boolean;
  readonly guestLoopback: boolean;
  readonly logLevel: number;
  readonly dhcp: boolean;
  readonly prefixLength4: number;
  readonly advertisedMtu: number;
  readonly hostname: string;
  readonly fqdn: string;
  readonly renewal4: number;
  readonly renewal6: number;
  readonly ra: boolean;
  readonly dhcpv6: boolean;
  readonly defaultRouter6: boolean;
  readonly routes6: AdvertisedRoute[];
  readonly configured: boolean;
}

/** A route that the guest is told of by router advertisements. */
export interface AdvertisedRoute {
  readonly destination: Uint8Array;
  readonly prefixLength: number;
}

/** One family inside the namespace. */
export interface FamilyPlan {
  /** No uplink was found: the family reaches the host only, until one appears. */
  readonly local: boolean;
  /** Name of the template interface; null in local mode. */
  readonly templateName: string | null;
  /** What the guest is given; null = none but a link-local one. */
  readonly address: Uint8Array | null;
  /** Of `address`, in bits; 64 for IPv6. */
  readonly prefixLength: number;
  /** Where the guest's default route leads; null = it has none. */
  readonly gateway: Uint8Array | null;
  /** To install with `--config-net`. */
  readonly addresses: readonly Omit<InterfaceAddress, 'family' | 'index'>[];
  /** Routes of the template to copy; null = a default route through `gateway` instead. */
  readonly routes: readonly Route[] | null;
}

/** What happens to the interface in the namespace. */
export interface NamespacePlan {
  /** Name of the tap device. */
  readonly interfaceName: string;
  /** null = the kernel's random one. */
  readonly mac: Uint8Array | null;
  /** Set link, addresses and routes; otherwise the guest does. */
  readonly configure: boolean;
  /** 0 = leave the kernel's. */
  readonly mtu: number;
  readonly ipv4: FamilyPlan | null;
  readonly ipv6: FamilyPlan | null;
}

export interface Plan {
  readonly worker: WorkerPlan;
  readonly namespace: NamespacePlan;
  /** Host name of a UTS namespace made by us; at most 64 bytes. */
  readonly hostname: string;
  readonly nameService: NameService;
  readonly forwarding: ForwardingTable;
  /** Lines for people: choices made by the template. */
  readonly notes: readonly string[];
  /** Lines for people: what will not work as asked; those of the options themselves are in `Options`. */
  readonly warnings: readonly string[];
}

/** HOST_NAME_MAX of Linux. */
const HOSTNAME_BYTES = 64;
/** MTU of a tap device that nobody set. */
const KERNEL_MTU = 1500;
const NONE = new Uint8Array(0);
const LOCAL4 = { address: '169.254.2.1', prefixLength: 16, gateway: '169.254.2.2' } as const;
const LOCAL_GATEWAY6 = 'fe80::1';

/** Throws UsageError when options contradict what the host offers. A family without uplink comes up in local mode, asked for or not. */
export function makePlan(options: Options, template: Template, facts: HostFacts): Plan {
  const ipv4 = template.ipv4 === null ? null : planIPv4(options, template.ipv4);
  const ipv6 = template.ipv6 === null ? null : planIPv6(options, template.ipv6);
  const worker = planWorker(options, facts, template, ipv4, ipv6);
  const namespace = Object.freeze({
    interfaceName: options.namespaceInterface ?? ipv4?.templateName ?? ipv6?.templateName ?? 'tap0',
    mac: options.guestMac,
    configure: options.configureNetwork,
    mtu: options.configureNetwork ? options.mtu : 0,
    ipv4,
    ipv6,
  });
  if (options.guestMac !== null && sameAddress(options.guestMac, options.ourMac)) {
    throw new UsageError('--ns-mac-addr is our own MAC address (--mac-addr); the two must differ');
  }
  const nameService = planNameService(options, facts.resolvers, worker);
  return Object.freeze({
    worker,
    namespace,
    hostname: hostnameFor(options, facts),
    nameService,
    forwarding: planForwarding(options, { ...worker, scan: true, ephemeral: facts.ephemeralPorts }, facts.handedSockets),
    notes: template.notes,
    warnings: Object.freeze([...overlapWarnings(worker), ...nameServiceWarnings(nameService)]),
  });
}

function planIPv4(options: Options, template: FamilyTemplate): FamilyPlan {
  const local = template.link === null;
  const address = options.address4 ?? template.address?.address ?? must(LOCAL4.address);
  const prefixLength = options.prefixLength4 ?? template.address?.prefixLength ?? LOCAL4.prefixLength;
  const gateway = options.gateway4 ?? (local ? must(LOCAL4.gateway) : template.gateway);
  // A netmask without an address is meant for the guest, so the one address is installed with it instead of copies.
  const copies = options.copyAddresses && options.address4 === null && options.prefixLength4 === null && !local;
  return Object.freeze({
    local,
    templateName: template.link?.name ?? null,
    address,
    prefixLength,
    gateway,
    addresses: copies ? template.addresses : [ownAddress(address, prefixLength)],
    routes: options.copyRoutes && options.gateway4 === null && !local ? template.routes : null,
  });
}

function planIPv6(options: Options, template: FamilyTemplate): FamilyPlan {
  const local = template.link === null;
  const address = options.address6 ?? template.address?.address ?? null;
  const copies = options.copyAddresses && options.address6 === null && !local;
  return Object.freeze({
    local,
    templateName: template.link?.name ?? null,
    address,
    prefixLength: 64,
    gateway: options.gateway6 ?? (local ? must(LOCAL_GATEWAY6) : template.gateway),
    addresses: copies ? template.addresses : address === null ? [] : [ownAddress(address, 64)],
    routes: options.copyRoutes && options.gateway6 === null && !local ? template.routes : null,
  });
}

function ownAddress(address: Uint8Array, prefixLength: number): Omit<InterfaceAddress, 'family' | 'index'> {
  return { address, peer: address, broadcast: null, prefixLength, scope: 0, flags: 0 };
}

function planWorker(options: Options, facts: HostFacts, template: Template, ipv4: FamilyPlan | null, ipv6: FamilyPlan | null): WorkerPlan {
  const gateway4 = ipv4?.gateway ?? null;
  const gateway6 = ipv6?.gateway ?? null;
  const link = (template.ipv6 ?? LOCAL_MODE).link ?? (template.ipv4 ?? LOCAL_MODE).link;
  return Object.freeze({
    ipv4: ipv4 !== null,
    ipv6: ipv6 !== null,
    tcp: options.tcp,
    udp: options.udp,
    icmp: options.icmp,
    ndp: options.ndp && ipv6 !== null,
    tcpHandshakeTimeout: options.tcpHandshakeTimeout,
    tcpIdleTimeout: options.tcpIdleTimeout,
    tcpHalfClosedTimeout: options.tcpHalfClosedTimeout,
    tcpKeepalive: options.tcpKeepalive,
    udpTimeout: options.udpTimeout ?? facts.udpTimeouts.unanswered,
    udpStreamTimeout: options.udpStreamTimeout ?? facts.udpTimeouts.answered,
    mtu: options.mtu === 0 ? KERNEL_MTU : options.mtu,
    ourMac: options.ourMac,
    guestAddress4: ipv4?.address ?? NONE,
    guestAddress6: ipv6?.address ?? NONE,
    gateway4: gateway4 ?? NONE,
    gateway6: gateway6 ?? NONE,
    ourLinkLocal: ipv6 === null ? NONE : linkLocalOf(gateway6, template.ipv6 ?? LOCAL_MODE),
    mapHostLoopback4: loopbackMapping(options, ipv4, options.mapHostLoopback4, gateway4),
    mapHostLoopback6: loopbackMapping(options, ipv6, options.mapHostLoopback6, gateway6),
    mapGuestAddress4: (ipv4 === null ? null : options.mapGuestAddress4) ?? NONE,
    mapGuestAddress6: (ipv6 === null ? null : options.mapGuestAddress6) ?? NONE,
    templateInterface: link?.index ?? 0,
    splices: options.splice,
    taps: !options.spliceOnly,
    guestLoopback: options.loopbackToLoopback,
    logLevel: options.logLevel,
    dhcp: options.dhcp && gateway4 !== null,
    prefixLength4: ipv4?.prefixLength ?? 0,
    advertisedMtu: options.mtu,
    hostname: options.hostname ?? '',
    fqdn: options.fqdn ?? '',
    ...planRenewals(options, { ipv4: ipv4?.local ?? false, ipv6: ipv6?.local ?? false }),
    ra: options.ra && options.ndp && ipv6 !== null,
    dhcpv6: options.dhcpv6 && ipv6 !== null && ipv6.address !== null,
    defaultRouter6: ipv6 !== null && isDefaultRouter(ipv6),
    routes6: ipv6 === null ? [] : advertisedRoutes(ipv6),
    configured: options.configureNetwork,
  });
}

/** Our address on the guest's link: the gateway's when that is a link-local one, else the template's. */
function linkLocalOf(gateway: Uint8Array | null, template: FamilyTemplate): Uint8Array {
  if (gateway !== null && isLinkLocal(gateway)) return gateway;
  return template.linkLocal ?? must(LOCAL_GATEWAY6);
}

/** A default route may need no gateway; then it is copied all the same. */
function isDefaultRouter({ gateway, routes }: FamilyPlan): boolean {
  return gateway !== null || (routes ?? []).some(({ destination }) => destination === null);
}

/** Copied routes but the default one, the prefix of the guest's own address, and what every link has. */
function advertisedRoutes({ address, prefixLength, routes }: FamilyPlan): AdvertisedRoute[] {
  return (routes ?? []).flatMap(({ destination, destinationLength }) => {
    if (destination === null || isLinkLocal(destination) || isMulticast(destination)) return [];
    const isOwn = address !== null && destinationLength >= prefixLength && samePrefix(destination, address, prefixLength);
    return isOwn ? [] : [Object.freeze({ destination, prefixLength: destinationLength })];
  });
}

/** The address named for it, else the gateway unless that was refused; empty = nothing leads to the host's loopback. */
function loopbackMapping(options: Options, family: FamilyPlan | null, named: Uint8Array | null, gateway: Uint8Array | null): Uint8Array {
  if (family === null) return NONE;
  return named ?? (options.mapGateway ? gateway : null) ?? NONE;
}

/** An address that is mapped can't be reached under its own meaning; that is worth a line where it is the guest's own. */
function overlapWarnings(worker: WorkerPlan): string[] {
  const warnings: string[] = [];
  for (const [guest, mapped] of [
    [worker.guestAddress4, worker.mapHostLoopback4],
    [worker.guestAddress6, worker.mapHostLoopback6],
    [worker.guestAddress4, worker.mapGuestAddress4],
    [worker.guestAddress6, worker.mapGuestAddress6],
  ] as const) {
    if (guest.length === 0 || !sameAddress(guest, mapped)) continue;
    warnings.push(`${formatAddress(guest)} is both the guest's address and mapped to the host; the guest can't reach the host under it`);
  }
  return warnings;
}

function hostnameFor(options: Options, facts: HostFacts): string {
  return (options.hostname ?? `pasta-${facts.hostname}`).slice(0, HOSTNAME_BYTES);
}

/** True when packets to the gateway need no other router: it is in the prefix of one of the family's addresses. */
export function isGatewayOnPrefix(family: FamilyPlan): boolean {
  const { gateway } = family;
  return gateway !== null && family.addresses.some(({ address, prefixLength }) => samePrefix(address, gateway, prefixLength));
}

function must(text: string): Uint8Array {
  return parseAddress(text) as Uint8Array;
}
