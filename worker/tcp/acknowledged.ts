/**
 * What the guest says of our data: the ACK field and the window (RFC 9293 §3.10.7.4, fifth step).
 */
import { Counter } from '../../shared/counters.ts';
import { FD, FLAGS, ROW, rows } from '../flow/row.ts';
import { counters } from '../link/counters.ts';
import { kernel } from '../link/kernel.ts';
import { frame } from '../wire/frame.ts';
import { acknowledgement, FIN, window as windowField } from '../wire/tcp.ts';
import { challenge } from './challenge.ts';
import { abort } from './ending.ts';
import {
  DUPLICATES,
  FIN_ACKED,
  FIN_SENT,
  MAX_SND_WND,
  PEEK_ASTRAY,
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
} from './row.ts';
import { after, before, distance } from './sequence.ts';
import { armRetransmission, endMeasurement } from './timeout.ts';
import { resendFirst } from './transmit.ts';

const DUPLICATE_THRESHOLD = 3;

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
export function takeAck(flow: number, seq: number, length: number, bits: number): boolean {
  const row = flow * ROW;
  const ack = acknowledgement(frame.l4);
  const una = rows[row + SND_UNA]!;
  const announced = windowField(frame.l4) << rows[row + SND_SHIFT]!;
  // RFC 5961 §5.2: neither what was never sent, nor what is older than any window.
  if (after(ack, rows[row + SND_MAX]!) || distance(ack, una) > rows[row + MAX_SND_WND]!) {
    challenge(flow);
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
    if (announced > rows[row + MAX_SND_WND]!) rows[row + MAX_SND_WND] = announced;
    rows[row + SND_WL1] = seq;
    rows[row + SND_WL2] = ack;
    // Whoever answers is there, be the window closed for hours (RFC 9293 §3.8.6.1 MUST-37).
    rows[row + RETRIES] = 0;
  }
  return true;
}
