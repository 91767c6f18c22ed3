/**
 * The guest's interface when the host's network has changed: it gets what a guest would get that is started now.
 *
 * Theory of operation. What begins from now on shall use the new addresses, and what exists shall go on, so an address that the host has no
 * more stays with the guest, but nothing chooses it as a source: an IPv6 one is deprecated (RFC 4862 §5.5.4), an IPv4 one stays as a /32 of
 * link scope, which the kernel takes for no destination beyond the link. Neither has a prefix route, so neighbours of that time are reached
 * through the new gateway. Some such addresses are kept, the oldest goes first; one that is the gateway's now is not kept. The kernel drops
 * an IPv4 address together with the first one of its prefix, and the local route with the last copy of an address, so the /32 comes before
 * the old one goes, and new ones after that. Only what we have put there ourselves is ever removed.
 */
import { familyOf, formatAddress, sameAddress } from '../../shared/addresses.ts';
import { type FamilyPlan, isGatewayOnPrefix, type NamespacePlan } from '../config/plan.ts';
import { addressChange, applyChanges, type Change, routeChanges } from './namespace.ts';
import { type NetlinkDialogue, RequestFlag } from './netlink.ts';
import {
  AddressFlag,
  copyRoute,
  defaultRoute,
  deprecateAddress,
  isOfAddress,
  putAddress,
  removeAddress,
  removeRoute,
  routeIdentity,
  Scope,
} from './rtnetlink.ts';

/** Addresses of former times that the guest keeps, of each family. */
const MOST_KEPT = 4;

type Address = FamilyPlan['addresses'][number];

/** What is to be done to one family, and the addresses that the guest then has of former times, the oldest first. */
export interface FamilyChange {
  readonly changes: readonly Change[];
  readonly kept: readonly Address[];
}

/** Pure: from what was set up to what shall be, on interface `index`. */
export function planFamilyChange(index: number, old: FamilyPlan, now: FamilyPlan, kept: readonly Address[]): FamilyChange {
  const successorOf = (one: Address): Address | undefined => now.addresses.find(({ address }) => sameAddress(address, one.address));
  const isGateway = ({ address }: Address): boolean => now.gateway !== null && sameAddress(now.gateway, address);
  const stale = old.addresses.filter((one) => !now.addresses.some((other) => isSame(other, one)));
  const isPast = (one: Address): boolean => successorOf(one) === undefined && !isGateway(one);
  const retired = stale.filter(isPast);
  const all = [...kept.filter(isPast), ...retired.map(asKept)];
  const returning = kept.filter((one) => successorOf(one) !== undefined);
  const isLate = (one: Address): boolean => familyOf(one.address) === 4 && successorOf(one)?.prefixLength !== one.prefixLength;
  const isChanged = (one: Address): boolean => familyOf(one.address) === 6 && successorOf(one)?.prefixLength === one.prefixLength;
  const early = returning.filter((one) => !isLate(one) && !isChanged(one));
  const failure = now.local ? 'quiet' : 'copy';
  const gone = [...kept.filter(isGateway), ...all.slice(0, -MOST_KEPT)];
  return {
    kept: all.slice(-MOST_KEPT),
    changes: [
      ...removedRoutes(index, old, now),
      ...retired.flatMap((one) => retire(index, one)),
      ...[...stale.filter((one) => !isPast(one)), ...early, ...gone].map((one) => removal(index, one)),
      ...now.addresses.map((one) => addressChange(one, index, failure)),
      ...returning.filter(isLate).map((one) => removal(index, one)),
      ...routeChanges(now, index, failure),
    ],
  };
}

function isSame(a: Address, b: Address): boolean {
  return sameAddress(a.address, b.address) && sameAddress(a.peer, b.peer) && a.prefixLength === b.prefixLength;
}

/** How the guest has `one` when it is of former times. */
function asKept(one: Address): Address {
  if (familyOf(one.address) === 6) return one;
  return { ...one, peer: one.address, broadcast: null, prefixLength: 32, scope: Scope.LINK };
}

function removal(index: number, one: Address): Change {
  return { request: removeAddress({ ...one, index }), step: 'change-link', subject: textOf(one), failure: 'quiet' };
}

function retire(index: number, one: Address): Change[] {
  const subject = textOf(one);
  const change = { step: 'add-address', subject, failure: 'quiet' } as const;
  if (familyOf(one.address) === 6) return [{ ...change, request: deprecateAddress({ ...one, index }) }];
  const flags = AddressFlag.NODAD | AddressFlag.NOPREFIXROUTE;
  const keep = { ...change, request: putAddress({ ...asKept(one), index, flags }, RequestFlag.CREATE | RequestFlag.REPLACE) };
  // The kernel tells two of one address by their prefixes, and here there is but one.
  return one.prefixLength === 32 ? [removal(index, one), keep] : [keep, removal(index, one)];
}

/** Routes of before that are none of now's. Those that came with an address go with it. */
function removedRoutes(index: number, old: FamilyPlan, now: FamilyPlan): Change[] {
  const change = { step: 'change-link', subject: 'a route of before', failure: 'quiet' } as const;
  if (old.routes !== null) {
    const staying = new Set(now.routes?.map(routeIdentity));
    const gone = old.routes.filter((route) => !isOfAddress(route) && !staying.has(routeIdentity(route)));
    return gone.map((route) => ({ ...change, request: removeRoute(copyRoute(route, index)) }));
  }
  if (old.gateway === null) return [];
  const isStaying = now.routes === null && now.gateway !== null && sameAddress(now.gateway, old.gateway);
  return isStaying ? [] : [{ ...change, request: removeRoute(defaultRoute(old.gateway, index, !isGatewayOnPrefix(old))) }];
}

function textOf({ address, prefixLength }: Address): string {
  return `${formatAddress(address)}/${prefixLength}`;
}

/** The interface of one guest, which was set up as a plan said. */
export class GuestNetwork {
  readonly #dialogue: NetlinkDialogue;
  readonly #index: number;
  #now: NamespacePlan;
  #kept: { ipv4: readonly Address[]; ipv6: readonly Address[] } = { ipv4: [], ipv6: [] };

  /** `dialogue` is on a socket of the guest's namespace, `index` that of the interface. */
  constructor(dialogue: NetlinkDialogue, index: number, plan: NamespacePlan) {
    this.#dialogue = dialogue;
    this.#index = index;
    this.#now = plan;
  }

  /**
   * Makes the interface what `plan` says; gives lines for people about what could not be done.
   * @throws NetlinkError when the namespace can't be reached.
   */
  change(plan: NamespacePlan): readonly string[] {
    const ipv4 = this.#family('ipv4', plan);
    const ipv6 = this.#family('ipv6', plan);
    const warnings = applyChanges(this.#dialogue, [...ipv4.changes, ...ipv6.changes]);
    this.#now = plan;
    this.#kept = { ipv4: ipv4.kept, ipv6: ipv6.kept };
    return warnings;
  }

  #family(key: 'ipv4' | 'ipv6', plan: NamespacePlan): FamilyChange {
    const [old, now] = [this.#now[key], plan[key]];
    return old === null || now === null ? { changes: [], kept: [] } : planFamilyChange(this.#index, old, now, this.#kept[key]);
  }
}
