/**
 * Loss recovery: which of our data is lost, and when it is sent again (RFC 6675, RFC 6582, RFC 8985, RFC 6298 §5).
 *
 * Theory of operation. A flow that loses nothing never comes here: LOSSY is the one flag that the path of an ACK looks at.
 * `repair` takes an ACK: the scoreboard (tcp/scoreboard.ts) learns, `judge` counts what is lost, a recovery begins or ends, the
 * window follows (tcp/congestion.ts), and holes are filled, and nothing else. What is lost says tcp/loss.ts; without SACK it is the
 * first segment, at the third duplicate ACK and at each ACK of a part (RFC 6582 §3.2). When nothing comes at all, a probe asks (RFC 8985
 * §7); then the retransmission timer expires: everything is lost, but only the first segment goes out, and if what comes next
 * shows that nothing was, all is as before (RFC 3522, RFC 5682).
 */
import { nowUs } from '../flow/clock.ts';
import { coldRows, FLAGS, ROW, rows } from '../flow/row.ts';
import { optionTimestamps, sackBlocks, sackRight, timestampEcho } from '../wire/tcp_option.ts';
import { adjustWindow, admitSegment, collapse, countResent, keepWindow, restoreWindow, settleWindow, windowLeft } from './congestion.ts';
import { DUPLICATE_THRESHOLD, judge, loseAll, loseFirst, remember } from './loss.ts';
import {
  BEGAN_AT,
  CWND,
  HIGH_LOST,
  HIGH_RXT,
  HIGH_SACKED,
  LOSSES,
  LOSSY,
  LOSSY_FIELDS,
  LOST,
  MSS,
  PROBE_END,
  PROBE_TIMER,
  PROBED,
  RACK_AT,
  RACK_SEQ,
  RECOVER,
  RECOVERING,
  REDUCED,
  REORDER_TIMER,
  REORDERING,
  RESENT,
  RESENT_AT,
  RESENT_MAX,
  RETRIES,
  SACK_FIRST,
  SACK_PERMITTED,
  SACKED,
  SND_MAX,
  SND_UNA,
  SND_WND,
  TIMED_OUT,
  TIMESTAMPS,
  WIDENED,
} from './row.ts';
import {
  beginNews,
  cameLate,
  dropScoreboard,
  duplicated,
  left,
  lost,
  next,
  originals,
  resentAt,
  resentMax,
  resentTo,
  right,
  takeBlocks,
  trim,
} from './scoreboard.ts';
import { framePayload } from './segment.ts';
import { after, before, distance } from './sequence.ts';
import { armRetransmission, shortenRetransmission } from './timeout.ts';
import { ourTimestamp } from './timestamp.ts';
import { resend } from './transmit.ts';

/** Frames that one ACK may have sent again. */
const FRAMES_AT_ONCE = 64;

/** The flow is to be looked after from now on. */
function beginLossy(row: number, una: number): void {
  rows[row + FLAGS]! |= LOSSY;
  // What an earlier flow of the row has left, or an earlier loss of this one.
  coldRows.fill(0, row, row + LOSSY_FIELDS);
  coldRows[row + HIGH_SACKED] = una;
  coldRows[row + HIGH_LOST] = una;
  coldRows[row + HIGH_RXT] = una;
  // No probe: nothing that the guest may tell of ends there.
  coldRows[row + PROBE_END] = (una - 1) | 0;
}

/** Bytes of a lost stretch that may go out at once: 0 when the windows leave no room. */
function portion(row: number, from: number, end: number): number {
  const whole = distance(from, end);
  const mss = rows[row + MSS]!;
  const edge = (rows[row + SND_UNA]! + rows[row + SND_WND]!) | 0;
  const room = windowLeft(row);
  if (room < Math.min(whole, mss)) return 0;
  const most = Math.min(whole, room, distance(from, edge), framePayload(row));
  return most === whole || most < mss ? Math.max(most, 0) : most - (most % mss);
}

/** Sends what is lost again, lowest first, as far as the windows allow. False when the flow has ended. */
function fillHoles(flow: number): boolean {
  const row = flow * ROW;
  let frames = 0;
  let start = rows[row + SND_UNA]!;
  for (let entry = rows[row + SACK_FIRST]!; rows[row + LOST]! > 0; entry = next[entry]!) {
    const end = entry === 0 ? coldRows[row + HIGH_LOST]! : left[entry]!;
    let from = entry === 0 ? coldRows[row + HIGH_RXT]! : resentTo[entry]!;
    if (before(from, start)) from = start;
    while ((entry === 0 || lost[entry] === 1) && before(from, end)) {
      const most = portion(row, from, end);
      if (most === 0 || ++frames > FRAMES_AT_ONCE) return true;
      const bytes = resend(flow, from, most);
      if (bytes <= 0) return bytes === 0;
      from = (from + bytes) | 0;
      noteResending(row, entry, from);
      countResent(row, bytes);
    }
    if (entry === 0) return true;
    start = right[entry]!;
  }
  return true;
}

