/**
 * A connection that would never go on by itself: how it is recognised, and what sets it going again.
 *
 * That there is none is what test/support/tcp_invariants.ts asks of every state; this is the net below it, for what no test has
 * met: a deadline without a timer, bytes that nobody will send, an ACK that nobody owes any more, an event that was lost.
 */
import { Stall } from '../../shared/messages.ts';
import { coldRows, FD, FLAGS, GENERATION, KIND, LAST_ACTIVE, ROW, rows, TCP, TIMER_AT, TIMER_SLOT } from '../flow/row.ts';
import { acknowledgeNow } from './acknowledge.ts';
import { endWhenThrough } from './closing.ts';
import { abort } from './ending.ts';
import {
  ACKED,
  ACK_AT,
  ACK_DELAYED,
  ACK_NOW,
  CONNECTING,
  ESTABLISHED,
  FIN_SENT,
  GUEST_FIN,
  HEARD_AT,
  HELD,
  HOST_FIN,
  HOST_READABLE,
  PROBE_AT,
  PROBE_TIMER,
  RCV_NXT,
  REORDER_AT,
  REORDER_TIMER,
  RETRANSMIT,
  RETRANSMIT_AT,
  SND_MAX,
  SND_UNA,
  TIME_WAIT,
  WINDOW_SMALL,
} from './row.ts';
import { after } from './sequence.ts';
import { restartTimeWait } from './time_wait.ts';
import { armRetransmission, scheduleNext } from './timeout.ts';
import { lookForMore, push, pushOn } from './transmit.ts';
import { isSocketEmpty } from './window.ts';

const EAGAIN = 11;
const EINTR = 4;

/** True when a deadline of the flow comes before its timer. */
function timerIsLate(row: number): boolean {
  if (rows[row + TIMER_SLOT]! < 0) return true;
  const flags = rows[row + FLAGS]!;
  const at = rows[row + TIMER_AT]!;
  if ((flags & ACK_DELAYED) !== 0) return after(at, rows[row + ACK_AT]!);
  if ((flags & PROBE_TIMER) !== 0 && after(at, rows[row + PROBE_AT]!)) return true;
  if ((flags & REORDER_TIMER) !== 0 && after(at, coldRows[row + REORDER_AT]!)) return true;
  return (flags & RETRANSMIT) !== 0 && after(at, rows[row + RETRANSMIT_AT]!);
}

/** An ACK is owed, and nothing will send it. */
function repairAck(flow: number): boolean {
  const row = flow * ROW;
  const flags = rows[row + FLAGS]!;
  if ((flags & ACK_NOW) === 0 && ((flags & ACK_DELAYED) !== 0 || rows[row + ACKED] === rows[row + RCV_NXT])) return false;
  rows[row + FLAGS] = flags & ~ACK_NOW;
  acknowledgeNow(flow);
  return true;
}

/** There is something to send to the guest, and nothing will. */
function repairData(flow: number): boolean {
  const row = flow * ROW;
  const flags = rows[row + FLAGS]!;
  if ((flags & RETRANSMIT) !== 0 || ((flags & HOST_READABLE) === 0 && (flags & (HOST_FIN | FIN_SENT)) !== HOST_FIN)) return false;
  if (push(flow)) pushOn(flow);
  return true;
}

function repairStream(flow: number): Stall {
  const row = flow * ROW;
  const flags = rows[row + FLAGS]!;
  if (rows[row + SND_MAX] !== rows[row + SND_UNA] && (flags & RETRANSMIT) === 0) {
    armRetransmission(flow);
    return Stall.RETRANSMISSION;
  }
  if ((flags & ESTABLISHED) === 0) return Stall.NONE;
  if (repairAck(flow)) return Stall.ACKNOWLEDGEMENT;
  if (repairData(flow)) return Stall.DATA;
  return endWhenThrough(flow) ? Stall.END : Stall.NONE;
}

/**
 * Sets a connection going again that waits for nothing, and tells what it lacked. To be called at the end of a turn, when no
 * ACK is owed any more.
 */
export function repairStall(flow: number): Stall {
  const row = flow * ROW;
  const flags = rows[row + FLAGS]!;
  if ((flags & (TIME_WAIT | CONNECTING)) === 0) {
    const stall = repairStream(flow);
    if (stall !== Stall.NONE) return stall;
  }
  if (!timerIsLate(row)) return Stall.NONE;
  if ((flags & TIME_WAIT) !== 0) restartTimeWait(flow);
  else scheduleNext(flow);
  return Stall.TIMER;
}

/** A number that differs, but for rare luck, once anything has moved in the flow. */
export function progressOf(flow: number): number {
  const row = flow * ROW;
  return (rows[row + SND_UNA]! + Math.imul(rows[row + RCV_NXT]!, 31) + Math.imul(rows[row + GENERATION]!, 0x10001)) | 0;
}

/** True when neither side has said anything since `moment` (ms). */
export function isQuietSince(flow: number, moment: number): boolean {
  const row = flow * ROW;
  return !after(rows[row + LAST_ACTIVE]!, moment) && !after(rows[row + HEARD_AT]!, moment);
}

/** True while the flow waits for the far end to read. */
export function awaitsRoom(flow: number): boolean {
  const row = flow * ROW;
  return rows[row + HELD] !== 0 || (rows[row + FLAGS]! & (WINDOW_SMALL | GUEST_FIN)) === WINDOW_SMALL;
}

/**
 * Asks the socket of an established flow, by one system call mostly, whether it holds what an event should have told: data or an end
 * where none is known of, room that is waited for. A socket that answers with an error ends its flow. True when it does, which is
 * a stall only if its event is not just under way.
 */
export function isOverlooked(flow: number): boolean {
  const row = flow * ROW;
  const flags = rows[row + FLAGS]!;
  if ((flags & ESTABLISHED) === 0) return false;
  if (awaitsRoom(flow) && isSocketEmpty(flow)) return true;
  // Where something is in flight or waits for the window, the ACK or the probe looks for more.
  if ((flags & (HOST_READABLE | HOST_FIN)) !== 0 || rows[row + SND_MAX] !== rows[row + SND_UNA]) return false;
  const got = lookForMore(row);
  if (got >= 0) return true;
  if (got !== -EAGAIN && got !== -EINTR) abort(flow, -got);
  return false;
}

/** True while the far end has not been heard of: only an event tells, and its socket can't be asked without taking the answer. */
export function isConnecting(flow: number): boolean {
  const row = flow * ROW;
  return (rows[row + FLAGS]! & CONNECTING) !== 0 && rows[row + FD]! >= 0;
}

/** True while the flow is a TCP connection whose row is `generation`'s. */
export function isConnection(flow: number, generation: number): boolean {
  const row = flow * ROW;
  return rows[row + KIND] === TCP && rows[row + GENERATION] === generation && (rows[row + FLAGS]! & TIME_WAIT) === 0;
}
