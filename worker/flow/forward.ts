/**
 * Where a flow of the guest goes: the one place that decides addresses (guest → host).
 *
 * Decision table, first row that fits:
 *   TCP or UDP to port 53 or 853 of dns-forward → the host's resolver, same family; nobody while the host has none. So it is with the last
 *     address that was dns-forward before, when that has changed with the host's gateway: a guest hears of it by DHCP minutes later
 *   destination = map-host-loopback  → loopback of the host, same family
 *   destination = map-guest-address  → the address the guest was given, which is the host's own
 *   anything else                    → unchanged; link-local and groups get the template interface as their link
 *
 * Whom the guest sees, when a host speaks up that it did not ask by its address (host → guest), first row that fits:
 *   this host: loopback, or the address the guest was given  → map-host-loopback, or nobody when that is not set
 *   anything else                                            → unchanged
 *
 * Whom the guest sees when somebody comes to a forwarded port, first row that fits:
 *   127.0.0.1 or ::1, and map-host-loopback is set            → map-host-loopback
 *   the address the guest was given, and map-guest-address is → map-guest-address
 *   any other of the loopback, or that address                → the gateway (IPv6 without one: our link-local address); nobody without one
 *   anything else                                             → unchanged
 */
import {
  equalWords,
  isBroadcast4,
  isLinkLocal6,
  isLoopback,
  isMulticast4,
  isMulticast6,
  isSet,
  LOOPBACK4,
  LOOPBACK6,
  setWords,
} from '../wire/address.ts';

const WORDS = 4;
const mapLoopback4 = new Int32Array(WORDS);
const mapLoopback6 = new Int32Array(WORDS);
const mapGuest4 = new Int32Array(WORDS);
const mapGuest6 = new Int32Array(WORDS);
const guest4 = new Int32Array(WORDS);
const guest6 = new Int32Array(WORDS);
const gateway4 = new Int32Array(WORDS);
const gateway6 = new Int32Array(WORDS);
const ourLinkLocal = new Int32Array(WORDS);
const dnsForward4 = new Int32Array(WORDS);
const dnsForward6 = new Int32Array(WORDS);
const formerForward4 = new Int32Array(WORDS);
const formerForward6 = new Int32Array(WORDS);
const dnsHost4 = new Int32Array(WORDS);
const dnsHost6 = new Int32Array(WORDS);
let templateInterface = 0;

/** DNS (RFC 1035 §4.2), and DNS over TLS or QUIC (RFC 7858 §3.1, RFC 9250 §4.1.1). */
const DOMAIN = 53;
const DOMAIN_S = 853;

/** The host-side destination decided last, and the interface index it is scoped to (0 = none). */
export const target = new Int32Array(WORDS);
export let targetInterface = 0;
/** The host's address to ask `target` from; all zero = the route decides. */
export const source = new Int32Array(WORDS);

/** The facts the table works on; 16 bytes each, or empty when not set. */
export interface ForwardingFacts {
  mapHostLoopback4: Uint8Array;
  mapHostLoopback6: Uint8Array;
  mapGuestAddress4: Uint8Array;
  mapGuestAddress6: Uint8Array;
  guestAddress4: Uint8Array;
  guestAddress6: Uint8Array;
  gateway4: Uint8Array;
  gateway6: Uint8Array;
  ourLinkLocal: Uint8Array;
  templateInterface: number;
}

/** Sets the facts, at the start and when the host has changed, for flows that begin from now on. */
export function setForwarding(facts: ForwardingFacts): void {
  setWords(mapLoopback4, facts.mapHostLoopback4);
  setWords(mapLoopback6, facts.mapHostLoopback6);
  setWords(mapGuest4, facts.mapGuestAddress4);
  setWords(mapGuest6, facts.mapGuestAddress6);
  setWords(guest4, facts.guestAddress4);
  setWords(guest6, facts.guestAddress6);
  setWords(gateway4, facts.gateway4);
  setWords(gateway6, facts.gateway6);
  setWords(ourLinkLocal, facts.ourLinkLocal);
  templateInterface = facts.templateInterface;
}

/** Where DNS goes; 16 bytes each, or empty when not set. */
export interface ResolverFacts {
  forward4: Uint8Array;
  forward6: Uint8Array;
  host4: Uint8Array;
  host6: Uint8Array;
}

/** Sets the resolvers, for flows that begin from now on: those under way keep theirs. */
export function setResolvers(facts: ResolverFacts): void {
  succeedForward(dnsForward4, formerForward4, facts.forward4);
  succeedForward(dnsForward6, formerForward6, facts.forward6);
  setWords(dnsHost4, facts.host4);
  setWords(dnsHost6, facts.host6);
}

function succeedForward(forward: Int32Array, former: Int32Array, address: Uint8Array): void {
  const before = forward.slice();
  setWords(forward, address);
  if (!isSet(forward, 0)) former.fill(0);
  else if (!equalWords(before, 0, forward, 0)) former.set(before);
}

