/**
 * Datagrams of the guest to the host's sockets.
 *
 * Theory of operation. A batch of frames often holds several datagrams of one flow. Those that follow each other, ask for the
 * same path (flow/path.ts) and are equally long (the last may be shorter) are copied together behind the first, where this one
 * came in, and leave by one call as what the kernel splits again (UDP_SEGMENT): the way through its stack is walked once for all of
 * them. Whatever doesn't continue the run sends it, and so does the end of the batch, so a lone datagram waits for nothing. UDP_SEGMENT
 * stays set on the socket until a datagram comes that it would split.
 *
 * The kernel refuses such a batch where it could not split it later, above all where one datagram exceeds the path's MTU:
 * it does not fragment what it splits. Then they go one by one, and so do from then on those of this flow that are as long.
 */
import { Counter } from '../../shared/counters.ts';
import { setPath } from '../flow/path.ts';
import { FD, ROW, rows } from '../flow/row.ts';
import { RECEIVE, RECEIVE_SIZE, SLOT } from '../link/arena.ts';
import { counters } from '../link/counters.ts';
import { kernel } from '../link/kernel.ts';
import { receivedInSlots } from '../link/received.ts';
import { bytes } from '../wire/memory.ts';
import { UDP_HEADER } from '../wire/udp.ts';
import { tellErrors, tellLocalError } from './error.ts';
import { SEGMENT, SINGLY_FROM } from './row.ts';

const EIO = 5;
const EAGAIN = 11;
const EINVAL = 22;
const EMSGSIZE = 90;
const SOL_UDP = 17;
const UDP_SEGMENT = 103;

/** Bytes and datagrams that one call may carry: an IPv4 packet's payload, and UDP_MAX_SEGMENTS of older kernels; no batch of frames is as long. */
const MOST_BYTES = 65_507;
const MOST_SEGMENTS = 64;

function setSegment(row: number, size: number): number {
  if (rows[row + SEGMENT] === size) return 0;
  const result = kernel.setOption(rows[row + FD]!, SOL_UDP, UDP_SEGMENT, size);
  if (result >= 0) rows[row + SEGMENT] = size;
  return result;
}

function trySend(row: number, at: number, length: number, segment: number): number {
  if (length > segment && segment > 0) {
    const result = setSegment(row, segment);
    if (result < 0) return result;
  } else if (length > rows[row + SEGMENT]!) setSegment(row, 0);
  return kernel.send(rows[row + FD]!, at, length, 0);
}

/** Sends, and once more when that has reported an error of an earlier datagram. ≥ 0 or −errno, of which the guest was told. */
function send(flow: number, at: number, length: number, segment: number): number {
  const sent = trySend(flow * ROW, at, length, segment);
  if (sent >= 0 || sent === -EAGAIN) return sent;
  const first = segment > 0 ? Math.min(segment, length) : length;
  // The error may be an earlier datagram's: the kernel reports it in place of sending this one.
  if (tellErrors(flow, at, first)) return sent;
  // Nor is a lone datagram fragmented while the option is set.
  if (segment === 0) setSegment(flow * ROW, 0);
  const result = trySend(flow * ROW, at, length, segment);
  if (result < 0 && result !== -EAGAIN && !tellErrors(flow, at, first)) tellLocalError(flow, -result, at, first);
  return result;
}

/**
 * Sends `length` bytes from `at` to the flow's far end: one datagram, or when `segment` > 0 as many of that length (the last may be shorter).
 * `path`: their path word (flow/path.ts).
 */
export function sendToHost(flow: number, at: number, length: number, segment: number, path: number): void {
  if (segment > 0 && length > segment * MOST_SEGMENTS) {
    const some = segment * MOST_SEGMENTS;
    for (let sent = 0; sent < length; sent += some) sendToHost(flow, at + sent, Math.min(some, length - sent), segment, path);
    return;
  }
  const row = flow * ROW;
  const each = segment > 0 && length > segment ? segment : length;
  setPath(row, path, UDP_HEADER + each);
  if (each < length) {
    if (rows[row + SINGLY_FROM] === 0 || segment < rows[row + SINGLY_FROM]!) {
      const sent = send(flow, at, length, segment);
      if (sent >= 0 || (sent !== -EMSGSIZE && sent !== -EINVAL && sent !== -EIO)) {
        counters[sent < 0 ? Counter.udp_datagrams_dropped : Counter.udp_datagrams_out]! += Math.ceil(length / segment);
        return;
      }
      rows[row + SINGLY_FROM] = segment;
    }
    setSegment(row, 0);
  }
  let left = length;
  do {
    const size = left < each ? left : each;
    counters[send(flow, at + length - left, size, 0) < 0 ? Counter.udp_datagrams_dropped : Counter.udp_datagrams_out]!++;
    left -= size;
  } while (left > 0);
}

let runFlow = -1;
let runSegment = 0;
let runPath = 0;
let runAt = 0;
let runEnd = 0;
/** First byte that the run may not reach. */
let runLimit = 0;

/** Sends what has been put together. Before anything that changes the flow's socket, or ends the flow. */
export function sendRun(): void {
  if (runFlow < 0) return;
  const flow = runFlow;
  runFlow = -1;
  sendToHost(flow, runAt, runEnd - runAt, runSegment, runPath);
}

function startRun(flow: number, at: number, length: number, path: number): void {
  runFlow = flow;
  runPath = path;
  runSegment = length;
  runAt = at;
  runEnd = at + length;
  // In place, what follows comes from further behind: there is always room for it.
  const slotEnd = receivedInSlots ? at - ((at - RECEIVE) % SLOT) + SLOT : RECEIVE + RECEIVE_SIZE;
  runLimit = Math.min(slotEnd, at + MOST_BYTES);
}

/**
 * Sends the datagram of the frame at hand, or keeps it for what may follow it: `sendRun` ends the wait. `gsoSize` as the frame has it;
 * `path`: its path word (flow/path.ts).
 */
export function sendWithOthers(flow: number, at: number, length: number, gsoSize: number, path: number): void {
  const alone = gsoSize > 0 && length > gsoSize;
  if (runFlow === flow && runPath === path && !alone && length > 0 && length <= runSegment && runEnd + length <= runLimit) {
    bytes.copyWithin(runEnd, at, at + length);
    runEnd += length;
    if (length < runSegment || runEnd + length > runLimit) sendRun();
    return;
  }
  sendRun();
  const inSlot = at >= RECEIVE && at < RECEIVE + RECEIVE_SIZE;
  if (alone || length === 0 || !inSlot) sendToHost(flow, at, length, gsoSize, path);
  else startRun(flow, at, length, path);
}
