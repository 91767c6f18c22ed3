/**
 * The interface in the guest's network namespace: link, addresses, routes.
 *
 * Theory of operation. Everything goes over a netlink socket that belongs to the namespace, so nobody enters it. Every address is added
 * without duplicate address detection, which would keep it unusable for a second (RFC 4862 §5.4): nobody else is on this link. The
 * link-local address is no exception: while the link goes up the kernel is told to make none, and it is added here, the same that the
 * kernel would have made; then the kernel is told to make them again, for the day when somebody takes the link down and up.
 * (passt sets NOARP meanwhile. Clearing that restarts detection in Linux 6.18, with a random delay of up to a second.)
 *
 * Loopback, MAC, MTU, link, addresses and routes are one datagram; the kernel works in order and answers each request. A copied route may
 * need another one first (a gateway its prefix), whatever the order of the dump: those refused for that are tried again as long as a
 * round added something.
 */
import { formatAddress, formatMac, linkLocalFromMac } from '../../shared/addresses.ts';
import { type FamilyPlan, isGatewayOnPrefix, type NamespacePlan } from '../config/plan.ts';
import { explain, type Step } from '../explain.ts';
import { UsageError } from '../usage-error.ts';
import { type NetlinkDialogue, NetlinkError, type NetlinkRequest, RequestFlag } from './netlink.ts';
import type { Link, Route } from './rtnetlink.ts';
import {
  AddressFlag,
  AddressGeneration,
  changeLink,
  copyRoute,
  defaultRoute,
  generateAddresses,
  LinkFlag,
  linkRequest,
  parseLink,
  putAddress,
  Scope,
} from './rtnetlink.ts';

/** What the namespace looks like after `configureNamespace`. */
export interface NamespaceFacts {
  /** ifindex of the tap device in the namespace. */
  readonly index: number;
  readonly mac: Uint8Array;
  readonly mtu: number;
  /** Link-local IPv6 address; null while the guest has not set up its link. */
  readonly linkLocal: Uint8Array | null;
  /** Lines for people: what could not be copied. */
  readonly warnings: readonly string[];
}

const LOOPBACK_INDEX = 1;
const UP = { flags: LinkFlag.UP, change: LinkFlag.UP } as const;
/** RFC 8200 §5: below it the kernel takes IPv6 off the link; the options have warned of it. */
const IPV6_MINIMUM_MTU = 1280;
/** Packets: a guest that forwards for others, unlike one's own sockets, does not wait for room, and sends what the window allows (D-035). */
const QUEUE_LENGTH = 4096;
const EEXIST = 17;
const ENETUNREACH = 101;
const EHOSTUNREACH = 113;

/** A request and what to say of it when it fails. */
export interface Change {
  readonly request: NetlinkRequest;
  readonly step: Step;
  readonly subject: string;
  /** fatal: ends the run; copy: a warning; quiet: the run does as well without. */
  readonly failure: 'fatal' | 'copy' | 'quiet';
}

/**
 * Sets up the namespace over `dialogue`, a NETLINK_ROUTE socket made in it; the tap device exists already.
 * Throws UsageError with the cause.
 */
export function configureNamespace(dialogue: NetlinkDialogue, plan: NamespacePlan): NamespaceFacts {
  try {
    return configure(dialogue, plan);
  } catch (error) {
    if (error instanceof NetlinkError) throw new UsageError(explain('netlink', error.errno));
    throw error;
  }
}

/**
 * What `configureNamespace` does where there shall be no tap device: loopback goes up.
 * Throws UsageError with the cause.
 */
export function raiseLoopback(dialogue: NetlinkDialogue): NamespaceFacts {
  const [errno] = dialogue.execute([changeLink(LOOPBACK_INDEX, UP)]);
  if (errno !== 0) throw new UsageError(explain('change-link', errno as number, "'lo' up"));
  return Object.freeze({ index: 0, mac: new Uint8Array(6), mtu: 0, linkLocal: null, warnings: Object.freeze([]) });
}

function configure(dialogue: NetlinkDialogue, plan: NamespacePlan): NamespaceFacts {
  const tap = findTap(dialogue, plan.interfaceName);
  const mac = plan.mac ?? tap.mac;
  if (mac === null) throw new UsageError(`interface '${plan.interfaceName}' is no Ethernet device; choose another name with --ns-ifname`);
  const changes = [change(changeLink(LOOPBACK_INDEX, UP), 'change-link', "'lo' up")];
  if (plan.mac !== null) changes.push(change(changeLink(tap.index, { mac }), 'change-link', `MAC ${formatMac(mac)}`));
  const linkLocal = linkLocalFromMac(mac);
  const ownAddress = { address: linkLocal, peer: linkLocal, broadcast: null, prefixLength: 64, scope: Scope.LINK, flags: 0 };
  const addLinkLocal = addressChange(ownAddress, tap.index, 'quiet');
  if (plan.configure) changes.push(...interfaceChanges(tap.index, plan, addLinkLocal));
  const results: number[] = [];
  const warnings = applyChanges(dialogue, changes, results);
  return Object.freeze({
    index: tap.index,
    mac,
    mtu: plan.mtu > 0 ? plan.mtu : tap.mtu,
    linkLocal: results[changes.indexOf(addLinkLocal)] === 0 ? linkLocal : null,
    warnings: Object.freeze(warnings),
  });
}

