/**
 * A connection's beginning and end.
 *
 * Theory of operation. The host kernel holds the real connection; a row records what has happened on our side towards the
 * guest (tcp/row.ts: events as flags, not a state of the RFC). A SYN of the guest asks the opener for a socket and is
 * answered by SYN|ACK only when the far end has accepted, by RST when it has refused: the guest sees the real peer's
 * answer. A connection ends when both FINs have gone through and ours is acknowledged, when either side resets, or when
 * the guest stops answering; then socket, timer, stash and row are given back at once.
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
import { add, key, KEY_FAR, remove } from '../flow/table.ts';
import { stopTimer } from '../flow/timers.ts';
import { watchFlow } from '../flow/watch.ts';
import { kernel } from '../link/kernel.ts';
import { frame } from '../wire/frame.ts';
import { PROTOCOL_TCP } from '../wire/ipv4.ts';
import { readSynOptions, sequence, synMss, synWindowScale, window as windowField } from '../wire/tcp.ts';
import { linkMss } from './mss.ts';
import {
  ACKED,
  CONNECTING,
  ESTABLISHED,
  HOST_SHUT,
  IRS,
  ISS,
  MSS,
  OFFERED,
  RCV_EDGE,
  RCV_NXT,
  RCV_SHIFT,
  RTO,
  SND_MAX,
  SND_NXT,
  SND_SHIFT,
  SND_UNA,
  SND_WL1,
  SND_WND,
  SPOKE_LAST,
  SYN_RECEIVED,
} from './row.ts';
import { sendReset, sendSynAck } from './segment.ts';
import { dropStash } from './stash.ts';
import { armRetransmission, INITIAL_RTO, scheduleNext } from './timeout.ts';
import { INITIAL_WINDOW, OFFERED_SHIFT } from './window.ts';

/** MSS of a guest that offers none (RFC 9293 §3.7.1 MUST-15). */
const DEFAULT_MSS4 = 536;
const DEFAULT_MSS6 = 1220;
/** Smaller is an attack on our packet rate (CVE-2019-11479); the kernel's floor is the same. */
const MIN_MSS = 48;
/** The kernel asks no socket for a peek offset of its own; 0 turns it on. */
const SOL_SOCKET = 1;
const SO_PEEK_OFF = 42;

/** Initial sequence numbers: a keyed hash of the flow plus a clock (RFC 6528 §3); 4 µs steps. */
function initialSequence(row: number): number {
  return (flowHash(rows, row + GUEST, row + FAR, rows[row + PORTS]!, rows[row + PROTOCOL]! | 0x100) + (nowUs >>> 2)) | 0;
}

/** Opens a flow for the SYN in `frame`, whose key is set. False when it can't be: the guest gets a RST. */
export function open(ports: number): boolean {
  const flow = add(TCP, ports, PROTOCOL_TCP);
  if (flow < 0) {
    counters[Counter.tcp_flows_refused]!++;
    logFlowLimit();
    return false;
  }
  const row = flow * ROW;
  const ipv4 = frame.family === 4;
  readSynOptions(frame.l4);
  const offered = synMss < 0 ? (ipv4 ? DEFAULT_MSS4 : DEFAULT_MSS6) : synMss;
  rows[row + MSS] = Math.max(Math.min(offered, linkMss(ipv4)), MIN_MSS);
  rows[row + SND_SHIFT] = Math.max(synWindowScale, 0);
  rows[row + RCV_SHIFT] = synWindowScale < 0 ? -1 : OFFERED_SHIFT;
  rows[row + SND_WND] = windowField(frame.l4);
  rows[row + IRS] = sequence(frame.l4);
  rows[row + RCV_NXT] = (rows[row + IRS]! + 1) | 0;
  rows[row + ACKED] = rows[row + RCV_NXT]!;
  rows[row + RCV_EDGE] = (rows[row + RCV_NXT]! + INITIAL_WINDOW) | 0;
  rows[row + OFFERED] = INITIAL_WINDOW;
  rows[row + SND_WL1] = rows[row + IRS]!;
  rows[row + ISS] = initialSequence(row);
  rows[row + SND_UNA] = rows[row + ISS]!;
  rows[row + SND_NXT] = rows[row + ISS]!;
  rows[row + SND_MAX] = rows[row + ISS]!;
  rows[row + RTO] = INITIAL_RTO;
  rows[row + FLAGS] = CONNECTING;
  rows[row + LAST_ACTIVE] = nowMs;
  forward(key, KEY_FAR, frame.family);
  if (!requestSocket(Verb.TCP_CONNECT, flow, frame.family, 0, ports & 0xffff, 0)) {
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

/** The connect failed: RST to the guest (RFC 9293 §3.10.7.3: SEQ 0, ACK of the SYN). */
function refuse(flow: number, errno: number): void {
  sendReset(flow, 0);
  end(flow, errno);
}

/** The far end accepted: SYN|ACK to the guest. */
export function connected(flow: number): void {
  const row = flow * ROW;
  kernel.setOption(rows[row + FD]!, SOL_SOCKET, SO_PEEK_OFF, 0);
  rows[row + FLAGS] = (rows[row + FLAGS]! & ~CONNECTING) | SYN_RECEIVED;
  sendSynAck(flow, rows[row + ISS]!);
  rows[row + SND_NXT] = (rows[row + ISS]! + 1) | 0;
  rows[row + SND_MAX] = rows[row + SND_NXT]!;
  armRetransmission(flow);
}

/** The connect ended in an error of the socket (errno > 0). */
export function connectFailed(flow: number, errno: number): void {
  refuse(flow, errno);
}

/** The guest's ACK of our SYN came. */
export function established(flow: number): void {
  const row = flow * ROW;
  rows[row + FLAGS] = (rows[row + FLAGS]! & ~SYN_RECEIVED) | ESTABLISHED | SPOKE_LAST;
}

/** Resets both sides: the guest by RST, the host's peer by an abortive close. */
export function abort(flow: number, errno: number): void {
  sendReset(flow, rows[flow * ROW + SND_MAX]!);
  abandon(flow, errno);
}

/** The guest has reset or given up: the host's peer is told by a reset, the guest is told nothing. */
export function abandon(flow: number, errno: number): void {
  const fd = rows[flow * ROW + FD]!;
  if (fd >= 0) kernel.setAbortive(fd);
  end(flow, errno);
}

/** Ends the flow; its socket is closed in the orderly way unless made abortive before. */
export function end(flow: number, errno: number): void {
  counters[Counter.tcp_flows_ended]!++;
  logFlow(MessageId.FLOW_ENDED, flow, errno);
  release(flow);
}

function release(flow: number): void {
  const fd = rows[flow * ROW + FD]!;
  stopTimer(flow);
  dropStash(flow);
  if (fd >= 0) kernel.close(fd);
  remove(flow);
}

const SHUT_WR = 1;

/** Passes the guest's FIN on to the host's peer. */
export function shutHost(flow: number): void {
  const row = flow * ROW;
  rows[row + FLAGS]! |= HOST_SHUT;
  kernel.shutdown(rows[row + FD]!, SHUT_WR);
}
