/**
 * Host → guest: data of the host socket, peeked and sent, until the guest has acknowledged it.
 *
 * Nothing is stored here: what is unacknowledged is still in the kernel's receive queue. SO_PEEK_OFF remembers where the
 * next peek begins and follows by itself; when something older is sent again, PEEK_ASTRAY has it set anew. Without SO_PEEK_OFF
 * (Linux < 6.9) each peek reads over what was sent before.
 */
import { Counter } from '../../shared/counters.ts';
import { counters } from '../link/counters.ts';
import { askAgain } from '../flow/again.ts';
import { waitForRoom } from '../flow/link_room.ts';
import { isIpv4 } from '../flow/packet.ts';
import { FD, FLAGS, ROW, rows } from '../flow/row.ts';
import { TRANSMIT_PAYLOAD } from '../link/arena.ts';
import { kernel } from '../link/kernel.ts';
import { linkHasRoom } from '../link/link.ts';
import { FIN, PSH } from '../wire/tcp.ts';
import { windowLeft } from './congestion.ts';
import { abort } from './ending.ts';
import {
  CWND,
  ESTABLISHED,
  FIN_SENT,
  HOST_ENDING,
  HOST_FIN,
  HOST_READABLE,
  HOST_URGENT,
  MSS,
  PEEK_ASTRAY,
  RETRANSMIT,
  RTT_SEQ,
  SACK_PERMITTED,
  SND_MAX,
  SND_UNA,
  SND_WND,
  SPOKE_LAST,
  SRTT,
} from './row.ts';
import { framePayload, sendSegment } from './segment.ts';
import { after } from './sequence.ts';
import { armRetransmission, cancelMeasurement, delayProbe, startMeasurement } from './timeout.ts';

const EAGAIN = 11;
const MSG_PEEK = 2;
const SOL_SOCKET = 1;
const SO_PEEK_OFF = 42;
/** How far `peekBehind` can look; more than any tap queue holds. */
const MOST_IN_FLIGHT = 1 << 24;
/**
 * Without SO_PEEK_OFF each look copies what is in flight once more: so there is little of it, yet enough for a guest that is near, and
 * for one that is not, 2⁶ bytes for each µs of a round trip, half a gigabit in a second.
 */
const LITTLE_IN_FLIGHT = 1 << 18;
const PACE_SHIFT = 6;
/** Frames of one flow in one go, so that no flow starves the others; the rest follows in the same wake-up. */
const FRAMES_AT_ONCE = 16;

let peekOffset4 = false;
let peekOffset6 = false;

/** Whether SO_PEEK_OFF works for TCP sockets, by family. */
export function setPeekOffset(ipv4: boolean, ipv6: boolean): void {
  peekOffset4 = ipv4;
  peekOffset6 = ipv6;
}

function hasPeekOffset(row: number): boolean {
  return isIpv4(row) ? peekOffset4 : peekOffset6;
}

/** Puts up to `want` bytes of the stream, from the number `seq` on, at TRANSMIT_PAYLOAD. Bytes, 0 at the end of the stream, or −errno. */
function peek(row: number, seq: number, want: number): number {
  const fd = rows[row + FD]!;
  const ahead = (seq - rows[row + SND_UNA]!) | 0;
  if (!hasPeekOffset(row)) return kernel.peekBehind(fd, ahead, TRANSMIT_PAYLOAD, want);
  if ((rows[row + FLAGS]! & PEEK_ASTRAY) !== 0) {
    const moved = kernel.setOption(fd, SOL_SOCKET, SO_PEEK_OFF, ahead);
    if (moved < 0) return moved;
    rows[row + FLAGS]! &= ~PEEK_ASTRAY;
  }
  return kernel.receive(fd, TRANSMIT_PAYLOAD, want, MSG_PEEK);
}

function sent(flow: number, bytes: number): void {
  const row = flow * ROW;
  const next = (rows[row + SND_MAX]! + bytes) | 0;
  rows[row + SND_MAX] = next;
  startMeasurement(row, next);
  if ((rows[row + FLAGS]! & RETRANSMIT) === 0) armRetransmission(flow);
  else delayProbe(row);
}

function sendFin(flow: number): void {
  const row = flow * ROW;
  rows[row + FLAGS]! |= FIN_SENT;
  sendSegment(flow, rows[row + SND_MAX]!, FIN, 0);
  sent(flow, 1);
}

/** Bytes that may be in flight, whatever the guest's window. */
function mostInFlight(row: number): number {
  if (hasPeekOffset(row)) return MOST_IN_FLIGHT;
  return Math.max(LITTLE_IN_FLIGHT, Math.min(rows[row + SRTT]!, MOST_IN_FLIGHT >> PACE_SHIFT) << PACE_SHIFT);
}

