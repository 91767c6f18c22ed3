/** The fields of a row that are a UDP flow's own, and what its FLAGS mean. */
import { OWN } from '../flow/row.ts';

/** FLAGS: both ends have spoken. */
export const ANSWERED = 1;
/** FLAGS: the host's side has sent the first datagram. */
export const FROM_HOST = 2;
/** FLAGS: it leads to a resolver that the host doesn't use any more. */
export const OUTDATED = 4;

/** UDP_SEGMENT as it is set on the socket; 0 = datagrams go out as they are. */
export const SEGMENT = OWN + 35;
/** Datagrams of so many bytes and more are sent one by one, because a batch of them was refused; 0 = none was. */
export const SINGLY_FROM = OWN + 36;
/** To a group: 1 + the flow that hears the replies, and its generation; 0: the destination is one host. */
export const HEARD_BY = OWN;
export const HEARD_BY_GENERATION = OWN + 1;
/** To a group, before the port of the replies is known: 1 + the next flow that waits for it, 0 = none. */
export const NEXT_ASKER = OWN + 2;
/** Of a flow that began with a datagram to a forwarded port: the listener that heard it (worker/listener.ts). */
export const LISTENER = OWN + 3;
/** Of a flow that hears replies: 1 + the first flow that waits for its port; the port. */
export const FIRST_ASKER = OWN + 4;
export const HEARING_PORT = OWN + 5;
