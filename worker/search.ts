/**
 * Looks for a guest that has sent nothing yet: until it does, its MAC is unknown, and frames for it are for everybody, which its kernel
 * doesn't take for its own. Whoever has something for it has it asked for; the answer is a frame, and tells the MAC like any other.
 *
 * The guest may be about to start, so it is asked for again as long as a connection waits for it.
 */
import { DEFAULT_TCP_TIMEOUTS } from '../shared/limits.ts';
import { nowMs } from './flow/clock.ts';
import { addressGuest } from './flow/observed.ts';
import { key, KEY_GUEST } from './flow/table.ts';
import { transmitWhole } from './flow/transmit.ts';
import { FRAGMENT_FRAME, GUEST_MAC } from './link/arena.ts';
import { LINK_HEADER } from './link/link.ts';
import { askWhoHas } from './local/solicit.ts';
import { isGroupMac } from './wire/ethernet.ts';
import { writeVnetPlain } from './wire/vnet.ts';

/** RFC 1122 §2.3.2.1, RFC 4861 §10 (RETRANS_TIMER): one question a second. */
const ASK_MS = 1000;
const QUESTIONS = DEFAULT_TCP_TIMEOUTS.handshake / ASK_MS;
const WORDS = 4;

/** Whom to ask for, one address of each family; how many questions are left, and the moment (ms) of the next. */
const sought = new Int32Array(2 * WORDS);
const left = new Int32Array(2);
const askAt = new Int32Array(2);

function ask(family: number, words: Int32Array, at: number): void {
  // Not where frames are made for others: one of them may be waiting to be sent.
  const length = askWhoHas(family, words, at, FRAGMENT_FRAME + LINK_HEADER);
  if (length === 0) return;
  writeVnetPlain(FRAGMENT_FRAME);
  transmitWhole(FRAGMENT_FRAME, LINK_HEADER + length);
}

/** Nobody is asked for: the guest is known, or is another. */
export function stopSearching(): void {
  left.fill(0);
}

function indexOf(family: number): number {
  return family === 4 ? 0 : 1;
}

/** Somebody has come for the guest whose address is in `key`: it is asked for, unless its MAC is known or it was asked for just now. */
export function searchFor(family: number): void {
  if (!isGroupMac(GUEST_MAC)) return;
  const index = indexOf(family);
  for (let word = 0; word < WORDS; word++) sought[index * WORDS + word] = key[KEY_GUEST + word]!;
  const isUnderWay = left[index]! > 0;
  left[index] = QUESTIONS;
  if (isUnderWay) return;
  askAt[index] = (nowMs + ASK_MS) | 0;
  ask(family, key, KEY_GUEST);
}

/** A link is there: whoever is behind it already is asked for under the addresses that it was given. */
export function searchAtOnce(): void {
  for (const family of [4, 6]) if (addressGuest(family, false)) ask(family, key, KEY_GUEST);
}

/** Milliseconds until the guest is asked for again, −1 = never. */
export function untilSearch(): number {
  if (left[0] === 0 && left[1] === 0) return -1;
  let wait = ASK_MS;
  for (let index = 0; index < 2; index++) if (left[index]! > 0) wait = Math.min(wait, (askAt[index]! - nowMs) | 0);
  return Math.max(wait, 0);
}

/** Asks again, when it is time. */
export function searchDue(): void {
  if (untilSearch() !== 0) return;
  for (let index = 0; index < 2; index++) {
    if (left[index] === 0 || ((askAt[index]! - nowMs) | 0) > 0) continue;
    left[index]!--;
    askAt[index] = (nowMs + ASK_MS) | 0;
    ask(index === 0 ? 4 : 6, sought, index * WORDS);
  }
}
