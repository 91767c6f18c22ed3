/** What the host socket and the timer tell a connection. */
import { Counter } from '../../shared/counters.ts';
import { TcpLimit } from '../../shared/messages.ts';
import { nowMs } from '../flow/clock.ts';
import { logExpiry } from '../flow/journal.ts';
import { counters } from '../link/counters.ts';
import { coldRows, FD, FLAGS, GENERATION, KIND, LAST_ACTIVE, ROW, rows, TCP } from '../flow/row.ts';
import { EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDHUP } from '../flow/watch.ts';
import { kernel } from '../link/kernel.ts';
import { connected, connectFailed } from './connection.ts';
import { abandon, abort } from './ending.ts';
import { deliverHeld } from './deliver.ts';
import { judgeAgain, probeLoss, timedOut } from './recovery.ts';
import {
  ACK_AT,
  ACK_DELAYED,
  CONNECTING,
  ESTABLISHED,
  GUEST_FIN,
  HELD,
  HOST_ENDING,
  HOST_READABLE,
  HOST_URGENT,
  ISS,
  PROBE_AT,
  PROBE_TIMER,
  REORDER_AT,
  REORDER_TIMER,
  RETRANSMIT,
  RETRANSMIT_AT,
  RETRIES,
  SND_MAX,
  SND_UNA,
  SND_WND,
  SYN_RECEIVED,
  SYN_SENT,
  TIME_WAIT,
  WINDOW_SMALL,
  RCV_EDGE,
} from './row.ts';
import { sendSegment, sendSyn } from './segment.ts';
import { expireTimeWait } from './time_wait.ts';
import { armRetransmission, backOff, cancelMeasurement, expiredLimit, isSilent, scheduleNext } from './timeout.ts';
import { ACK } from '../wire/tcp.ts';
import { push, pushOn } from './transmit.ts';
import { announceWindow } from './window.ts';

const SOL_SOCKET = 1;
const SO_ERROR = 4;
const ETIMEDOUT = 110;
/** Expiries in a row after which the guest is taken for gone; about 15 minutes with the backing off, as kernels do. */
const MAX_RETRIES = 15;

/** Events of the flow's host socket. */
export function socketEvent(flow: number, events: number): void {
  const row = flow * ROW;
  // An event of this turn, for the socket that was given back.
  if ((rows[row + FLAGS]! & TIME_WAIT) !== 0) return;
  if ((rows[row + FLAGS]! & CONNECTING) !== 0) {
    if ((events & (EPOLLERR | EPOLLHUP)) !== 0) {
      connectFailed(flow, kernel.getOption(rows[row + FD]!, SOL_SOCKET, SO_ERROR));
      return;
    }
    if ((events & EPOLLOUT) === 0) return;
    connected(flow);
  } else if ((events & EPOLLERR) !== 0) {
    const error = kernel.getOption(rows[row + FD]!, SOL_SOCKET, SO_ERROR);
    if (error !== 0) {
      abort(flow, error);
      return;
    }
  }
  if ((events & EPOLLOUT) !== 0 && ((rows[row + FLAGS]! & WINDOW_SMALL) !== 0 || rows[row + HELD] !== 0) && !roomAgain(flow)) return;
  if ((events & (EPOLLRDHUP | EPOLLHUP)) !== 0) rows[row + FLAGS]! |= HOST_READABLE | HOST_ENDING;
  else if ((events & EPOLLPRI) !== 0) rows[row + FLAGS]! |= HOST_READABLE | HOST_URGENT;
  else if ((events & EPOLLIN) !== 0) rows[row + FLAGS]! |= HOST_READABLE;
  if ((rows[row + FLAGS]! & HOST_READABLE) !== 0) {
    rows[row + LAST_ACTIVE] = nowMs;
    if (push(flow)) pushOn(flow);
  }
}

/** The socket's send queue has room: what waits for it first, then a window update. False when the flow has ended. */
function roomAgain(flow: number): boolean {
  const row = flow * ROW;
  if (rows[row + HELD] !== 0) {
    if (!deliverHeld(flow)) return false;
    // A send that was refused is itself a request for the next event.
    if (rows[row + HELD] !== 0) return true;
  }
  if ((rows[row + FLAGS]! & GUEST_FIN) !== 0) return true;
  const edge = rows[row + RCV_EDGE]!;
  // The event is spent: if the guest's data of this turn has used the room up, the watch must be made anew.
  rows[row + FLAGS]! &= ~WINDOW_SMALL;
  announceWindow(flow);
  if (rows[row + RCV_EDGE] !== edge && (rows[row + FLAGS]! & ESTABLISHED) !== 0) sendSegment(flow, rows[row + SND_MAX]!, 0, 0);
  return true;
}

