/**
 * When the guest is told what has arrived: once per batch of frames, or, in a dialogue, with the reply.
 *
 * A guest that sends a request and waits gets its acknowledgement with the answer's first segment; if none comes within
 * ACK_DELAY it is sent alone (RFC 9293 §3.8.6.3: less than 0.5 s; ours is far less, so that nobody's Nagle waits for it).
 */
import { nowMs } from '../flow/clock.ts';
import { FLAGS, KIND, ROW, rows, TCP } from '../flow/row.ts';
import { setTimer } from '../flow/timers.ts';
import { ACK_AT, ACK_DELAYED, ACK_NOW, PROBE_TIMER, REORDER_TIMER, SND_MAX } from './row.ts';
import { sendSegment } from './segment.ts';
import { scheduleNext } from './timeout.ts';

/** Milliseconds that a reply of the host may take to carry the ACK. */
const ACK_DELAY = 2;
const MAX_OWED = 64;

const owed = new Int32Array(MAX_OWED);
let owedCount = 0;

/** An ACK goes out at the end of the present batch. */
export function acknowledgeNow(flow: number): void {
  const row = flow * ROW;
  if ((rows[row + FLAGS]! & ACK_NOW) !== 0) return;
  if (owedCount === MAX_OWED) flushAcknowledgements();
  rows[row + FLAGS]! |= ACK_NOW;
  owed[owedCount++] = flow;
}

/** An ACK goes out at once, with what was told to `tellDuplicate` (tcp/sack.ts). */
export function acknowledgeAtOnce(flow: number): void {
  sendSegment(flow, rows[flow * ROW + SND_MAX]!, 0, 0);
}

/** An ACK goes out with the next data for the guest, or in ACK_DELAY. */
export function acknowledgeLater(flow: number): void {
  const row = flow * ROW;
  if ((rows[row + FLAGS]! & (ACK_NOW | ACK_DELAYED)) !== 0) return;
  rows[row + FLAGS]! |= ACK_DELAYED;
  rows[row + ACK_AT] = (nowMs + ACK_DELAY) | 0;
  // A hole may be judged sooner.
  if ((rows[row + FLAGS]! & (REORDER_TIMER | PROBE_TIMER)) === 0) setTimer(flow, rows[row + ACK_AT]!);
  else scheduleNext(flow);
}

/** Sends the ACKs of this batch that no data has carried. */
export function flushAcknowledgements(): void {
  const count = owedCount;
  owedCount = 0;
  for (let i = 0; i < count; i++) {
    const flow = owed[i]!;
    const row = flow * ROW;
    if (rows[row + KIND] === TCP && (rows[row + FLAGS]! & ACK_NOW) !== 0) sendSegment(flow, rows[row + SND_MAX]!, 0, 0);
  }
}
