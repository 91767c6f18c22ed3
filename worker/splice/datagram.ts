/**
 * UDP from one loopback to the other: a pair of connected sockets for each who speaks to a listener.
 *
 * Theory of operation. The first datagram that a listener hears from somebody begins a flow of two rows: the leading one's socket, on the
 * listener's side, is bound to the address and port that were asked and connected to who asked; the other's, on the other side, is
 * bound to the asker's port where that is free, and connected to the target. What one hears the other sends (datagram_pump.ts). The
 * leading row is found by who asked whom; until its socket is connected the listener hears for it, and what the target answers waits in
 * the other socket. A flow ends as one through the guest's interface does: after a short silence while it has no answer, a longer one then.
 *
 * That nobody listens at the target is known here by an error of the socket. Nobody can be told: a socket can't refuse a datagram.
 */
import { Counter } from '../../shared/counters.ts';
import { MessageId } from '../../shared/messages.ts';
import { Verb } from '../../shared/opener.ts';
import { askAgain } from '../flow/again.ts';
import { nowMs } from '../flow/clock.ts';
import { askFrom, setTarget, target } from '../flow/forward.ts';
import { datagramsEndAt } from '../flow/idle.ts';
import { logFlow, logFlowLimit } from '../flow/journal.ts';
import { crossOver } from '../flow/loopback.ts';
import { HOST, NAMESPACE, requestSocket } from '../flow/opener.ts';
import { release } from '../flow/release.ts';
import { FD, FLAGS, KIND, LAST_ACTIVE, PORTS, ROW, rows, SPLICED_DATAGRAMS } from '../flow/row.ts';
import { add, find, key, KEY_FAR, KEY_GUEST, remove, rowsInUse } from '../flow/table.ts';
import { setTimer } from '../flow/timers.ts';
import { leaveUnanswered, makeRoom, noteUnanswered } from '../flow/unanswered.ts';
import { keepWaiting, takeWaiting, waitingAt, waitingFact, waitingLength } from '../flow/waiting.ts';
import { EPOLLERR, watchFlow } from '../flow/watch.ts';
import { ERROR_RECORD, SPLIT, TRANSMIT_PAYLOAD } from '../link/arena.ts';
import { counters } from '../link/counters.ts';
import { kernel } from '../link/kernel.ts';
import { isMapped } from '../wire/address.ts';
import { PROTOCOL_UDP } from '../wire/ipv4.ts';
import { SPLICED } from './connection.ts';
import { ANSWERED, SPLICE_LISTENER } from './datagram_row.ts';
import { hasMoved, pumpDatagrams, sendDatagrams } from './datagram_pump.ts';
import { HOST_SIDE, LEADER, PEER, SIDE } from './row.ts';

/** In the protocol of a leading row, beside SPLICED: who asked is in the guest's namespace, where the same addresses are others. */
const OF_GUEST = 1 << 9;
/** In that of the other row, which is never looked for. */
const FOLLOWS = 1 << 10;
/** Calls of one flow in one event, so that no flow starves the others. */
const BATCHES_AT_ONCE = 64;
/** Bytes of a datagram in error that are looked at: none is needed. */
const LEAST = 64;

const NOBODY = new Int32Array(4);
const asker = new Int32Array(4);
const asked = new Int32Array(4);

function endsAt(row: number): number {
  return datagramsEndAt(row, (rows[row + FLAGS]! & ANSWERED) !== 0);
}

function takeRow(ports: number, protocol: number): number {
  return makeRoom() ? add(SPLICED_DATAGRAMS, ports, protocol) : -1;
}

/** Asks for both sockets. False when too many requests wait already, or the other side has no address. */
function askForSockets(leader: number, follower: number, side: number, family: number, targetPort: number, aim: Int32Array): boolean {
  const ports = rows[leader * ROW + PORTS]!;
  if (!crossOver(side !== HOST_SIDE, asker, asked, family, aim)) return false;
  // Nothing that is heard between bind and connect is an answer, so the opener must not keep it: the source is the route's.
  askFrom(NOBODY);
  const across = side === HOST_SIDE ? NAMESPACE : HOST;
  const back = side === HOST_SIDE ? HOST : NAMESPACE;
  if (!requestSocket(Verb.UDP_CONNECT, follower, isMapped(target, 0) ? 4 : 6, ports >>> 16, targetPort, 0, across)) return false;
  setTarget(asker, family, 0);
  askFrom(asked);
  return requestSocket(Verb.UDP_CONNECT, leader, family, ports & 0xffff, ports >>> 16, 0, back);
}

function begin(ports: number, protocol: number, side: number, family: number, targetPort: number, aim: Int32Array): number {
  for (let word = 0; word < 4; word++) {
    asker[word] = key[KEY_GUEST + word]!;
    asked[word] = key[KEY_FAR + word]!;
  }
  const leader = takeRow(ports, protocol);
  const follower = leader < 0 ? -1 : takeRow(ports, protocol | FOLLOWS);
  if (follower < 0) {
    if (leader >= 0) remove(leader);
    logFlowLimit();
    return -1;
  }
  if (!askForSockets(leader, follower, side, family, targetPort, aim)) {
    remove(follower);
    remove(leader);
    return -1;
  }
  for (const flow of [leader, follower]) rows[flow * ROW + LEADER] = leader;
  rows[leader * ROW + SIDE] = side;
  rows[leader * ROW + PEER] = follower;
  rows[follower * ROW + PEER] = leader;
  counters[Counter.spliced_flows_opened]!++;
  logFlow(MessageId.FLOW_BEGAN, leader, 0);
  return leader;
}