/** Whether DNS to the address, four words from `at`, is for the host's resolver. */
function isForward(words: Int32Array, at: number, family: number): boolean {
  if (equals(words, at, family === 4 ? dnsForward4 : dnsForward6)) return true;
  return equals(words, at, family === 4 ? formerForward4 : formerForward6);
}

function isAt4(words: Int32Array, address: number): boolean {
  return isSet(words, 0) && words[3] === address;
}

/** Whether the IPv4 address stands for somebody on the guest's link, so that no guest may have it: a router, the host, or its resolver. */
export function isClaimed4(address: number): boolean {
  return isAt4(gateway4, address) || isAt4(mapLoopback4, address) || isAt4(mapGuest4, address) || isAt4(dnsForward4, address);
}

/** True when DNS to this address (four words from `at`) and port is for the host's resolver. */
export function standsForResolver(words: Int32Array, at: number, port: number): boolean {
  return (port === DOMAIN || port === DOMAIN_S) && (isForward(words, at, 4) || isForward(words, at, 6));
}

function equals(words: Int32Array, at: number, other: Int32Array): boolean {
  return (
    words[at + 3] === other[3] && words[at] === other[0] && words[at + 1] === other[1] && words[at + 2] === other[2] && isSet(other, 0)
  );
}

function decide(words: Int32Array): void {
  target[0] = words[0]!;
  target[1] = words[1]!;
  target[2] = words[2]!;
  target[3] = words[3]!;
}

function isOfTheLink(family: number): boolean {
  return isGroup(target, 0, family) || (family === 6 && isLinkLocal6(target, 0));
}

function forwardDns(family: number): boolean {
  decide(family === 4 ? dnsHost4 : dnsHost6);
  if (!isSet(target, 0)) return false;
  if (family === 6 && isLinkLocal6(target, 0)) targetInterface = templateInterface;
  return true;
}

/**
 * Decides `target` for the guest's destination, four words from `at`; `family` is 4 or 6, `port` that of TCP or UDP, 0 for others.
 * False when nobody is there.
 */
export function forward(words: Int32Array, at: number, family: number, port: number): boolean {
  targetInterface = 0;
  source.fill(0);
  if ((port === DOMAIN || port === DOMAIN_S) && isForward(words, at, family)) return forwardDns(family);
  const loopback = family === 4 ? mapLoopback4 : mapLoopback6;
  const guestMap = family === 4 ? mapGuest4 : mapGuest6;
  if (equals(words, at, loopback)) decide(family === 4 ? LOOPBACK4 : LOOPBACK6);
  else if (equals(words, at, guestMap)) decide(family === 4 ? guest4 : guest6);
  else {
    for (let i = 0; i < WORDS; i++) target[i] = words[at + i]!;
    if (isOfTheLink(family)) targetInterface = templateInterface;
  }
  return true;
}

/** Whether the guest's destination, four words from `at`, is a group or everybody on the link. */
export function isGroup(words: Int32Array, at: number, family: number): boolean {
  return family === 6 ? isMulticast6(words, at) : isMulticast4(words[at + 3]!) || isBroadcast4(words[at + 3]!);
}

/** Puts whom the guest sees in place of the sender in four words of `words`; false when it can't be shown, or is no single host. */
export function showSender(words: Int32Array, family: number): boolean {
  if (!isLoopback(words, 0, family) && !equals(words, 0, family === 4 ? guest4 : guest6))
    return !isGroup(words, 0, family) && words[3] !== 0;
  const shown = family === 4 ? mapLoopback4 : mapLoopback6;
  words.set(shown);
  return isSet(shown, 0);
}

/** The target is who has come to a listener, by the link of that index; nothing is decided. */
export function setTarget(words: Int32Array, family: number, link: number): void {
  decide(words);
  targetInterface = family === 6 && isLinkLocal6(target, 0) ? link : 0;
}

/** The target is asked from this address. */
export function askFrom(words: Int32Array): void {
  for (let i = 0; i < WORDS; i++) source[i] = words[i]!;
}

/**
 * Puts whom the guest sees in place of who has come to a forwarded port, four words of `words` from `at`. False when it can't be shown,
 * or is no single host.
 */
export function showComer(words: Int32Array, at: number, family: number): boolean {
  const isV4 = family === 4;
  const own = equals(words, at, isV4 ? guest4 : guest6);
  if (!isLoopback(words, at, family) && !own) return !isGroup(words, at, family) && isSet(words, at);
  const mapLoopback = isV4 ? mapLoopback4 : mapLoopback6;
  const mapGuest = isV4 ? mapGuest4 : mapGuest6;
  let shown = isV4 ? gateway4 : isSet(gateway6, 0) ? gateway6 : ourLinkLocal;
  if (own && isSet(mapGuest, 0)) shown = mapGuest;
  if (equals(words, at, isV4 ? LOOPBACK4 : LOOPBACK6) && isSet(mapLoopback, 0)) shown = mapLoopback;
  for (let i = 0; i < WORDS; i++) words[at + i] = shown[i]!;
  return isSet(shown, 0);
}
