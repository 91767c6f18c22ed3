/** How long a spliced connection may move nothing: as long as one through the guest's interface. */
import { Counter } from '../../shared/counters.ts';
import { DEFAULT_TCP_TIMEOUTS } from '../../shared/limits.ts';
import { TcpLimit } from '../../shared/messages.ts';
import { nowMs } from '../flow/clock.ts';
import { idleAt } from '../flow/idle.ts';
import { logExpiry } from '../flow/journal.ts';
import { FLAGS, LAST_ACTIVE, ROW, rows } from '../flow/row.ts';
import { setTimer } from '../flow/timers.ts';
import { counters } from '../link/counters.ts';
import { abort } from './ending.ts';
import { CONNECTING, ENDED, LEADER, PEER } from './row.ts';

const ETIMEDOUT = 110;

/** Milliseconds, each 0 for never. */
export interface SpliceTimeouts {
  idle: number;
  /** Once one of the two streams has ended. */
  halfClosed: number;
}

let timeouts: SpliceTimeouts = DEFAULT_TCP_TIMEOUTS;

/** Sets the times of all spliced connections, once, from the configuration. */
export function setSpliceTimeouts(wanted: SpliceTimeouts): void {
  timeouts = wanted;
}

function limitOf(row: number): TcpLimit {
  const flags = rows[row + FLAGS]! | rows[rows[row + PEER]! * ROW + FLAGS]!;
  if ((flags & CONNECTING) !== 0) return TcpLimit.CONNECTING;
  return (flags & ENDED) === 0 ? TcpLimit.IDLE : TcpLimit.HALF_CLOSED;
}

function timeOf(limit: TcpLimit): number {
  // The kernel gives up connecting long before, by itself.
  if (limit === TcpLimit.CONNECTING) return DEFAULT_TCP_TIMEOUTS.idle;
  return limit === TcpLimit.IDLE ? timeouts.idle : timeouts.halfClosed;
}

/** Something has moved. */
export function noteMovement(flow: number): void {
  rows[rows[flow * ROW + LEADER]! * ROW + LAST_ACTIVE] = nowMs;
}

/** Sets the leading flow's timer. */
export function scheduleExpiry(flow: number): void {
  const row = flow * ROW;
  setTimer(flow, idleAt(row, timeOf(limitOf(row))));
}

/** The leading flow's timer is due: ends an idle connection, or waits on. */
export function spliceTimerEvent(flow: number): void {
  const row = flow * ROW;
  const limit = limitOf(row);
  const time = timeOf(limit);
  if (time === 0 || ((nowMs - rows[row + LAST_ACTIVE]!) | 0) < time) {
    scheduleExpiry(flow);
    return;
  }
  counters[Counter.tcp_expired]!++;
  logExpiry(flow, limit);
  abort(flow, ETIMEDOUT);
}
