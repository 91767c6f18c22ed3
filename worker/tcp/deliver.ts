/**
 * Guest → host: data and FIN of a segment to the host socket (RFC 9293 §3.10.7.4, seventh and eighth step).
 *
 * Theory of operation. Bytes in order go to the socket from where they lie. What it has no room for, though the window had
 * promised it, waits in the flow's receive buffer, and so does what comes behind a gap; both are acknowledged or told of, so
 * neither is given up. Whoever takes in bytes in order here also takes those behind them that are there already.
 */
import { Counter } from '../../shared/counters.ts';
import { FD, FLAGS, ROW, rows } from '../flow/row.ts';
import { counters } from '../link/counters.ts';
import { kernel } from '../link/kernel.ts';
import { frame } from '../wire/frame.ts';
import { FIN } from '../wire/tcp.ts';
import { acknowledgeAtOnce, acknowledgeLater, acknowledgeNow } from './acknowledge.ts';
import { endWhenThrough, shutHost, takeFin } from './closing.ts';
import { abort } from './ending.ts';
import { passKeepAliveOn } from './keepalive.ts';
import {
  clearDuplicate,
  dropAhead,
  duplicateLeft,
  duplicateRight,
  endsThere,
  gapLength,
  keepAhead,
  releaseTaken,
  rememberEnd,
  takeFirstRange,
} from './reassembly.ts';
import { heldAt, heldLength, keep } from './receive_buffer.ts';
import { AHEAD_FIRST, GUEST_FIN, HELD, HOST_SHUT, MSS, RCV_BUFFER, RCV_EDGE, RCV_NXT, SPOKE_LAST } from './row.ts';
import { forgetReceiveSpace } from './receive_space.ts';
import { tellDuplicate } from './sack.ts';
import { after, distance } from './sequence.ts';

const EAGAIN = 11;

/** Passes `length` bytes in order on to the host socket, behind what waits for it. How many were taken or kept; −1 when the flow has ended. */
function deliver(flow: number, at: number, length: number): number {
  const row = flow * ROW;
  let taken = 0;
  if (rows[row + HELD] === 0) {
    taken = kernel.send(rows[row + FD]!, at, length, 0);
    if (taken === -EAGAIN) taken = 0;
    if (taken < 0) {
      abort(flow, -taken);
      return -1;
    }
  }
  rows[row + RCV_NXT] = (rows[row + RCV_NXT]! + taken) | 0;
  if (taken === length) return taken;
  counters[Counter.tcp_partial_sends]!++;
  forgetReceiveSpace(row);
  const kept = keep(flow, rows[row + RCV_NXT]!, at + taken, length - taken, true);
  rows[row + RCV_NXT] = (rows[row + RCV_NXT]! + kept) | 0;
  rows[row + HELD]! += kept;
  releaseTaken(flow);
  return taken + kept;
}

/** Gives the host socket what waits for it, as far as it has room. False when the flow has ended. */
function deliverKept(flow: number): boolean {
  const row = flow * ROW;
  while (rows[row + HELD] !== 0) {
    const taken = kernel.send(rows[row + FD]!, heldAt(flow), heldLength(flow), 0);
    if (taken === -EAGAIN) break;
    if (taken < 0) {
      abort(flow, -taken);
      return false;
    }
    rows[row + HELD]! -= taken;
    releaseTaken(flow);
  }
  return true;
}

/** The host socket has room: gives it what waits, then the guest's FIN if that waited too. False when the flow has ended. */
export function deliverHeld(flow: number): boolean {
  const row = flow * ROW;
  if (!deliverKept(flow)) return false;
  if (rows[row + HELD] !== 0) return true;
  if ((rows[row + FLAGS]! & (GUEST_FIN | HOST_SHUT)) === GUEST_FIN) shutHost(flow);
  return !endWhenThrough(flow);
}