/** What the recovery that begins has sent again gets a timeout of its own; one that could send nothing waits for no longer. True. */
function armForResent(flow: number, begins: boolean): boolean {
  if (begins && coldRows[flow * ROW + RESENT]! > 0) armRetransmission(flow);
  return true;
}

/** The hole before `entry` was sent again up to `to`. */
function noteResending(row: number, entry: number, to: number): void {
  if (entry === 0) {
    coldRows[row + HIGH_RXT] = to;
    coldRows[row + RESENT_AT] = nowUs;
    coldRows[row + RESENT_MAX] = rows[row + SND_MAX]!;
  } else {
    resentTo[entry] = to;
    resentAt[entry] = nowUs;
    resentMax[entry] = rows[row + SND_MAX]!;
  }
}

/** A recovery begins: with what `judge` has found. */
function beginRecovery(row: number): void {
  rows[row + FLAGS] = (rows[row + FLAGS]! & ~(TIMED_OUT | REDUCED | WIDENED)) | RECOVERING;
  startRecovery(row);
  keepWindow(row);
}

function startRecovery(row: number): void {
  coldRows[row + RECOVER] = rows[row + SND_MAX]!;
  coldRows[row + BEGAN_AT] = ourTimestamp(row);
  coldRows[row + RESENT] = 0;
  coldRows[row + RACK_AT] = (nowUs - 1) | 0;
  coldRows[row + RACK_SEQ] = rows[row + SND_UNA]!;
}

/** All that was in flight when the recovery began is acknowledged. */
function endRecovery(row: number): void {
  settleWindow(row);
  rows[row + FLAGS]! &= ~(RECOVERING | TIMED_OUT);
  coldRows[row + LOSSES] = 0;
  coldRows[row + HIGH_LOST] = rows[row + SND_UNA]!;
  coldRows[row + HIGH_RXT] = rows[row + SND_UNA]!;
  if ((rows[row + FLAGS]! & SACK_PERMITTED) === 0) rows[row + SACKED] = 0;
  const remembered = rows[row + REORDERING]!;
  if (remembered !== 0) rows[row + REORDERING] = remembered >> 8 > 1 ? remembered - (1 << 8) : 0;
}

/** Nothing was lost: all is as before the recovery, and what looks lost is judged anew. */
function undoRecovery(row: number): void {
  restoreWindow(row);
  for (let entry = rows[row + SACK_FIRST]!; entry !== 0; entry = next[entry]!) lost[entry] = 0;
  rows[row + RETRIES] = 0;
  rows[row + FLAGS]! &= ~(RECOVERING | TIMED_OUT);
  coldRows[row + LOSSES] = 0;
  coldRows[row + HIGH_LOST] = rows[row + SND_UNA]!;
}

/** Learns from segments that came late or twice that others overtake them. */
function learnReordering(row: number): void {
  const quarters = rows[row + REORDERING]! & 0xff;
  if (cameLate && quarters === 0) remember(row, 1);
  if (duplicated === 0 || coldRows[row + RESENT]! <= 0) return;
  if (sackRight(0) === coldRows[row + PROBE_END]) {
    // A probe has doubled it: it was sent again once too often, but not because something was late.
    coldRows[row + PROBE_END] = (rows[row + SND_UNA]! - 1) | 0;
    return;
  }
  // We have sent it twice in vain: it was only late.
  coldRows[row + RESENT]! -= duplicated;
  if ((rows[row + FLAGS]! & WIDENED) === 0) {
    rows[row + FLAGS]! |= WIDENED;
    remember(row, quarters + 1);
  }
  if (coldRows[row + RESENT]! <= 0 && (rows[row + FLAGS]! & REDUCED) !== 0) undoRecovery(row);
}

/** True when this ACK shows that the first segment that was sent again had not been lost (RFC 3522 §3.2; RFC 5682 §3.1 with SACK). */
function wasInVain(row: number, advanced: number): boolean {
  const flags = rows[row + FLAGS]!;
  if ((flags & TIMESTAMPS) !== 0)
    return advanced > 0 && optionTimestamps && coldRows[row + RESENT]! > 0 && before(timestampEcho, coldRows[row + BEGAN_AT]!);
  return (flags & (TIMED_OUT | SACK_PERMITTED)) === (TIMED_OUT | SACK_PERMITTED) && rows[row + RETRIES]! <= 1 && originals > 0;
}

