/**
 * Guest → host: data and FIN of a segment, in order, to the host socket (RFC 9293 §3.10.7.4, seventh and eighth step).
 */
import { Counter } from '../../shared/counters.ts';
import { FD, FLAGS, ROW, rows } from '../flow/row.ts';
import { counters } from '../link/counters.ts';
import { kernel } from '../link/kernel.ts';
import { frame } from '../wire/frame.ts';
import { FIN } from '../wire/tcp.ts';
import { acknowledgeLater, acknowledgeNow } from './acknowledge.ts';
import { endWhenThrough, shutHost, takeFin } from './closing.ts';
import { abort } from './ending.ts';
import { passKeepAliveOn } from './keepalive.ts';
import { GUEST_FIN, HOST_SHUT, MSS, RCV_EDGE, RCV_NXT, SPOKE_LAST, STASH_FIRST } from './row.ts';
import { distance } from './sequence.ts';
import { stash, stashedAt, stashedLength, unstash } from './stash.ts';

const EAGAIN = 11;

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

/** Seventh and eighth step: data and FIN. False when the flow has ended. */
export function takeData(flow: number, segmentSeq: number, segmentLength: number, bits: number): boolean {
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
    if (ahead === -1 && segmentLength <= 1) passKeepAliveOn(flow);
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
