/**
 * Echo requests of the guest, through a ping socket per identifier and destination.
 *
 * The kernel gives each ping socket its own identifier and checks who may ping (net.ipv4.ping_group_range); replies get
 * the guest's identifier back and come from the address that the guest asked, with the hop limit they came with; errors are told as
 * they come (icmp/error.ts). Where nobody may ping, the guest is told that it is prohibited. A flow ends a minute after the last request.
 */
import { Counter } from '../../shared/counters.ts';
import { LogLevel, MessageId } from '../../shared/messages.ts';
import { Verb } from '../../shared/opener.ts';
import { askAgain } from '../flow/again.ts';
import { begin, take } from '../flow/begin.ts';
import { nowMs } from '../flow/clock.ts';
import { forward } from '../flow/forward.ts';
import { log, logFlow } from '../flow/journal.ts';
import { requestSocket } from '../flow/opener.ts';
import { release } from '../flow/release.ts';
import { isIpv4, writeDistantHeaders } from '../flow/packet.ts';
import { openPath, pathAsked, setPath } from '../flow/path.ts';
import { FAR, FD, FLAGS, LAST_ACTIVE, PING, PORTS, PROTOCOL, ROW, rows } from '../flow/row.ts';
import { find, key, KEY_FAR } from '../flow/table.ts';
import { setTimer } from '../flow/timers.ts';
import { leaveUnanswered, noteUnanswered } from '../flow/unanswered.ts';
import { keepWaiting, takeWaiting, waitingAt, waitingLength, waitingPath } from '../flow/waiting.ts';
import { EPOLLERR, watchFlow } from '../flow/watch.ts';
import { RECEIVED_HOP_LIMIT, SPLIT, TRANSMIT_PAYLOAD } from '../link/arena.ts';
import { counters } from '../link/counters.ts';
import { kernel } from '../link/kernel.ts';
import { LINK_HEADER } from '../link/link.ts';
import { transmit } from '../flow/transmit.ts';
import { frame } from '../wire/frame.ts';
import {
  code,
  ECHO_REPLY4,
  ECHO_REPLY6,
  ECHO_REQUEST4,
  ECHO_REQUEST6,
  fillChecksum4,
  fillChecksum6,
  ICMP_HEADER,
  identifier,
  sequence,
  type,
  writeEcho,
} from '../wire/icmp.ts';
import { IPV6_HEADER } from '../wire/ipv6.ts';
import { view } from '../wire/memory.ts';
import { writeVnetPlain } from '../wire/vnet.ts';
import { tellErrors, tellLocalError } from './error.ts';

const TIMEOUT = 60_000;
/** An IPv6 packet's, 20 more than an IPv4 packet's. */
const LARGEST = 65_535;
/** Replies of one flow in one event, so that no flow starves the others. */
const REPLIES_AT_ONCE = 64;
/** Hop limit of a reply about which the kernel tells nothing. */
const UNKNOWN_DISTANCE = 255;

const EAGAIN = 11;
const EACCES = 13;

/** FLAGS of a ping flow: there was a reply. */
const ANSWERED = 1;

let refusalTold = false;

function open(ports: number): number {
  const flow = take(PING, ports, frame.protocol, Counter.ping_flows_refused);
  if (flow < 0) return -1;
  forward(key, KEY_FAR, frame.family, 0);
  const asked = requestSocket(Verb.PING, flow, frame.family, ports >>> 16, 0, 0);
  return begin(flow, asked, (nowMs + TIMEOUT) | 0, Counter.ping_flows_opened, Counter.ping_flows_refused) ? flow : -1;
}

/** The echo request in `frame`, whose addresses are in `key`; other messages of the guest are not forwarded. */
export function echoFromGuest(): void {
  const wanted = frame.family === 4 ? ECHO_REQUEST4 : ECHO_REQUEST6;
  if (type(frame.l4) !== wanted || code(frame.l4) !== 0) {
    counters[Counter.icmp_ignored]!++;
    return;
  }
  const ports = identifier(frame.l4) << 16;
  let flow = find(ports, frame.protocol);
  if (flow < 0) flow = open(ports);
  if (flow < 0) return;
  const row = flow * ROW;
  const length = frame.end - frame.l4;
  rows[row + LAST_ACTIVE] = nowMs;
  if (rows[row + FD]! >= 0) {
    sendToHost(flow, frame.l4, length, pathAsked(row));
    if ((rows[row + FLAGS]! & ANSWERED) === 0) noteUnanswered(flow);
  } else if (!keepWaiting(flow, frame.l4, length, 0, pathAsked(row))) counters[Counter.ping_dropped]!++;
}

