/**
 * A TCP flow's own fields in its row, named as in RFC 9293 §3.3.1 where that names them. "SND" is towards the guest,
 * "RCV" from the guest; sequence numbers are int32 and serial.
 */
import { OWN } from '../flow/row.ts';

export const SND_UNA = OWN;
/** RFC 6675 §2: what was judged lost and not sent again since, bytes. */
export const LOST = OWN + 1;
/** The number behind the last byte ever sent: SND.NXT, which never goes back here. */
export const SND_MAX = OWN + 2;
/** Guest's window in bytes, and the segment it came with. */
export const SND_WND = OWN + 3;
export const SND_WL1 = OWN + 4;
export const SND_WL2 = OWN + 5;
/** Our initial sequence number. */
export const ISS = OWN + 6;
/** Shift of the windows that the guest announces. */
export const SND_SHIFT = OWN + 7;
/** Largest payload of one segment to the guest. */
export const MSS = OWN + 8;
export const RCV_NXT = OWN + 9;
/** Right edge of the window last announced: what is promised and must be taken. */
export const RCV_EDGE = OWN + 10;
export const IRS = OWN + 11;
/** Shift of the windows we announce. */
export const RCV_SHIFT = OWN + 12;
/** RFC 6298: timeout in ms; smoothed round trip and variation in µs, 0 before the first measurement. */
export const RTO = OWN + 13;
export const SRTT = OWN + 14;
export const RTTVAR = OWN + 15;
/** The sequence number whose acknowledgement ends the present measurement, and when (µs) it was sent. */
export const RTT_SEQ = OWN + 16;
export const RTT_AT = OWN + 17;
/** Consecutive expiries of the retransmission timer. */
export const RETRIES = OWN + 18;
/** Consecutive duplicate acknowledgements that tell no more than that. */
export const DUPLICATES = OWN + 19;
/** Moments (ms) of the timers whose flag is set. */
export const RETRANSMIT_AT = OWN + 20;
export const ACK_AT = OWN + 21;
/** The flow's receive buffer + 1, 0 = none (tcp/receive_buffer.ts); how many bytes before RCV_NXT lie there and wait for the socket. */
export const RCV_BUFFER = OWN + 22;
export const HELD = OWN + 23;
/** RCV_NXT when the last ACK was sent: what lies between is not acknowledged yet. */
export const ACKED = OWN + 24;
/** Bytes of the window when the socket was last asked for its room. */
export const OFFERED = OWN + 25;
/** RFC 7323 §4.3, §5.2: TS.Recent, and the moment (ms) it was taken; what is added to the clock for our own timestamps. */
export const TS_RECENT = OWN + 26;
export const TS_RECENT_AT = OWN + 27;
export const TS_OFFSET = OWN + 28;
/** First entry of the flow's scoreboard, 0 = none (tcp/scoreboard.ts); how many bytes it holds, or as many duplicates stand for. */
export const SACK_FIRST = OWN + 29;
export const SACKED = OWN + 30;
/** RFC 5681 §2: bytes; 0 = no loss has ever asked for a bound. */
export const CWND = OWN + 31;
/** First range + 1 of what came out of order, 0 = none (tcp/reassembly.ts). */
export const AHEAD_FIRST = OWN + 32;
/** RFC 5961 §5.2 MAX.SND.WND: the largest window the guest has announced, bytes. */
export const MAX_SND_WND = OWN + 33;
/** Challenge ACKs since CHALLENGED_AT (ms), RFC 5961 §7. */
export const CHALLENGES = OWN + 34;
export const CHALLENGED_AT = OWN + 35;
/** Moment (ms) the guest last said anything. */
export const HEARD_AT = OWN + 36;
/** What the guest sends in a round trip (tcp/receive_space.ts): bytes to allow, and where (RCV_NXT) and when (µs) the present measurement began. */
export const RCV_SPACE = OWN + 37;
export const RCV_SPACE_SEQ = OWN + 38;
export const RCV_SPACE_AT = OWN + 39;
/** Moment (ms) of the probe of RFC 8985 §7. */
export const PROBE_AT = OWN + 40;
/** Quarters of a round trip by which segments overtake each other, 0 = never seen; above bit 8 how many recoveries remember it. */
export const REORDERING = OWN + 41;
/** Hop limit and DSCP of the guest's last segment, which the host socket has as well: tcp/marking.ts. */
export const MARKS = OWN + 42;

