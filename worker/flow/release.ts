/** What a flow of datagrams or echo requests gives back when it ends. */
import { kernel } from '../link/kernel.ts';
import { FD, ROW, rows } from './row.ts';
import { remove } from './table.ts';
import { stopTimer } from './timers.ts';
import { leaveUnanswered } from './unanswered.ts';
import { dropWaiting } from './waiting.ts';

/** Gives back the timer, what waits for the socket, the socket and the row. */
export function release(flow: number): void {
  stopTimer(flow);
  leaveUnanswered(flow);
  dropWaiting(flow);
  if (rows[flow * ROW + FD]! >= 0) kernel.close(rows[flow * ROW + FD]!);
  remove(flow);
}