/**
 * Has the kernel make the changes, in their order; routes that it refuses for want of another are tried again. Gives lines for people, and
 * in `first` what it said of each at first, 0 or a positive errno.
 * @throws UsageError for what the run can't do without, NetlinkError when the socket fails.
 */
export function applyChanges(dialogue: NetlinkDialogue, changes: readonly Change[], first: number[] = []): string[] {
  const warnings: string[] = [];
  first.push(...dialogue.execute(changes.map(({ request }) => request)));
  let pending = judge(changes, first, warnings);
  while (pending.length > 0) {
    const refused = judge(pending, dialogue.execute(pending.map(({ request }) => request)), warnings);
    if (refused.length === pending.length) break;
    pending = refused;
  }
  for (const { failure, step, subject } of pending) {
    if (failure === 'fatal') throw new UsageError(explain(step, ENETUNREACH, subject));
  }
  return warnings;
}

function findTap(dialogue: NetlinkDialogue, name: string): Link {
  try {
    return parseLink(dialogue.get(linkRequest(name)));
  } catch (error) {
    if (error instanceof NetlinkError && error.errno > 0) throw new UsageError(explain('create-tap', error.errno, name));
    throw error;
  }
}

function interfaceChanges(index: number, plan: NamespacePlan, addLinkLocal: Change): Change[] {
  const families = [plan.ipv4, plan.ipv6].filter((family) => family !== null);
  const tooSmall = plan.mtu > 0 && plan.mtu < IPV6_MINIMUM_MTU;
  const severity = (family: FamilyPlan): Change['failure'] => (family.local || (family === plan.ipv6 && tooSmall) ? 'quiet' : 'fatal');
  return [
    change(generateAddresses(index, AddressGeneration.NONE), 'change-link', 'IPv6', 'quiet'),
    ...(plan.mtu > 0 ? [change(changeLink(index, { mtu: plan.mtu }), 'change-link', `MTU ${plan.mtu}`)] : []),
    change(changeLink(index, { queueLength: QUEUE_LENGTH }), 'change-link', 'queue length', 'quiet'),
    change(changeLink(index, UP), 'change-link', `'${plan.interfaceName}' up`),
    addLinkLocal,
    ...families.flatMap((family) => family.addresses.map((address) => addressChange(address, index, severity(family)))),
    ...families.flatMap((family) => routeChanges(family, index, severity(family))),
    change(generateAddresses(index, AddressGeneration.EUI64), 'change-link', 'IPv6', 'quiet'),
  ];
}

function change(request: NetlinkRequest, step: Step, subject: string, failure: Change['failure'] = 'fatal'): Change {
  return { request, step, subject, failure };
}

/** The address with what `configureNamespace` adds. */
export function addressChange(address: FamilyPlan['addresses'][number], index: number, failure: Change['failure']): Change {
  const flags = AddressFlag.NODAD | (address.flags & AddressFlag.NOPREFIXROUTE);
  const request = putAddress({ ...address, index, flags }, RequestFlag.CREATE | RequestFlag.REPLACE);
  return change(request, 'add-address', `${formatAddress(address.address)}/${address.prefixLength}`, failure);
}

/** The routes of a family. */
export function routeChanges(family: FamilyPlan, index: number, failure: Change['failure']): Change[] {
  if (family.routes !== null) {
    const copy = failure === 'quiet' ? 'quiet' : 'copy';
    return family.routes.map((route) => change(copyRoute(route, index), 'add-route', routeText(route), copy));
  }
  const { gateway } = family;
  if (gateway === null) return [];
  const subject = `default route through ${formatAddress(gateway)}`;
  return [change(defaultRoute(gateway, index, !isGatewayOnPrefix(family)), 'add-route', subject, failure)];
}

function routeText(route: Route): string {
  return route.destination === null ? 'a default route' : `route ${formatAddress(route.destination)}/${route.destinationLength}`;
}

/** Gives back the routes that may succeed once others exist. Throws UsageError for what the run can't do without. */
function judge(changes: readonly Change[], results: readonly number[], warnings: string[]): Change[] {
  return changes.filter(({ step, subject, failure }, at) => {
    const errno = results[at] as number;
    if (errno === 0 || errno === EEXIST) return false;
    if (step === 'add-route' && (errno === ENETUNREACH || errno === EHOSTUNREACH)) return true;
    if (failure === 'fatal') throw new UsageError(explain(step, errno, subject));
    if (failure === 'copy') warnings.push(explain(step, errno, subject));
    return false;
  });
}
