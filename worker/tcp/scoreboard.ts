/**
 * What the guest has of our data beyond its cumulative acknowledgement: RFC 2018 §5, RFC 2883.
 *
 * Theory of operation. A flow's ranges are a list in the order of the sequence numbers, in a pool that all flows share. A range
 * stands as well for the hole before it, which goes down to the range before or to SND.UNA: when the hole was noticed, whether it
 * is taken for lost, how far and when it was sent again. What lies above all ranges is described in the same words by the row
 * (HIGH_LOST, HIGH_RXT, RESENT_AT, RESENT_MAX). This file records; tcp/recovery.ts judges.
 *
 * A guest that lies can only harm itself: nothing leaves the host socket's queue before it is acknowledged in full. A pool
 * that is exhausted forgets the newest range; it will be told again, or sent again.
 */
import { nowUs } from '../flow/clock.ts';
import { coldRows, ROW, rows } from '../flow/row.ts';
import { sackBlocks, sackLeft, sackRight } from '../wire/tcp_option.ts';
import { HIGH_LOST, HIGH_RXT, HIGH_SACKED, RACK_AT, RACK_SEQ, RESENT_AT, RESENT_MAX, RTT_AT, RTT_SEQ, SACK_FIRST, SACKED } from './row.ts';
import { SND_MAX, SND_UNA, SRTT } from './row.ts';
import { after, before, distance } from './sequence.ts';
import { endMeasurement } from './timeout.ts';

/** Ranges of all flows together. */
export const RANGES = 16_384;

/** By entry, 1…RANGES. Edges of the range; the next entry of the flow, 0 = none. */
export const left = new Int32Array(RANGES + 1);
export const right = new Int32Array(RANGES + 1);
export const next = new Int32Array(RANGES + 1);
/** The hole before the range: when it was noticed (µs); 1 when it is taken for lost. */
export const noticedAt = new Int32Array(RANGES + 1);
export const lost = new Uint8Array(RANGES + 1);
/** The number up to which it was sent again (any number left of it: not at all), when last (µs), and SND.MAX then. */
export const resentTo = new Int32Array(RANGES + 1);
export const resentAt = new Int32Array(RANGES + 1);
export const resentMax = new Int32Array(RANGES + 1);
/** Entries that were in use and are not, a chain; and how many ever were: what was never used costs no memory. */
let freed = 0;
let used = 0;
/** How many entries are in use. */
export let blocksSacked = 0;

/** What the last ACK has told: bytes that came as they were sent first, */
export let originals = 0;
/** whether some of them came later than what was sent behind them, */
export let cameLate = false;
/** and bytes that the guest has got twice (RFC 2883). */
export let duplicated = 0;

/** Empties the pool. */
export function openScoreboard(): void {
  freed = used = blocksSacked = 0;
}

/** Gives back all ranges of the flow. */
export function dropScoreboard(flow: number): void {
  const row = flow * ROW;
  for (let entry = rows[row + SACK_FIRST]!; entry !== 0; ) {
    const following = next[entry]!;
    release(entry);
    entry = following;
  }
  rows[row + SACK_FIRST] = 0;
  rows[row + SACKED] = 0;
  coldRows[row + HIGH_SACKED] = rows[row + SND_UNA]!;
}

function release(entry: number): void {
  next[entry] = freed;
  freed = entry;
  blocksSacked--;
}

/** A new ACK is about to be taken. */
export function beginNews(): void {
  originals = 0;
  cameLate = false;
  duplicated = 0;
}

/**
 * RFC 8985 §6.2, step 2: of what was sent again and has come, the latest. What comes sooner than half a round trip after it was
 * sent again is the original.
 */
function noteResent(row: number, at: number, end: number): void {
  if (((nowUs - at) | 0) < rows[row + SRTT]! >> 1) return;
  const later = distance(coldRows[row + RACK_AT]!, at);
  if (later < 0 || (later === 0 && !after(end, coldRows[row + RACK_SEQ]!))) return;
  coldRows[row + RACK_AT] = at;
  coldRows[row + RACK_SEQ] = end;
}

/** The guest has got [from, to), a part of the hole before `entry` (0: above all ranges); `high` was the highest it had before this ACK. */
function arrived(row: number, from: number, to: number, entry: number, high: number): void {
  const again = entry === 0 ? coldRows[row + HIGH_RXT]! : resentTo[entry]!;
  if (after(to, again)) {
    originals += distance(after(again, from) ? again : from, to);
    if (before(from, high)) cameLate = true;
  }
  if (after(again, from)) noteResent(row, entry === 0 ? coldRows[row + RESENT_AT]! : resentAt[entry]!, before(to, again) ? to : again);
}

