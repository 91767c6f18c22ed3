/**
 * Packets whose fragments do not all come in time.
 *
 * Theory of operation. All may wait equally long from their first fragment on, so the one that waits longest is the next to go, and one
 * deadline is enough. While a quarter of the slots or more is taken the time is far shorter: the fragments of a packet follow each other
 * closely, and what has not come within a second mostly never comes.
 */
import { MAX_REASSEMBLIES, REASSEMBLY_TIME, REASSEMBLY_TIME_UNDER_PRESSURE } from '../../shared/limits.ts';
import { nowMs } from '../flow/clock.ts';
import { abandonPacket } from './reassembly.ts';
import { oldest, packetsWaiting, startOf } from './store.ts';

/** Packets that wait, from which on slots are taken for scarce. */
const PRESSURE = MAX_REASSEMBLIES >> 2;

/** Milliseconds until a packet is to be given up: 0 at once, −1 never. */
export function untilNextExpiry(): number {
  if (oldest === 0) return -1;
  const time = packetsWaiting >= PRESSURE ? REASSEMBLY_TIME_UNDER_PRESSURE : REASSEMBLY_TIME;
  return Math.max((startOf(oldest) + time - nowMs) | 0, 0);
}

/** Gives up every packet whose time is over. */
export function expirePackets(): void {
  while (untilNextExpiry() === 0) abandonPacket(oldest);
}
