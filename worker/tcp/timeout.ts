/**
 * Round trips and the retransmission timeout: RFC 6298. The timer of the flow (flow/timers.ts) is one; this file tells
 * which of a connection's deadlines comes first.
 */
import { DEFAULT_TCP_TIMEOUTS } from '../../shared/limits.ts';
import { TcpLimit } from '../../shared/messages.ts';
import { nowMs, nowUs } from '../flow/clock.ts';
import { idleAt } from '../flow/idle.ts';
import { coldRows, FLAGS, LAST_ACTIVE, ROW, rows } from '../flow/row.ts';
import { setTimer } from '../flow/timers.ts';
import {
  ACK_AT,
  ACK_DELAYED,
  CONNECTING,
  ESTABLISHED,
  FIN_ACKED,
  HEARD_AT,
  HOST_SHUT,
  PROBE_AT,
  PROBE_TIMER,
  PROBED,
  REORDER_AT,
  REORDER_TIMER,
  RETRANSMIT,
  RETRANSMIT_AT,
  RETRIES,
  RTO,
  RTT_AT,
  RTT_SEQ,
  RTTVAR,
  SRTT,
} from './row.ts';
import { before } from './sequence.ts';

/** RFC 6298 §2.1: before a measurement. */
export const INITIAL_RTO = 1000;
/** RFC 6298 §2.4 says 1 s; kernels use 200 ms since their clocks are finer, and the guest is one link away. */
const MIN_RTO = 200;
/** RFC 8985 §7.2 has no floor; a guest's kernel needs its time to run. */
const MIN_PROBE = 10;
/** RFC 6298 §2.5. */
const MAX_RTO = 120_000;
/** RFC 6298 §5.7. */
export const RTO_AFTER_LOST_SYN = 3000;
/** Silence of so many keep-alive intervals is taken for a guest that is gone; kernels ask that often (RFC 9293 §3.8.4 MUST-26). */
const PROBES_UNANSWERED = 9;

/** Milliseconds, each 0 for never. */
export interface Timeouts {
  /** How long a guest may leave our SYN or SYN|ACK unanswered. */
  handshake: number;
  /** How long a connection may pass no data. */
  idle: number;
  /** The same once one direction is closed. */
  halfClosed: number;
  /** How long a guest may be silent before it is asked whether it is there. */
  keepAlive: number;
}

let timeouts: Timeouts = DEFAULT_TCP_TIMEOUTS;

/** Sets the times of all connections. */
export function setTimeouts(wanted: Timeouts): void {
  timeouts = wanted;
}

/** Which limit ends a flow with these flags when it is without activity. */
function limitOf(flags: number): TcpLimit {
  if ((flags & CONNECTING) !== 0) return TcpLimit.CONNECTING;
  if ((flags & ESTABLISHED) === 0) return TcpLimit.HANDSHAKE;
  return (flags & (HOST_SHUT | FIN_ACKED)) === 0 ? TcpLimit.IDLE : TcpLimit.HALF_CLOSED;
}

/** Milliseconds, 0 = never. */
function timeOf(limit: TcpLimit): number {
  switch (limit) {
    case TcpLimit.HANDSHAKE:
      return timeouts.handshake;
    case TcpLimit.IDLE:
      return timeouts.idle;
    case TcpLimit.HALF_CLOSED:
      return timeouts.halfClosed;
    default:
      // The host's kernel gives up connecting long before, by itself.
      return DEFAULT_TCP_TIMEOUTS.idle;
  }
}

/** The limit that the flow has reached, or NONE. */
export function expiredLimit(row: number): TcpLimit {
  const flags = rows[row + FLAGS]!;
  const limit = limitOf(flags);
  const time = timeOf(limit);
  if (time !== 0 && ((nowMs - rows[row + LAST_ACTIVE]!) | 0) >= time) return limit;
  const unanswered = (flags & ESTABLISHED) !== 0 && timeouts.keepAlive !== 0;
  return unanswered && ((nowMs - rows[row + HEARD_AT]!) | 0) >= timeouts.keepAlive * PROBES_UNANSWERED ? TcpLimit.KEEPALIVE : TcpLimit.NONE;
}

/** The next moment at which silent guests are asked: the same for all flows, so that one wake-up does for many. */
function nextProbeRound(): number {
  const now = nowMs >>> 0;
  return (now - (now % timeouts.keepAlive) + timeouts.keepAlive) | 0;
}

/** True when the guest has been silent for so long that it is to be asked whether it is there. */
export function isSilent(row: number): boolean {
  return timeouts.keepAlive !== 0 && ((nowMs - rows[row + HEARD_AT]!) | 0) >= timeouts.keepAlive >> 1;
}

/** Starts a measurement with the segment that ends before `seq`, unless one is under way. */
export function startMeasurement(row: number, seq: number): void {
  if (rows[row + RTT_AT] !== 0) return;
  rows[row + RTT_SEQ] = seq;
  rows[row + RTT_AT] = nowUs | 1;
}

/** A segment was sent again: what is being measured would be ambiguous (RFC 6298 §3, Karn). */
export function cancelMeasurement(row: number): void {
  rows[row + RTT_AT] = 0;
}

