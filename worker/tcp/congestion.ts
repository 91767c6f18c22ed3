/**
 * How much may be in flight to the guest beside its window: RFC 5681 as far as it applies, RFC 6937.
 *
 * Theory of operation. The link to the guest is memory: it has no rate, and what it loses was lost by a queue that overflowed or
 * by a bad link behind the guest. So there is no congestion window (CWND is 0) until that much is lost. RFC 5681 §3.2 (not: a
 * loss halves the window, because a loss alone tells nothing of a queue here, and the far end's kernel has a congestion
 * control of its own for the network): what is lost is sent again in its place, no more than before is in flight; but when
 * an eighth of a flight is lost the window is cut to 0.7 of it, RFC 6937 sends at that rate until the recovery ends, and
 * the window grows by an eighth of what is delivered, slower where it was too large before, never slower than
 * RFC 5681 §3.1. A timeout begins with one segment (RFC 5681 §3.1 (LW)) and slow start. A window larger than the guest's bounds
 * nothing and is forgotten.
 */
import { coldRows, FLAGS, rows } from '../flow/row.ts';
import {
  CONGESTED,
  CUT_MAX,
  CUT_RESENT,
  CWND,
  DELIVERED,
  FLIGHT,
  LOSSES,
  LOST,
  MSS,
  PRIOR_CWND,
  PRIOR_SSTHRESH,
  RECOVERING,
  REDUCED,
  RESENT,
  SACKED,
  SND_MAX,
  SND_UNA,
  SND_WND,
  SSTHRESH,
  TIMED_OUT,
} from './row.ts';

/** What is left of a window that was cut: RFC 9438 §4.6. */
const KEPT = 0.7;
/** Fewer segments than this tell nothing of a queue. */
const LEAST_LOSSES = 3;
/** As good as no bound. */
export const UNBOUNDED = 0x3fffffff;

/** RFC 6675 §4 SetPipe: bytes that are on their way to the guest. */
export function pipe(row: number): number {
  return (rows[row + SND_MAX]! - rows[row + SND_UNA]! - rows[row + SACKED]! - rows[row + LOST]!) | 0;
}

/** Bytes that the congestion window leaves. */
export function windowLeft(row: number): number {
  const window = rows[row + CWND]!;
  return window === 0 ? UNBOUNDED : (window - pipe(row)) | 0;
}

function threshold(row: number, window: number): number {
  return Math.max(Math.floor(window * KEPT), 2 * rows[row + MSS]!);
}

/** A recovery begins: until it ends, no more than before is in flight. */
export function keepWindow(row: number): void {
  const flight = (rows[row + SND_MAX]! - rows[row + SND_UNA]!) | 0;
  coldRows[row + FLIGHT] = flight;
  coldRows[row + DELIVERED] = 0;
  coldRows[row + PRIOR_CWND] = rows[row + CWND]!;
  coldRows[row + PRIOR_SSTHRESH] = coldRows[row + SSTHRESH]!;
  if (rows[row + CWND] === 0) rows[row + CWND] = Math.max(flight, 2 * rows[row + MSS]!);
}

/** So much is lost that a queue must have overflowed: the window is cut, once in a recovery. */
function cut(row: number): void {
  const flight = coldRows[row + FLIGHT]!;
  const window = coldRows[row + PRIOR_CWND] === 0 ? flight : Math.min(rows[row + CWND]!, flight);
  rows[row + FLAGS]! |= REDUCED;
  coldRows[row + CONGESTED] = window;
  coldRows[row + SSTHRESH] = threshold(row, window);
  coldRows[row + FLIGHT] = (rows[row + SND_MAX]! - rows[row + SND_UNA]!) | 0;
  coldRows[row + DELIVERED] = 0;
  coldRows[row + CUT_MAX] = rows[row + SND_MAX]!;
  coldRows[row + CUT_RESENT] = 0;
}

/** The retransmission timer expired: RFC 5681 §3.1. `first`: it has not expired just before. */
export function collapse(row: number, first: boolean): void {
  if (first) {
    const flight = (rows[row + SND_MAX]! - rows[row + SND_UNA]!) | 0;
    coldRows[row + PRIOR_CWND] = (rows[row + FLAGS]! & RECOVERING) === 0 ? rows[row + CWND]! : coldRows[row + PRIOR_CWND]!;
    coldRows[row + PRIOR_SSTHRESH] = coldRows[row + SSTHRESH]!;
    coldRows[row + CONGESTED] = flight;
    coldRows[row + SSTHRESH] = threshold(row, flight);
  }
  rows[row + CWND] = rows[row + MSS]!;
}

