/**
 * Guest → host: what a segment of the guest does (RFC 9293 §3.10.7), in that section's order: sequence number, RST, SYN,
 * ACK, data, FIN.
 */
import { Counter } from '../../shared/counters.ts';
import { nowMs } from '../flow/clock.ts';
import { counters } from '../link/counters.ts';
import { FD, FLAGS, LAST_ACTIVE, ROW, rows } from '../flow/row.ts';
import { kernel } from '../link/kernel.ts';
import { frame } from '../wire/frame.ts';
import { ACK, acknowledgement, FIN, flags as flagBits, RST, sequence, SYN, window as windowField } from '../wire/tcp.ts';
import { abandon, abort, end, established, shutHost } from './connection.ts';
import { acknowledgeLater, acknowledgeNow } from './acknowledge.ts';
import {
  ACK_DELAYED,
  ACK_NOW,
  CONNECTING,
  DUPLICATES,
  ESTABLISHED,
  FIN_ACKED,
  FIN_SENT,
  GUEST_FIN,
  HOST_READABLE,
  HOST_SHUT,
  ISS,
  MSS,
  PEEK_ASTRAY,
  RCV_EDGE,
  RCV_NXT,
  RECOVER,
  RETRANSMIT,
  RETRIES,
  SND_MAX,
  SND_NXT,
  SND_SHIFT,
  SND_UNA,
  SND_WL1,
  SND_WL2,
  SND_WND,
  SPOKE_LAST,
  STASH_FIRST,
} from './row.ts';
import { sendReset, sendSegment, sendSynAck } from './segment.ts';
import { after, before, distance } from './sequence.ts';
import { stash, stashedAt, stashedLength, unstash } from './stash.ts';
import { armRetransmission, endMeasurement } from './timeout.ts';
import { push, pushOn, resendFirst } from './transmit.ts';

const EAGAIN = 11;
const DUPLICATE_THRESHOLD = 3;
/** Nothing more will pass either way. */
const THROUGH = GUEST_FIN | HOST_SHUT | FIN_ACKED;

/** Passes `length` bytes at `at` on to the host socket, in order behind what is stashed. False when the flow has ended. */
function deliver(flow: number, at: number, length: number): boolean {
  const row = flow * ROW;
  let taken = 0;
  if (rows[row + STASH_FIRST] === 0) {
    taken = kernel.send(rows[row + FD]!, at, length, 0);
    if (taken === -EAGAIN) taken = 0;
    if (taken < 0) {
      abort(flow, -taken);
      return false;
    }
  }
  if (taken < length) {
    counters[Counter.tcp_partial_sends]!++;
    if (stash(flow, at + taken, length - taken)) taken = length;
  }
  rows[row + RCV_NXT] = (rows[row + RCV_NXT]! + taken) | 0;
  return true;
}

/** The host socket has room: gives it what was stashed, then the guest's FIN if that waited. False when the flow has ended. */
export function deliverStash(flow: number): boolean {
  const row = flow * ROW;
  while (rows[row + STASH_FIRST] !== 0) {
    const taken = kernel.send(rows[row + FD]!, stashedAt(flow), stashedLength(flow), 0);
    if (taken === -EAGAIN) return true;
    if (taken < 0) {
      abort(flow, -taken);
      return false;
    }
    unstash(flow, taken);
  }
  if ((rows[row + FLAGS]! & (GUEST_FIN | HOST_SHUT)) === GUEST_FIN) shutHost(flow);
  return !endWhenThrough(flow);
}

/** Ends a connection whose both FINs have gone through, ours acknowledged. True when it has ended. */
function endWhenThrough(flow: number): boolean {
  const row = flow * ROW;
  if ((rows[row + FLAGS]! & THROUGH) !== THROUGH) return false;
  if ((rows[row + FLAGS]! & (ACK_NOW | ACK_DELAYED)) !== 0) sendSegment(flow, rows[row + SND_MAX]!, 0, 0);
  end(flow, 0);
  return true;
}