/** A round trip took `measured` µs (RFC 6298 §2.2, §2.3). */
function takeMeasurement(row: number, measured: number): void {
  const smoothed = rows[row + SRTT]!;
  if (smoothed === 0) {
    rows[row + SRTT] = measured;
    rows[row + RTTVAR] = measured >> 1;
  } else {
    const deviation = Math.abs(smoothed - measured);
    rows[row + RTTVAR] = (3 * rows[row + RTTVAR]! + deviation) >> 2;
    rows[row + SRTT] = Math.max((7 * smoothed + measured) >> 3, 1);
  }
  restoreTimeout(row);
}

/** The guest has got everything up to `end`: ends a measurement that this covers. */
export function endMeasurement(row: number, end: number): void {
  if (rows[row + RTT_AT] === 0 || before(end, rows[row + RTT_SEQ]!)) return;
  const measured = Math.max((nowUs - rows[row + RTT_AT]!) | 0, 1);
  rows[row + RTT_AT] = 0;
  takeMeasurement(row, measured);
}

/** What was sent again was acknowledged with a timestamp that says `elapsed` ms (RFC 7323 §4.1); by half a tick it is longer than known. */
export function measureEcho(row: number, elapsed: number): void {
  takeMeasurement(row, Math.min(elapsed, MAX_RTO) * 1000 + 500);
}

/** The timeout that the measurements say, however often it was backed off (RFC 6298 §2.3, §2.4, §2.5). */
export function restoreTimeout(row: number): void {
  if (rows[row + SRTT] === 0) {
    // Never measured: the SYN had to be sent again, and all since.
    rows[row + RTO] = Math.min(rows[row + RTO]!, RTO_AFTER_LOST_SYN);
    return;
  }
  const timeout = ((rows[row + SRTT]! + 4 * rows[row + RTTVAR]!) / 1000) | 0;
  rows[row + RTO] = Math.min(Math.max(timeout, MIN_RTO), MAX_RTO);
}

/** RFC 6298 §5.5. */
export function backOff(row: number): void {
  rows[row + RTO] = Math.min(rows[row + RTO]! * 2, MAX_RTO);
}

/** Milliseconds without an answer after which the guest is asked for one (RFC 8985 §7.2); 0 before a round trip was measured. */
function probeTimeout(row: number): number {
  const smoothed = rows[row + SRTT]!;
  if (smoothed === 0) return 0;
  return Math.max(Math.ceil(Math.max(2 * smoothed, smoothed + 4 * rows[row + RTTVAR]!) / 1000), MIN_PROBE);
}

/** Something is unacknowledged: the timer runs from now (RFC 6298 §5.1, §5.3), and so does that of the probe. */
export function armRetransmission(flow: number): void {
  const row = flow * ROW;
  let flags = (rows[row + FLAGS]! | RETRANSMIT) & ~(PROBE_TIMER | PROBED);
  let at = (nowMs + rows[row + RTO]!) | 0;
  rows[row + RETRANSMIT_AT] = at;
  const wait = probeTimeout(row);
  if (wait !== 0 && wait < rows[row + RTO]! && rows[row + RETRIES] === 0 && (flags & ESTABLISHED) !== 0) {
    flags |= PROBE_TIMER;
    at = (nowMs + wait) | 0;
    rows[row + PROBE_AT] = at;
  }
  rows[row + FLAGS] = flags;
  // A delayed ACK is due within milliseconds, and its call sets the timer anew.
  if ((flags & (ACK_DELAYED | REORDER_TIMER)) === 0) setTimer(flow, at);
  else if ((flags & ACK_DELAYED) === 0) scheduleNext(flow);
}

/** What was measured has shortened the timeout: the timer that runs already is no longer than that. */
export function shortenRetransmission(flow: number): void {
  const row = flow * ROW;
  const at = (nowMs + rows[row + RTO]!) | 0;
  if ((rows[row + FLAGS]! & RETRANSMIT) === 0 || !before(at, rows[row + RETRANSMIT_AT]!)) return;
  rows[row + RETRANSMIT_AT] = at;
  scheduleNext(flow);
}

/** More was sent: the guest is given its time to answer that (RFC 8985 §7.2). */
export function delayProbe(row: number): void {
  if ((rows[row + FLAGS]! & PROBE_TIMER) === 0) return;
  const at = (nowMs + probeTimeout(row)) | 0;
  // Nothing is brought forward: the wheel would not know.
  if (before(rows[row + PROBE_AT]!, at)) rows[row + PROBE_AT] = at;
}

/** Sets the flow's one timer to the earliest of its deadlines. */
export function scheduleNext(flow: number): void {
  const row = flow * ROW;
  const flags = rows[row + FLAGS]!;
  let at = idleAt(row, timeOf(limitOf(flags)));
  if (timeouts.keepAlive !== 0 && (flags & ESTABLISHED) !== 0) {
    const round = nextProbeRound();
    if (before(round, at)) at = round;
  }
  if ((flags & RETRANSMIT) !== 0 && before(rows[row + RETRANSMIT_AT]!, at)) at = rows[row + RETRANSMIT_AT]!;
  if ((flags & ACK_DELAYED) !== 0 && before(rows[row + ACK_AT]!, at)) at = rows[row + ACK_AT]!;
  if ((flags & PROBE_TIMER) !== 0 && before(rows[row + PROBE_AT]!, at)) at = rows[row + PROBE_AT]!;
  if ((flags & REORDER_TIMER) !== 0 && before(coldRows[row + REORDER_AT]!, at)) at = coldRows[row + REORDER_AT]!;
  setTimer(flow, at);
}
