/**
 * Who is who on the guest's link: what the answers of our own depend on. Facts, set at the start and when the host has changed.
 *
 * "We" are the far end of the link. Every address but the guest's is reached through us, so ARP and NDP are answered for all of them;
 * but only a few addresses *are* ours, and an echo request to one of those must not leave this process.
 */
import { MAPPED_WORD, equalWords, isUnspecified6, setWords } from '../wire/address.ts';

const WORDS = 4;

/** What the identity is made of. Addresses are 16 bytes in network order, IPv4 as ::ffff:a.b.c.d, or empty when not set. */
export interface IdentityFacts {
  guestAddress4: Uint8Array;
  guestAddress6: Uint8Array;
  gateway4: Uint8Array;
  gateway6: Uint8Array;
  ourLinkLocal: Uint8Array;
  mapHostLoopback4: Uint8Array;
  mapHostLoopback6: Uint8Array;
  /** ifindex of the uplink, 0 = none: then the gateway is nobody but us. */
  templateInterface: number;
}

/** Offset in the arena of our MAC. */
export let ourMac = 0;
/** The address the guest was given; all zero = none. */
export const guest4 = new Int32Array(WORDS);
export const guest6 = new Int32Array(WORDS);
/** Source of our NDP messages; all zero = none. */
export const linkLocal = new Int32Array(WORDS);

/** The gateway that the guest was given; all zero = none. */
export const gateway4 = new Int32Array(WORDS);
const gateway6 = new Int32Array(WORDS);
const hostLoopback4 = new Int32Array(WORDS);
const hostLoopback6 = new Int32Array(WORDS);
let hasUplink = false;

/** Sets the facts; `macOffset` is where our MAC lies in the arena. */
export function setIdentity(macOffset: number, facts: IdentityFacts): void {
  ourMac = macOffset;
  setWords(guest4, facts.guestAddress4);
  setWords(guest6, facts.guestAddress6);
  setWords(linkLocal, facts.ourLinkLocal);
  setWords(gateway4, facts.gateway4);
  setWords(gateway6, facts.gateway6);
  setWords(hostLoopback4, facts.mapHostLoopback4);
  setWords(hostLoopback6, facts.mapHostLoopback6);
  hasUplink = facts.templateInterface !== 0;
}

/** Whether `words` is the address given to the guest, as an int32 word of IPv4. */
export function isGuest4(address: number): boolean {
  return guest4[2] === MAPPED_WORD && guest4[3] === address;
}

/** Whether no packet of the guest can come from this IPv4 address, because it stands for us on the link. */
export function isNobodys4(address: number): boolean {
  return (isOurs4(address) || (hostLoopback4[2] === MAPPED_WORD && hostLoopback4[3] === address)) && !isGuest4(address);
}

/** The same of the IPv6 address in `words` from `at`. */
export function isNobodys6(words: Int32Array, at: number): boolean {
  return (
    (isOurs6(words, at) || (!isUnspecified6(words, at) && equalWords(words, at, hostLoopback6, 0))) && !equalWords(words, at, guest6, 0)
  );
}

/** Whether an IPv4 address is ours: the gateway's where there is no router behind it, unless it stands for the host's loopback. */
export function isOurs4(address: number): boolean {
  if (hasUplink || gateway4[2] !== MAPPED_WORD || gateway4[3] !== address) return false;
  return !equalWords(gateway4, 0, hostLoopback4, 0);
}

/**
 * Whether the IPv6 address in `words` from `at` is ours: our link-local address, and the gateway's where there is no router behind it,
 * unless it stands for the host's loopback. With an uplink our link-local address may be the router's; that one is not ours.
 */
export function isOurs6(words: Int32Array, at: number): boolean {
  if (isUnspecified6(words, at) || equalWords(words, at, hostLoopback6, 0)) return false;
  if (equalWords(words, at, gateway6, 0)) return !hasUplink;
  return equalWords(words, at, linkLocal, 0);
}

/**
 * Whether the guest must not take the IPv6 address in `words` from `at` for its own: it has a meaning on the link, as our link-local address,
 * the gateway's, or that of the host's loopback, and was not given to the guest.
 */
export function isDefended6(words: Int32Array, at: number): boolean {
  if (isUnspecified6(words, at) || equalWords(words, at, guest6, 0)) return false;
  return equalWords(words, at, linkLocal, 0) || equalWords(words, at, gateway6, 0) || equalWords(words, at, hostLoopback6, 0);
}