/** Duplicates and ACKs of a part, of a guest without SACK (RFC 6582 §3.2). */
function countDuplicates(row: number, advanced: number): void {
  const mss = rows[row + MSS]!;
  const flight = distance(rows[row + SND_UNA]!, rows[row + SND_MAX]!);
  if (advanced === 0) rows[row + SACKED] = Math.max(Math.min(rows[row + SACKED]! + mss, flight - mss), 0);
  else rows[row + SACKED] = Math.max(Math.min(rows[row + SACKED]! - Math.max(advanced - mss, 0), flight - mss), 0);
}

/** What is lost has made no duplicate: after a timeout they are echoes of what was sent before it, and of what is sent again. */
function limitDuplicates(row: number): void {
  const most = distance(rows[row + SND_UNA]!, rows[row + SND_MAX]!) - rows[row + LOST]!;
  if (rows[row + SACKED]! > most) rows[row + SACKED] = Math.max(most, 0);
}

/** True when the ACK ends the recovery. Without SACK more must be acknowledged than was in flight, or its echoes begin another (RFC 6582 §3.2). */
function isThrough(row: number): boolean {
  const una = rows[row + SND_UNA]!;
  if (una === rows[row + SND_MAX]) return true;
  const recover = coldRows[row + RECOVER]!;
  return (rows[row + FLAGS]! & SACK_PERMITTED) !== 0 ? !before(una, recover) : after(una, recover);
}

/** RFC 6582 §3.2: without SACK an ACK short of the recovery's end points at the next hole. */
function isPartial(row: number): boolean {
  return (rows[row + FLAGS]! & (SACK_PERMITTED | RECOVERING)) === RECOVERING && before(rows[row + SND_UNA]!, coldRows[row + RECOVER]!);
}

/** What the ACK has told, put on the board. Bytes that have come. */
function takeNews(flow: number, una: number): number {
  const row = flow * ROW;
  const ack = rows[row + SND_UNA]!;
  const advanced = distance(una, ack);
  const had = rows[row + SACKED]!;
  const sack = (rows[row + FLAGS]! & SACK_PERMITTED) !== 0;
  beginNews();
  if (advanced > 0 && !trim(flow, una, ack)) {
    coldRows[row + HIGH_RXT] = ack;
    loseFirst(row);
  }
  if (before(coldRows[row + HIGH_RXT]!, ack)) coldRows[row + HIGH_RXT] = ack;
  if (before(coldRows[row + HIGH_LOST]!, ack)) coldRows[row + HIGH_LOST] = ack;
  if (!sack) countDuplicates(row, advanced);
  else if (sackBlocks > 0) takeBlocks(row);
  return Math.max(advanced + rows[row + SACKED]! - had, 0);
}

/**
 * `delivered` bytes have come, of which `advanced` are acknowledged: judges, begins a recovery if something is lost, and sends it again.
 * False when the flow has ended.
 */
function act(flow: number, delivered: number, advanced: number): boolean {
  const row = flow * ROW;
  judge(flow);
  if ((rows[row + FLAGS]! & SACK_PERMITTED) === 0) limitDuplicates(row);
  const begins = rows[row + LOST]! > 0 && (rows[row + FLAGS]! & RECOVERING) === 0;
  if (begins) beginRecovery(row);
  adjustWindow(row, delivered, advanced);
  // One hole in a round trip must at least be filled (RFC 6582 §3.2).
  if (advanced > 0 && isPartial(row)) admitSegment(row);
  if (rows[row + LOST]! > 0 && !fillHoles(flow)) return false;
  armForResent(flow, begins);
  if ((rows[row + FLAGS]! & RECOVERING) === 0 && rows[row + SACK_FIRST] === 0 && rows[row + CWND] === 0) rows[row + FLAGS]! &= ~LOSSY;
  return true;
}

/**
 * The segment just read was an acceptable ACK; `una` was SND.UNA before it. Called when LOSSY is set, when it has SACK blocks, or at
 * the third duplicate. False when the flow has ended.
 */
export function repair(flow: number, una: number): boolean {
  const row = flow * ROW;
  if ((rows[row + FLAGS]! & LOSSY) === 0) beginLossy(row, una);
  const advanced = distance(una, rows[row + SND_UNA]!);
  const delivered = takeNews(flow, una);
  shortenRetransmission(flow);
  learnReordering(row);
  if ((rows[row + FLAGS]! & RECOVERING) !== 0) {
    if (wasInVain(row, advanced)) {
      if (rows[row + REORDERING] === 0) remember(row, 1);
      if ((rows[row + FLAGS]! & (TIMED_OUT | REDUCED)) !== 0) undoRecovery(row);
    }
    if (isThrough(row)) endRecovery(row);
    else if (advanced > 0 && isPartial(row)) loseFirst(row);
  }
  return act(flow, delivered, advanced);
}

