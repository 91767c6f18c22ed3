/**
 * A connection's beginning and end.
 *
 * Theory of operation. The host kernel holds the real connection; a row records what has happened on our side towards the
 * guest (tcp/row.ts: events as flags, not a state of the RFC). A SYN of the guest asks the opener for a socket and is
 * answered by SYN|ACK only when the far end has accepted, by RST or ICMP when it can't be reached: the guest sees the real
 * peer's answer. A connection of the host's side begins with a socket (tcp/inbound.ts). It ends when both FINs have gone
 * through and ours is acknowledged, when either side resets, or when the guest stops answering; then socket, timer, receive buffer and
 * row are given back at once, but for the row of a connection that we closed first (tcp/time_wait.ts).
 */
import { Counter } from '../../shared/counters.ts';
import { MessageId } from '../../shared/messages.ts';
import { Verb } from '../../shared/opener.ts';
import { nowMs, nowUs } from '../flow/clock.ts';
import { counters } from '../link/counters.ts';
import { forward } from '../flow/forward.ts';
import { flowHash } from '../flow/hash.ts';
import { logFlow, logFlowLimit } from '../flow/journal.ts';
import { requestSocket } from '../flow/opener.ts';
import { FAR, FD, FLAGS, GUEST, LAST_ACTIVE, PORTS, PROTOCOL, ROW, rows, TCP } from '../flow/row.ts';
import { add, key, KEY_FAR } from '../flow/table.ts';
import { makeRoom } from '../flow/unanswered.ts';
import { watchFlow } from '../flow/watch.ts';
import { kernel } from '../link/kernel.ts';
import { frame } from '../wire/frame.ts';
import { PROTOCOL_TCP } from '../wire/ipv4.ts';
import { ACK, sequence, window as windowField } from '../wire/tcp.ts';
import { optionMss, optionSackPermitted, optionTimestamps, optionWindowScale, readOptions, TIMESTAMPS_BYTES } from '../wire/tcp_option.ts';
import { marksAsked, marksOfSocket } from './marking.ts';
import { linkMss } from './mss.ts';
import {
  ACKED,
  CONNECTING,
  ESTABLISHED,
  HEARD_AT,
  IRS,
  ISS,
  MARKS,
  MAX_SND_WND,
  MSS,
  OFFERED,
  PEEK_ASTRAY,
  RCV_EDGE,
  RCV_NXT,
  RCV_SHIFT,
  RTO,
  SACK_PERMITTED,
  SND_MAX,
  SND_SHIFT,
  SND_UNA,
  SND_WL1,
  SND_WND,
  SPOKE_LAST,
  SYN_RECEIVED,
  SYN_SENT,
  TIMESTAMPS,
  TS_OFFSET,
} from './row.ts';
import { sendReset, sendSyn } from './segment.ts';
import { end, release } from './ending.ts';
import { evictTimeWait } from './time_wait.ts';
import { armRetransmission, INITIAL_RTO, scheduleNext, startMeasurement } from './timeout.ts';
import { startTimestamps } from './timestamp.ts';
import { stopListening, tellUnreachable } from './unreachable.ts';
import { INITIAL_WINDOW, OFFERED_SHIFT } from './window.ts';

/** MSS of a guest that offers none (RFC 9293 §3.7.1 MUST-15). */
const DEFAULT_MSS4 = 536;
const DEFAULT_MSS6 = 1220;
/** Smaller is an attack on our packet rate (CVE-2019-11479); the kernel's floor is the same. */
const MIN_MSS = 48;
/** The kernel asks no socket for a peek offset of its own; 0 turns it on. */
const SOL_SOCKET = 1;
const SO_PEEK_OFF = 42;
const ETIMEDOUT = 110;
/** Whether SACK is permitted to a guest that permits it. */
export const OFFERS_SACK = true;

/**
 * Initial sequence numbers: a keyed hash of the flow plus a clock (RFC 6528 §3) of 4 µs steps. It is made of the milliseconds
 * and what is left of them: the microseconds alone wrap after 71 minutes, and numbers would go back (RFC 9293 §3.4.1).
 */
function initialSequence(row: number): number {
  const clock = Math.imul(nowMs, 250) + (((nowUs - Math.imul(nowMs, 1000)) | 0) >> 2);
  return (flowHash(rows, row + GUEST, row + FAR, rows[row + PORTS]!, rows[row + PROTOCOL]! | 0x100) + clock) | 0;
}

/** Takes a row for the flow whose key is set; −1 when there is no room, and the limit is told. */
export function take(ports: number): number {
  const flow = makeRoom() ? add(TCP, ports, PROTOCOL_TCP) : -1;
  if (flow >= 0) return flow;
  if (evictTimeWait()) return take(ports);
  counters[Counter.tcp_flows_refused]!++;
  logFlowLimit();
  return -1;
}

/** Our own side of a connection that begins: numbers, window, first timeout. */
export function prepare(flow: number): void {
  const row = flow * ROW;
  rows[row + ISS] = initialSequence(row);
  // A hash of its own, so that the two tell nothing about each other (RFC 7323 §7.1).
  rows[row + TS_OFFSET] = flowHash(rows, row + GUEST, row + FAR, rows[row + PORTS]!, rows[row + PROTOCOL]! | 0x200);
  rows[row + SND_UNA] = rows[row + ISS]!;
  rows[row + SND_MAX] = rows[row + ISS]!;
  rows[row + RCV_EDGE] = (rows[row + RCV_NXT]! + INITIAL_WINDOW) | 0;
  rows[row + OFFERED] = INITIAL_WINDOW;
  rows[row + RTO] = INITIAL_RTO;
  rows[row + LAST_ACTIVE] = nowMs;
  rows[row + HEARD_AT] = nowMs;
}

