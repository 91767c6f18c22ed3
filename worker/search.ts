/**
 * Looks for a guest that has sent nothing yet: until it does, its MAC is unknown, and frames for it are for everybody, which its kernel
 * doesn't take for its own. Whoever has something for it has it asked for; the answer is a frame, and tells the MAC like any other.
 */
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
let last4 = -ASK_MS;
let last6 = -ASK_MS;

function ask(family: number): void {
  // Not where frames are made for others: one of them may be waiting to be sent.
  const length = askWhoHas(family, key, KEY_GUEST, FRAGMENT_FRAME + LINK_HEADER);
  if (length === 0) return;
  writeVnetPlain(FRAGMENT_FRAME);
  transmitWhole(FRAGMENT_FRAME, LINK_HEADER + length);
}

/** Somebody has come for the guest whose address is in `key`: it is asked for, unless its MAC is known or it was asked for just now. */
export function searchFor(family: number): void {
  if (!isGroupMac(GUEST_MAC)) return;
  const since = (nowMs - (family === 4 ? last4 : last6)) | 0;
  if (since < ASK_MS) return;
  if (family === 4) last4 = nowMs;
  else last6 = nowMs;
  ask(family);
}

/** A link is there: whoever is behind it already is asked for under the addresses that it was given. */
export function searchAtOnce(): void {
  if (!isGroupMac(GUEST_MAC)) return;
  for (const family of [4, 6]) if (addressGuest(family, false)) ask(family);
}
