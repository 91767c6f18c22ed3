/**
 * What the guest has acknowledged leaves the host socket's queue.
 *
 * Theory of operation. In a dialogue the ACK comes with the guest's next data, and when that is given to the socket, the
 * kernel acknowledges to the far end what has come from there, read or not. So there the bytes may lie a while (SPENT of
 * them, before SND_UNA), and those of several answers leave by one system call. Where no data follows they leave at once: a
 * kernel delays its acknowledgement of what nobody reads, and a far end with Nagle's algorithm would wait for that. Little stays,
 * in bytes and in answers, since each lies in a buffer of its own.
 */
import { FD, rows } from '../flow/row.ts';
import { kernel } from '../link/kernel.ts';
import { SPENT, SPENT_TIMES } from './row.ts';

const MOST_BYTES = 8192;
const MOST_TIMES = 8;

/** Removes `bytes` from the head of the queue; a read stops once at the mark of urgent data. False when they are not there. */
function remove(fd: number, bytes: number): boolean {
  for (let left = bytes; left > 0; ) {
    const got = kernel.discard(fd, left);
    if (got <= 0) return false;
    left -= got;
  }
  return true;
}

/** The guest has acknowledged `bytes` more of what the socket holds; `answering` when its own data comes with that. False when they are not there. */
export function spend(row: number, bytes: number, answering: boolean): boolean {
  const spent = rows[row + SPENT]! + bytes;
  if (spent === 0) return true;
  if (answering && spent <= MOST_BYTES && rows[row + SPENT_TIMES]! < MOST_TIMES) {
    rows[row + SPENT] = spent;
    rows[row + SPENT_TIMES]!++;
    return true;
  }
  rows[row + SPENT] = 0;
  rows[row + SPENT_TIMES] = 0;
  return remove(rows[row + FD]!, spent);
}

/** Before an orderly close, which would be a reset while something is unread. */
export function removeSpent(row: number): void {
  if (rows[row + SPENT] === 0) return;
  remove(rows[row + FD]!, rows[row + SPENT]!);
  rows[row + SPENT] = 0;
  rows[row + SPENT_TIMES] = 0;
}
