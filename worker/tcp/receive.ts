/**
 * Guest → host: what a segment of the guest does (RFC 9293 §3.10.7), in that section's order: sequence number, RST, SYN,
 * ACK, data, FIN.
 */
import { Counter } from '../../shared/counters.ts';
import { nowMs } from '../flow/clock.ts';
import { FD, FLAGS, LAST_ACTIVE, ROW, rows } from '../flow/row.ts';
import { counters } from '../link/counters.ts';
import { frame } from '../wire/frame.ts';
import { ACK, FIN, flags as flagBits, RST, sequence, SYN } from '../wire/tcp.ts';
import { optionTimestamps, readOptions, timestampValue } from '../wire/tcp_option.ts';
import { acknowledgeNow } from './acknowledge.ts';
import { takeAck } from './acknowledged.ts';
import { challenge } from './challenge.ts';
import { endWhenThrough } from './closing.ts';
import { abandon, end } from './ending.ts';
import { takeData } from './deliver.ts';
import { handshake } from './handshake.ts';
import { mark, marksAsked } from './marking.ts';
import {
  AHEAD_FIRST,
  CONNECTING,
  ESTABLISHED,
  FIN_ACKED,
  FIN_SENT,
  GUEST_FIN,
  HEARD_AT,
  HOST_READABLE,
  HOST_SHUT,
  MARKS,
  PROBE_TIMER,
  PROBED,
  RCV_EDGE,
  RCV_NXT,
  RETRANSMIT,
  SACK_PERMITTED,
  SND_MAX,
  SND_UNA,
  SYN_SENT,
  TIMESTAMPS,
  TIME_WAIT,
  TS_RECENT,
} from './row.ts';
import { after, before, distance } from './sequence.ts';
import { restartTimeWait } from './time_wait.ts';
import { isLateCopy, noteTimestamp } from './timestamp.ts';
import { push, pushOn } from './transmit.ts';

/** Both ends' FINs are on their way, or through. */
const SAID_ALL = GUEST_FIN | FIN_SENT;

/**
 * RFC 7323 §5.3 and §3.2 of a flow with timestamps: false for a late copy, which is acknowledged, and for a segment that lacks
 * them, which is not.
 */
function checkTimestamp(flow: number, seq: number, bits: number): boolean {
  const row = flow * ROW;
  if ((bits & RST) !== 0) return true;
  if (!optionTimestamps) return false;
  if (isLateCopy(row)) {
    counters[Counter.tcp_late_copies]!++;
    acknowledgeNow(flow);
    return false;
  }
  if (!after(seq, rows[row + RCV_EDGE]!)) noteTimestamp(row, seq);
  return true;
}

/**
 * A reset that is the guest's. In CLOSING and LAST-ACK, where both ends have said all and only our FIN is unacknowledged, it only ends
 * the waiting: the guest has forgotten the connection, and bytes of it that the far end has yet to get are not lost by that.
 */
function takeReset(flow: number): void {
  const row = flow * ROW;
  const flags = rows[row + FLAGS]!;
  if ((flags & SAID_ALL) !== SAID_ALL || distance(rows[row + SND_UNA]!, rows[row + SND_MAX]!) > 1) {
    abandon(flow, 0);
    return;
  }
  rows[row + SND_UNA] = rows[row + SND_MAX]!;
  rows[row + FLAGS] = (flags & ~(RETRANSMIT | PROBE_TIMER | PROBED | HOST_READABLE)) | FIN_ACKED;
  if ((flags & HOST_SHUT) !== 0) end(flow, 0);
}

/**
 * A mere ACK behind the byte with which the guest has probed our closed window, and which counts as sent for it (RFC 9293 §3.10.7.4: though
 * no segment is acceptable then, valid ACKs are to be taken). Or what it acknowledges would be sent again for as long as the far end
 * reads nothing.
 */
function isBehindProbe(row: number, seq: number, length: number, bits: number): boolean {
  const edge = rows[row + RCV_EDGE]!;
  return edge === rows[row + RCV_NXT] && distance(edge, seq) === 1 && length === 0 && (bits & FIN) === 0;
}

