/**
 * The end of a flow, for whatever reason: each side that doesn't know yet is told at once, and everything is given back.
 */
import { Counter } from '../../shared/counters.ts';
import { MessageId } from '../../shared/messages.ts';
import { logFlow } from '../flow/journal.ts';
import { FD, ROW, rows } from '../flow/row.ts';
import { remove } from '../flow/table.ts';
import { stopTimer } from '../flow/timers.ts';
import { counters } from '../link/counters.ts';
import { kernel } from '../link/kernel.ts';
import { dropKept } from './reassembly.ts';
import { SND_MAX } from './row.ts';
import { dropScoreboard } from './scoreboard.ts';
import { sendReset } from './segment.ts';

/** Resets both sides: the guest by RST, the host's peer by an abortive close. */
export function abort(flow: number, errno: number): void {
  sendReset(flow, rows[flow * ROW + SND_MAX]!);
  abandon(flow, errno);
}

/** The guest has reset or given up: the host's peer is told by a reset, the guest is told nothing. */
export function abandon(flow: number, errno: number): void {
  const fd = rows[flow * ROW + FD]!;
  if (fd >= 0) kernel.setAbortive(fd);
  end(flow, errno);
}

/** Ends the flow; its socket is closed in the orderly way unless made abortive before. */
export function end(flow: number, errno: number): void {
  counters[Counter.tcp_flows_ended]!++;
  logFlow(MessageId.FLOW_ENDED, flow, errno);
  release(flow);
}

/** Gives back everything the flow holds. */
export function release(flow: number): void {
  const fd = rows[flow * ROW + FD]!;
  stopTimer(flow);
  dropKept(flow);
  dropScoreboard(flow);
  if (fd >= 0) kernel.close(fd);
  remove(flow);
}
