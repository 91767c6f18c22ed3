/**
 * The interface in the guest's network namespace: link, addresses, routes.
 *
 * Theory of operation. Everything goes over a netlink socket that belongs to the namespace, so nobody enters it. Order matters:
 *  1. loopback up; MAC, MTU; then the link goes up with NOARP, because addresses added to such a link skip duplicate address detection:
 *     they are usable at once, where DAD would take a second (RFC 4862 §5.4; nobody else is on this link).
 *  2. addresses; routes. A copied route may need another one first (a gateway its prefix), in any order of the dump: the refused ones are
 *     tried again as long as a round added something.
 *  3. NOARP off; the link-local address that the kernel made is read back, and marked so that it never does DAD.
 * Steps 1 and 2 are one datagram: the kernel works in order and answers each request.
 */
import { formatAddress, isLinkLocal } from '../../shared/addresses.ts';
import { type FamilyPlan, isGatewayOnPrefix, type NamespacePlan } from '../config/plan.ts';
import { explain, type Step } from '../explain.ts';
import { UsageError } from '../usage-error.ts';
import { MessageType, type NetlinkDialogue, NetlinkError, type NetlinkRequest, RequestFlag } from './netlink.ts';
import type { InterfaceAddress, Link, Route } from './rtnetlink.ts';
import {
  AddressFamily,
  AddressFlag,
  addressDumpHeader,
  changeLink,
  copyRoute,
  defaultRoute,
  LinkFlag,
  linkRequest,
  parseInterfaceAddress,
  parseLink,
  putAddress,
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
const EPERM = 1;
const EACCES = 13;
const EEXIST = 17;
const EAFNOSUPPORT = 97;
const ENETUNREACH = 101;
const EHOSTUNREACH = 113;
const EOPNOTSUPP = 95;

/** A request and what to say of it when it fails. */
interface Change {
  readonly request: NetlinkRequest;
  readonly step: Step;
  readonly subject: string;
  /** fatal: ends the run; copy: a warning; quiet: as well without; retry: worth another round when unreachable. */
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

function configure(dialogue: NetlinkDialogue, plan: NamespacePlan): NamespaceFacts {
  const tap = findTap(dialogue, plan.interfaceName);
  const warnings: string[] = [];
  const changes = linkChanges(tap, plan);
  const routes: Change[] = [];
  if (plan.configure) {
    for (const family of [plan.ipv4, plan.ipv6]) {
      if (family === null) continue;
      changes.push(...family.addresses.map((address) => addressChange(address, tap.index, family)));
      routes.push(...routeChanges(family, tap.index));
    }
  }
  let pending = apply(dialogue, [...changes, ...routes], warnings);
  while (pending.length > 0) {
    const refused = apply(dialogue, pending, warnings);
    if (refused.length === pending.length) break;
    pending = refused;
  }
  for (const change of pending) {
    if (change.failure === 'fatal') throw new UsageError(explain(change.step, ENETUNREACH, change.subject));
  }
  const linkLocal = plan.configure ? settleLink(dialogue, tap.index, warnings) : null;
  const { mac, mtu } = plan.mac === null && plan.mtu === 0 ? tap : findTap(dialogue, plan.interfaceName);
  if (mac === null) throw new UsageError(`interface '${plan.interfaceName}' is no Ethernet device; choose another name with --ns-ifname`);
  return Object.freeze({ index: tap.index, mac, mtu, linkLocal, warnings: Object.freeze(warnings) });
}

function findTap(dialogue: NetlinkDialogue, name: string): Link {
  try {
    return parseLink(dialogue.get(linkRequest(name)));
  } catch (error) {
    if (error instanceof NetlinkError && error.errno > 0) throw new UsageError(explain('create-tap', error.errno, name));
    throw error;
  }
}

function linkChanges(tap: Link, plan: NamespacePlan): Change[] {
  const up = { flags: LinkFlag.UP, change: LinkFlag.UP };
  const changes: Change[] = [change(changeLink(LOOPBACK_INDEX, up), 'change-link', "'lo' up")];
  if (plan.mac !== null) changes.push(change(changeLink(tap.index, { mac: plan.mac }), 'change-link', 'the MAC address of --ns-mac-addr'));
  if (!plan.configure) return changes;
  if (plan.mtu > 0) changes.push(change(changeLink(tap.index, { mtu: plan.mtu }), 'change-link', `MTU ${plan.mtu}`));
  const upWithoutArp = { flags: LinkFlag.UP | LinkFlag.NOARP, change: LinkFlag.UP | LinkFlag.NOARP };
  changes.push(change(changeLink(tap.index, upWithoutArp), 'change-link', `'${plan.interfaceName}' up`));
  return changes;
}

function change(request: NetlinkRequest, step: Step, subject: string, failure: Change['failure'] = 'fatal'): Change {
  return { request, step, subject, failure };
}

function addressChange(address: FamilyPlan['addresses'][number], index: number, family: FamilyPlan): Change {
  const flags = AddressFlag.NODAD | (address.flags & AddressFlag.NOPREFIXROUTE);
  const request = putAddress({ ...address, index, flags }, RequestFlag.CREATE | RequestFlag.REPLACE);
  return change(request, 'add-address', `${formatAddress(address.address)}/${address.prefixLength}`, family.local ? 'quiet' : 'fatal');
}

function routeChanges(family: FamilyPlan, index: number): Change[] {
  if (family.routes !== null) return family.routes.map((route) => change(copyRoute(route, index), 'add-route', routeText(route), 'copy'));
  const { gateway } = family;
  if (gateway === null) return [];
  const onLink = !isGatewayOnPrefix(family);
  const subject = `default route through ${formatAddress(gateway)}`;
  return [change(defaultRoute(gateway, index, onLink), 'add-route', subject, family.local ? 'quiet' : 'fatal')];
}

function routeText(route: Route): string {
  return route.destination === null ? 'a default route' : `route ${formatAddress(route.destination)}/${route.destinationLength}`;
}

/** One round; gives back what may succeed once other routes exist. */
function apply(dialogue: NetlinkDialogue, changes: readonly Change[], warnings: string[]): Change[] {
  const results = dialogue.execute(changes.map(({ request }) => request));
  return changes.filter((one, at) => {
    const errno = results[at] as number;
    if (errno === 0 || errno === EEXIST) return false;
    if (one.step === 'add-route' && (errno === ENETUNREACH || errno === EHOSTUNREACH)) return true;
    if (one.failure === 'fatal') throw new UsageError(explain(one.step, errno, one.subject));
    if (one.failure === 'copy' || errno === EPERM) warnings.push(explain(one.step, errno, one.subject));
    return false;
  });
}

/** NOARP off; gives the link-local address, which from now on is used without DAD. */
function settleLink(dialogue: NetlinkDialogue, index: number, warnings: string[]): Uint8Array | null {
  const found = linkLocalOn(dialogue, index);
  const changes = [change(changeLink(index, { flags: 0, change: LinkFlag.NOARP }), 'change-link', 'ARP')];
  if (found !== null) {
    const steady = putAddress({ ...found, flags: AddressFlag.NODAD }, RequestFlag.REPLACE);
    changes.push(change(steady, 'add-address', formatAddress(found.address), 'copy'));
  }
  apply(dialogue, changes, warnings);
  return found?.address ?? null;
}

function linkLocalOn(dialogue: NetlinkDialogue, index: number): InterfaceAddress | null {
  let messages: ReturnType<NetlinkDialogue['dump']>;
  try {
    messages = dialogue.dump(MessageType.GETADDR, addressDumpHeader(AddressFamily.INET6));
  } catch (error) {
    if (error instanceof NetlinkError && [EACCES, EAFNOSUPPORT, EOPNOTSUPP].includes(error.errno)) return null;
    throw error;
  }
  for (const message of messages) {
    const address = parseInterfaceAddress(message);
    if (address !== null && address.family === AddressFamily.INET6 && address.index === index && isLinkLocal(address.address))
      return address;
  }
  return null;
}
