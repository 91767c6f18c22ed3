/**
 * The window announced to the guest: never more than the host socket can take.
 *
 * Half of what the kernel says is free in the socket's send buffer, with its own accounting of overhead (SO_MEMINFO):
 * then a send is never partial, nothing is dropped and nothing has to be sent again. A guest far away gets what its way holds
 * (tcp/receive_space.ts). Room once promised stays promised:
 * the right edge never moves left (RFC 9293 §3.8.6.2.1).
 */
import { Counter } from '../../shared/counters.ts';
import { counters } from '../link/counters.ts';
import { isIpv4 } from '../flow/packet.ts';
import { FD, FLAGS, ROW, rows } from '../flow/row.ts';
import { watchFlowAgain } from '../flow/watch.ts';
import { SOCKET_FACTS } from '../link/arena.ts';
import { kernel } from '../link/kernel.ts';
import { view } from '../wire/memory.ts';
import { LARGEST_MSS, ourMss } from './mss.ts';
import { receiveSpace } from './receive_space.ts';
import { HELD, OFFERED, RCV_EDGE, RCV_NXT, RCV_SHIFT, TIME_WAIT, WINDOW_SMALL } from './row.ts';

const SOL_SOCKET = 1;
const SO_MEMINFO = 55;
const MEMINFO_BYTES = 36;
const SNDBUF = 3 * 4;
const WMEM_QUEUED = 5 * 4;

/** Room to announce before the socket's buffer is known; what a kernel announces in its SYN. */
export const INITIAL_WINDOW = 65_535;
/** Largest window that the shift we offer can express. */
export const OFFERED_SHIFT = 8;
const LARGEST = 0xffff << OFFERED_SHIFT;

/** The header field for a window of `room` bytes: what the shift can express, at most. */
function fieldOf(room: number, shift: number): number {
  return Math.min(room >> (shift < 0 ? 0 : shift), 0xffff);
}

/**
 * The header field of the window to announce. The socket is only asked when a fair part of what was promised is used up:
 * a promise that stands costs no system call. One that may hold no segment is asked for anew each time: the guest does not
 * use it up, it probes.
 */
export function presentWindow(flow: number): number {
  const row = flow * ROW;
  const promised = (rows[row + RCV_EDGE]! - rows[row + RCV_NXT]!) | 0;
  const offered = rows[row + OFFERED]!;
  const flags = rows[row + FLAGS]!;
  const stands = promised >= offered - (offered >> 2) && promised >= LARGEST_MSS && (flags & WINDOW_SMALL) === 0;
  return stands || (flags & TIME_WAIT) !== 0 ? fieldOf(promised, rows[row + RCV_SHIFT]!) : announceWindow(flow);
}

/** True when nothing is queued in the socket towards the far end, whose next ACK can't tell of room any more. */
export function isSocketEmpty(flow: number): boolean {
  const fd = rows[flow * ROW + FD]!;
  if (kernel.getOptionBytes(fd, SOL_SOCKET, SO_MEMINFO, SOCKET_FACTS, MEMINFO_BYTES) !== MEMINFO_BYTES) return false;
  return view.getInt32(SOCKET_FACTS + WMEM_QUEUED, true) === 0;
}

/** Asks the socket for its room, remembers what is promised by it, and returns the header field. */
export function announceWindow(flow: number): number {
  const row = flow * ROW;
  const next = rows[row + RCV_NXT]!;
  const promised = (rows[row + RCV_EDGE]! - next) | 0;
  const shift = rows[row + RCV_SHIFT]!;
  let room = 0;
  let buffer = 0;
  if (kernel.getOptionBytes(rows[row + FD]!, SOL_SOCKET, SO_MEMINFO, SOCKET_FACTS, MEMINFO_BYTES) === MEMINFO_BYTES) {
    buffer = view.getInt32(SOCKET_FACTS + SNDBUF, true);
    const queued = view.getInt32(SOCKET_FACTS + WMEM_QUEUED, true);
    room = (buffer - queued) >> 1;
    // A socket that keeps up need not bound what is on its way.
    if (queued < buffer >> 1) room = Math.max(room, receiveSpace(row));
  }
  // Silly window avoidance (RFC 9293 §3.8.6.2.2): less than a segment, and less than a fraction of the buffer, is nothing.
  const told = shift < 0 ? room : (room >> shift) << shift;
  if (told < ourMss(isIpv4(row)) && room < buffer >> 3) room = 0;
  if (rows[row + HELD] !== 0) room = 0;
  const small = room < buffer >> 3;
  const flags = rows[row + FLAGS]!;
  if (small && (flags & WINDOW_SMALL) === 0) {
    counters[Counter.tcp_zero_windows]!++;
    // Without the event the guest's own probes do: the socket is asked for each.
    if (watchFlowAgain(flow) >= 0) rows[row + FLAGS] = flags | WINDOW_SMALL;
  } else if (!small && (flags & WINDOW_SMALL) !== 0) rows[row + FLAGS] = flags & ~WINDOW_SMALL;
  if (room < promised) room = promised;
  if (room > LARGEST) room = LARGEST;
  const field = fieldOf(room, shift);
  const edge = (next + (shift < 0 ? field : field << shift)) | 0;
  if (((edge - rows[row + RCV_EDGE]!) | 0) > 0) rows[row + RCV_EDGE] = edge;
  rows[row + OFFERED] = (rows[row + RCV_EDGE]! - next) | 0;
  return field;
}
