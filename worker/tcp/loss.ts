/**
 * Which of our data is lost: RFC 6675 §4, RFC 8985 §6.2.
 *
 * A hole of the scoreboard is lost
 * - when three segments' worth lies behind it (RFC 6675 §4 IsLost), at once, if segments have never overtaken each other;
 * - else when it is older than a quarter of a round trip, more where reordering or needless repetition was seen (RFC 8985 §6.2);
 * - when it lies below HIGH_LOST: all that is in flight after a timeout, the first segment where no SACK tells more.
 * What was sent again is lost again when something that was sent after it has come.
 */
import { nowMs, nowUs } from '../flow/clock.ts';
import { coldRows, FLAGS, ROW, rows } from '../flow/row.ts';
import { UNBOUNDED } from './congestion.ts';
import {
  HIGH_LOST,
  HIGH_RXT,
  HIGH_SACKED,
  LOSSES,
  LOST,
  MSS,
  RACK_AT,
  RACK_SEQ,
  RECOVERING,
  REORDER_AT,
  REORDER_TIMER,
  REORDERING,
  SACK_FIRST,
  SACK_PERMITTED,
  SACKED,
  SND_MAX,
  SND_UNA,
  SRTT,
} from './row.ts';
import { left, lost, next, noticedAt, resentAt, resentMax, resentTo, right } from './scoreboard.ts';
import { after, before, distance } from './sequence.ts';
import { scheduleNext } from './timeout.ts';

/** RFC 5681 §3.2, RFC 6675 §2 DupThresh. */
export const DUPLICATE_THRESHOLD = 3;
/** RFC 8985 §6.2: microseconds; the timers have no finer step. */
const LEAST_REORDERING = 1000;
/** Quarters of a round trip, at most (RFC 8985 §6.2: no more than SRTT). */
const MOST_REORDERING = 4;
/** Recoveries for which reordering is remembered (RFC 8985 §6.2 RACK.reo_wnd_persist). */
const REMEMBERED = 16;
/** Microseconds by which segments may overtake each other. */
function reorderingWindow(row: number): number {
  const quarters = Math.max(rows[row + REORDERING]! & 0xff, 1);
  return Math.max((rows[row + SRTT]! >> 2) * quarters, LEAST_REORDERING);
}

/** Segments overtake each other by so many quarters of a round trip, or fewer. */
export function remember(row: number, quarters: number): void {
  rows[row + REORDERING] = Math.min(quarters, MOST_REORDERING) | (REMEMBERED << 8);
}

/** True when what was sent again up to `end` at `at` has been lost: what was sent after it has come. Else it may ask to be judged later. */
function isLostAgain(row: number, at: number, max: number, end: number): boolean {
  const later = distance(at, coldRows[row + RACK_AT]!);
  const overtaken = after(coldRows[row + HIGH_SACKED]!, max) || later > 0 || (later === 0 && after(coldRows[row + RACK_SEQ]!, end));
  if (!overtaken) return false;
  const trip = rows[row + SRTT]!;
  return isRipe(at, rows[row + REORDERING] === 0 ? trip - (trip >> 2) : trip + reorderingWindow(row));
}

/** Microseconds until the soonest thing that `judge` has to look at again. */
let soonest = UNBOUNDED;

/** True when `wait` µs have passed since `since`; else somebody is to look again then. */
function isRipe(since: number, wait: number): boolean {
  const remains = (since + wait - nowUs) | 0;
  if (remains <= 0) return true;
  if (remains < soonest) soonest = remains;
  return false;
}

/** The hole before `entry`, from `start` on, with `above` bytes SACKed behind it: takes it for lost if it is. Bytes of it to be sent again. */
function judgeHole(row: number, entry: number, start: number, above: number): number {
  const end = left[entry]!;
  const flags = rows[row + FLAGS]!;
  if (lost[entry] === 0) {
    const atOnce = rows[row + REORDERING] === 0 && ((flags & RECOVERING) !== 0 || above > (DUPLICATE_THRESHOLD - 1) * rows[row + MSS]!);
    if (!atOnce && after(end, coldRows[row + HIGH_LOST]!) && !isRipe(noticedAt[entry]!, reorderingWindow(row))) return 0;
    lost[entry] = 1;
    coldRows[row + LOSSES]! += distance(start, end);
  }
  if (!after(resentTo[entry]!, start)) return distance(start, end);
  if (after(resentTo[entry]!, end)) resentTo[entry] = end;
  if (isLostAgain(row, resentAt[entry]!, resentMax[entry]!, end)) {
    coldRows[row + LOSSES]! += distance(start, resentTo[entry]!);
    resentTo[entry] = start;
  }
  return distance(resentTo[entry]!, end);
}

/** Counts what is lost of the flow (LOST), and arms the timer for what may be. */
export function judge(flow: number): void {
  const row = flow * ROW;
  soonest = UNBOUNDED;
  let above = rows[row + SACKED]!;
  let start = rows[row + SND_UNA]!;
  let missing = 0;
  for (let entry = rows[row + SACK_FIRST]!; entry !== 0; entry = next[entry]!) {
    missing += judgeHole(row, entry, start, above);
    start = right[entry]!;
    above -= distance(left[entry]!, start);
  }
  const tail = after(coldRows[row + HIGH_RXT]!, start) ? coldRows[row + HIGH_RXT]! : start;
  if (after(coldRows[row + HIGH_LOST]!, tail)) missing += distance(tail, coldRows[row + HIGH_LOST]!);
  rows[row + LOST] = missing;
  if (soonest !== UNBOUNDED) {
    rows[row + FLAGS]! |= REORDER_TIMER;
    coldRows[row + REORDER_AT] = (nowMs + Math.ceil(soonest / 1000)) | 0;
    scheduleNext(flow);
  } else rows[row + FLAGS]! &= ~REORDER_TIMER;
}

/** The first segment in flight is lost, for a reason that no range tells. */
export function loseFirst(row: number): void {
  const end = Math.min(rows[row + MSS]!, distance(rows[row + SND_UNA]!, rows[row + SND_MAX]!));
  const mark = (rows[row + SND_UNA]! + end) | 0;
  if (before(coldRows[row + HIGH_LOST]!, mark)) {
    coldRows[row + HIGH_LOST] = mark;
    coldRows[row + LOSSES]! += end;
  }
}

/** Everything that is not SACKed counts as lost and not sent again. */
export function loseAll(row: number): void {
  const una = rows[row + SND_UNA]!;
  for (let entry = rows[row + SACK_FIRST]!; entry !== 0; entry = next[entry]!) {
    lost[entry] = 1;
    resentTo[entry] = una;
  }
  coldRows[row + HIGH_LOST] = rows[row + SND_MAX]!;
  coldRows[row + HIGH_RXT] = una;
  // Duplicates that were counted tell nothing any more.
  if ((rows[row + FLAGS]! & SACK_PERMITTED) === 0) rows[row + SACKED] = 0;
  rows[row + LOST] = (distance(una, rows[row + SND_MAX]!) - rows[row + SACKED]!) | 0;
}
