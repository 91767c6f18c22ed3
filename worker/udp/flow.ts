/**
 * UDP between the guest and a host socket per flow.
 *
 * A flow begins with a datagram of the guest; the opener makes a socket bound to the guest's source port where that is
 * free, connected to the destination. Replies that the kernel has joined (UDP_GRO) go to the guest in one frame where
 * its kernel splits them again (USO). A flow ends after a time without traffic: short while nobody has replied, longer
 * once both have spoken (the defaults of Linux connection tracking).
 */
import { Counter } from '../../shared/counters.ts';
import { MessageId } from '../../shared/messages.ts';
import { Verb } from '../../shared/opener.ts';
import { askAgain } from '../flow/again.ts';
import { nowMs } from '../flow/clock.ts';
import { forward, isGroup, target } from '../flow/forward.ts';
import { logFlow, logFlowLimit } from '../flow/journal.ts';
import { requestSocket } from '../flow/opener.ts';
import { isIpv4, pseudoSum, writeNetworkHeaders } from '../flow/packet.ts';
import { FAR, FD, FLAGS, LAST_ACTIVE, PORTS, ROW, rows, UDP } from '../flow/row.ts';
import { add, find, key, KEY_FAR, remove } from '../flow/table.ts';
import { setTimer, stopTimer } from '../flow/timers.ts';
import { dropWaiting, keepWaiting, takeWaiting, waitingAt, waitingFact, waitingLength } from '../flow/waiting.ts';
import { EPOLLERR, watchFlow } from '../flow/watch.ts';
import { SEGMENT_SIZE, TRANSMIT_PAYLOAD } from '../link/arena.ts';
import { counters } from '../link/counters.ts';
import { kernel } from '../link/kernel.ts';
import { LINK_HEADER, takesUdpSegments } from '../link/tap.ts';
import { transmit } from '../flow/transmit.ts';
import { frame } from '../wire/frame.ts';
import { PROTOCOL_UDP } from '../wire/ipv4.ts';
import { view } from '../wire/memory.ts';
import { setChecksum, UDP_CHECKSUM, UDP_HEADER, writeUdp } from '../wire/udp.ts';
import { VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_NONE, VIRTIO_NET_HDR_GSO_UDP_L4, writeVnet } from '../wire/vnet.ts';
import { tellErrors, tellLocalError } from './error.ts';
import { awaitReplies, forgetAsker, keepReplies } from './replies.ts';
import { HEARD_BY } from './row.ts';

const EAGAIN = 11;
const EACCES = 13;
const ECONNREFUSED = 111;
/** nf_conntrack_udp_timeout and nf_conntrack_udp_timeout_stream, ms. */
const TIMEOUT_UNANSWERED = 30_000;
const TIMEOUT_ANSWERED = 120_000;
const LARGEST_PAYLOAD = 65_535 - UDP_HEADER - 20;
/** Batches of one flow in one event, so that no flow starves the others. */
const BATCHES_AT_ONCE = 32;

/** FLAGS of a UDP flow: the far end has replied. */
const ANSWERED = 1;

function trySend(fd: number, at: number, length: number, segment: number): number {
  return segment > 0 && length > segment ? kernel.sendSegments(fd, at, length, segment) : kernel.send(fd, at, length, 0);
}

function sendToHost(flow: number, at: number, length: number, segment: number): void {
  const fd = rows[flow * ROW + FD]!;
  let sent = trySend(fd, at, length, segment);
  if (sent < 0 && sent !== -EAGAIN) {
    // The error may be an earlier datagram's: the kernel reports it in place of sending this one.
    tellErrors(flow);
    sent = trySend(fd, at, length, segment);
  }
  counters[sent < 0 ? Counter.udp_datagrams_dropped : Counter.udp_datagrams_out]!++;
}

function open(ports: number): number {
  const flow = add(UDP, ports, PROTOCOL_UDP);
  if (flow < 0) {
    counters[Counter.udp_flows_refused]!++;
    logFlowLimit();
    return -1;
  }
  if (!forward(key, KEY_FAR, frame.family, ports & 0xffff)) {
    // As from a host where nobody listens: programs ask their next resolver at once instead of waiting.
    tellLocalError(flow, ECONNREFUSED, 0, frame.payload, frame.end - frame.payload);
    remove(flow);
    return -1;
  }
  const asked = isGroup(target, 0, frame.family)
    ? awaitReplies(flow, frame.hopLimit)
    : requestSocket(Verb.UDP_CONNECT, flow, frame.family, ports >>> 16, ports & 0xffff, 0);
  if (!asked) {
    remove(flow);
    counters[Counter.udp_flows_refused]!++;
    return -1;
  }
  counters[Counter.udp_flows_opened]!++;
  setTimer(flow, (nowMs + TIMEOUT_UNANSWERED) | 0);
  logFlow(MessageId.FLOW_BEGAN, flow, 0);
  return flow;
}