/** RFC 9293 §3.10.7.4, first, second and fourth step, with RFC 5961 §3.2 and §4.2. False when the segment is done with. */
function checkControl(flow: number, seq: number, length: number, bits: number): boolean {
  const row = flow * ROW;
  const next = rows[row + RCV_NXT]!;
  if ((bits & RST) !== 0) {
    counters[Counter.tcp_resets_received]!++;
    if (seq === next) takeReset(flow);
    else if (!before(seq, next) && before(seq, rows[row + RCV_EDGE]!)) challenge(flow);
    return false;
  }
  // First step: what is right of the window tells nothing, its window least of all. What is left of it is old, and judged by its ACK.
  if ((bits & SYN) !== 0 || (after(seq, rows[row + RCV_EDGE]!) && !isBehindProbe(row, seq, length, bits))) {
    // Data is answered each time, so that its sender learns where it stands; two that answer each other's answers would never end.
    if (length > 0 && (bits & SYN) === 0) acknowledgeNow(flow);
    else challenge(flow);
    return false;
  }
  return (bits & ACK) !== 0;
}

/** A segment in TIME-WAIT (RFC 9293 §3.10.7.4). True when it is a SYN that begins a new connection: the row is gone. */
function timeWait(flow: number, seq: number, length: number, bits: number): boolean {
  const row = flow * ROW;
  // RFC 1337: a reset ends nothing here.
  if ((bits & RST) !== 0) return false;
  if ((bits & (SYN | ACK)) === SYN) {
    // RFC 9293 §3.6.1 SHLD-5, RFC 6191 §2: numbers or timestamps that are certainly new.
    const newer = optionTimestamps && (rows[row + FLAGS]! & TIMESTAMPS) !== 0 && after(timestampValue, rows[row + TS_RECENT]!);
    if (newer || after(seq, rows[row + RCV_NXT]!)) {
      end(flow, 0);
      return true;
    }
  }
  if ((bits & FIN) !== 0) restartTimeWait(flow);
  // Whoever sends data or a FIN again has not got our last ACK, and is told each time; what carries nothing might be an answer to ours.
  if ((length > 0 || (bits & FIN) !== 0) && (bits & SYN) === 0) acknowledgeNow(flow);
  else challenge(flow);
  return false;
}

/** The segment in `frame` is the next one of `flow`, and no gap waits to be filled: what follows it need not be answered one by one. */
export function comesInOrder(flow: number): boolean {
  const row = flow * ROW;
  return (rows[row + FLAGS]! & ESTABLISHED) !== 0 && rows[row + AHEAD_FIRST] === 0 && rows[row + RCV_NXT] === sequence(frame.l4);
}

/** The segment in `frame` belongs to `flow`. True when it is a SYN that begins a new connection in the place of the old one. */
export function segmentFromGuest(flow: number): boolean {
  const row = flow * ROW;
  const seq = sequence(frame.l4);
  const bits = flagBits(frame.l4);
  const length = frame.end - frame.payload;
  const flags = rows[row + FLAGS]!;
  rows[row + HEARD_AT] = nowMs;
  const marks = marksAsked();
  if (marks !== rows[row + MARKS] && rows[row + FD]! >= 0) mark(row, marks);
  // Whose SYN has not been seen, or not been answered, has no timestamps to compare with.
  if ((flags & (TIMESTAMPS | SACK_PERMITTED | TIME_WAIT)) !== 0 && (flags & (SYN_SENT | CONNECTING)) === 0) {
    readOptions(frame.l4);
    if ((flags & TIME_WAIT) !== 0) return timeWait(flow, seq, length, bits);
    if ((flags & TIMESTAMPS) !== 0 && !checkTimestamp(flow, seq, bits)) return false;
  }
  if ((flags & ESTABLISHED) === 0 && !handshake(flow, seq, bits)) return false;
  // What established the connection by a SYN is done with.
  if (((bits & SYN) === 0 || (flags & ESTABLISHED) !== 0) && !takeSegment(flow, seq, length, bits)) return false;
  if ((rows[row + FLAGS]! & HOST_READABLE) !== 0 && push(flow)) pushOn(flow);
  return false;
}

/** A segment of an established connection. False when nothing is to be sent in turn. */
function takeSegment(flow: number, seq: number, length: number, bits: number): boolean {
  const row = flow * ROW;
  if (!checkControl(flow, seq, length, bits) || !takeAck(flow, seq, length, bits)) return false;
  if (length > 0 || (bits & FIN) !== 0 || before(seq, rows[row + RCV_NXT]!)) {
    rows[row + LAST_ACTIVE] = nowMs;
    if (!takeData(flow, seq, length, bits)) return false;
  }
  return !endWhenThrough(flow);
}
