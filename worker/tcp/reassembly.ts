/**
 * What came out of order (RFC 9293 §3.10.7.4, seventh step; RFC 5681 §4.2): which ranges beyond RCV_NXT are there.
 *
 * The bytes lie in the flow's receive buffer, each at the place of its number; here are the ranges, chained by sequence number, never
 * touching each other. Of bytes that come twice the first copy stays. Each range remembers when a segment last added to it, for
 * the order in which the guest is told (tcp/sack.ts). The end of the stream is remembered as well when it comes early.
 */
import { ROW, rows } from '../flow/row.ts';
import { BUFFERS, heldFrom, keep, receiveBuffer, releaseBefore, releaseBuffer } from './receive_buffer.ts';
import { AHEAD_FIRST, HELD, RCV_BUFFER, RCV_NXT } from './row.ts';
import { after, before, distance } from './sequence.ts';

const RANGES = 8192;
/** Ranges of one flow: what a walk over them may cost. */
export const MOST_RANGES = 512;

const left = new Int32Array(RANGES + 1);
const right = new Int32Array(RANGES + 1);
const next = new Int32Array(RANGES + 1);
const added = new Int32Array(RANGES + 1);
let freed = 0;
let used = 0;
let additions = 0;

/** Of each receive buffer: its last range, how many it has, and where the stream ends, if that is known. */
const last = new Int32Array(BUFFERS + 1);
const count = new Int32Array(BUFFERS + 1);
const endsAt = new Int32Array(BUFFERS + 1);
const endKnown = new Uint8Array(BUFFERS + 1);

/** Ranges that are in use. */
export let rangesTaken = 0;
/** Of the segment taken in last, the bytes that were there before: their first contiguous piece; none if the two are equal. */
export let duplicateLeft = 0;
export let duplicateRight = 0;

/** Forgets everything. */
export function openReassembly(): void {
  freed = used = rangesTaken = 0;
  last.fill(0);
  count.fill(0);
  endKnown.fill(0);
}

/** First byte of range `range`, and the number behind its last. */
export function rangeLeft(range: number): number {
  return left[range]!;
}

export function rangeRight(range: number): number {
  return right[range]!;
}

/** The range behind `range`, 0 = none. */
export function rangeAfter(range: number): number {
  return next[range]!;
}

/** Grows with each segment that adds to a range: the larger, serially, the more recent. */
export function rangeAdded(range: number): number {
  return added[range]!;
}

/** True when the stream is known to end at `seq`: its FIN has that number. */
export function endsThere(flow: number, seq: number): boolean {
  const buffer = rows[flow * ROW + RCV_BUFFER]!;
  return buffer !== 0 && endKnown[buffer] !== 0 && endsAt[buffer] === seq;
}

/** The FIN came before what precedes it. */
export function rememberEnd(flow: number, seq: number): void {
  const buffer = receiveBuffer(flow);
  if (buffer === 0 || endKnown[buffer] !== 0) return;
  endKnown[buffer] = 1;
  endsAt[buffer] = seq;
}

/** A range without a byte at `seq`, behind `previous`; 0 when there may be none. */
function insertRange(row: number, buffer: number, previous: number, seq: number): number {
  if (count[buffer]! >= MOST_RANGES || (freed === 0 && used === RANGES)) return 0;
  const range = freed || ++used;
  if (range === freed) freed = next[range]!;
  rangesTaken++;
  count[buffer]!++;
  left[range] = right[range] = seq;
  next[range] = previous === 0 ? rows[row + AHEAD_FIRST]! : next[previous]!;
  if (previous === 0) rows[row + AHEAD_FIRST] = range;
  else next[previous] = range;
  if (next[range] === 0) last[buffer] = range;
  return range;
}

/** Takes the range behind `previous` (0: the first) out of the chain. */
function removeRange(row: number, buffer: number, previous: number): void {
  const range = previous === 0 ? rows[row + AHEAD_FIRST]! : next[previous]!;
  if (previous === 0) rows[row + AHEAD_FIRST] = next[range]!;
  else next[previous] = next[range]!;
  if (next[range] === 0) last[buffer] = previous;
  next[range] = freed;
  freed = range;
  rangesTaken--;
  count[buffer]!--;
}