/** The third duplicate ACK that tells no more than that (RFC 5681 §3.2). False when the flow has ended. */
export function thirdDuplicate(flow: number): boolean {
  const row = flow * ROW;
  const una = rows[row + SND_UNA]!;
  if ((rows[row + FLAGS]! & LOSSY) === 0) beginLossy(row, una);
  if ((rows[row + FLAGS]! & RECOVERING) === 0 && rows[row + SACK_FIRST] === 0) {
    if ((rows[row + FLAGS]! & SACK_PERMITTED) === 0) rows[row + SACKED] = (DUPLICATE_THRESHOLD - 1) * rows[row + MSS]!;
    loseFirst(row);
  }
  return repair(flow, una);
}

/** REORDER_AT is due: what is still missing is lost. False when the flow has ended. */
export function judgeAgain(flow: number): boolean {
  rows[flow * ROW + FLAGS]! &= ~REORDER_TIMER;
  return act(flow, 0, 0);
}

/**
 * What is in flight was too large for the way (RFC 1191 §6.3): it goes out again in smaller segments, and no queue is to blame. False when
 * the flow has ended.
 */
export function sendAllAgain(flow: number): boolean {
  const row = flow * ROW;
  if ((rows[row + FLAGS]! & LOSSY) === 0) beginLossy(row, rows[row + SND_UNA]!);
  loseAll(row);
  const begins = (rows[row + FLAGS]! & RECOVERING) === 0;
  if (begins) beginRecovery(row);
  return fillHoles(flow) && armForResent(flow, begins);
}

/**
 * The segment just read was an acceptable ACK, `una` was SND.UNA before it, and it has opened a window that was closed for so long that
 * all that is in flight must have been shut out. False when the flow has ended.
 */
export function sendShutOut(flow: number, una: number): boolean {
  const row = flow * ROW;
  if ((rows[row + FLAGS]! & LOSSY) === 0) beginLossy(row, una);
  takeNews(flow, una);
  if ((rows[row + FLAGS]! & RECOVERING) !== 0 && isThrough(row)) endRecovery(row);
  return sendAllAgain(flow);
}

/**
 * The retransmission timer expired (RFC 6298 §5.4, RFC 5681 §3.1): everything is lost, and the first segment goes out. False when the
 * flow has ended. Twice in a row, and what the guest has SACKed counts no more (RFC 2018 §8; not: at the first, where a flow
 * would send all of it again. A guest that has dropped it is found out by its next ACK).
 */
export function timedOut(flow: number): boolean {
  const row = flow * ROW;
  const first = rows[row + RETRIES]! <= 1;
  if ((rows[row + FLAGS]! & LOSSY) === 0) beginLossy(row, rows[row + SND_UNA]!);
  if (!first) dropScoreboard(flow);
  collapse(row, first);
  rows[row + FLAGS] = (rows[row + FLAGS]! & ~(REDUCED | WIDENED | REORDER_TIMER)) | RECOVERING | TIMED_OUT;
  startRecovery(row);
  loseAll(row);
  return fillHoles(flow);
}

/**
 * PROBE_AT is due: nothing was heard for two round trips. The last segment goes out again, so that its SACK tells what is lost (RFC 8985
 * §7.3; RFC 6675 §4 NextSeg 4); where a hole is known, that, since its repetition is the one that all wait for. Only what a guest answers
 * at once: not a single segment, whose ACK it may delay. Not where all is being sent again anyway. False when the flow has ended.
 */
export function probeLoss(flow: number): boolean {
  const row = flow * ROW;
  rows[row + FLAGS]! &= ~PROBE_TIMER;
  const mss = rows[row + MSS]!;
  const una = rows[row + SND_UNA]!;
  const usable = Math.min(distance(una, rows[row + SND_MAX]!), rows[row + SND_WND]!);
  const first = rows[row + SACK_FIRST]!;
  const flags = rows[row + FLAGS]!;
  const underWay = (flags & RECOVERING) !== 0 && (flags & (TIMED_OUT | SACK_PERMITTED)) !== SACK_PERMITTED;
  if (first === 0 ? underWay || usable <= mss : usable === 0) return true;
  rows[row + FLAGS]! |= PROBED;
  const hole = first === 0 ? usable : Math.min(usable, distance(una, left[first]!));
  const want = Math.min(hole, mss);
  const from = first === 0 ? (una + usable - want) | 0 : una;
  if ((flags & LOSSY) !== 0) coldRows[row + PROBE_END] = (from + want) | 0;
  return resend(flow, from, want) >= 0;
}
