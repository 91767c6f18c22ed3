/**
 * Flows that had more to do than their turn allowed. The loop comes back to them after the others' events, without
 * sleeping in between: an edge-triggered event is not reported twice.
 */
import { GENERATION, KIND, ROW, rows } from './row.ts';

const MOST = 4096;
const flows = new Int32Array(MOST);
const generations = new Int32Array(MOST);
let first = 0;
let waiting = 0;

/** The flow wants another turn. False when the list is full: the caller goes on by itself. */
export function askAgain(flow: number): boolean {
  if (waiting === MOST) return false;
  const at = (first + waiting++) % MOST;
  flows[at] = flow;
  generations[at] = rows[flow * ROW + GENERATION]!;
  return true;
}

/** How many flows wait for another turn. */
export function askingAgain(): number {
  return waiting;
}

/** The next of them, or −1 when that flow has ended meanwhile. Only while `askingAgain()` > 0. */
export function nextAgain(): number {
  const flow = flows[first]!;
  const generation = generations[first]!;
  first = (first + 1) % MOST;
  waiting--;
  return rows[flow * ROW + KIND] !== 0 && rows[flow * ROW + GENERATION] === generation ? flow : -1;
}
