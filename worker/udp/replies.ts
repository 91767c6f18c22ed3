/**
 * What single hosts answer to datagrams that the guest has sent to a group or to all on its link (SSDP, mDNS, WS-Discovery).
 *
 * Theory of operation. The socket of a flow to a group is connected to the group, so it hears nobody else. Replies come to a
 * second socket, bound to one address of the host and to the guest's port where nobody has that, connected to nobody and so unable
 * to send (native/opener/flow.c). It is a flow of the kind REPLIES, one for each port of the guest and each group, since the route to the
 * group decides on the address; its far port is 0, so no datagram finds it. It is made first, because it must have its port alone;
 * the flows that ask wait in a chain, and then ask from the port that it has got. It ends after a time without questions and replies.
 * A reply goes to the guest from who has sent it. When the guest goes on with that host, that is a flow as any other.
 *
 * What the guest asks by mDNS from its own port 5353 leaves from another one. Who is asked from 5353 may answer to the group (RFC 6762 §6),
 * which nobody here hears; who is asked from elsewhere answers to the asker alone (§6.7), and ignores what is announced from there (§6),
 * as it must be when the guest can't hear that a name is taken.
 */
import { Counter } from '../../shared/counters.ts';
import { LARGEST_DATAGRAM } from '../../shared/limits.ts';
import { Verb } from '../../shared/opener.ts';
import { askAgain } from '../flow/again.ts';
import { nowMs } from '../flow/clock.ts';
import { forward, showSender } from '../flow/forward.ts';
import { logFlowLimit } from '../flow/journal.ts';
import { requestSocket } from '../flow/opener.ts';
import { isIpv4, writeNetworkHeadersFrom } from '../flow/packet.ts';
import { FAR, FD, FLAGS, GENERATION, GUEST, KIND, LAST_ACTIVE, PORTS, REPLIES, ROW, rows } from '../flow/row.ts';
import { add, find, key, KEY_FAR, KEY_GUEST, remove } from '../flow/table.ts';
import { setTimer, stopTimer } from '../flow/timers.ts';
import { transmit } from '../flow/transmit.ts';
import { leaveUnanswered, makeRoom, noteUnanswered } from '../flow/unanswered.ts';
import { watchFlow } from '../flow/watch.ts';
import { SENDER, TRANSMIT_PAYLOAD } from '../link/arena.ts';
import { counters } from '../link/counters.ts';
import { kernel } from '../link/kernel.ts';
import { LINK_HEADER } from '../link/link.ts';
import { pseudoSum4, pseudoSum6 } from '../wire/checksum.ts';
import { PROTOCOL_UDP } from '../wire/ipv4.ts';
import { IPV6_HEADER, readAddress } from '../wire/ipv6.ts';
import { view } from '../wire/memory.ts';
import { setChecksum, UDP_CHECKSUM, UDP_HEADER, writeUdp } from '../wire/udp.ts';
import { VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_NONE, writeVnet } from '../wire/vnet.ts';
import { ANSWERED, FIRST_ASKER, HEARD_BY, HEARD_BY_GENERATION, HEARING_PORT, NEXT_ASKER } from './row.ts';

/** Longer than any protocol of discovery waits: SSDP asks for replies within 5 s (UDA 2.0 §1.3.2), ms. */
const TIMEOUT = 30_000;
const EMFILE = 24;
/** Replies taken in one event, so that no flow starves the others. */
const REPLIES_AT_ONCE = 64;
const SENDER_PORT = SENDER + 16;
const MDNS = 5353;
const ANY_PORT = 0;

const sender = new Int32Array(4);

function familyOf(row: number): number {
  return isIpv4(row) ? 4 : 6;
}

/** Asks for the socket of a flow to a group, from the port that hears. */
function askGroup(flow: number, port: number): boolean {
  const row = flow * ROW;
  forward(rows, row + FAR, familyOf(row), 0);
  return requestSocket(Verb.UDP_GROUP, flow, familyOf(row), port, rows[row + PORTS]! & 0xffff, 0);
}

function begin(asker: number, ports: number): number {
  const flow = makeRoom() ? add(REPLIES, ports, PROTOCOL_UDP) : -1;
  if (flow < 0) {
    logFlowLimit();
    return -1;
  }
  const row = asker * ROW;
  forward(rows, row + FAR, familyOf(row), 0);
  const wanted = ports >>> 16;
  if (!requestSocket(Verb.UDP_REPLIES, flow, familyOf(row), wanted === MDNS ? ANY_PORT : wanted, rows[row + PORTS]! & 0xffff, 0)) {
    remove(flow);
    return -1;
  }
  rows[flow * ROW + LAST_ACTIVE] = nowMs;
  setTimer(flow, (nowMs + TIMEOUT) | 0);
  return flow;
}

/** Makes a flow one to a group: it gets its socket as soon as replies can be heard. False when there is no room. Changes `key`. */
export function awaitReplies(asker: number): boolean {
  const row = asker * ROW;
  for (let word = 0; word < 4; word++) {
    key[KEY_GUEST + word] = rows[row + GUEST + word]!;
    key[KEY_FAR + word] = rows[row + FAR + word]!;
  }
  const ports = rows[row + PORTS]! & ~0xffff;
  let flow = find(ports, PROTOCOL_UDP);
  if (flow >= 0) noteQuestion(flow);
  else flow = begin(asker, ports);
  if (flow < 0) return false;
  rows[row + HEARD_BY] = flow + 1;
  rows[row + HEARD_BY_GENERATION] = rows[flow * ROW + GENERATION]!;
  if (rows[flow * ROW + FD]! >= 0) return askGroup(asker, rows[flow * ROW + HEARING_PORT]!);
  rows[row + NEXT_ASKER] = rows[flow * ROW + FIRST_ASKER]!;
  rows[flow * ROW + FIRST_ASKER] = asker + 1;
  return true;
}

