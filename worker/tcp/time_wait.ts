/**
 * TIME-WAIT (RFC 9293 §3.6.1): after a connection that we closed first, the guest's last FIN may come again, and is to be
 * acknowledged, not reset. Only the row is kept, for 2 MSL; socket and receive buffer are given back before.
 *
 * Rows in this state are bounded: a ring holds them in the order they came, and the oldest gives way to a new one, and to any
 * new flow when the table is full.
 */
import { Counter } from '../../shared/counters.ts';
import { nowMs } from '../flow/clock.ts';
import { FD, FLAGS, GENERATION, KIND, LAST_ACTIVE, ROW, rows, TCP } from '../flow/row.ts';
import { returnSocket } from '../flow/table.ts';
import { setTimer } from '../flow/timers.ts';
import { counters } from '../link/counters.ts';
import { kernel } from '../link/kernel.ts';
import { end } from './ending.ts';
import { ACK_DELAYED, ACK_NOW, PROBE_TIMER, REORDER_TIMER, RETRANSMIT, TIME_WAIT, WINDOW_SMALL } from './row.ts';

/** 2 MSL in ms, as kernels have it; RFC 9293 §3.4.2 would have four minutes. */
export const TIME_WAIT_LENGTH = 60_000;
/** Rows in this state. */
export const MOST = 4096;

const flows = new Int32Array(MOST);
const generations = new Int32Array(MOST);
let first = 0;
let waiting = 0;

/** Forgets all; the rows are new. */
export function openTimeWait(): void {
  first = 0;
  waiting = 0;
}

/** Both FINs have gone through, ours first: only the row is kept. */
export function enterTimeWait(flow: number): void {
  const row = flow * ROW;
  if (waiting === MOST) evictTimeWait();
  kernel.close(rows[row + FD]!);
  returnSocket(flow);
  rows[row + FLAGS] = (rows[row + FLAGS]! & ~(RETRANSMIT | PROBE_TIMER | REORDER_TIMER | ACK_NOW | ACK_DELAYED | WINDOW_SMALL)) | TIME_WAIT;
  const at = (first + waiting++) % MOST;
  flows[at] = flow;
  generations[at] = rows[row + GENERATION]!;
  counters[Counter.tcp_time_waits]!++;
  restartTimeWait(flow);
}

/** The guest's FIN came again: the time begins anew. */
export function restartTimeWait(flow: number): void {
  rows[flow * ROW + LAST_ACTIVE] = nowMs;
  setTimer(flow, (nowMs + TIME_WAIT_LENGTH) | 0);
}

/** The flow's timer is due: its time may be over. */
export function expireTimeWait(flow: number): void {
  const until = (rows[flow * ROW + LAST_ACTIVE]! + TIME_WAIT_LENGTH) | 0;
  if (((nowMs - until) | 0) >= 0) end(flow, 0);
  else setTimer(flow, until);
}

/** Ends the oldest row in this state. False when there is none. */
export function evictTimeWait(): boolean {
  while (waiting > 0) {
    const flow = flows[first]!;
    const generation = generations[first]!;
    first = (first + 1) % MOST;
    waiting--;
    const row = flow * ROW;
    if (rows[row + KIND] !== TCP || rows[row + GENERATION] !== generation || (rows[row + FLAGS]! & TIME_WAIT) === 0) continue;
    end(flow, 0);
    return true;
  }
  return false;
}
