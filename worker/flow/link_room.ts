/**
 * Flows that have something for the guest while its link is full: they go on when that has room again, in the order in which they came.
 */
import { askAgain } from './again.ts';
import { GENERATION, KIND, ROW, rows } from './row.ts';

const MOST = 4096;
const flows = new Int32Array(MOST);
const generations = new Int32Array(MOST);
let first = 0;
let waiting = 0;

/** The flow goes on when the link has room. False when too many wait: its frames are lost, and sent again, as on any wire. */
export function waitForRoom(flow: number): boolean {
  // It may have been the last to ask, by another event.
  const last = (first + waiting - 1 + MOST) % MOST;
  if (waiting > 0 && flows[last] === flow && generations[last] === rows[flow * ROW + GENERATION]) return true;
  if (waiting === MOST) return false;
  const at = (first + waiting++) % MOST;
  flows[at] = flow;
  generations[at] = rows[flow * ROW + GENERATION]!;
  return true;
}

/** The link has room: who waits gets another turn. */
export function roomAgain(): void {
  for (; waiting > 0; waiting--) {
    const flow = flows[first]!;
    const generation = generations[first]!;
    first = (first + 1) % MOST;
    if (rows[flow * ROW + KIND] !== 0 && rows[flow * ROW + GENERATION] === generation) askAgain(flow);
  }
}
