/**
 * UDP between the guest and a host socket per flow: how a flow begins and ends.
 *
 * Theory of operation. A flow begins with a datagram of the guest, or of the host's side (inbound.ts); the opener makes a socket that is
 * connected to the far end. While one end only has spoken the flow is one-way, ends after a short silence, and makes room for
 * others (flow/unanswered.ts); once both have, it ends after a longer one. Every datagram either way puts the end off.
 */
import { Counter } from '../../shared/counters.ts';
import { MessageId } from '../../shared/messages.ts';
import { Verb } from '../../shared/opener.ts';
import { askAgain } from '../flow/again.ts';
import { begin, take } from '../flow/begin.ts';
import { nowMs } from '../flow/clock.ts';
import { forward, isGroup, standsForResolver, target } from '../flow/forward.ts';
import { datagramsEndAt } from '../flow/idle.ts';
import { logFlow } from '../flow/journal.ts';
import { addressGuest } from '../flow/observed.ts';
import { requestSocket } from '../flow/opener.ts';
import { waitForRoom } from '../flow/link_room.ts';
import { isIpv4 } from '../flow/packet.ts';
import { openPath, pathAsked } from '../flow/path.ts';
import { release } from '../flow/release.ts';
import { FAR, FD, FLAGS, KIND, LAST_ACTIVE, PORTS, ROW, rows, UDP } from '../flow/row.ts';
import { find, key, KEY_FAR, KEY_GUEST, remove, rowsInUse } from '../flow/table.ts';
import { setTimer } from '../flow/timers.ts';
import { leaveUnanswered, noteUnanswered } from '../flow/unanswered.ts';
import { keepWaiting, takeWaiting, waitingAt, waitingFact, waitingLength, waitingPath } from '../flow/waiting.ts';
import { EPOLLERR, watchFlow } from '../flow/watch.ts';
import { SPLIT } from '../link/arena.ts';
import { counters } from '../link/counters.ts';
import { linkHasRoom } from '../link/link.ts';
import { isLinkLocal6 } from '../wire/address.ts';
import { frame } from '../wire/frame.ts';
import { PROTOCOL_UDP } from '../wire/ipv4.ts';
import { batchClass, batchLength, batchPayload, batchSegment, mayHaveMore, receiveBatch } from './batch.ts';
import { deliver } from './deliver.ts';
import { tellErrors, tellLocalError } from './error.ts';
import { awaitReplies, forgetAsker, keepReplies } from './replies.ts';
import { ANSWERED, FROM_HOST, HEARD_BY, LISTENER, OUTDATED } from './row.ts';
import { sendRun, sendToHost, sendWithOthers } from './send.ts';

const EACCES = 13;
const ECONNREFUSED = 111;
/** Datagrams of one flow in one event, those that the kernel has joined as one, so that no flow starves the others. */
const DATAGRAMS_AT_ONCE = 32;
const answering = new Int32Array(4);

function endsAt(row: number): number {
  return datagramsEndAt(row, (rows[row + FLAGS]! & ANSWERED) !== 0);
}

/** Takes a row for the key and the ports (flow/begin.ts), for `start`. −1 when there is no room. */
export function takeUdp(ports: number): number {
  return take(UDP, ports, PROTOCOL_UDP, Counter.udp_flows_refused);
}

/** Begins the flow of that row, when its socket was `asked` for (flow/begin.ts); `flags` of row.ts. */
export function start(flow: number, asked: boolean, flags: number): boolean {
  const row = flow * ROW;
  rows[row + FLAGS] = flags;
  rows[row + LAST_ACTIVE] = nowMs;
  return begin(flow, asked, endsAt(row), Counter.udp_flows_opened, Counter.udp_flows_refused);
}

function open(ports: number): number {
  // A flow that makes room must not have anything left to send.
  sendRun();
  const flow = takeUdp(ports);
  if (flow < 0) return -1;
  if (!forward(key, KEY_FAR, frame.family, ports & 0xffff)) {
    // As from a host where nobody listens: programs ask their next resolver at once instead of waiting.
    tellLocalError(flow, ECONNREFUSED, frame.payload, frame.end - frame.payload);
    remove(flow);
    return -1;
  }
  const asked = isGroup(target, 0, frame.family)
    ? awaitReplies(flow)
    : requestSocket(Verb.UDP_CONNECT, flow, frame.family, ports >>> 16, ports & 0xffff, 0);
  return start(flow, asked, 0) ? flow : -1;
}

/** Both ends have spoken now. */
function noteAnswer(flow: number): void {
  rows[flow * ROW + FLAGS]! |= ANSWERED;
  leaveUnanswered(flow);
}

/** One end has sent a datagram; `fromHost` is FROM_HOST when that was the host's side, else 0. */
export function noteDatagram(flow: number, fromHost: number): void {
  const row = flow * ROW;
  const flags = rows[row + FLAGS]!;
  rows[row + LAST_ACTIVE] = nowMs;
  if ((flags & ANSWERED) !== 0) return;
  if ((flags & FROM_HOST) !== fromHost) noteAnswer(flow);
  else if (rows[row + FD]! >= 0) noteUnanswered(flow);
}

/**
 * The flow that a link-local address of the guest answers though its global one was asked: a server with one socket for all addresses leaves
 * the choice to its kernel, which takes what is nearest to our link-local address (RFC 6724 §5 rule 2). −1 when there is none; `key` is as before.
 */
