/**
 * Who makes room when the flow table or the descriptors are used up: the UDP flow, spliced or not, or ping flow that nobody has answered and
 * whose sender has been silent longest.
 *
 * Theory of operation. Such flows, and those that wait for replies of a group's hosts (udp/replies.ts), are a doubly linked chain through
 * their rows, the longest silent first. A flow joins when its socket is there, goes to the end with each datagram of the one who began
 * it, and leaves with the first answer: so finding the one to end costs the same however many there are. Flows with answers,
 * connections, and flows whose socket is still being made are never ended for another.
 */
import { Counter } from '../../shared/counters.ts';
import { MessageId } from '../../shared/messages.ts';
import { counters } from '../link/counters.ts';
import { kernel } from '../link/kernel.ts';
import { logFlow } from './journal.ts';
import { FD, KIND, NEWER, OLDER, PEER, PING, ROW, rows, SPLICED_DATAGRAMS, UDP } from './row.ts';
import { hasRoom, remove } from './table.ts';
import { stopTimer } from './timers.ts';

let oldest = -1;
let youngest = -1;

/** Empties the chain, for a new table. */
export function openUnanswered(): void {
  oldest = -1;
  youngest = -1;
}

/** The flow has been answered, or ends. One that is not in the chain is left alone. */
export function leaveUnanswered(flow: number): void {
  const row = flow * ROW;
  const older = rows[row + OLDER]! - 1;
  const newer = rows[row + NEWER]! - 1;
  if (older < 0 && oldest !== flow) return;
  if (older < 0) oldest = newer;
  else rows[older * ROW + NEWER] = newer + 1;
  if (newer < 0) youngest = older;
  else rows[newer * ROW + OLDER] = older + 1;
  rows[row + OLDER] = 0;
  rows[row + NEWER] = 0;
}

/** Who began the flow has just sent something, and nobody has answered so far; the flow has its socket. */
export function noteUnanswered(flow: number): void {
  if (youngest === flow) return;
  leaveUnanswered(flow);
  if (youngest < 0) oldest = flow;
  else rows[youngest * ROW + NEWER] = flow + 1;
  rows[flow * ROW + OLDER] = youngest + 1;
  youngest = flow;
}

function drop(flow: number): void {
  kernel.close(rows[flow * ROW + FD]!);
  remove(flow);
}

/** True when there is room for one more flow, by ending another if need be. */
export function makeRoom(): boolean {
  if (hasRoom()) return true;
  if (oldest < 0) return false;
  const flow = oldest;
  const row = flow * ROW;
  leaveUnanswered(flow);
  if (rows[row + KIND] === UDP) counters[Counter.udp_flows_ended]!++;
  else if (rows[row + KIND] === PING) counters[Counter.ping_flows_ended]!++;
  else if (rows[row + KIND] === SPLICED_DATAGRAMS) {
    counters[Counter.spliced_flows_ended]!++;
    drop(rows[row + PEER]!);
  }
  counters[Counter.flows_displaced]!++;
  logFlow(MessageId.FLOW_ENDED, flow, 0);
  stopTimer(flow);
  drop(flow);
  return hasRoom();
}
