/**
 * TCP from one loopback to the other: a socket that a listener has accepted, and one that an opener connects on the other side.
 *
 * Theory of operation. Each socket has a row in the flow table, linked with the other's; a row stands for what is read from its socket
 * (pump.ts). The accepted socket's row leads: its timer is the connection's. Until the other socket is connected nothing is read, and
 * who can't be connected has the one who came reset: nearer to a refusal nobody comes who has accepted. The rows are found by
 * what they are linked with and by events only, never by an address.
 *
 * Both ends are programs of this machine whose own kernel watches over them, so nothing here probes anybody; a connection that
 * moves no byte ends after the same time as one through the guest's interface (expiry.ts).
 */
import { Counter } from '../../shared/counters.ts';
import { MessageId } from '../../shared/messages.ts';
import { Verb } from '../../shared/opener.ts';
import { nowMs } from '../flow/clock.ts';
import { target } from '../flow/forward.ts';
import { logFlow, logFlowLimit } from '../flow/journal.ts';
import { HOST, NAMESPACE, requestSocket } from '../flow/opener.ts';
import { FD, FLAGS, LAST_ACTIVE, ROW, rows, SPLICE } from '../flow/row.ts';
import { add, key, KEY_FAR, KEY_GUEST, remove } from '../flow/table.ts';
import { makeRoom } from '../flow/unanswered.ts';
import { watchFlow } from '../flow/watch.ts';
import { counters } from '../link/counters.ts';
import { kernel } from '../link/kernel.ts';
import { PROTOCOL_TCP } from '../wire/ipv4.ts';
import { abort } from './ending.ts';
import { scheduleExpiry } from './expiry.ts';
import { CONNECTING, HOST_SIDE, LEADER, PEER, SIDE } from './row.ts';

/** In the protocol of a spliced row, beside TCP's or UDP's number: no frame of the guest finds it. */
export const SPLICED = 1 << 8;

function takeRow(ports: number): number {
  const flow = makeRoom() ? add(SPLICE, ports, PROTOCOL_TCP | SPLICED) : -1;
  if (flow >= 0) rows[flow * ROW + FLAGS] = CONNECTING;
  return flow;
}

function refuse(fd: number): false {
  counters[Counter.spliced_connections_refused]!++;
  kernel.setAbortive(fd);
  kernel.close(fd);
  return false;
}

function link(flow: number, peer: number, leader: number): void {
  rows[flow * ROW + PEER] = peer;
  rows[flow * ROW + LEADER] = leader;
}

/**
 * Takes over the connection `fd` that a listener of `side` (HOST_SIDE, GUEST_SIDE) has accepted, and asks for one to `targetPort` of
 * `target`, from `source` (flow/forward.ts), on the other side; `family` 4 or 6 is the target's. False when it can't be: who came was told by a reset.
 */
export function spliceConnection(side: number, fd: number, family: number, targetPort: number): boolean {
  key.fill(0);
  // The descriptor makes the key one that nobody else has.
  key[KEY_GUEST + 3] = fd;
  for (let word = 0; word < 4; word++) key[KEY_FAR + word] = target[word]!;
  const leader = takeRow(targetPort);
  const follower = leader < 0 ? -1 : takeRow(targetPort);
  if (follower < 0) {
    if (leader >= 0) remove(leader);
    logFlowLimit();
    return refuse(fd);
  }
  if (!requestSocket(Verb.TCP_CONNECT, follower, family, 0, targetPort, 0, side === HOST_SIDE ? NAMESPACE : HOST)) {
    remove(follower);
    remove(leader);
    return refuse(fd);
  }
  rows[leader * ROW + FD] = fd;
  rows[leader * ROW + LAST_ACTIVE] = nowMs;
  rows[leader * ROW + SIDE] = side;
  link(leader, follower, leader);
  link(follower, leader, leader);
  counters[Counter.spliced_connections_opened]!++;
  logFlow(MessageId.FLOW_BEGAN, leader, 0);
  if (watchFlow(leader) < 0) {
    abort(leader, 0);
    return false;
  }
  scheduleExpiry(leader);
  return true;
}

/** The opener's answer for the other socket: `result` ≥ 0 with a `socket` that connects, or −errno. */
export function splicedOpened(flow: number, result: number, socket: number): void {
  if (result < 0 || socket < 0) {
    counters[Counter.opener_refused]!++;
    abort(flow, -result);
    return;
  }
  rows[flow * ROW + FD] = socket;
  if (watchFlow(flow) < 0) abort(flow, 0);
}
