/** The fields of a row that are a spliced UDP socket's own, beside PEER and LEADER (row.ts), and what its FLAGS mean. */
import { OWN } from '../flow/row.ts';

/** FLAGS of the leading row: the other side has answered. */
export const ANSWERED = 1;

/** UDP_SEGMENT as it is set on the socket; 0 = datagrams go out as they are. */
export const SEGMENT = OWN + 4;
/** Of the leading row: which listener has heard the first datagram. */
export const SPLICE_LISTENER = OWN + 5;