/** The datagram in `frame`, whose addresses are in `key`. */
export function datagramFromGuest(ports: number): void {
  let flow = find(ports, PROTOCOL_UDP);
  if (flow >= 0 && rows[flow * ROW + HEARD_BY] !== 0 && !keepReplies(flow)) {
    end(flow, 0);
    flow = -1;
  }
  if (flow < 0) flow = open(ports);
  if (flow < 0) return;
  const row = flow * ROW;
  const length = frame.end - frame.payload;
  rows[row + LAST_ACTIVE] = nowMs;
  if (rows[row + FD]! >= 0) sendToHost(flow, frame.payload, length, frame.gsoSize);
  else if (!keepWaiting(flow, frame.payload, length, frame.gsoSize)) counters[Counter.udp_datagrams_dropped]!++;
}

/** The opener's answer. */
export function udpOpened(flow: number, result: number, socket: number): void {
  // The broadcast address of a subnet looks like a host's, until the kernel says that it is none.
  if (result === -EACCES && rows[flow * ROW + HEARD_BY] === 0 && awaitReplies(flow, 1)) return;
  if (result === -EACCES && !isGroup(rows, flow * ROW + FAR, isIpv4(flow * ROW) ? 4 : 6)) rows[flow * ROW + HEARD_BY] = 0;
  if (result < 0 || socket < 0) {
    counters[Counter.opener_refused]!++;
    while (takeWaiting(flow)) tellLocalError(flow, -result, 0, waitingAt, waitingLength);
    end(flow, -result);
    return;
  }
  rows[flow * ROW + FD] = socket;
  if (watchFlow(flow) < 0) {
    end(flow, 0);
    return;
  }
  while (takeWaiting(flow)) sendToHost(flow, waitingAt, waitingLength, waitingFact);
}

/** Sends `length` bytes at `payload` to the guest, as one datagram or as segments of `segment` bytes that its kernel splits. */
function sendToGuest(row: number, payload: number, length: number, segment: number): void {
  const l4 = payload - UDP_HEADER;
  const total = UDP_HEADER + length;
  const ports = rows[row + PORTS]!;
  writeUdp(l4, ports & 0xffff, ports >>> 16, total);
  const l2 = writeNetworkHeaders(row, l4, total, PROTOCOL_UDP);
  setChecksum(l4, pseudoSum(row, l4, total, PROTOCOL_UDP));
  const at = l2 - LINK_HEADER;
  const type = segment > 0 ? VIRTIO_NET_HDR_GSO_UDP_L4 : VIRTIO_NET_HDR_GSO_NONE;
  writeVnet(at, VIRTIO_NET_HDR_F_NEEDS_CSUM, type, payload - l2, segment, l4 - l2, UDP_CHECKSUM);
  transmit(at, payload + length - at);
}

function receiveBatch(flow: number): boolean {
  const row = flow * ROW;
  const fd = rows[row + FD]!;
  const length = kernel.receiveSegments(fd, TRANSMIT_PAYLOAD, LARGEST_PAYLOAD, SEGMENT_SIZE);
  if (length < 0) return false;
  const segment = view.getInt32(SEGMENT_SIZE, true);
  rows[row + LAST_ACTIVE] = nowMs;
  rows[row + FLAGS]! |= ANSWERED;
  counters[Counter.udp_datagrams_in]!++;
  if (segment <= 0 || length <= segment) sendToGuest(row, TRANSMIT_PAYLOAD, length, 0);
  else if (takesUdpSegments(isIpv4(row) ? 4 : 6)) sendToGuest(row, TRANSMIT_PAYLOAD, length, segment);
  else {
    // The headers of a piece overwrite the end of the one before, which is sent already.
    for (let at = 0; at < length; at += segment) sendToGuest(row, TRANSMIT_PAYLOAD + at, Math.min(segment, length - at), 0);
  }
  return true;
}

/** Events of the flow's host socket. */
export function udpSocketEvent(flow: number, events: number): void {
  if ((events & EPOLLERR) !== 0) tellErrors(flow);
  for (let batch = 1; receiveBatch(flow); batch++) if (batch >= BATCHES_AT_ONCE && askAgain(flow)) return;
}

/** The flow's timer is due: ends an idle flow, or waits on. */
export function udpTimerEvent(flow: number): void {
  const row = flow * ROW;
  const timeout = (rows[row + FLAGS]! & ANSWERED) !== 0 ? TIMEOUT_ANSWERED : TIMEOUT_UNANSWERED;
  const at = (rows[row + LAST_ACTIVE]! + timeout) | 0;
  if (((nowMs - at) | 0) >= 0) end(flow, 0);
  else setTimer(flow, at);
}

function end(flow: number, errno: number): void {
  counters[Counter.udp_flows_ended]!++;
  logFlow(MessageId.FLOW_ENDED, flow, errno);
  stopTimer(flow);
  dropWaiting(flow);
  forgetAsker(flow);
  if (rows[flow * ROW + FD]! >= 0) kernel.close(rows[flow * ROW + FD]!);
  remove(flow);
}