/** RFC 9293 §3.10.7.4, first, second and fourth step, with RFC 5961 §3.2 and §4.2. False when the segment is done with. */
function checkControl(flow: number, seq: number, bits: number): boolean {
  const row = flow * ROW;
  const next = rows[row + RCV_NXT]!;
  if ((bits & RST) !== 0) {
    counters[Counter.tcp_resets_received]!++;
    if (seq === next) abandon(flow, 0);
    else if (!before(seq, next) && before(seq, rows[row + RCV_EDGE]!)) acknowledgeNow(flow);
    return false;
  }
  // First step: what is right of the window tells nothing, its window least of all. What is left of it is old, and judged by its ACK.
  if ((bits & SYN) !== 0 || after(seq, rows[row + RCV_EDGE]!)) {
    acknowledgeNow(flow);
    return false;
  }
  return (bits & ACK) !== 0;
}

/** The guest acknowledges new data up to `ack`. False when the flow has ended. */
function acknowledged(flow: number, ack: number): boolean {
  const row = flow * ROW;
  const wholeAck = ack === rows[row + SND_MAX];
  let bytes = distance(rows[row + SND_UNA]!, ack);
  if (wholeAck && (rows[row + FLAGS]! & FIN_SENT) !== 0) {
    bytes--;
    rows[row + FLAGS]! |= FIN_ACKED;
  }
  if (bytes > 0 && kernel.discard(rows[row + FD]!, bytes) !== bytes) {
    abort(flow, 0);
    return false;
  }
  rows[row + SND_UNA] = ack;
  if (before(rows[row + SND_NXT]!, ack)) {
    rows[row + SND_NXT] = ack;
    rows[row + FLAGS]! |= PEEK_ASTRAY;
  }
  rows[row + RETRIES] = 0;
  rows[row + DUPLICATES] = 0;
  endMeasurement(row, ack);
  if (wholeAck) rows[row + FLAGS]! &= ~RETRANSMIT;
  else {
    armRetransmission(flow);
    // RFC 6582 §3.2: an acknowledgement short of the recovery's end points at the next hole.
    if (rows[row + RECOVER] !== 0 && before(ack, rows[row + RECOVER]!)) resendFirst(flow);
  }
  if (rows[row + RECOVER] !== 0 && !before(ack, rows[row + RECOVER]!)) rows[row + RECOVER] = 0;
  return true;
}

/** Fifth step: the ACK field and the window. False when the flow has ended or the segment is to be dropped. */
function takeAck(flow: number, seq: number, length: number, bits: number): boolean {
  const row = flow * ROW;
  const ack = acknowledgement(frame.l4);
  const una = rows[row + SND_UNA]!;
  const announced = windowField(frame.l4) << rows[row + SND_SHIFT]!;
  if (after(ack, rows[row + SND_MAX]!)) {
    acknowledgeNow(flow);
    return false;
  }
  if (after(ack, una)) {
    if (!acknowledged(flow, ack)) return false;
  } else if (ack === una && length === 0 && (bits & FIN) === 0 && announced === rows[row + SND_WND] && rows[row + SND_MAX] !== una) {
    counters[Counter.tcp_duplicate_acks]!++;
    if (++rows[row + DUPLICATES]! === DUPLICATE_THRESHOLD && rows[row + RECOVER] === 0) {
      rows[row + RECOVER] = rows[row + SND_MAX]! | 0 || 1;
      resendFirst(flow);
      armRetransmission(flow);
    }
  }
  const first = rows[row + SND_WL1]!;
  // What acknowledges more than all before it is the newest, also when its data is an older one's, sent again.
  if (after(ack, una) || (ack === una && (before(first, seq) || (first === seq && !before(ack, rows[row + SND_WL2]!))))) {
    rows[row + SND_WND] = announced;
    rows[row + SND_WL1] = seq;
    rows[row + SND_WL2] = ack;
    // Whoever answers is there, be the window closed for hours (RFC 9293 §3.8.6.1 MUST-37).
    rows[row + RETRIES] = 0;
  }
  return true;
}

