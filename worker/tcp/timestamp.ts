/**
 * Timestamps: RFC 7323 §3 to §5. Ours are milliseconds of the clock plus an offset of the flow's own, so that a guest learns
 * nothing of this machine's uptime (§7.1).
 */
import { nowMs } from '../flow/clock.ts';
import { rows } from '../flow/row.ts';
import { timestampValue } from '../wire/tcp_option.ts';
import { ACKED, TS_OFFSET, TS_RECENT, TS_RECENT_AT } from './row.ts';
import { after, before } from './sequence.ts';

/** RFC 7323 §5.5: after 24 days TS.Recent says nothing any more. Compared without a sign: 24.8 days are 2³¹ ms. */
const OUTDATED = 24 * 24 * 3600 * 1000;

/** Our TSval of this moment. */
export function ourTimestamp(row: number): number {
  return (nowMs + rows[row + TS_OFFSET]!) | 0;
}

/** Milliseconds since we sent the segment whose TSval the guest echoes as `echo`; ≥ 0. */
export function sinceEcho(row: number, echo: number): number {
  return Math.max((ourTimestamp(row) - echo) | 0, 0);
}

/** PAWS: true when the timestamps just read are older than what was seen, so the segment is a late copy (RFC 7323 §5.3 R1). */
export function isLateCopy(row: number): boolean {
  return before(timestampValue, rows[row + TS_RECENT]!) && (nowMs - rows[row + TS_RECENT_AT]!) >>> 0 < OUTDATED;
}

/** Takes TSval of the SYN just read. */
export function startTimestamps(row: number): void {
  rows[row + TS_RECENT] = timestampValue;
  rows[row + TS_RECENT_AT] = nowMs;
}

/** An acceptable segment that begins at `seq`: its TSval is echoed if it covers what was last acknowledged (RFC 7323 §4.3). */
export function noteTimestamp(row: number, seq: number): void {
  if (after(seq, rows[row + ACKED]!) || before(timestampValue, rows[row + TS_RECENT]!)) return;
  rows[row + TS_RECENT] = timestampValue;
  rows[row + TS_RECENT_AT] = nowMs;
}
