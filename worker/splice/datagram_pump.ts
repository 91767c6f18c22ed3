/**
 * Datagrams from one socket to its peer's.
 *
 * Theory of operation. What waits in the socket is received piece behind piece, and those that are equally long (the last may be
 * shorter) leave by one call as what the kernel splits again (UDP_SEGMENT): the way to the reader is walked once for all. Nothing waits
 * for more to come. A datagram that the peer's socket refuses is lost, as on any wire; an error that one before it has met is taken
 * off and the send repeated.
 */
import { Counter } from '../../shared/counters.ts';
import { LARGEST_DATAGRAM } from '../../shared/limits.ts';
import { FD, ROW, rows } from '../flow/row.ts';
import { SEGMENT_SIZE, SLOT, TRANSMIT } from '../link/arena.ts';
import { counters } from '../link/counters.ts';
import { kernel } from '../link/kernel.ts';
import { view } from '../wire/memory.ts';
import { captureDatagrams, capturesSpliced } from './capture.ts';
import { SEGMENT } from './datagram_row.ts';

const EAGAIN = 11;
const SOL_UDP = 17;
const UDP_SEGMENT = 103;
/** Bytes and datagrams that one call may carry: an IPv4 packet's payload, and UDP_MAX_SEGMENTS of older kernels. */
const MOST_BYTES = 65_507;
const MOST_SEGMENTS = 64;
const SPACE = 2 * SLOT;

function trySend(row: number, at: number, length: number, segment: number): number {
  // One that is no longer than a segment is sent as it is, whatever is set.
  const wanted = length > segment ? segment : length > rows[row + SEGMENT]! ? 0 : rows[row + SEGMENT]!;
  if (wanted !== rows[row + SEGMENT]) {
    const result = kernel.setOption(rows[row + FD]!, SOL_UDP, UDP_SEGMENT, wanted);
    if (result < 0) return result;
    rows[row + SEGMENT] = wanted;
  }
  return kernel.send(rows[row + FD]!, at, length, 0);
}

function send(row: number, at: number, length: number, segment: number): number {
  const sent = trySend(row, at, length, segment);
  return sent >= 0 || sent === -EAGAIN ? sent : trySend(row, at, length, segment);
}

/** Sends `length` bytes from `at` by the socket of `flow`: one datagram, or when `segment` > 0 as many of that length (the last may be shorter). */
export function sendDatagrams(flow: number, at: number, length: number, segment: number): void {
  const row = flow * ROW;
  const each = segment > 0 && segment < length ? segment : length;
  const most = each === length ? length : Math.min(MOST_SEGMENTS, Math.floor(MOST_BYTES / each)) * each;
  let done = 0;
  do {
    const size = Math.min(most, length - done);
    const datagrams = each === 0 ? 1 : Math.ceil(size / each);
    const sent = send(row, at + done, size, size > each ? each : 0);
    if (capturesSpliced && sent >= 0) captureDatagrams(flow, at + done, size, each);
    counters[sent < 0 ? Counter.spliced_datagrams_dropped : Counter.spliced_datagrams]! += datagrams;
    done += size;
  } while (done < length);
}

let runTo = 0;
let runSize = 0;
let runAt = TRANSMIT;
let runEnd = TRANSMIT;

function sendRun(): void {
  if (runEnd > runAt) sendDatagrams(runTo, runAt, runEnd - runAt, runSize);
  runAt = runEnd;
}

/** The `length` bytes at `runEnd` are one datagram, or several of `each` bytes: puts them to the run, or begins one with them. */
function addToRun(length: number, each: number): void {
  const alike = each === runSize || (each === length && length < runSize);
  if (!alike || length === 0 || runEnd - runAt + length > MOST_BYTES) sendRun();
  if (runEnd === runAt) runSize = each;
  if (length === 0) sendDatagrams(runTo, runEnd, 0, 0);
  runEnd += length;
  // A shorter one is the last.
  if (length % runSize !== 0) sendRun();
}

/** After `pumpDatagrams`: whether there was anything. */
export let hasMoved = false;

/** Receives what waits at the socket of one flow and sends it by another's; at most `batches` calls. False when that was all. */
export function pumpDatagrams(from: number, to: number, batches: number): boolean {
  runTo = to;
  runAt = runEnd = TRANSMIT;
  hasMoved = false;
  let more = true;
  for (let batch = 0; batch < batches && more; batch++) {
    if (runEnd + LARGEST_DATAGRAM > TRANSMIT + SPACE) {
      sendRun();
      runAt = runEnd = TRANSMIT;
    }
    const length = kernel.receiveSegments(rows[from * ROW + FD]!, runEnd, LARGEST_DATAGRAM, SEGMENT_SIZE);
    // Any other error is one that an earlier datagram has met, and was in the way.
    if (length === -EAGAIN) more = false;
    if (length < 0) continue;
    hasMoved = true;
    const joined = view.getInt32(SEGMENT_SIZE, true);
    addToRun(length, joined > 0 && joined < length ? joined : length);
  }
  sendRun();
  return more;
}
