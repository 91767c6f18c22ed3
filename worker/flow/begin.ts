/** How a flow of datagrams or echo requests begins: a row for it, and then, when its socket was asked for, its time. */
import { MessageId } from '../../shared/messages.ts';
import { counters } from '../link/counters.ts';
import { logFlow, logFlowLimit } from './journal.ts';
import { add, remove } from './table.ts';
import { setTimer } from './timers.ts';
import { makeRoom } from './unanswered.ts';

/** Takes a row for the key, ports and protocol (table.ts), for `begin`. −1 when there is no room, which `refused` counts. */
export function take(kind: number, ports: number, protocol: number, refused: number): number {
  const flow = makeRoom() ? add(kind, ports, protocol) : -1;
  if (flow >= 0) return flow;
  counters[refused]!++;
  logFlowLimit();
  return -1;
}

/**
 * Begins the flow of that row, when its socket was `asked` for; its timer is due at `endsAt`. Else too many wait already: the row is free
 * again, and the result false. `opened` or `refused` counts it.
 */
export function begin(flow: number, asked: boolean, endsAt: number, opened: number, refused: number): boolean {
  if (!asked) {
    remove(flow);
    counters[refused]!++;
    return false;
  }
  counters[opened]!++;
  setTimer(flow, endsAt);
  logFlow(MessageId.FLOW_BEGAN, flow, 0);
  return true;
}
