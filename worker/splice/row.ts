/** The fields of a row that are a spliced socket's own, and what its FLAGS mean. A row is one socket, and the direction of what is read from it. */
import { OWN, PEER } from '../flow/row.ts';

export { PEER };

/** FLAGS: the opened socket of the two is not connected yet; on both rows. */
export const CONNECTING = 1;
/** FLAGS: there may be something to read. */
export const READABLE = 2;
/** FLAGS: a read that gives less than was asked for does not mean that nothing is left: the stream's end or an urgent byte is behind. */
export const MORE_BEHIND = 4;
/** FLAGS: the stream has ended, and the peer's socket was told. */
export const ENDED = 8;
/** FLAGS: the peer's socket has no room; its event goes on. */
export const BLOCKED = 16;
/** FLAGS: the last read was a large one. */
export const BULK = 32;
/** FLAGS: it waits for another turn (flow/again.ts). */
export const TURN_ASKED = 64;

/** The flow of the accepted socket, this one or the peer: its timer and LAST_ACTIVE are the connection's. */
export const LEADER = OWN + 1;
/** 1 + the pipe that holds what was read here and not yet written to the peer; 0 = none. */
export const PIPE = OWN + 2;
/** How many bytes it holds. */
export const HELD = OWN + 3;
/** Of the leading row, of connections and datagrams: the side that its socket is on. */
export const SIDE = OWN + 6;

/** Of a connection that is captured: the sequence number of what is read next (capture.ts). */
export const CAPTURED = OWN + 7;

/** Sides. */
export const HOST_SIDE = 0;
export const GUEST_SIDE = 1;