/** RFC 6937 §3: in proportion while more is in flight than the new window, then a segment faster than is delivered. */
function reduce(row: number, delivered: number): void {
  const inFlight = pipe(row);
  const goal = coldRows[row + SSTHRESH]!;
  const all = coldRows[row + DELIVERED]!;
  const sent = (rows[row + SND_MAX]! - coldRows[row + CUT_MAX]! + coldRows[row + CUT_RESENT]!) | 0;
  let more: number;
  if (inFlight > goal) more = Math.ceil((all * goal) / coldRows[row + FLIGHT]!) - sent;
  else more = Math.min(goal - inFlight, Math.max(all - sent, delivered) + rows[row + MSS]!);
  if (sent === 0 && more < rows[row + MSS]!) more = rows[row + MSS]!;
  rows[row + CWND] = Math.max(inFlight + Math.max(more, 0), 1);
}

/** The window grows by what was delivered, if it was in use. */
function grow(row: number, delivered: number): void {
  const window = rows[row + CWND]!;
  const mss = rows[row + MSS]!;
  if (pipe(row) + delivered + 2 * mss < window) return;
  if (window < coldRows[row + SSTHRESH]!) rows[row + CWND] = Math.min(window + delivered, coldRows[row + SSTHRESH]!);
  else {
    const part = window < coldRows[row + CONGESTED]! ? delivered >> 3 : delivered >> 6;
    rows[row + CWND] = window + Math.max(part, Math.ceil((mss * Math.min(delivered, window)) / window));
  }
}

/** An ACK told that `delivered` bytes have come, and acknowledged `advanced` in full; what is lost is known. */
export function adjustWindow(row: number, delivered: number, advanced: number): void {
  const flags = rows[row + FLAGS]!;
  if (rows[row + CWND] === 0) return;
  if ((flags & RECOVERING) !== 0) {
    coldRows[row + DELIVERED] = Math.min(coldRows[row + DELIVERED]! + delivered, UNBOUNDED);
    const heavy = Math.max(Math.max(coldRows[row + FLIGHT]!, coldRows[row + DELIVERED]!) >> 3, LEAST_LOSSES * rows[row + MSS]!);
    if ((flags & (TIMED_OUT | REDUCED)) === 0 && coldRows[row + LOSSES]! > heavy) cut(row);
    if ((rows[row + FLAGS]! & REDUCED) !== 0) {
      reduce(row, delivered);
      return;
    }
    // A bound that only this recovery has set does not grow.
    if ((flags & TIMED_OUT) === 0 && coldRows[row + PRIOR_CWND] === 0) return;
  }
  // What duplicates let go leaves the window as it is (RFC 3042 §2).
  if (advanced > 0 || (delivered > 0 && (flags & RECOVERING) !== 0)) grow(row, delivered);
  if ((flags & RECOVERING) === 0 && rows[row + CWND]! > rows[row + SND_WND]!) rows[row + CWND] = 0;
}

/** A segment may go out, however small the window has become. */
export function admitSegment(row: number): void {
  if (rows[row + CWND] !== 0) rows[row + CWND] = Math.max(rows[row + CWND]!, (pipe(row) + rows[row + MSS]!) | 0);
}

/** What lay in flight when the recovery began is acknowledged. */
export function settleWindow(row: number): void {
  const flags = rows[row + FLAGS]!;
  if ((flags & REDUCED) !== 0) rows[row + CWND] = coldRows[row + SSTHRESH]!;
  else if ((flags & TIMED_OUT) === 0 && coldRows[row + PRIOR_CWND] === 0) rows[row + CWND] = 0;
}

/** Nothing was lost after all: as before the recovery. */
export function restoreWindow(row: number): void {
  rows[row + CWND] = coldRows[row + PRIOR_CWND]!;
  coldRows[row + SSTHRESH] = coldRows[row + PRIOR_SSTHRESH]!;
  rows[row + FLAGS]! &= ~REDUCED;
}

/** `bytes` were sent again. */
export function countResent(row: number, bytes: number): void {
  coldRows[row + CUT_RESENT]! += bytes;
  coldRows[row + RESENT]! += bytes;
  rows[row + LOST] = Math.max(rows[row + LOST]! - bytes, 0);
}