function hearerOf(asker: number): number {
  const flow = rows[asker * ROW + HEARD_BY]! - 1;
  if (flow < 0) return -1;
  const row = flow * ROW;
  return rows[row + KIND] === REPLIES && rows[row + GENERATION] === rows[asker * ROW + HEARD_BY_GENERATION] ? flow : -1;
}

/** Something was asked of which the flow hears the replies. Until there is one it makes room for others (flow/unanswered.ts). */
function noteQuestion(flow: number): void {
  const row = flow * ROW;
  rows[row + LAST_ACTIVE] = nowMs;
  if ((rows[row + FLAGS]! & ANSWERED) === 0 && rows[row + FD]! >= 0) noteUnanswered(flow);
}

/** A flow to a group is used. False when replies to it are no longer heard: then it has to begin anew. */
export function keepReplies(asker: number): boolean {
  const flow = hearerOf(asker);
  if (flow < 0) return false;
  noteQuestion(flow);
  return true;
}

/** A flow to a group ends, perhaps before it got its socket. */
export function forgetAsker(asker: number): void {
  const flow = hearerOf(asker);
  if (flow < 0) return;
  for (let link = flow * ROW + FIRST_ASKER; rows[link] !== 0; link = (rows[link]! - 1) * ROW + NEXT_ASKER) {
    if (rows[link] !== asker + 1) continue;
    rows[link] = rows[asker * ROW + NEXT_ASKER]!;
    return;
  }
}

/** The opener's answer: `port` ≥ 0 with a socket, or −errno. Returns 0 or −errno; either way the askers are still in the chain. */
export function hearReplies(flow: number, port: number, socket: number): number {
  const row = flow * ROW;
  if (port < 0) return port;
  if (socket < 0) return -EMFILE;
  rows[row + FD] = socket;
  rows[row + HEARING_PORT] = port;
  const watched = watchFlow(flow);
  if (watched >= 0) noteQuestion(flow);
  return watched;
}

/** Takes a flow that has waited for the replies' port out of the chain; −1 when there is none. */
export function nextAsker(flow: number): number {
  const asker = rows[flow * ROW + FIRST_ASKER]! - 1;
  if (asker >= 0) rows[flow * ROW + FIRST_ASKER] = rows[asker * ROW + NEXT_ASKER]!;
  return asker;
}

/** Asks for the socket of a flow that has waited. False when too many requests wait already. */
export function askFromPort(asker: number, flow: number): boolean {
  return askGroup(asker, rows[flow * ROW + HEARING_PORT]!);
}

/** Ends the hearing; nobody waits for it any more. */
export function endReplies(flow: number): void {
  stopTimer(flow);
  leaveUnanswered(flow);
  if (rows[flow * ROW + FD]! >= 0) kernel.close(rows[flow * ROW + FD]!);
  remove(flow);
}

function replyToGuest(row: number, port: number, length: number): void {
  const l4 = TRANSMIT_PAYLOAD - UDP_HEADER;
  const total = UDP_HEADER + length;
  writeUdp(l4, port, rows[row + PORTS]! >>> 16, total);
  const l2 = writeNetworkHeadersFrom(sender, 0, row, l4, total, PROTOCOL_UDP);
  const ipv4 = isIpv4(row);
  setChecksum(
    l4,
    ipv4 ? pseudoSum4(sender[3]!, rows[row + GUEST + 3]!, PROTOCOL_UDP, total) : pseudoSum6(l4 - IPV6_HEADER, PROTOCOL_UDP, total),
  );
  const at = l2 - LINK_HEADER;
  writeVnet(at, VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_NONE, TRANSMIT_PAYLOAD - l2, 0, l4 - l2, UDP_CHECKSUM);
  transmit(at, TRANSMIT_PAYLOAD + length - at);
}

function receiveReply(flow: number): boolean {
  const row = flow * ROW;
  const length = kernel.receiveFrom(rows[row + FD]!, TRANSMIT_PAYLOAD, LARGEST_DATAGRAM, SENDER);
  if (length < 0) return false;
  const port = view.getInt32(SENDER_PORT, true);
  readAddress(SENDER, sender, 0);
  if (port === 0 || !showSender(sender, familyOf(row))) {
    counters[Counter.udp_datagrams_dropped]!++;
    return true;
  }
  rows[row + LAST_ACTIVE] = nowMs;
  rows[row + FLAGS]! |= ANSWERED;
  leaveUnanswered(flow);
  counters[Counter.udp_datagrams_in]!++;
  replyToGuest(row, port, length);
  return true;
}

/** Events of the socket that hears. */
export function repliesSocketEvent(flow: number): void {
  for (let taken = 1; receiveReply(flow); taken++) if (taken >= REPLIES_AT_ONCE && askAgain(flow)) return;
}

/** The timer is due: ends the hearing, or waits on. */
export function repliesTimerEvent(flow: number): void {
  const row = flow * ROW;
  const at = (rows[row + LAST_ACTIVE]! + TIMEOUT) | 0;
  if (((nowMs - at) | 0) < 0) setTimer(flow, at);
  else if (rows[row + FD]! >= 0) endReplies(flow);
  else setTimer(flow, (nowMs + TIMEOUT) | 0);
}