/** What the SYN (or SYN|ACK) in `frame` says of the guest: its numbers, window, and the options that both ends shall use. */
export function takeSyn(flow: number): void {
  const row = flow * ROW;
  const ipv4 = frame.family === 4;
  readOptions(frame.l4);
  const offered = optionMss < 0 ? (ipv4 ? DEFAULT_MSS4 : DEFAULT_MSS6) : optionMss;
  const mss = Math.max(Math.min(offered, linkMss(ipv4)), MIN_MSS);
  // RFC 9293 §3.7.1 MUST-16: the options of each segment come out of it.
  rows[row + MSS] = optionTimestamps ? mss - TIMESTAMPS_BYTES : mss;
  rows[row + SND_SHIFT] = Math.max(optionWindowScale, 0);
  rows[row + RCV_SHIFT] = optionWindowScale < 0 ? -1 : OFFERED_SHIFT;
  rows[row + SND_WND] = windowField(frame.l4);
  rows[row + MAX_SND_WND] = rows[row + SND_WND]!;
  rows[row + IRS] = sequence(frame.l4);
  rows[row + RCV_NXT] = (rows[row + IRS]! + 1) | 0;
  rows[row + ACKED] = rows[row + RCV_NXT]!;
  rows[row + RCV_EDGE] = (rows[row + RCV_NXT]! + INITIAL_WINDOW) | 0;
  rows[row + SND_WL1] = rows[row + IRS]!;
  rows[row + FLAGS]! &= ~(SACK_PERMITTED | TIMESTAMPS);
  if (optionSackPermitted && OFFERS_SACK) rows[row + FLAGS]! |= SACK_PERMITTED;
  if (!optionTimestamps) return;
  rows[row + FLAGS]! |= TIMESTAMPS;
  startTimestamps(row);
}

/** Opens a flow for the SYN in `frame`, whose key is set. False when it can't be: the guest gets a RST. */
export function open(ports: number): boolean {
  if (!forward(key, KEY_FAR, frame.family, ports & 0xffff)) return false;
  const flow = take(ports);
  if (flow < 0) return false;
  const row = flow * ROW;
  takeSyn(flow);
  prepare(flow);
  const marks = marksAsked();
  rows[row + MARKS] = marks;
  rows[row + FLAGS]! |= CONNECTING;
  if (!requestSocket(Verb.TCP_CONNECT, flow, frame.family, 0, ports & 0xffff, marksOfSocket(marks))) {
    release(flow);
    counters[Counter.tcp_flows_refused]!++;
    return false;
  }
  counters[Counter.tcp_flows_opened]!++;
  logFlow(MessageId.FLOW_BEGAN, flow, 0);
  scheduleNext(flow);
  return true;
}

/** The opener's answer: the socket, connecting, or an error that the guest is told by RST. */
export function opened(flow: number, result: number, socket: number): void {
  const row = flow * ROW;
  if (result < 0 || socket < 0) {
    counters[Counter.opener_refused]!++;
    refuse(flow, -result);
    return;
  }
  rows[row + FD] = socket;
  if (watchFlow(flow) < 0) refuse(flow, 0);
}

/** The connect failed: the guest learns it as from a router or the far host, by ICMP or RST (RFC 9293 §3.10.7.3: SEQ 0, ACK of the SYN). */
function refuse(flow: number, errno: number): void {
  if (errno !== ETIMEDOUT && !tellUnreachable(flow, errno)) sendReset(flow, 0);
  end(flow, errno);
}

/** The far end accepted: SYN|ACK to the guest. */
export function connected(flow: number): void {
  const row = flow * ROW;
  stopListening(row);
  startPeeking(flow);
  rows[row + FLAGS] = (rows[row + FLAGS]! & ~CONNECTING) | SYN_RECEIVED;
  rows[row + LAST_ACTIVE] = nowMs;
  sendSynNow(flow, ACK);
}

/** The socket remembers from now on how far it was peeked, where the kernel can do that. */
export function startPeeking(flow: number): void {
  const row = flow * ROW;
  // Where it can and fails, the first peek tries again, and is told.
  if (kernel.setOption(rows[row + FD]!, SOL_SOCKET, SO_PEEK_OFF, 0) < 0) rows[row + FLAGS]! |= PEEK_ASTRAY;
}

/** Sends our SYN (`flagBits` 0) or SYN|ACK for the first time. */
export function sendSynNow(flow: number, flagBits: number): void {
  const row = flow * ROW;
  sendSyn(flow, rows[row + ISS]!, flagBits);
  rows[row + SND_MAX] = (rows[row + ISS]! + 1) | 0;
  startMeasurement(row, rows[row + SND_MAX]!);
  armRetransmission(flow);
}

/** The connect ended in an error of the socket (errno > 0). */
export function connectFailed(flow: number, errno: number): void {
  refuse(flow, errno);
}

/** The guest's ACK of our SYN came. */
export function established(flow: number): void {
  const row = flow * ROW;
  rows[row + FLAGS] = (rows[row + FLAGS]! & ~(SYN_RECEIVED | SYN_SENT)) | ESTABLISHED | SPOKE_LAST;
}