/** Seventh and eighth step: data and FIN. False when the flow has ended. */
function takeData(flow: number, segmentSeq: number, segmentLength: number, bits: number): boolean {
  const row = flow * ROW;
  const next = rows[row + RCV_NXT]!;
  let at = frame.payload;
  let length = segmentLength;
  const ahead = distance(next, segmentSeq);
  if (ahead > 0) {
    counters[Counter.tcp_out_of_order]!++;
    acknowledgeNow(flow);
    return true;
  }
  at -= ahead;
  length += ahead;
  let fin = (bits & FIN) !== 0;
  if (length < 0 || (length === 0 && !fin)) {
    // Old data, or a keep-alive probe: tell where we are (RFC 9293 §3.10.7.4, first step).
    acknowledgeNow(flow);
    return true;
  }
  const room = distance(next, rows[row + RCV_EDGE]!);
  if (length > room) {
    length = Math.max(room, 0);
    fin = false;
  }
  if ((rows[row + FLAGS]! & GUEST_FIN) !== 0) {
    acknowledgeNow(flow);
    return true;
  }
  if (length > 0 && !deliver(flow, at, length)) return false;
  if (fin && rows[row + RCV_NXT] === ((next + length) | 0)) {
    rows[row + RCV_NXT] = (rows[row + RCV_NXT]! + 1) | 0;
    rows[row + FLAGS]! |= GUEST_FIN;
    if (rows[row + STASH_FIRST] === 0) shutHost(flow);
    // The far end's FIN mostly follows at once, and carries the ACK.
    acknowledgeLater(flow);
    return true;
  }
  const spoke = (rows[row + FLAGS]! & SPOKE_LAST) !== 0;
  rows[row + FLAGS]! &= ~SPOKE_LAST;
  if (spoke && length < rows[row + MSS]!) acknowledgeLater(flow);
  else acknowledgeNow(flow);
  return true;
}

/** A segment while the far end has not answered yet, or our SYN|ACK is on its way. True when it establishes the connection. */
function handshake(flow: number, seq: number, bits: number): boolean {
  const row = flow * ROW;
  if ((rows[row + FLAGS]! & CONNECTING) !== 0) {
    // A repeated SYN waits with the first; a reset in its place, or anything else, ends the attempt.
    if ((bits & RST) !== 0 && seq === rows[row + RCV_NXT]) abandon(flow, 0);
    return false;
  }
  if ((bits & SYN) !== 0) {
    if (((seq + 1) | 0) === rows[row + RCV_NXT]) sendSynAck(flow, rows[row + ISS]!);
    return false;
  }
  if ((bits & RST) !== 0) {
    if (seq === rows[row + RCV_NXT]) abandon(flow, 0);
    return false;
  }
  if ((bits & ACK) === 0) return false;
  if (before(seq, rows[row + RCV_NXT]!) || after(seq, rows[row + RCV_EDGE]!)) {
    sendSegment(flow, rows[row + SND_MAX]!, 0, 0);
    return false;
  }
  if (acknowledgement(frame.l4) !== ((rows[row + ISS]! + 1) | 0)) {
    sendReset(flow, acknowledgement(frame.l4));
    return false;
  }
  rows[row + SND_UNA] = (rows[row + ISS]! + 1) | 0;
  rows[row + SND_WND] = windowField(frame.l4) << rows[row + SND_SHIFT]!;
  rows[row + SND_WL1] = seq;
  rows[row + SND_WL2] = rows[row + SND_UNA]!;
  rows[row + RETRIES] = 0;
  rows[row + FLAGS]! &= ~RETRANSMIT;
  established(flow);
  return true;
}

/** The segment in `frame` belongs to `flow`. */
export function segmentFromGuest(flow: number): void {
  const row = flow * ROW;
  const seq = sequence(frame.l4);
  const bits = flagBits(frame.l4);
  const length = frame.end - frame.payload;
  rows[row + LAST_ACTIVE] = nowMs;
  if ((rows[row + FLAGS]! & ESTABLISHED) === 0 && !handshake(flow, seq, bits)) return;
  if (!checkControl(flow, seq, bits) || !takeAck(flow, seq, length, bits)) return;
  if ((length > 0 || (bits & FIN) !== 0 || before(seq, rows[row + RCV_NXT]!)) && !takeData(flow, seq, length, bits)) return;
  if (endWhenThrough(flow)) return;
  if ((rows[row + FLAGS]! & HOST_READABLE) !== 0 && push(flow)) pushOn(flow);
}
