/**
 * Flows that have something for the guest while its link is full: they go on when that has room again, in the order in which they came.
 */
import { MAX_FLOWS } from '../../shared/limits.ts';
import { askAgain } from './again.ts';
import { FlowQueue } from './flow_queue.ts';
import { GENERATION, ROW, rows } from './row.ts';

const queue = new FlowQueue();
/** 1 + the generation of the flow that waits, by its row; 0: it does not. Several events of a flow may find the link full. */
const waits = new Uint16Array(MAX_FLOWS);

/** The flow goes on when the link has room. False when too many wait: its frames are lost, and sent again, as on any wire. */
export function waitForRoom(flow: number): boolean {
  const mark = rows[flow * ROW + GENERATION]! + 1;
  if (waits[flow] === mark) return true;
  if (!queue.push(flow)) return false;
  waits[flow] = mark;
  return true;
}

/** The link has room: who waits gets another turn. Those for whom there is none wait on. */
export function roomAgain(): void {
  for (; queue.length > 0; queue.shift()) {
    if (queue.isFirstAlive() && !askAgain(queue.first)) return;
    waits[queue.first] = 0;
  }
}
