/** The end of a spliced connection: both sockets are closed, and what they hold is given back. */
import { Counter } from '../../shared/counters.ts';
import { MessageId } from '../../shared/messages.ts';
import { logFlow } from '../flow/journal.ts';
import { FD, FLAGS, ROW, rows } from '../flow/row.ts';
import { remove } from '../flow/table.ts';
import { stopTimer } from '../flow/timers.ts';
import { counters } from '../link/counters.ts';
import { kernel } from '../link/kernel.ts';
import { clearPipe } from './pipes.ts';
import { RST, ACK } from '../wire/tcp.ts';
import { captureSegment, capturesSpliced } from './capture.ts';
import { CONNECTING, ENDED, HELD, LEADER, PEER, PIPE } from './row.ts';

function release(flow: number): void {
  const row = flow * ROW;
  if (rows[row + PIPE] !== 0) clearPipe(rows[row + PIPE]! - 1, rows[row + HELD]!);
  if (rows[row + FD]! >= 0) kernel.close(rows[row + FD]!);
  remove(flow);
}

function end(flow: number, errno: number): void {
  const leader = rows[flow * ROW + LEADER]!;
  const follower = rows[leader * ROW + PEER]!;
  counters[Counter.spliced_connections_ended]!++;
  logFlow(MessageId.FLOW_ENDED, leader, errno);
  stopTimer(leader);
  release(follower);
  release(leader);
}

function makeAbortive(flow: number): void {
  const fd = rows[flow * ROW + FD]!;
  if (fd >= 0) kernel.setAbortive(fd);
}

/** Resets both sides of the flow's connection: what happened to one has happened to the other. */
export function abort(flow: number, errno: number): void {
  if (capturesSpliced && (rows[flow * ROW + FLAGS]! & CONNECTING) === 0) captureSegment(flow, RST | ACK, 0, 0);
  makeAbortive(flow);
  makeAbortive(rows[flow * ROW + PEER]!);
  end(flow, errno);
}

/** Ends the connection when both of its streams have ended. False when it has. */
export function finish(flow: number): boolean {
  const row = flow * ROW;
  if ((rows[row + FLAGS]! & rows[rows[row + PEER]! * ROW + FLAGS]! & ENDED) === 0) return true;
  end(flow, 0);
  return false;
}