// In coldRows, and only while LOSSY is set.
/** RFC 6582 §2: SND_MAX when the present recovery began. */
export const RECOVER = 0;
/** RFC 6675 §2 HighRxt, of what lies above all ranges: the number behind the last byte sent again. */
export const HIGH_RXT = 1;
/** RFC 5681 §2, bytes. */
export const SSTHRESH = 2;
/** Moment (ms) when a hole is old enough to be taken for a loss. */
export const REORDER_AT = 3;
/** Highest number the guest has told of; of what lies below this one, whatever is not there is lost. */
export const HIGH_SACKED = 4;
export const HIGH_LOST = 5;
/** What lies above all ranges: when it was last sent again (µs), and SND_MAX then. */
export const RESENT_AT = 6;
export const RESENT_MAX = 7;
/** RFC 8985 §5.2: of what was sent again and has come, the latest: when (µs) it was sent, and the number behind it. */
export const RACK_AT = 8;
export const RACK_SEQ = 9;
/** Window and threshold before the present recovery, and our timestamp when it began: what it takes to undo it. */
export const PRIOR_CWND = 10;
export const PRIOR_SSTHRESH = 11;
export const BEGAN_AT = 12;
/** Bytes sent again in this recovery, less those that came twice. */
export const RESENT = 13;
/** RFC 6937 §3: bytes in flight when the recovery (or the cut) began, bytes delivered since, SND_MAX then, bytes sent again since. */
export const FLIGHT = 14;
export const DELIVERED = 15;
export const CUT_MAX = 16;
export const CUT_RESENT = 17;
/** Bytes judged lost since this recovery began. */
export const LOSSES = 18;
/** The window that was too large when it was last cut. */
export const CONGESTED = 19;
/** The number behind what the last probe has sent again. */
export const PROBE_END = 20;
/** How many these are. */
export const LOSSY_FIELDS = 21;

// FLAGS of a TCP flow: events that have happened, and what is armed.
/** The host socket's connect is under way. */
export const CONNECTING = 1 << 0;
/** Our SYN|ACK was sent and is not acknowledged. */
export const SYN_RECEIVED = 1 << 1;
export const ESTABLISHED = 1 << 2;
/** The guest's FIN came, in order. */
export const GUEST_FIN = 1 << 3;
/** It was passed on to the host socket. */
export const HOST_SHUT = 1 << 4;
/** The host's end of stream was read. */
export const HOST_FIN = 1 << 5;
/** Our FIN was sent to the guest at least once; its number is SND_MAX − 1. */
export const FIN_SENT = 1 << 6;
export const FIN_ACKED = 1 << 7;
/** The host socket may have bytes behind those sent. */
export const HOST_READABLE = 1 << 8;
/** The kernel has told that no more than what is queued will come. */
export const HOST_ENDING = 1 << 9;
/** An ACK is owed at the end of this batch. */
export const ACK_NOW = 1 << 10;
/** An ACK is owed by ACK_AT. */
export const ACK_DELAYED = 1 << 11;
/** RETRANSMIT_AT is armed. */
export const RETRANSMIT = 1 << 12;
/** The window announced last was too small to keep the guest going; the socket's room is awaited. */
export const WINDOW_SMALL = 1 << 13;
/** The socket's peek offset stands elsewhere than at SND_MAX. */
export const PEEK_ASTRAY = 1 << 14;
/** We have sent since the guest's last data: a dialogue, where a reply may carry the ACK. */
export const SPOKE_LAST = 1 << 15;
/** Both ends offered timestamps (RFC 7323 §3.2). */
export const TIMESTAMPS = 1 << 16;
/** Both ends permit SACK (RFC 2018 §2). */
export const SACK_PERMITTED = 1 << 17;
/** Our SYN went to the guest and no SYN of its came yet: RFC 9293's SYN-SENT. */
export const SYN_SENT = 1 << 18;
/** Our FIN went first: the connection ends in TIME-WAIT. */
export const CLOSED_FIRST = 1 << 19;
/** Only the row is left, for the guest's late segments; the socket was given back. */
export const TIME_WAIT = 1 << 20;
/** The guest probes whether the far end is there: so does the host socket. */
export const KEEPALIVE = 1 << 21;
/** The flow has a scoreboard, a recovery or a congestion window. */
export const LOSSY = 1 << 22;
/** What is lost is being sent again, until RECOVER is acknowledged. */
export const RECOVERING = 1 << 23;
/** That began with a timeout. */
export const TIMED_OUT = 1 << 24;
/** The last recovery has cut the window, which may turn out to have been wrong. */
export const REDUCED = 1 << 25;
/** The last recovery has widened REORDERING. */
export const WIDENED = 1 << 26;
/** REORDER_AT, PROBE_AT are armed. */
export const REORDER_TIMER = 1 << 27;
export const PROBE_TIMER = 1 << 28;
/** A probe went out and nothing was heard since. */
export const PROBED = 1 << 29;
/** The far end has sent urgent data: a read may end at its mark, short of what there is. */
export const HOST_URGENT = 1 << 30;
