/**
 * One deadline per flow.
 *
 * Theory of operation. A hierarchical wheel: level 0 has 256 slots of 1 ms, level 1 256 slots of 256 ms, level 2 256
 * slots of 65,536 ms (4.6 hours, more than any timer). A flow is linked into the slot of the moment it was last linked
 * for; moving its deadline later only writes TIMER_AT, and the flow is linked again when its old slot comes up. So the
 * common case, a deadline pushed back with each packet, costs one store. Bitmaps of occupied slots tell how long nothing
 * can happen: an idle table wakes nobody.
 */
import { ROW, rows, TIMER_AT, TIMER_NEXT, TIMER_PREVIOUS, TIMER_SLOT } from './row.ts';

const SLOTS = 256;
const heads = new Int32Array(3 * SLOTS).fill(-1);
const occupied = new Int32Array(3 * 8);
let current = 0;

/** Sets the wheel's clock; every flow's timer must be stopped. `now` in ms, int32, wraps. */
export function openTimers(now: number): void {
  heads.fill(-1);
  occupied.fill(0);
  current = now | 0;
}

/** Links the flow into the slot of the moment `at`, or of `soonest` ms from now if that is later. */
function link(flow: number, at: number, soonest: number): void {
  const row = flow * ROW;
  let ahead = (at - current) | 0;
  if (ahead < soonest) ahead = soonest;
  let slot: number;
  // A slot a whole turn ahead would be taken for the present one, so the last slot's span is linked early and again.
  if (ahead < SLOTS) slot = (current + ahead) & 255;
  else if (ahead < SLOTS << 8) slot = SLOTS + (((current + Math.min(ahead, (255 << 8) - 1)) >>> 8) & 255);
  else slot = 2 * SLOTS + (((current + Math.min(ahead, (255 << 16) - 1)) >>> 16) & 255);
  const first = heads[slot]!;
  rows[row + TIMER_SLOT] = slot;
  rows[row + TIMER_PREVIOUS] = -1;
  rows[row + TIMER_NEXT] = first;
  if (first >= 0) rows[first * ROW + TIMER_PREVIOUS] = flow;
  heads[slot] = flow;
  occupied[slot >> 5]! |= 1 << (slot & 31);
}

function unlink(flow: number): void {
  const row = flow * ROW;
  const slot = rows[row + TIMER_SLOT]!;
  const next = rows[row + TIMER_NEXT]!;
  const previous = rows[row + TIMER_PREVIOUS]!;
  if (previous >= 0) rows[previous * ROW + TIMER_NEXT] = next;
  else heads[slot] = next;
  if (next >= 0) rows[next * ROW + TIMER_PREVIOUS] = previous;
  if (heads[slot] === -1) occupied[slot >> 5]! &= ~(1 << (slot & 31));
  rows[row + TIMER_SLOT] = -1;
}

/** The moment a linked slot comes up, as seen from `current`. */
function comesUp(slot: number): number {
  const index = slot & 255;
  if (slot < SLOTS) return (current + ((index - current) & 255)) | 0;
  const shift = slot < 2 * SLOTS ? 8 : 16;
  const turns = (index - (current >>> shift)) & 255;
  return (((current >>> shift) + turns) << shift) | 0;
}

/** The flow wants to be called at `at` (ms). Earlier calls of the same flow are forgotten. */
export function setTimer(flow: number, at: number): void {
  const row = flow * ROW;
  rows[row + TIMER_AT] = at;
  const slot = rows[row + TIMER_SLOT]!;
  if (slot >= 0) {
    if (((comesUp(slot) - at) | 0) <= 0) return;
    unlink(flow);
  }
  link(flow, at, 1);
}

/** The flow wants no call. */
export function stopTimer(flow: number): void {
  if (rows[flow * ROW + TIMER_SLOT]! >= 0) unlink(flow);
}

function detach(slot: number): number {
  const first = heads[slot]!;
  heads[slot] = -1;
  occupied[slot >> 5]! &= ~(1 << (slot & 31));
  return first;
}

/** Links every flow of a higher level's slot again, nearer; the present slot of level 0 comes up after this. */
function cascade(slot: number): void {
  let flow = detach(slot);
  while (flow >= 0) {
    const next = rows[flow * ROW + TIMER_NEXT]!;
    rows[flow * ROW + TIMER_SLOT] = -1;
    link(flow, rows[flow * ROW + TIMER_AT]!, 0);
    flow = next;
  }
}

function distanceToOccupied(level: number, from: number): number {
  for (let ahead = 1; ahead <= SLOTS; ) {
    const index = (from + ahead) & 255;
    const word = occupied[level * 8 + (index >> 5)]! >>> (index & 31);
    if (word !== 0) {
      const found = ahead + (31 - Math.clz32(word & -word));
      return found <= SLOTS ? found : 0;
    }
    ahead += 32 - (index & 31);
  }
  return 0;
}

/** Milliseconds from `now` until a timer may be due: 0 at once, −1 never. */
export function untilNextTimer(now: number): number {
  let soonest = 0x7fffffff;
  for (let level = 0; level < 3; level++) {
    const shift = level * 8;
    const slots = distanceToOccupied(level, (current >>> shift) & 255);
    if (slots === 0) continue;
    const moment = level === 0 ? current + slots : (((current >>> shift) + slots) << shift) | 0;
    const wait = (moment - now) | 0;
    if (wait < soonest) soonest = wait;
  }
  if (soonest === 0x7fffffff) return -1;
  return soonest < 0 ? 0 : soonest;
}

/** Flows that are due, in the order they were found; filled by `collectDue`. */
export const due = new Int32Array(1024);

/**
 * Advances the wheel to `now` and collects flows that are due (their timers are stopped). Returns how many are in
 * `due`; when it returns `due.length` there may be more: call again.
 */
export function collectDue(now: number): number {
  let count = 0;
  while (((now - current) | 0) > 0) {
    let step = distanceToOccupied(0, current & 255);
    const toBoundary = SLOTS - (current & 255);
    if (step === 0 || step > toBoundary) step = toBoundary;
    const left = (now - current) | 0;
    if (step > left) {
      current = now | 0;
      break;
    }
    current = (current + step) | 0;
    if ((current & 255) === 0) {
      if ((current & 0xffff) === 0) cascade(2 * SLOTS + ((current >>> 16) & 255));
      cascade(SLOTS + ((current >>> 8) & 255));
    }
    let flow = detach(current & 255);
    while (flow >= 0) {
      const row = flow * ROW;
      const next = rows[row + TIMER_NEXT]!;
      rows[row + TIMER_SLOT] = -1;
      if (((rows[row + TIMER_AT]! - current) | 0) > 0) link(flow, rows[row + TIMER_AT]!, 1);
      else if (count < due.length) due[count++] = flow;
      else link(flow, (current + 1) | 0, 1);
      flow = next;
    }
    if (count === due.length) break;
  }
  return count;
}
