/**
 * The flow table's rows: FLOW_ROW_BYTES each, in the memory the supervisor made, so that they outlive the worker.
 *
 * A flow is an index; its row starts at `index * ROW`. A row keeps one flow's fields together because a packet touches
 * most of them: with thousands of flows a row costs up to four cache lines, a column layout one line per field. What only a
 * flow in trouble needs is in a second row at the same place of a second half, `coldRows`. The kernel gives memory when it is touched, so
 * flows that fare well have none there, and taking a row does not clear it: who uses it first does.
 */
import { FLOW_ROW_BYTES } from '../../shared/limits.ts';

/** int32 fields of one row, and of its cold row. */
export const ROW = FLOW_ROW_BYTES / 8;

export let rows: Int32Array;
export let coldRows: Int32Array;

/** Binds the rows' memory, FLOW_ROW_BYTES for each (zeroed; all-zero is a free row). */
export function bindRows(memory: ArrayBuffer): void {
  const half = memory.byteLength / 2;
  rows = new Int32Array(memory, 0, half / 4);
  coldRows = new Int32Array(memory, half);
}

// Every kind of flow.
/** Kind of the flow; FREE rows are chained by NEXT. */
export const KIND = 0;
/** Grows each time the row is taken: events and answers of an earlier flow are recognised by it. */
export const GENERATION = 1;
/** The host socket, −1 while there is none. */
export const FD = 2;
/** Flags of the kind's own protocol. */
export const FLAGS = 3;
/** Guest's address, four big-endian words (IPv4 as ::ffff:a.b.c.d). */
export const GUEST = 4;
/** The far party's address as the guest knows it. */
export const FAR = 8;
/** guest port << 16 | far port (ping: identifier << 16). */
export const PORTS = 12;
/** IP protocol. */
export const PROTOCOL = 13;
/** Chain of free rows. */
export const NEXT = 14;
/** Timer wheel: the slot's chain, the slot, and the moment (ms) the flow wants to be called. */
export const TIMER_NEXT = 15;
export const TIMER_PREVIOUS = 16;
export const TIMER_SLOT = 17;
export const TIMER_AT = 18;
/** Moment of the last traffic, ms. */
export const LAST_ACTIVE = 19;
/** First field of the kind's own. */
export const OWN = 20;
/** Spliced rows only: the flow of the other socket. */
export const PEER = OWN;

// UDP and ping only, at the row's end.
/** 1 when the last IPv4 datagram for which that counts had an identification (path.ts). */
export const NUMBERED = 57;
/** Bytes of the last datagram sent, with its transport header; the path word that its socket was told last (path.ts). */
export const SENT_LENGTH = 58;
export const PATH = 59;
/** Neighbours in the chain of flows that nobody has answered (unanswered.ts), each flow + 1; 0 = none. */
export const OLDER = 60;
export const NEWER = 61;
/** First and last datagram that wait for the flow's socket (waiting.ts); 0 = none. */
export const WAITING_FIRST = 62;
export const WAITING_LAST = 63;

/** Kinds of flows. */
export const FREE = 0;
export const TCP = 1;
export const UDP = 2;
export const PING = 3;
/** Replies of single hosts to what the guest has asked a group from one port: udp/replies.ts. */
export const REPLIES = 4;
/** One of the two sockets of what goes from loopback to loopback: splice/. */
export const SPLICE = 5;
export const SPLICED_DATAGRAMS = 6;