function findAnswered(ports: number): number {
  if (!isLinkLocal6(key, KEY_GUEST) || !isLinkLocal6(key, KEY_FAR)) return -1;
  for (let word = 0; word < 4; word++) answering[word] = key[KEY_GUEST + word]!;
  const flow = addressGuest(6, false) ? find(ports, PROTOCOL_UDP) : -1;
  for (let word = 0; word < 4; word++) key[KEY_GUEST + word] = answering[word]!;
  return flow >= 0 && (rows[flow * ROW + FLAGS]! & FROM_HOST) !== 0 ? flow : -1;
}

/** The datagram in `frame`, whose addresses are in `key`. */
export function datagramFromGuest(ports: number): void {
  let flow = find(ports, PROTOCOL_UDP);
  if (flow < 0) flow = findAnswered(ports);
  if (flow >= 0 && rows[flow * ROW + HEARD_BY] !== 0 && !keepReplies(flow)) {
    end(flow, 0);
    flow = -1;
  }
  if (flow >= 0 && (rows[flow * ROW + FLAGS]! & OUTDATED) !== 0 && rows[flow * ROW + FD]! >= 0) {
    // What came before it in this batch is still for the old one.
    sendRun();
    end(flow, 0);
    flow = -1;
  }
  if (flow < 0) flow = open(ports);
  if (flow < 0) return;
  const length = frame.end - frame.payload;
  noteDatagram(flow, 0);
  const path = pathAsked(flow * ROW);
  if (rows[flow * ROW + FD]! >= 0) sendWithOthers(flow, frame.payload, length, frame.gsoSize, path);
  else if (!keepWaiting(flow, frame.payload, length, frame.gsoSize, path)) counters[Counter.udp_datagrams_dropped]!++;
}

/**
 * The host has another resolver: flows to the address that stands for it get the answers that are under way, and their next query is
 * for the new one. A guest that asks from one port all the time would stay with the old one for ever.
 */
export function outdateNameFlows(): void {
  for (let flow = 0; flow < rowsInUse(); flow++) {
    const row = flow * ROW;
    if (rows[row + KIND] === UDP && standsForResolver(rows, row + FAR, rows[row + PORTS]! & 0xffff)) rows[row + FLAGS]! |= OUTDATED;
  }
}

/** The opener's answer. */
export function udpOpened(flow: number, result: number, socket: number): void {
  // The broadcast address of a subnet looks like a host's, until the kernel says that it is none.
  if (result === -EACCES && rows[flow * ROW + HEARD_BY] === 0 && awaitReplies(flow)) return;
  if (result === -EACCES && !isGroup(rows, flow * ROW + FAR, isIpv4(flow * ROW) ? 4 : 6)) rows[flow * ROW + HEARD_BY] = 0;
  const row = flow * ROW;
  if (result < 0 || socket < 0) {
    counters[Counter.opener_refused]!++;
    while (takeWaiting(flow)) tellLocalError(flow, -result, waitingAt, waitingLength);
    end(flow, -result);
    return;
  }
  rows[row + FD] = socket;
  openPath(row, false);
  if (watchFlow(flow) < 0) {
    end(flow, 0);
    return;
  }
  while (takeWaiting(flow)) sendToHost(flow, waitingAt, waitingLength, waitingFact, waitingPath);
  if ((rows[row + FLAGS]! & ANSWERED) === 0) noteUnanswered(flow);
}

/** Passes a batch on to the guest. How many datagrams it was. */
function deliverBatch(flow: number): number {
  const row = flow * ROW;
  const count = receiveBatch(rows[row + FD]!);
  if (count <= 0) return 0;
  noteDatagram(flow, FROM_HOST);
  for (let index = 0; index < count; index++) {
    deliver(row, batchPayload(index), batchLength(index), batchSegment(index), batchClass(index));
  }
  return count;
}

/** Events of the flow's host socket. */
export function udpSocketEvent(flow: number, events: number): void {
  if ((events & EPOLLERR) !== 0) tellErrors(flow, SPLIT, 0);
  for (let taken = 0; ; ) {
    if (!linkHasRoom() && waitForRoom(flow)) return;
    taken += deliverBatch(flow);
    if (!mayHaveMore || (taken >= DATAGRAMS_AT_ONCE && askAgain(flow))) return;
  }
}

/** The flow's timer is due: ends an idle flow, or waits on. */
export function udpTimerEvent(flow: number): void {
  const at = endsAt(flow * ROW);
  if (((nowMs - at) | 0) >= 0) end(flow, 0);
  else setTimer(flow, at);
}

/**
 * Ends the flows that began at a listener that is gone. Their sockets have its port, which nobody could listen on for as long as they
 * stay; and a far end that sends from one port all the time would never come to what the port leads to from now on.
 */
export function endFlowsOf(isGone: (listener: number) => boolean): void {
  for (let flow = 0; flow < rowsInUse(); flow++) {
    const row = flow * ROW;
    if (rows[row + KIND] === UDP && (rows[row + FLAGS]! & FROM_HOST) !== 0 && isGone(rows[row + LISTENER]!)) end(flow, 0);
  }
}

function end(flow: number, errno: number): void {
  counters[Counter.udp_flows_ended]!++;
  logFlow(MessageId.FLOW_ENDED, flow, errno);
  forgetAsker(flow);
  release(flow);
}
