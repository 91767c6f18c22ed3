/**
 * Round trips and the retransmission timeout: RFC 6298. The timer of the flow (flow/timers.ts) is one; this file tells
 * which of a connection's deadlines comes first.
 */
import { nowMs, nowUs } from '../flow/clock.ts';
import { FLAGS, LAST_ACTIVE, ROW, rows } from '../flow/row.ts';
import { setTimer } from '../flow/timers.ts';
import { ACK_AT, ACK_DELAYED, RETRANSMIT, RETRANSMIT_AT, RTO, RTT_AT, RTT_SEQ, RTTVAR, SRTT } from './row.ts';
import { before } from './sequence.ts';

/** RFC 6298 §2.1: before a measurement. */
export const INITIAL_RTO = 1000;
/** RFC 6298 §2.4 says 1 s; kernels use 200 ms since their clocks are finer, and the guest is one link away. */
const MIN_RTO = 200;
/** RFC 6298 §2.5. */
const MAX_RTO = 120_000;
/** A connection without a segment for so long is ended. */
export const IDLE_LIMIT = 7_200_000;

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

/** The guest acknowledged up to `ack`: ends a measurement that is covered (RFC 6298 §2.2, §2.3). */
export function endMeasurement(row: number, ack: number): void {
  if (rows[row + RTT_AT] === 0 || before(ack, rows[row + RTT_SEQ]!)) return;
  const measured = Math.max((nowUs - rows[row + RTT_AT]!) | 0, 1);
  rows[row + RTT_AT] = 0;
  const smoothed = rows[row + SRTT]!;
  if (smoothed === 0) {
    rows[row + SRTT] = measured;
    rows[row + RTTVAR] = measured >> 1;
  } else {
    const deviation = Math.abs(smoothed - measured);
    rows[row + RTTVAR] = (3 * rows[row + RTTVAR]! + deviation) >> 2;
    rows[row + SRTT] = Math.max((7 * smoothed + measured) >> 3, 1);
  }
  const timeout = ((rows[row + SRTT]! + 4 * rows[row + RTTVAR]!) / 1000) | 0;
  rows[row + RTO] = Math.min(Math.max(timeout, MIN_RTO), MAX_RTO);
}

/** RFC 6298 §5.5. */
export function backOff(row: number): void {
  rows[row + RTO] = Math.min(rows[row + RTO]! * 2, MAX_RTO);
}

/** Something is unacknowledged: the timer runs from now (RFC 6298 §5.1, §5.3). */
export function armRetransmission(flow: number): void {
  const row = flow * ROW;
  rows[row + FLAGS]! |= RETRANSMIT;
  rows[row + RETRANSMIT_AT] = (nowMs + rows[row + RTO]!) | 0;
  // A delayed ACK is due within milliseconds, and its call sets the timer anew.
  if ((rows[row + FLAGS]! & ACK_DELAYED) === 0) setTimer(flow, rows[row + RETRANSMIT_AT]!);
}

/** Sets the flow's one timer to the earliest of its deadlines. */
export function scheduleNext(flow: number): void {
  const row = flow * ROW;
  let at = (rows[row + LAST_ACTIVE]! + IDLE_LIMIT) | 0;
  const flags = rows[row + FLAGS]!;
  if ((flags & RETRANSMIT) !== 0 && before(rows[row + RETRANSMIT_AT]!, at)) at = rows[row + RETRANSMIT_AT]!;
  if ((flags & ACK_DELAYED) !== 0 && before(rows[row + ACK_AT]!, at)) at = rows[row + ACK_AT]!;
  setTimer(flow, at);
}
