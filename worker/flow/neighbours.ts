/**
 * Which MAC an address of the guest's link has, where there is more than one: a guest that is a bridge has others behind it.
 *
 * Theory of operation. With one MAC on the link nothing is looked up. When a second one speaks, and until the link is another, each frame tells
 * whose its source is (RFC 826, RFC 4861 §7.3.1 do so too), in a table where a slot is overwritten by the next address of its hash: who is
 * not in it is sent to whoever has spoken last. Guests can only harm each other by lies, as on any Ethernet.
 */
import { GUEST_MAC, NEIGHBOUR_MACS } from '../link/arena.ts';
import { MAPPED_WORD } from '../wire/address.ts';
import { copyMac, equalMac } from '../wire/ethernet.ts';

/** What page 0 of the arena has room for, 8 bytes each. */
const SLOTS = 256;
const WORDS = 4;

/** Four words each; an address without its last word is nobody's. */
const addresses = new Int32Array(SLOTS * WORDS);
const mapped = Int32Array.of(0, 0, MAPPED_WORD, 0);
let several = false;

/** There is another link: nothing is known of it. */
export function forgetNeighbours(): void {
  several = false;
  addresses.fill(0);
}

/** A second MAC has spoken. True the first time. */
export function expectSeveral(): boolean {
  const isNew = !several;
  several = true;
  return isNew;
}

function slotOf(words: Int32Array, at: number): number {
  const mixed = words[at + 3]! ^ Math.imul(words[at + 2]!, 0x9e3779b1) ^ Math.imul(words[at + 1]!, 0x85ebca6b) ^ words[at]!;
  return Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d) >>> 24;
}

function holds(slot: number, words: Int32Array, at: number): boolean {
  const place = slot * WORDS;
  return (
    addresses[place + 3] === words[at + 3] &&
    addresses[place + 2] === words[at + 2] &&
    addresses[place + 1] === words[at + 1] &&
    addresses[place] === words[at]
  );
}

/** The address in four words of `words` from `at` has spoken from the MAC at `mac`. */
export function learnNeighbour(words: Int32Array, at: number, mac: number): void {
  if (!several || words[at + 3] === 0) return;
  const slot = slotOf(words, at);
  for (let word = 0; word < WORDS; word++) addresses[slot * WORDS + word] = words[at + word]!;
  copyMac(NEIGHBOUR_MACS + slot * 8, mac);
}

/** The same of an IPv4 address. */
export function learnNeighbour4(address: number, mac: number): void {
  mapped[3] = address;
  learnNeighbour(mapped, 0, mac);
}

/** Offset of the MAC that packets for the address go to. */
export function macOf(words: Int32Array, at: number): number {
  if (!several) return GUEST_MAC;
  const slot = slotOf(words, at);
  return holds(slot, words, at) ? NEIGHBOUR_MACS + slot * 8 : GUEST_MAC;
}

/** Whether the address is another's than that of the MAC at `mac`, who can answer for itself. */
export function isAnothers(words: Int32Array, at: number, mac: number): boolean {
  if (!several || words[at + 3] === 0) return false;
  const slot = slotOf(words, at);
  return holds(slot, words, at) && !equalMac(NEIGHBOUR_MACS + slot * 8, mac);
}

/** The same of an IPv4 address. */
export function isAnothers4(address: number, mac: number): boolean {
  mapped[3] = address;
  return isAnothers(mapped, 0, mac);
}
