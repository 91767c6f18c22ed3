/**
 * Echo requests of the guest, through a ping socket per identifier and destination.
 *
 * The kernel gives each ping socket its own identifier and checks who may ping (net.ipv4.ping_group_range); replies get
 * the guest's identifier back and come from the address that the guest asked. A flow ends a minute after the last request.
 */
import { Counter } from '../../shared/counters.ts';
import { LogLevel, MessageId } from '../../shared/messages.ts';
import { Verb } from '../../shared/opener.ts';
import { nowMs } from '../flow/clock.ts';
import { forward } from '../flow/forward.ts';
import { log, logFlow, logFlowLimit } from '../flow/journal.ts';
import { requestSocket } from '../flow/opener.ts';
import { isIpv4, writeNetworkHeaders } from '../flow/packet.ts';
import { FD, FLAGS, LAST_ACTIVE, PING, PORTS, PROTOCOL, ROW, rows } from '../flow/row.ts';
import { add, find, key, KEY_FAR, remove } from '../flow/table.ts';
import { setTimer, stopTimer } from '../flow/timers.ts';
import { leaveUnanswered, makeRoom, noteUnanswered } from '../flow/unanswered.ts';
import { dropWaiting, keepWaiting, takeWaiting, waitingAt, waitingLength } from '../flow/waiting.ts';
import { EPOLLERR, watchFlow } from '../flow/watch.ts';
import { ERROR_RECORD, SPLIT, TRANSMIT_PAYLOAD } from '../link/arena.ts';
import { counters } from '../link/counters.ts';
import { kernel } from '../link/kernel.ts';
import { LINK_HEADER } from '../link/tap.ts';
import { transmit } from '../flow/transmit.ts';
import { frame } from '../wire/frame.ts';
import {
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
import { writeVnetPlain } from '../wire/vnet.ts';

const TIMEOUT = 60_000;
/** An IPv6 packet's, 20 more than an IPv4 packet's. */
const LARGEST = 65_535;

/** FLAGS of a ping flow: there was a reply. */
const ANSWERED = 1;

let refusalTold = false;

function open(ports: number): number {
  const flow = makeRoom() ? add(PING, ports, frame.protocol) : -1;
  if (flow < 0) {
    counters[Counter.ping_flows_refused]!++;
    logFlowLimit();
    return -1;
  }
  forward(key, KEY_FAR, frame.family, 0);
  if (!requestSocket(Verb.PING, flow, frame.family, ports >>> 16, 0, 0)) {
    remove(flow);
    counters[Counter.ping_flows_refused]!++;
    return -1;
  }
  counters[Counter.ping_flows_opened]!++;
  setTimer(flow, (nowMs + TIMEOUT) | 0);
  logFlow(MessageId.FLOW_BEGAN, flow, 0);
  return flow;
}

/** The echo request in `frame`, whose addresses are in `key`; other messages of the guest are not forwarded. */
export function echoFromGuest(): void {
  const wanted = frame.family === 4 ? ECHO_REQUEST4 : ECHO_REQUEST6;
  if (type(frame.l4) !== wanted) return;
  const ports = identifier(frame.l4) << 16;
  let flow = find(ports, frame.protocol);
  if (flow < 0) flow = open(ports);
  if (flow < 0) return;
  const row = flow * ROW;
  const length = frame.end - frame.l4;
  rows[row + LAST_ACTIVE] = nowMs;
  if (rows[row + FD]! >= 0) {
    kernel.send(rows[row + FD]!, frame.l4, length, 0);
    if ((rows[row + FLAGS]! & ANSWERED) === 0) noteUnanswered(flow);
  } else keepWaiting(flow, frame.l4, length, 0);
}

/** The opener's answer. */
export function pingOpened(flow: number, result: number, socket: number): void {
  if (result < 0 || socket < 0) {
    counters[Counter.opener_refused]!++;
    if (!refusalTold) log(LogLevel.WARNING, MessageId.PING_REFUSED, 1, -result, 0, 0, 0, 0, 0);
    refusalTold = true;
    end(flow, -result);
    return;
  }
  rows[flow * ROW + FD] = socket;
  if (watchFlow(flow) < 0) {
    end(flow, 0);
    return;
  }
  while (takeWaiting(flow)) kernel.send(socket, waitingAt, waitingLength, 0);
  noteUnanswered(flow);
}

function replyToGuest(row: number, length: number): void {
  const l4 = TRANSMIT_PAYLOAD - ICMP_HEADER;
  const id = rows[row + PORTS]! >>> 16;
  const ipv4 = isIpv4(row);
  writeEcho(l4, ipv4 ? ECHO_REPLY4 : ECHO_REPLY6, id, sequence(l4));
  const l2 = writeNetworkHeaders(row, l4, length, rows[row + PROTOCOL]!);
  if (ipv4) fillChecksum4(l4, length);
  else fillChecksum6(l4 - IPV6_HEADER, l4, length);
  writeVnetPlain(l2 - LINK_HEADER);
  transmit(l2 - LINK_HEADER, l4 + length - (l2 - LINK_HEADER));
}

/** Events of the flow's host socket. */
export function pingSocketEvent(flow: number, events: number): void {
  const row = flow * ROW;
  const fd = rows[row + FD]!;
  if ((events & EPOLLERR) !== 0) while (kernel.receiveError(fd, SPLIT, 2048, ERROR_RECORD) >= 0);
  for (;;) {
    const length = kernel.receive(fd, TRANSMIT_PAYLOAD - ICMP_HEADER, LARGEST, 0);
    if (length < ICMP_HEADER) return;
    const reply = isIpv4(row) ? ECHO_REPLY4 : ECHO_REPLY6;
    if (type(TRANSMIT_PAYLOAD - ICMP_HEADER) !== reply) continue;
    rows[row + FLAGS]! |= ANSWERED;
    leaveUnanswered(flow);
    replyToGuest(row, length);
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
  stopTimer(flow);
  leaveUnanswered(flow);
  dropWaiting(flow);
  if (rows[flow * ROW + FD]! >= 0) kernel.close(rows[flow * ROW + FD]!);
  remove(flow);
}
