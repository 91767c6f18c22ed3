/**
 * One direction of a spliced connection: from a socket to its peer.
 *
 * Theory of operation. Large reads go through a pipe by splice, so their pages are handed over and not copied; small ones are read and
 * sent, which is faster for them. What the peer has no room for waits in a pipe, and nothing is read until that is empty:
 * the rest of a stream stays in the kernel's queues, whose windows hold the sender back. While all pipes are held by others, bytes are
 * peeked, sent, and only then taken off the queue, as many as were sent: so nothing is lost and nobody waits for a pipe.
 *
 * Sockets are watched edge-triggered. A direction stops for one of three reasons, and each has its event: nothing is left to read (the
 * last read gave less than was asked for, or EAGAIN), the peer has no room (the last write took less than was offered, or EAGAIN: so the
 * kernel has noted that somebody waits), or its share of the turn is used up (flow/again.ts). Splicing stops at an urgent byte as if
 * there was nothing, or as if that was the end; so it is believed only when a plain read says so, too, and that goes on behind the byte.
 *
 * The end of the stream is told when all before it is written. A reset, or any other error, is one for both sockets (ending.ts).
 */
import { Counter } from '../../shared/counters.ts';
import { askAgain } from '../flow/again.ts';
import { FD, FLAGS, ROW, rows } from '../flow/row.ts';
import { TRANSMIT } from '../link/arena.ts';
import { counters } from '../link/counters.ts';
import { kernel } from '../link/kernel.ts';
import { ACK, FIN, PSH } from '../wire/tcp.ts';
import { captureSegment, capturesSpliced } from './capture.ts';
import { abort, finish } from './ending.ts';
import { scheduleExpiry } from './expiry.ts';
import { COPY_LENGTH, givePipe, pipeSize, pipesFree, readingEnd, takePipe, writingEnd } from './pipes.ts';
import { BLOCKED, BULK, CONNECTING, ENDED, HELD, LEADER, MORE_BEHIND, PEER, PIPE, READABLE, TURN_ASKED } from './row.ts';

const EIO = 5;
const EAGAIN = 11;
const MSG_PEEK = 2;
const SHUT_WR = 1;
/** Bytes of one direction in one turn, so that no connection keeps the others waiting. */
const TURN = 1 << 21;

/** What a step gives when the direction has to wait for an event; else bytes written, or −errno. */
const WAITS = -EAGAIN;

function peerSocket(row: number): number {
  return rows[rows[row + PEER]! * ROW + FD]!;
}

let inBulk = false;

/**
 * Whether much was on its way since last asked. Who sends and who reads are at work then, and need the processors: what they do while the
 * worker sleeps is done by it in one go.
 */
export function movedInBulk(): boolean {
  const moved = inBulk;
  inBulk = false;
  return moved;
}

/** Writes what the pipe holds. */
function empty(row: number): number {
  inBulk = true;
  const pipe = rows[row + PIPE]! - 1;
  const written = kernel.splice(readingEnd(pipe), peerSocket(row), rows[row + HELD]!);
  if (written === -EAGAIN) rows[row + FLAGS]! |= BLOCKED;
  if (written <= 0) return written === 0 ? -EIO : written;
  counters[Counter.spliced_bytes]! += written;
  rows[row + HELD]! -= written;
  if (rows[row + HELD] === 0) {
    rows[row + PIPE] = 0;
    givePipe(pipe);
  }
  return written;
}

/** The stream has ended, and so it does for the peer. */
function tellEnd(row: number): number {
  rows[row + FLAGS] = (rows[row + FLAGS]! & ~READABLE) | ENDED;
  scheduleExpiry(rows[row + LEADER]!);
  if (capturesSpliced) captureSegment(row / ROW, FIN | ACK, 0, 0);
  const result = kernel.shutdown(peerSocket(row), SHUT_WR);
  return result < 0 ? result : WAITS;
}

/** Keeps what the peer has not taken of the bytes that were read. */
function keepRest(row: number, at: number, length: number): number {
  const pipe = takePipe();
  rows[row + PIPE] = pipe + 1;
  rows[row + FLAGS]! |= BLOCKED;
  const kept = kernel.write(writingEnd(pipe), at, length);
  rows[row + HELD] = Math.max(kept, 0);
  if (kept === length) return WAITS;
  return kept < 0 ? kept : -EIO;
}

/** `length` bytes were read, or peeked at, and `sent` of them sent: the rest waits. */
function account(row: number, length: number, sent: number, peeked: boolean): number {
  const taken = Math.max(sent, 0);
  if (sent < 0 && sent !== -EAGAIN) return sent;
  counters[Counter.spliced_bytes]! += taken;
  if (capturesSpliced && taken > 0) captureSegment(row / ROW, PSH | ACK, TRANSMIT, taken);
  if (peeked && taken > 0 && kernel.discard(rows[row + FD]!, taken) !== taken) return -EIO;
  if (taken < length) {
    if (!peeked) return keepRest(row, TRANSMIT + taken, length - taken);
    rows[row + FLAGS]! |= BLOCKED;
    return WAITS;
  }
  if (length < COPY_LENGTH) rows[row + FLAGS]! &= ~BULK;
  else rows[row + FLAGS]! |= BULK;
  // Whatever comes from now on has an event of its own.
  if (length < COPY_LENGTH && (rows[row + FLAGS]! & MORE_BEHIND) === 0) rows[row + FLAGS]! &= ~READABLE;
  return taken;
}

/** Reads and sends. */
function copy(row: number): number {
  const peeked = pipesFree === 0;
  const read = kernel.receive(rows[row + FD]!, TRANSMIT, COPY_LENGTH, peeked ? MSG_PEEK : 0);
  if (read === 0) return tellEnd(row);
  if (read < 0) {
    if (read === -EAGAIN) rows[row + FLAGS]! &= ~(READABLE | MORE_BEHIND);
    return read;
  }
  if (peeked) counters[Counter.spliced_without_pipe]!++;
  return account(row, read, kernel.send(peerSocket(row), TRANSMIT, read, 0), peeked);
}

/** Reads into a pipe, and writes that. */
function fill(row: number): number {
  const pipe = takePipe();
  const read = kernel.splice(rows[row + FD]!, writingEnd(pipe), pipeSize(pipe));
  if (read <= 0) {
    givePipe(pipe);
    return read === 0 || read === -EAGAIN ? copy(row) : read;
  }
  if (read < COPY_LENGTH) rows[row + FLAGS]! &= ~BULK;
  rows[row + PIPE] = pipe + 1;
  rows[row + HELD] = read;
  return empty(row);
}

function step(row: number): number {
  if (rows[row + HELD] !== 0) return empty(row);
  if ((rows[row + FLAGS]! & READABLE) === 0) return WAITS;
  return (rows[row + FLAGS]! & BULK) !== 0 && pipesFree > 0 ? fill(row) : copy(row);
}

/** Moves what can be moved from the flow's socket to its peer's. False when the connection has ended. */
export function pump(flow: number): boolean {
  const row = flow * ROW;
  if ((rows[row + FLAGS]! & (BULK | BLOCKED)) !== 0) inBulk = true;
  if ((rows[row + FLAGS]! & (CONNECTING | BLOCKED | TURN_ASKED)) !== 0) return true;
  for (let left = TURN; ; ) {
    const written = step(row);
    if (written === WAITS) break;
    if (written < 0) {
      abort(flow, -written);
      return false;
    }
    left -= written;
    if (left > 0) continue;
    if (askAgain(flow)) {
      rows[row + FLAGS]! |= TURN_ASKED;
      return true;
    }
    left = TURN;
  }
  return finish(flow);
}
