/**
 * How much a guest far away sends in one round trip, and so which window keeps its way full.
 *
 * The host socket's send buffer is a measure of the far end's way, not of the guest's: a socket that empties at once stays
 * small, and half of its room may be much less than what is on its way from a guest behind a slow link. So, as a kernel sizes
 * its receive buffer, the window becomes a multiple of what came in the last round trip. What arrives too fast for the socket
 * waits in the flow's receive buffer (tcp/receive_buffer.ts).
 */
import { nowUs } from '../flow/clock.ts';
import { rows } from '../flow/row.ts';
import { RCV_NXT, RCV_SPACE, RCV_SPACE_AT, RCV_SPACE_SEQ, SRTT } from './row.ts';

/** µs: a guest that is nearer is served best by what the socket can take. */
const NEAR = 2000;
/** Twice a window in slow start doubles it in each round trip, and as much again keeps a delayed acknowledgement from holding it back. */
const ROUND_TRIPS = 4;
/** What kernels allow a receive buffer by default (tcp_rmem). */
const MOST = 6 << 20;

/** Bytes to allow the guest beside what the socket has room for; 0 when it is near. */
export function receiveSpace(row: number): number {
  const roundTrip = rows[row + SRTT]!;
  if (roundTrip < NEAR) return 0;
  const next = rows[row + RCV_NXT]!;
  if (rows[row + RCV_SPACE_AT] === 0) {
    rows[row + RCV_SPACE_SEQ] = next;
    rows[row + RCV_SPACE_AT] = nowUs | 1;
    return rows[row + RCV_SPACE]!;
  }
  if (((nowUs - rows[row + RCV_SPACE_AT]!) | 0) >= roundTrip) {
    const arrived = (next - rows[row + RCV_SPACE_SEQ]!) | 0;
    rows[row + RCV_SPACE] = Math.max(rows[row + RCV_SPACE]!, Math.min(arrived * ROUND_TRIPS, MOST));
    rows[row + RCV_SPACE_SEQ] = next;
    rows[row + RCV_SPACE_AT] = nowUs | 1;
  }
  return rows[row + RCV_SPACE]!;
}

/** The socket could not take what came: the guest is held back by its room alone until a round trip was measured anew. */
export function forgetReceiveSpace(row: number): void {
  rows[row + RCV_SPACE] = 0;
  rows[row + RCV_SPACE_AT] = 0;
}
