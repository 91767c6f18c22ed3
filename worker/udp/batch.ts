/**
 * Datagrams that wait in a host's socket, several by one call.
 *
 * Theory of operation. The way into the kernel costs as much as a small datagram itself, so as many are taken at once as there are slots;
 * fewer than that say that the socket is empty, which a call of its own would have to find out otherwise. What the kernel has joined
 * (UDP_GRO) is a batch already, and fills the processor's cache alone: where such come, one slot is used again and again.
 */
import { LARGEST_DATAGRAM } from '../../shared/limits.ts';
import { DATAGRAM_FACTS, DATAGRAM_SLOTS, DATAGRAMS, SLOT, TRANSMIT_HEADROOM } from '../link/arena.ts';
import { kernel } from '../link/kernel.ts';
import { view } from '../wire/memory.ts';

const EAGAIN = 11;
const FIRST = DATAGRAMS + TRANSMIT_HEADROOM;
const FACTS = 12;
/** Bytes from which on a datagram is a batch of its own. */
const LARGE = 16_384;

let slots = DATAGRAM_SLOTS;
/** After `receiveBatch`: the socket may have more. */
export let mayHaveMore = false;

function receive(fd: number): number {
  return kernel.receiveBatch(fd, FIRST, SLOT, LARGEST_DATAGRAM, slots, DATAGRAM_FACTS);
}

/** Takes what waits in the socket, as far as there are slots. How many, or −errno. */
export function receiveBatch(fd: number): number {
  let count = receive(fd);
  // An error that a datagram of ours has met is told first, once; what waits behind it would make no event.
  if (count < 0 && count !== -EAGAIN) count = receive(fd);
  mayHaveMore = count === slots;
  if (count > 0) slots = batchLength(count - 1) >= LARGE ? 1 : DATAGRAM_SLOTS;
  return count;
}

/** Where datagram `index` of the batch lies, behind room for the headers of a frame. */
export function batchPayload(index: number): number {
  return FIRST + index * SLOT;
}

/** Its bytes; with a segment size those of several. */
export function batchLength(index: number): number {
  return view.getInt32(DATAGRAM_FACTS + index * FACTS, true);
}

/** Bytes of each of those that the kernel has joined; 0 = it is one alone. */
export function batchSegment(index: number): number {
  return view.getInt32(DATAGRAM_FACTS + index * FACTS + 4, true);
}

/** DSCP << 2 | ECN that it came with. */
export function batchClass(index: number): number {
  return view.getInt32(DATAGRAM_FACTS + index * FACTS + 8, true) & 0xff;
}
