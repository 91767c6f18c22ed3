/**
 * What the guest says of our data: the ACK field and the window (RFC 9293 §3.10.7.4, fifth step).
 */
import { Counter } from '../../shared/counters.ts';
import { FD, FLAGS, ROW, rows } from '../flow/row.ts';
import { counters } from '../link/counters.ts';
import { kernel } from '../link/kernel.ts';
import { frame } from '../wire/frame.ts';
import { acknowledgement, FIN, window as windowField } from '../wire/tcp.ts';
import { optionTimestamps, sackBlocks, timestampEcho } from '../wire/tcp_option.ts';
import { challenge } from './challenge.ts';
import { abort } from './ending.ts';
import { DUPLICATE_THRESHOLD } from './loss.ts';
import { repair, sendShutOut, thirdDuplicate } from './recovery.ts';
import {
  DUPLICATES,
  FIN_ACKED,
  FIN_SENT,
  LOSSY,
  MAX_SND_WND,
  PROBE_TIMER,
  PROBED,
  RECOVERING,
  RETRANSMIT,
  RETRIES,
  RTO,
  RTT_AT,
  SACK_PERMITTED,
  SND_MAX,
  SND_SHIFT,
  SND_UNA,
  SND_WL1,
  SND_WL2,
  SND_WND,
  TIMESTAMPS,
} from './row.ts';
import { after, before, distance } from './sequence.ts';
import { armRetransmission, endMeasurement, measureEcho, restoreTimeout } from './timeout.ts';
import { sinceEcho } from './timestamp.ts';

/** Removes `bytes` from the socket's queue; each call stops at the mark of urgent data. False when they are not there. */
function discard(fd: number, bytes: number): boolean {
  for (let left = bytes; left > 0; ) {
    const got = kernel.discard(fd, left);
    if (got <= 0) return false;
    left -= got;
  }
  return true;
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
  if (!discard(rows[row + FD]!, bytes)) {
    abort(flow, 0);
    return false;
  }
  rows[row + SND_UNA] = ack;
  // What Karn's rule forbids to measure, timestamps tell (RFC 7323 §4.1).
  if ((rows[row + FLAGS]! & (RECOVERING | TIMESTAMPS)) === (RECOVERING | TIMESTAMPS) && optionTimestamps && rows[row + RTT_AT] === 0)
    measureEcho(row, sinceEcho(row, timestampEcho));
  rows[row + RETRIES] = 0;
  rows[row + DUPLICATES] = 0;
  endMeasurement(row, ack);
  if (wholeAck) rows[row + FLAGS]! &= ~(RETRANSMIT | PROBE_TIMER | PROBED);
  else armRetransmission(flow);
  return true;
}

/**
 * The window that came with the segment (RFC 9293 §3.10.7.4, fifth step). True when a window has opened that was closed for a timeout
 * or more: what is unacknowledged was sent before, and shut out.
 */
function takeWindow(flow: number, seq: number, ack: number, una: number, announced: number): boolean {
  const row = flow * ROW;
  const first = rows[row + SND_WL1]!;
  // What acknowledges more than all before it is the newest, also when its data is an older one's, sent again.
  if (!after(ack, una) && (ack !== una || !(before(first, seq) || (first === seq && !before(ack, rows[row + SND_WL2]!))))) return false;
  const opened = rows[row + SND_WND] === 0 && announced > 0;
  rows[row + SND_WND] = announced;
  if (announced > rows[row + MAX_SND_WND]!) rows[row + MAX_SND_WND] = announced;
  rows[row + SND_WL1] = seq;
  rows[row + SND_WL2] = ack;
  // Whoever answers is there, be the window closed for hours (RFC 9293 §3.8.6.1 MUST-37).
  const probed = rows[row + RETRIES]! > 0;
  rows[row + RETRIES] = 0;
  if (!opened || (rows[row + FLAGS]! & RETRANSMIT) === 0) return false;
  // Probes of a closed window back off, data that was lost before it closed need not wait as long.
  const timeout = rows[row + RTO]!;
  restoreTimeout(row);
  armRetransmission(flow);
  // A timeout at its limit doesn't show that it was backed off.
  return (probed || timeout > rows[row + RTO]!) && rows[row + SND_MAX] !== rows[row + SND_UNA];
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
  const sack = (rows[row + FLAGS]! & SACK_PERMITTED) !== 0 && sackBlocks > 0;
  let careful = sack || (rows[row + FLAGS]! & LOSSY) !== 0;
  let third = false;
  if (after(ack, una)) {
    if (!acknowledged(flow, ack)) return false;
  } else if (ack === una && length === 0 && (bits & FIN) === 0 && announced === rows[row + SND_WND] && rows[row + SND_MAX] !== una) {
    counters[Counter.tcp_duplicate_acks]!++;
    if (!sack) third = ++rows[row + DUPLICATES]! === DUPLICATE_THRESHOLD;
  } else if ((rows[row + FLAGS]! & SACK_PERMITTED) === 0) careful = false;
  if (takeWindow(flow, seq, ack, una, announced)) return sendShutOut(flow, una);
  if (third) return thirdDuplicate(flow);
  return !careful || before(ack, una) || repair(flow, una);
}