function retransmit(flow: number): void {
  const row = flow * ROW;
  const flags = rows[row + FLAGS]!;
  const retries = ++rows[row + RETRIES]!;
  rows[row + FLAGS] = flags & ~RETRANSMIT;
  if (retries > MAX_RETRIES) {
    abort(flow, ETIMEDOUT);
    return;
  }
  // Whoever waits for the guest isn't idle.
  if ((flags & ESTABLISHED) !== 0) rows[row + LAST_ACTIVE] = nowMs;
  backOff(row);
  if ((flags & (SYN_RECEIVED | SYN_SENT)) !== 0) {
    counters[Counter.tcp_retransmissions]!++;
    cancelMeasurement(row);
    sendSyn(flow, rows[row + ISS]!, (flags & SYN_SENT) !== 0 ? 0 : ACK);
  } else if (rows[row + SND_WND] === 0 || rows[row + SND_MAX] === rows[row + SND_UNA]) {
    probe(flow);
    if (rows[row + SND_MAX] === rows[row + SND_UNA] && (flags & HOST_READABLE) === 0) return;
  } else {
    if (!timedOut(flow)) return;
    if ((rows[row + FLAGS]! & HOST_READABLE) !== 0 && push(flow)) pushOn(flow);
    if (rows[row + KIND] !== TCP) return;
  }
  armRetransmission(flow);
}

/** A segment just left of the window makes the guest say where it stands (RFC 9293 §3.8.4, §3.8.6.1). */
function probe(flow: number): void {
  sendSegment(flow, (rows[flow * ROW + SND_UNA]! - 1) | 0, 0, 0);
}

/** What loss recovery has armed. False when the flow has ended. */
function recoveryDue(flow: number): boolean {
  const row = flow * ROW;
  if ((rows[row + FLAGS]! & REORDER_TIMER) !== 0 && ((nowMs - coldRows[row + REORDER_AT]!) | 0) >= 0) {
    if (!judgeAgain(flow)) return false;
    const generation = rows[row + GENERATION];
    if ((rows[row + FLAGS]! & HOST_READABLE) !== 0 && push(flow)) pushOn(flow);
    if (rows[row + KIND] !== TCP || rows[row + GENERATION] !== generation) return false;
  }
  return (rows[row + FLAGS]! & PROBE_TIMER) === 0 || ((nowMs - rows[row + PROBE_AT]!) | 0) < 0 || probeLoss(flow);
}

/** The flow's timer is due: does what has come due and sets it again. */
export function timerEvent(flow: number): void {
  const row = flow * ROW;
  const flags = rows[row + FLAGS]!;
  if ((flags & TIME_WAIT) !== 0) {
    expireTimeWait(flow);
    return;
  }
  const limit = expiredLimit(row);
  if (limit !== TcpLimit.NONE) {
    counters[Counter.tcp_expired]!++;
    logExpiry(flow, limit);
    if ((flags & SYN_SENT) !== 0) abandon(flow, ETIMEDOUT);
    else abort(flow, ETIMEDOUT);
    return;
  }
  if ((flags & ESTABLISHED) !== 0 && rows[row + SND_MAX] === rows[row + SND_UNA] && isSilent(row)) probe(flow);
  if ((rows[row + FLAGS]! & ACK_DELAYED) !== 0 && ((nowMs - rows[row + ACK_AT]!) | 0) >= 0) sendSegment(flow, rows[row + SND_MAX]!, 0, 0);
  if ((rows[row + FLAGS]! & (REORDER_TIMER | PROBE_TIMER)) !== 0 && !recoveryDue(flow)) return;
  if ((rows[row + FLAGS]! & RETRANSMIT) !== 0 && ((nowMs - rows[row + RETRANSMIT_AT]!) | 0) >= 0) {
    const generation = rows[row + GENERATION];
    retransmit(flow);
    if (rows[row + KIND] !== TCP || rows[row + GENERATION] !== generation) return;
  }
  scheduleNext(flow);
}