/** Like `deliver` where ranges may be there already: takes those that the bytes reach as well. False when the flow has ended. */
function deliverAround(flow: number, at: number, length: number): boolean {
  const row = flow * ROW;
  clearDuplicate();
  for (let left = length; left > 0; ) {
    const gap = rows[row + AHEAD_FIRST] === 0 ? left : Math.min(gapLength(row), left);
    const taken = deliver(flow, at + length - left, gap);
    if (taken < 0) return false;
    left -= gap;
    if (taken < gap || rows[row + AHEAD_FIRST] === 0 || gapLength(row) !== 0) break;
    left -= takeFirstRange(flow, left);
    if (!deliverKept(flow)) return false;
  }
  if (rows[row + RCV_BUFFER] !== 0) releaseTaken(flow);
  return true;
}

/** A segment beyond RCV_NXT: keeps what the window has promised room for, and tells the guest at once (RFC 5681 §4.2). */
function takeAhead(flow: number, seq: number, length: number, fin: boolean): void {
  const row = flow * ROW;
  counters[Counter.tcp_out_of_order]!++;
  if ((rows[row + FLAGS]! & GUEST_FIN) === 0) {
    const room = distance(seq, rows[row + RCV_EDGE]!);
    keepAhead(flow, seq, frame.payload, Math.max(Math.min(length, room), 0));
    if (fin && length <= room) rememberEnd(flow, (seq + length) | 0);
    tellDuplicate(flow, duplicateLeft, duplicateRight);
    if (rows[row + RCV_BUFFER] !== 0) releaseTaken(flow);
  }
  acknowledgeAtOnce(flow);
}

/** A segment of which nothing is new: tells where we are (RFC 9293 §3.10.7.4, first step). */
function answerOld(flow: number, seq: number, length: number): void {
  tellDuplicate(flow, seq, (seq + length) | 0);
  acknowledgeAtOnce(flow);
  if (distance(seq, rows[flow * ROW + RCV_NXT]!) === 1 && length <= 1) passKeepAliveOn(flow);
}

/** Data in order, where some waits for the socket or came out of order; answers it if `old` is 0. False when the flow has ended. */
function takeAmidst(flow: number, at: number, length: number, fin: boolean, old: number): boolean {
  const row = flow * ROW;
  const end = (rows[row + RCV_NXT]! + length) | 0;
  if (!deliverAround(flow, at, length)) return false;
  if ((fin && rows[row + RCV_NXT] === end) || endsThere(flow, rows[row + RCV_NXT]!)) {
    rows[row + RCV_NXT] = (rows[row + RCV_NXT]! + 1) | 0;
    dropAhead(flow);
    takeFin(flow);
  }
  // One answer for one segment, which tells of one piece: the first (RFC 5681 §4.2, RFC 2883 §4.2).
  if (old > 0) return true;
  tellDuplicate(flow, duplicateLeft, duplicateRight);
  if (duplicateLeft !== duplicateRight) acknowledgeAtOnce(flow);
  else acknowledgeNow(flow);
  return true;
}

/** `length` bytes in order from `at`, behind `old` that came before, and perhaps the FIN behind them. False when the flow has ended. */
function takeInOrder(flow: number, at: number, length: number, fin: boolean, old: number): boolean {
  const row = flow * ROW;
  if (rows[row + RCV_BUFFER] !== 0) return takeAmidst(flow, at, length, fin, old);
  let taken = 0;
  if (length > 0) {
    taken = deliver(flow, at, length);
    if (taken < 0) return false;
  }
  if (fin && taken === length) {
    rows[row + RCV_NXT] = (rows[row + RCV_NXT]! + 1) | 0;
    takeFin(flow);
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

/** Seventh and eighth step: data and FIN. False when the flow has ended. */
export function takeData(flow: number, segmentSeq: number, segmentLength: number, bits: number): boolean {
  const row = flow * ROW;
  const next = rows[row + RCV_NXT]!;
  let fin = (bits & FIN) !== 0;
  if (after(segmentSeq, next)) {
    takeAhead(flow, segmentSeq, segmentLength, fin);
    return true;
  }
  const old = distance(segmentSeq, next);
  let length = segmentLength - old;
  if (length < 0 || (length === 0 && !fin)) {
    answerOld(flow, segmentSeq, segmentLength);
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
  if (!takeInOrder(flow, frame.payload + old, length, fin, old)) return false;
  if (old > 0 && segmentLength > 0) {
    tellDuplicate(flow, segmentSeq, next);
    acknowledgeAtOnce(flow);
  }
  return true;
}