/**
 * The listener `listener` of `side` has heard `length` bytes, at TRANSMIT_PAYLOAD (`segment` > 0: datagrams of that length). The caller
 * has set the key (flow/table.ts): KEY_GUEST is who has sent them, KEY_FAR the address that was asked; `ports` = port they are from << 16 |
 * port of the listener. `aim`: the listener's own target, zero = none; `targetPort` the port there. False when they were dropped.
 */
export function spliceDatagram(
  side: number,
  family: number,
  ports: number,
  targetPort: number,
  aim: Int32Array,
  listener: number,
  length: number,
  segment: number,
): boolean {
  const protocol = PROTOCOL_UDP | SPLICED | (side === HOST_SIDE ? 0 : OF_GUEST);
  let leader = find(ports, protocol);
  const isNew = leader < 0;
  if (isNew) leader = begin(ports, protocol, side, family, targetPort, aim);
  if (leader < 0) {
    counters[Counter.spliced_datagrams_dropped]!++;
    return false;
  }
  rows[leader * ROW + LAST_ACTIVE] = nowMs;
  if (isNew) {
    rows[leader * ROW + SPLICE_LISTENER] = listener;
    setTimer(leader, endsAt(leader * ROW));
  }
  const follower = rows[leader * ROW + PEER]!;
  if (rows[follower * ROW + FD]! >= 0) sendDatagrams(follower, TRANSMIT_PAYLOAD, length, segment);
  else if (!keepWaiting(follower, TRANSMIT_PAYLOAD, length, segment, 0)) counters[Counter.spliced_datagrams_dropped]!++;
  return true;
}

/** Which listener hears for a leading row whose socket is still to come; −1 for any other row. */
export function splicedListener(flow: number): number {
  return rows[flow * ROW + LEADER] === flow && rows[flow * ROW + FD]! < 0 ? rows[flow * ROW + SPLICE_LISTENER]! : -1;
}

/** Ends the flows that began at a listener that is gone, for the reasons of `endFlowsOf` (udp/flow.ts). */
export function endSplicedFlowsOf(isGone: (listener: number) => boolean): void {
  for (let flow = 0; flow < rowsInUse(); flow++) {
    const row = flow * ROW;
    if (rows[row + KIND] === SPLICED_DATAGRAMS && rows[row + LEADER] === flow && isGone(rows[row + SPLICE_LISTENER]!)) end(flow, 0);
  }
}

function end(flow: number, errno: number): void {
  const leader = rows[flow * ROW + LEADER]!;
  counters[Counter.spliced_flows_ended]!++;
  logFlow(MessageId.FLOW_ENDED, leader, errno);
  release(rows[leader * ROW + PEER]!);
  release(leader);
}

/** The opener's answer for one of the two sockets. */
export function splicedDatagramsOpened(flow: number, result: number, socket: number): void {
  if (result < 0 || socket < 0) {
    counters[Counter.opener_refused]!++;
    end(flow, -result);
    return;
  }
  const row = flow * ROW;
  rows[row + FD] = socket;
  if (watchFlow(flow) < 0) {
    end(flow, 0);
    return;
  }
  while (takeWaiting(flow)) sendDatagrams(flow, waitingAt, waitingLength, waitingFact);
  const peer = rows[row + PEER]!;
  if (rows[peer * ROW + FD]! < 0) return;
  const leader = rows[row + LEADER]!;
  if ((rows[leader * ROW + FLAGS]! & ANSWERED) === 0) noteUnanswered(leader);
  // What has come to the other one meanwhile had nowhere to go.
  splicedDatagramsEvent(peer, 0);
}

/** Events of one of the two sockets, or another turn of it. */
export function splicedDatagramsEvent(flow: number, events: number): void {
  const row = flow * ROW;
  const peer = rows[row + PEER]!;
  const leader = rows[row + LEADER]!;
  if ((events & EPOLLERR) !== 0) while (kernel.receiveError(rows[row + FD]!, SPLIT, LEAST, ERROR_RECORD) >= 0);
  if (rows[peer * ROW + FD]! < 0) return;
  for (let more = true; more; ) {
    more = pumpDatagrams(flow, peer, BATCHES_AT_ONCE);
    if (!hasMoved) return;
    rows[leader * ROW + LAST_ACTIVE] = nowMs;
    if (flow !== leader) {
      rows[leader * ROW + FLAGS]! |= ANSWERED;
      leaveUnanswered(leader);
    } else if ((rows[leader * ROW + FLAGS]! & ANSWERED) === 0) noteUnanswered(leader);
    if (more && askAgain(flow)) return;
  }
}

/** The leading row's timer is due: ends an idle flow, or waits on. */
export function splicedDatagramsTimer(flow: number): void {
  const at = endsAt(flow * ROW);
  if (((nowMs - at) | 0) >= 0) end(flow, 0);
  else setTimer(flow, at);
}
