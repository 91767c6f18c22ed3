/** A spliced connection that would never go on by itself: how its rows tell, and what sets it going again (watchdog.ts). */
import { Stall } from '../../shared/messages.ts';
import { FLAGS, ROW, rows, TIMER_SLOT } from '../flow/row.ts';
import { scheduleExpiry } from './expiry.ts';
import { pump } from './pump.ts';
import { BLOCKED, CONNECTING, HELD, LEADER, READABLE, TURN_ASKED } from './row.ts';

/** What was lacking, Stall.NONE when nothing was; the flow goes on, or has ended as it would have. At the end of a turn. */
export function repairSplice(flow: number): Stall {
  const row = flow * ROW;
  if (rows[row + LEADER] === flow && rows[row + TIMER_SLOT]! < 0) {
    scheduleExpiry(flow);
    return Stall.TIMER;
  }
  // Each of these has its event, or its turn.
  if ((rows[row + FLAGS]! & (CONNECTING | BLOCKED | TURN_ASKED)) !== 0) return Stall.NONE;
  if (rows[row + HELD] === 0 && (rows[row + FLAGS]! & READABLE) === 0) return Stall.NONE;
  pump(flow);
  return Stall.DATA;
}
