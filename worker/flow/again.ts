/**
 * Flows that had more to do than their turn allowed. The loop comes back to them after the others' events, without
 * sleeping in between: an edge-triggered event is not reported twice.
 */
import { FlowQueue } from './flow_queue.ts';

const queue = new FlowQueue();

/** The flow wants another turn. False when the list is full: the caller goes on by itself. */
export function askAgain(flow: number): boolean {
  return queue.push(flow);
}

/** How many flows wait for another turn. */
export function askingAgain(): number {
  return queue.length;
}

/** The next of them, or −1 when that flow has ended meanwhile. Only while `askingAgain()` > 0. */
export function nextAgain(): number {
  const flow = queue.isFirstAlive() ? queue.first : -1;
  queue.shift();
  return flow;
}