/** A range of its own, between `previous` and `following` (0 = none). */
function insert(row: number, from: number, to: number, previous: number, following: number): void {
  let entry = freed;
  if (entry !== 0) freed = next[entry]!;
  else if (used < RANGES) entry = ++used;
  else return;
  blocksSacked++;
  left[entry] = from;
  right[entry] = to;
  next[entry] = following;
  if (previous === 0) rows[row + SACK_FIRST] = entry;
  else next[previous] = entry;
  // The hole is cut in two; what was known of it holds for both halves.
  if (following === 0) {
    noticedAt[entry] = nowUs;
    lost[entry] = before(coldRows[row + HIGH_LOST]!, from) ? 0 : 1;
    resentTo[entry] = coldRows[row + HIGH_RXT]!;
    resentAt[entry] = coldRows[row + RESENT_AT]!;
    resentMax[entry] = coldRows[row + RESENT_MAX]!;
  } else {
    noticedAt[entry] = noticedAt[following]!;
    lost[entry] = lost[following]!;
    resentTo[entry] = resentTo[following]!;
    resentAt[entry] = resentAt[following]!;
    resentMax[entry] = resentMax[following]!;
  }
  rows[row + SACKED]! += distance(from, to);
}

/** The range `entry` goes on to `to`, over whatever lies there. */
function extend(row: number, entry: number, to: number, high: number): void {
  let end = right[entry]!;
  let following = next[entry]!;
  while (following !== 0 && !after(left[following]!, to)) {
    arrived(row, end, left[following]!, following, high);
    rows[row + SACKED]! += distance(end, left[following]!);
    end = right[following]!;
    next[entry] = next[following]!;
    release(following);
    following = next[entry]!;
  }
  if (after(to, end)) {
    arrived(row, end, to, following, high);
    rows[row + SACKED]! += distance(end, to);
    end = to;
  }
  right[entry] = end;
}

/** Takes one block that lies between SND.UNA and SND.MAX. */
function add(row: number, from: number, to: number, high: number): void {
  let previous = 0;
  let entry = rows[row + SACK_FIRST]!;
  while (entry !== 0 && before(right[entry]!, from)) {
    previous = entry;
    entry = next[entry]!;
  }
  if (entry === 0 || after(left[entry]!, to)) {
    arrived(row, from, to, entry, high);
    insert(row, from, to, previous, entry);
  } else {
    if (before(from, left[entry]!)) {
      arrived(row, from, left[entry]!, entry, high);
      rows[row + SACKED]! += distance(from, left[entry]!);
      left[entry] = from;
    }
    if (after(to, right[entry]!)) extend(row, entry, to, high);
  }
  if (after(to, coldRows[row + HIGH_SACKED]!)) coldRows[row + HIGH_SACKED] = to;
  // A segment of its own round trip, seen before what is missing below it was acknowledged.
  if (rows[row + RTT_AT] !== 0 && before(from, rows[row + RTT_SEQ]!) && !before(to, rows[row + RTT_SEQ]!)) endMeasurement(row, to);
}

/** True when the first block tells of something that came twice (RFC 2883 §4): it is acknowledged, or lies within the second one. */
function isDuplicate(row: number): boolean {
  const una = rows[row + SND_UNA]!;
  if (!after(sackRight(0), una)) return true;
  return sackBlocks > 1 && !before(sackLeft(0), sackLeft(1)) && !after(sackRight(0), sackRight(1));
}

/** Takes the SACK blocks of the segment just read. Those that can't be true are passed over. */
export function takeBlocks(row: number): void {
  const una = rows[row + SND_UNA]!;
  const max = rows[row + SND_MAX]!;
  const high = coldRows[row + HIGH_SACKED]!;
  let first = 0;
  if (isDuplicate(row)) {
    duplicated = Math.max(distance(sackLeft(0), sackRight(0)), 0);
    first = 1;
  }
  for (let block = first; block < sackBlocks; block++) {
    const from = sackLeft(block);
    const to = sackRight(block);
    if (after(from, una) && after(to, from) && !after(to, max)) add(row, from, to, high);
  }
}

/**
 * Everything up to `ack` is acknowledged, `una` was before. False when the guest has dropped what it had said it has
 * (RFC 2018 §8): the acknowledgement ends at or within a range. Then the flow's ranges are forgotten.
 */
export function trim(flow: number, una: number, ack: number): boolean {
  const row = flow * ROW;
  const high = coldRows[row + HIGH_SACKED]!;
  let from = una;
  let entry = rows[row + SACK_FIRST]!;
  while (entry !== 0 && !after(left[entry]!, ack)) {
    if (after(right[entry]!, ack)) {
      dropScoreboard(flow);
      return false;
    }
    arrived(row, from, left[entry]!, entry, high);
    from = right[entry]!;
    rows[row + SACKED]! -= distance(left[entry]!, from);
    const following = next[entry]!;
    release(entry);
    entry = following;
    rows[row + SACK_FIRST] = entry;
  }
  if (after(ack, from)) arrived(row, from, ack, entry, high);
  if (before(coldRows[row + HIGH_SACKED]!, ack)) coldRows[row + HIGH_SACKED] = ack;
  return true;
}