function sendToHost(flow: number, at: number, length: number, path: number): void {
  const row = flow * ROW;
  const fd = rows[row + FD]!;
  setPath(row, path, length);
  let sent = kernel.send(fd, at, length, 0);
  if (sent < 0 && sent !== -EAGAIN && !tellErrors(flow, at, length)) {
    // The error was an earlier request's: the kernel reports it in place of sending this one.
    sent = kernel.send(fd, at, length, 0);
    if (sent < 0 && sent !== -EAGAIN && !tellErrors(flow, at, length)) tellLocalError(flow, -sent, at, length);
  }
  counters[sent < 0 ? Counter.ping_dropped : Counter.ping_requests_out]!++;
}

/** The opener's answer. */
export function pingOpened(flow: number, result: number, socket: number): void {
  if (result < 0 || socket < 0) {
    counters[Counter.opener_refused]!++;
    if (result === -EACCES && !refusalTold) {
      log(LogLevel.WARNING, MessageId.PING_REFUSED, 1, -result, 0, 0, 0, 0, 0);
      refusalTold = true;
    }
    while (takeWaiting(flow)) tellLocalError(flow, -result, waitingAt, waitingLength);
    end(flow, -result);
    return;
  }
  rows[flow * ROW + FD] = socket;
  openPath(flow * ROW, true);
  if (watchFlow(flow) < 0) {
    end(flow, 0);
    return;
  }
  while (takeWaiting(flow)) sendToHost(flow, waitingAt, waitingLength, waitingPath);
  noteUnanswered(flow);
}

function replyToGuest(row: number, length: number, hopLimit: number): void {
  const l4 = TRANSMIT_PAYLOAD - ICMP_HEADER;
  const id = rows[row + PORTS]! >>> 16;
  const ipv4 = isIpv4(row);
  writeEcho(l4, ipv4 ? ECHO_REPLY4 : ECHO_REPLY6, id, sequence(l4));
  const distance = hopLimit > 0 ? hopLimit : UNKNOWN_DISTANCE;
  const l2 = writeDistantHeaders(rows, row + FAR, row, l4, length, rows[row + PROTOCOL]!, distance, 0);
  if (ipv4) fillChecksum4(l4, length);
  else fillChecksum6(l4 - IPV6_HEADER, l4, length);
  writeVnetPlain(l2 - LINK_HEADER);
  transmit(l2 - LINK_HEADER, l4 + length - (l2 - LINK_HEADER));
}

/** Events of the flow's host socket. */
export function pingSocketEvent(flow: number, events: number): void {
  const row = flow * ROW;
  const reply = isIpv4(row) ? ECHO_REPLY4 : ECHO_REPLY6;
  if ((events & EPOLLERR) !== 0) tellErrors(flow, SPLIT, 0);
  for (let count = 1; ; count++) {
    const length = kernel.receiveDistant(rows[row + FD]!, TRANSMIT_PAYLOAD - ICMP_HEADER, LARGEST, RECEIVED_HOP_LIMIT);
    if (length < 0) return;
    if (length >= ICMP_HEADER && type(TRANSMIT_PAYLOAD - ICMP_HEADER) === reply) {
      counters[Counter.ping_replies_in]!++;
      rows[row + FLAGS]! |= ANSWERED;
      leaveUnanswered(flow);
      replyToGuest(row, length, view.getInt32(RECEIVED_HOP_LIMIT, true));
    }
    if (count >= REPLIES_AT_ONCE && askAgain(flow)) return;
  }
}

/** The flow's timer is due: ends it when idle. */
export function pingTimerEvent(flow: number): void {
  const at = (rows[flow * ROW + LAST_ACTIVE]! + TIMEOUT) | 0;
  if (((nowMs - at) | 0) >= 0) end(flow, 0);
  else setTimer(flow, at);
}

function end(flow: number, errno: number): void {
  counters[Counter.ping_flows_ended]!++;
  logFlow(MessageId.FLOW_ENDED, flow, errno);
  release(flow);
}
