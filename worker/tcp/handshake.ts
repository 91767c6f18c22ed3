/**
 * Segments before a connection is established: RFC 9293 §3.10.7.3 (SYN-SENT) and §3.10.7.4 as far as it is about SYN-RECEIVED.
 */
import { Counter } from '../../shared/counters.ts';
import { FLAGS, ROW, rows } from '../flow/row.ts';
import { counters } from '../link/counters.ts';
import { frame } from '../wire/frame.ts';
import { ACK, acknowledgement, RST, SYN, window as windowField } from '../wire/tcp.ts';
import { acknowledgeNow } from './acknowledge.ts';
import { challenge } from './challenge.ts';
import { established, takeSyn } from './connection.ts';
import { abandon } from './ending.ts';
import {
  CONNECTING,
  ISS,
  MAX_SND_WND,
  RCV_EDGE,
  RCV_NXT,
  RETRANSMIT,
  RETRIES,
  RTO,
  SND_SHIFT,
  SND_UNA,
  SND_WL1,
  SND_WL2,
  SND_WND,
  SYN_RECEIVED,
  SYN_SENT,
} from './row.ts';
import { sendResetWithoutAck, sendSyn } from './segment.ts';
import { after, before } from './sequence.ts';
import { endMeasurement, INITIAL_RTO, RTO_AFTER_LOST_SYN } from './timeout.ts';

/** Our SYN is acknowledged, by the segment in `frame` that begins at `seq`. */
function establish(flow: number, seq: number, shift: number): void {
  const row = flow * ROW;
  const ack = (rows[row + ISS]! + 1) | 0;
  rows[row + SND_UNA] = ack;
  rows[row + SND_WND] = windowField(frame.l4) << shift;
  rows[row + MAX_SND_WND] = Math.max(rows[row + MAX_SND_WND]!, rows[row + SND_WND]!);
  rows[row + SND_WL1] = seq;
  rows[row + SND_WL2] = ack;
  // RFC 6298 §5.7: a SYN that had to be sent again says nothing of the way but that it is bad.
  rows[row + RTO] = rows[row + RETRIES] === 0 ? INITIAL_RTO : RTO_AFTER_LOST_SYN;
  rows[row + RETRIES] = 0;
  rows[row + FLAGS]! &= ~RETRANSMIT;
  endMeasurement(row, ack);
  established(flow);
}

/** The guest has not answered our SYN yet (RFC 9293 §3.10.7.3). True when this segment establishes the connection. */
function synSent(flow: number, seq: number, bits: number): boolean {
  const row = flow * ROW;
  const acceptable = (bits & ACK) !== 0 && acknowledgement(frame.l4) === ((rows[row + ISS]! + 1) | 0);
  if ((bits & ACK) !== 0 && !acceptable) {
    if ((bits & RST) === 0) sendResetWithoutAck(flow, acknowledgement(frame.l4));
    return false;
  }
  if ((bits & RST) !== 0) {
    counters[Counter.tcp_resets_received]!++;
    if (acceptable) abandon(flow, 0);
    return false;
  }
  if ((bits & SYN) === 0) return false;
  takeSyn(flow);
  if (acceptable) {
    // The window of a SYN is never scaled (RFC 7323 §2.2).
    establish(flow, seq, 0);
    acknowledgeNow(flow);
    return true;
  }
  // Both have called each other (RFC 9293 §3.5, figure 8): the same SYN again, now with its answer.
  rows[row + FLAGS] = (rows[row + FLAGS]! & ~SYN_SENT) | SYN_RECEIVED;
  sendSyn(flow, rows[row + ISS]!, ACK);
  return false;
}

/** Our SYN|ACK is on its way (RFC 9293 §3.10.7.4). True when this segment establishes the connection. */
function synReceived(flow: number, seq: number, bits: number): boolean {
  const row = flow * ROW;
  const next = rows[row + RCV_NXT]!;
  const inWindow = !before(seq, next) && !after(seq, rows[row + RCV_EDGE]!);
  if ((bits & RST) !== 0) {
    counters[Counter.tcp_resets_received]!++;
    if (seq === next) abandon(flow, 0);
    else if (inWindow) challenge(flow);
    return false;
  }
  if ((bits & SYN) !== 0) {
    const again = ((seq + 1) | 0) === next;
    // Of two that called each other, the other's SYN|ACK; a repeated SYN means that our answer was lost.
    if (again && (bits & ACK) !== 0 && acknowledgement(frame.l4) === ((rows[row + ISS]! + 1) | 0)) {
      establish(flow, seq, 0);
      acknowledgeNow(flow);
      return true;
    }
    if (again) sendSyn(flow, rows[row + ISS]!, ACK);
    else challenge(flow);
    return false;
  }
  if ((bits & ACK) === 0) return false;
  if (!inWindow) {
    challenge(flow);
    return false;
  }
  if (acknowledgement(frame.l4) !== ((rows[row + ISS]! + 1) | 0)) {
    sendResetWithoutAck(flow, acknowledgement(frame.l4));
    return false;
  }
  establish(flow, seq, rows[row + SND_SHIFT]!);
  return true;
}

/** A segment while the connection is not established. True when it is now, and the segment may hold more. */
export function handshake(flow: number, seq: number, bits: number): boolean {
  const flags = rows[flow * ROW + FLAGS]!;
  if ((flags & CONNECTING) !== 0) {
    // A repeated SYN waits with the first; a reset in its place ends the attempt.
    if ((bits & RST) !== 0 && seq === rows[flow * ROW + RCV_NXT]) abandon(flow, 0);
    return false;
  }
  return (flags & SYN_SENT) !== 0 ? synSent(flow, seq, bits) : synReceived(flow, seq, bits);
}