/** The last range that begins at or before `seq`, 0 = none. */
function rangeBefore(row: number, buffer: number, seq: number): number {
  const end = last[buffer]!;
  if (end !== 0 && !before(seq, left[end]!)) return end;
  let found = 0;
  for (let range = rows[row + AHEAD_FIRST]!; range !== 0 && !after(left[range]!, seq); range = next[range]!) found = range;
  return found;
}

/** A segment begins to be taken in. */
export function clearDuplicate(): void {
  duplicateLeft = duplicateRight = 0;
}

function noteDuplicate(from: number, to: number): void {
  if (duplicateLeft !== duplicateRight) return;
  duplicateLeft = from;
  duplicateRight = to;
}

/** Makes the range reach up to `edge`, with the bytes from `at` on whose first has the number `seq`; joins what it meets. */
function growRange(flow: number, range: number, seq: number, edge: number, at: number): void {
  const row = flow * ROW;
  const buffer = rows[row + RCV_BUFFER]!;
  while (before(right[range]!, edge)) {
    const from = right[range]!;
    const behind = next[range]!;
    const to = behind !== 0 && before(left[behind]!, edge) ? left[behind]! : edge;
    const kept = keep(flow, from, at + distance(seq, from), distance(from, to), false);
    right[range] = (from + kept) | 0;
    if (right[range] !== to) return;
    if (behind !== 0 && left[behind] === to) {
      if (before(to, edge)) noteDuplicate(to, before(right[behind]!, edge) ? right[behind]! : edge);
      right[range] = right[behind]!;
      removeRange(row, buffer, range);
    }
  }
}

/** Keeps the `length` bytes at `at`, whose first has the number `seq`, beyond RCV_NXT; as many as there is room for. */
export function keepAhead(flow: number, seq: number, at: number, length: number): void {
  const row = flow * ROW;
  clearDuplicate();
  const buffer = receiveBuffer(flow);
  if (buffer === 0 || length === 0) return;
  const edge = (seq + length) | 0;
  const previous = rangeBefore(row, buffer, seq);
  let range = previous;
  if (range !== 0 && !after(seq, right[range]!)) {
    if (before(seq, right[range]!)) noteDuplicate(seq, before(right[range]!, edge) ? right[range]! : edge);
  } else range = insertRange(row, buffer, previous, seq);
  if (range === 0) return;
  added[range] = ++additions | 0;
  growRange(flow, range, seq, edge, at);
  if (left[range] === right[range]) removeRange(row, buffer, previous);
}

/** How many bytes are missing between RCV_NXT and the first range; there is one. */
export function gapLength(row: number): number {
  return distance(rows[row + RCV_NXT]!, left[rows[row + AHEAD_FIRST]!]!);
}

/** The gap is filled: the first range waits for the socket now. Its length; `again` bytes from its first on have come once more. */
export function takeFirstRange(flow: number, again: number): number {
  const row = flow * ROW;
  const range = rows[row + AHEAD_FIRST]!;
  const length = distance(left[range]!, right[range]!);
  if (again > 0) noteDuplicate(left[range]!, (left[range]! + Math.min(again, length)) | 0);
  rows[row + RCV_NXT] = right[range]!;
  rows[row + HELD]! += length;
  removeRange(row, rows[row + RCV_BUFFER]!, 0);
  return length;
}

/** Gives back the blocks that nothing needs any more, and the buffer when nothing is left. Not for a flow without one. */
export function releaseTaken(flow: number): void {
  const row = flow * ROW;
  const buffer = rows[row + RCV_BUFFER]!;
  const range = rows[row + AHEAD_FIRST]!;
  if (rows[row + HELD] !== 0) releaseBefore(flow, heldFrom(row));
  else if (range !== 0) releaseBefore(flow, left[range]!);
  else if (endKnown[buffer] === 0) releaseBuffer(flow);
  else releaseBefore(flow, endsAt[buffer]!);
}

/** Forgets what came out of order: the stream has ended before it. */
export function dropAhead(flow: number): void {
  const row = flow * ROW;
  const buffer = rows[row + RCV_BUFFER]!;
  if (buffer === 0) return;
  while (rows[row + AHEAD_FIRST] !== 0) removeRange(row, buffer, 0);
  endKnown[buffer] = 0;
  if (rows[row + HELD] === 0) releaseBuffer(flow);
}

/** Gives back all that a flow that ends has kept. */
export function dropKept(flow: number): void {
  dropAhead(flow);
  releaseBuffer(flow);
}