/** What both windows leave: whole segments, or less than one where nothing is in flight (RFC 9293 §3.8.6.2.1). */
function usableWindow(row: number): number {
  const inFlight = (rows[row + SND_MAX]! - rows[row + SND_UNA]!) | 0;
  let room = (Math.min(rows[row + SND_WND]!, mostInFlight(row)) - inFlight) | 0;
  if (rows[row + CWND] !== 0) room = Math.min(room, windowLeft(row));
  const mss = rows[row + MSS]!;
  if (room < mss) return inFlight > 0 ? 0 : room;
  return room - (room % mss);
}

/** Sends what the host socket has and the guest's window allows. True when there may be more to send at once. */
export function push(flow: number): boolean {
  const row = flow * ROW;
  if ((rows[row + FLAGS]! & ESTABLISHED) === 0) return false;
  for (let frames = 0; (rows[row + FLAGS]! & HOST_READABLE) !== 0; frames++) {
    if (!linkHasRoom() && waitForRoom(flow)) return false;
    const room = usableWindow(row);
    if (room <= 0) {
      // Nothing in flight means no ACK will come by itself: ask for the window (RFC 9293 §3.8.6.1).
      if (rows[row + SND_MAX] === rows[row + SND_UNA] && (rows[row + FLAGS]! & RETRANSMIT) === 0) armRetransmission(flow);
      return false;
    }
    if (frames === FRAMES_AT_ONCE) return true;
    const want = Math.min(room, framePayload(row));
    const got = peek(row, rows[row + SND_MAX]!, want);
    if (got > 0) {
      const flags = got < want ? PSH : 0;
      rows[row + FLAGS]! |= SPOKE_LAST;
      // A short read has emptied the queue: later data makes a new event. Unless the end is near, which makes none.
      if (got < want && (rows[row + FLAGS]! & (HOST_ENDING | HOST_URGENT)) === 0) rows[row + FLAGS]! &= ~HOST_READABLE;
      const written = sendSegment(flow, rows[row + SND_MAX]!, flags, got);
      sent(flow, got);
      if (!written) return false;
    } else if (got === 0) {
      rows[row + FLAGS] = (rows[row + FLAGS]! & ~HOST_READABLE) | HOST_FIN;
    } else if (got === -EAGAIN) {
      // Without SO_PEEK_OFF the end shows only once all before it is acknowledged: there is no other event, the ACK looks again.
      if ((rows[row + FLAGS]! & HOST_ENDING) !== 0) return false;
      rows[row + FLAGS]! &= ~HOST_READABLE;
    } else {
      abort(flow, -got);
      return false;
    }
  }
  const flags = rows[row + FLAGS]!;
  if ((flags & (HOST_FIN | FIN_SENT)) === HOST_FIN) sendFin(flow);
  return false;
}

/** Whether the socket of a flow with nothing in flight holds more: > 0, 0 at the end of the stream, or −errno. */
export function lookForMore(row: number): number {
  const got = peek(row, rows[row + SND_MAX]!, 1);
  if (got > 0) rows[row + FLAGS]! |= PEEK_ASTRAY;
  return got;
}

/** After `push` said that there is more: the flow gets another turn after the others. */
export function pushOn(flow: number): void {
  if (!askAgain(flow)) while (push(flow));
}

/**
 * Sends up to `want` bytes again from `seq` on, which was sent before; with the FIN where that is next. How many sequence numbers went
 * out: 0 when the socket can't give them now, −1 when the flow has ended.
 */
export function resend(flow: number, seq: number, want: number): number {
  const row = flow * ROW;
  const withFin = (rows[row + FLAGS]! & FIN_SENT) !== 0;
  const dataEnd = withFin ? (rows[row + SND_MAX]! - 1) | 0 : rows[row + SND_MAX]!;
  const data = Math.min(want, (dataEnd - seq) | 0);
  let got = 0;
  if (data > 0) {
    rows[row + FLAGS]! |= PEEK_ASTRAY;
    got = peek(row, seq, data);
    rows[row + FLAGS]! |= PEEK_ASTRAY;
    if (got <= 0) {
      if (got === 0 || got === -EAGAIN) return 0;
      abort(flow, -got);
      return -1;
    }
  }
  const fin = withFin && ((seq + got) | 0) === dataEnd && want > got ? 1 : 0;
  if (got + fin === 0) return 0;
  counters[Counter.tcp_retransmissions]!++;
  sendSegment(flow, seq, (got > 0 ? PSH : 0) | (fin === 0 ? 0 : FIN), got);
  // What is measured must have been sent once; without SACK what is missing before it would be measured as well.
  const end = (seq + got + fin) | 0;
  if ((rows[row + FLAGS]! & SACK_PERMITTED) === 0 || (after(rows[row + RTT_SEQ]!, seq) && !after(rows[row + RTT_SEQ]!, end)))
    cancelMeasurement(row);
  if ((rows[row + FLAGS]! & RETRANSMIT) === 0) armRetransmission(flow);
  return got + fin;
}
