/**
 * When a router advertisement goes to everybody on the link without having been asked for (RFC 4861 §6.2.4).
 *
 * Theory of operation. When a guest may be there, and when what is told has changed, three come soon one after the other, the first at once:
 * one may meet a guest whose link is not up. Then they come at random intervals of minutes. Between two to everybody are three seconds
 * at least (RFC 4861 §6.2.6), whatever the guest asks for and how often facts change; who asks from an address of its own is
 * answered there, and counts for nothing here.
 */
import { nowMs } from '../flow/clock.ts';
import { advertises } from './router.ts';

/** Milliseconds: RFC 4861 §6.2.1, §10. */
const MAX_INTERVAL = 600_000;
const MIN_INTERVAL = 200_000;
const MAX_INITIAL_INTERVAL = 16_000;
const INITIAL = 3;
const MIN_DELAY = 3000;

let isWaiting = false;
let nextAt = 0;
let initialLeft = 0;
let hasSent = false;
let sentAt = 0;
let random = 1;

/** Nothing was sent yet, and nothing will be. `seed` is 32 secret bits. */
export function openAdvertiser(seed: number): void {
  isWaiting = false;
  hasSent = false;
  // Zero is the one state that this generator does not leave.
  random = seed === 0 ? 1 : seed;
}

/** Xorshift: intervals of different links shall differ (RFC 4861 §6.2.4), no secret hangs on them. */
function randomInterval(): number {
  random ^= random << 13;
  random ^= random >>> 17;
  random ^= random << 5;
  return MIN_INTERVAL + ((random >>> 0) % (MAX_INTERVAL - MIN_INTERVAL + 1));
}

function mustDelay(): boolean {
  return hasSent && (nowMs - sentAt) >>> 0 < MIN_DELAY;
}

/** A guest may be there, or there is something else to tell. */
export function beginAdvertising(): void {
  isWaiting = advertises;
  initialLeft = INITIAL;
  nextAt = mustDelay() ? (sentAt + MIN_DELAY) | 0 : nowMs;
}

/** The guest is gone. */
export function stopAdvertising(): void {
  isWaiting = false;
  hasSent = false;
}

/** Milliseconds until the next one, −1 = never. */
export function untilAdvertisement(): number {
  return isWaiting ? Math.max((nextAt - nowMs) | 0, 0) : -1;
}

/** The one that was due has been sent to everybody, or (`isSent` false) the link has refused it. */
export function advertised(isSent: boolean): void {
  initialLeft = Math.max(initialLeft - 1, 0);
  nextAt = (nowMs + (initialLeft > 0 ? MAX_INITIAL_INTERVAL : randomInterval())) | 0;
  if (!isSent) return;
  hasSent = true;
  sentAt = nowMs;
}

/** Somebody without an address asks for one. True when it is to be sent to everybody now; else it comes when it may. */
export function advertisementAskedFor(): boolean {
  if (!mustDelay()) {
    advertised(true);
    return true;
  }
  isWaiting = true;
  nextAt = (sentAt + MIN_DELAY) | 0;
  return false;
}
