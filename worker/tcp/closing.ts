/**
 * The orderly end of a connection: FINs both ways, and what is left when they are through (RFC 9293 §3.6).
 */
import { FD, FLAGS, ROW, rows } from '../flow/row.ts';
import { kernel } from '../link/kernel.ts';
import { end } from './ending.ts';
import { ACK_DELAYED, ACK_NOW, CLOSED_FIRST, FIN_ACKED, FIN_SENT, GUEST_FIN, HELD, HOST_SHUT, SND_MAX } from './row.ts';
import { sendSegment } from './segment.ts';
import { enterTimeWait } from './time_wait.ts';

const SHUT_WR = 1;
/** Nothing more will pass either way. */
const THROUGH = GUEST_FIN | HOST_SHUT | FIN_ACKED;

/** The guest's FIN came in order; the host's peer is told as soon as it has everything before it. */
export function takeFin(flow: number): void {
  const row = flow * ROW;
  rows[row + FLAGS]! |= GUEST_FIN;
  if ((rows[row + FLAGS]! & FIN_SENT) !== 0) rows[row + FLAGS]! |= CLOSED_FIRST;
  if (rows[row + HELD] === 0) shutHost(flow);
}

/** Passes the guest's FIN on to the host's peer. */
export function shutHost(flow: number): void {
  const row = flow * ROW;
  rows[row + FLAGS]! |= HOST_SHUT;
  kernel.shutdown(rows[row + FD]!, SHUT_WR);
}

/** Ends a connection whose both FINs have gone through, ours acknowledged. True when it has ended, or only TIME-WAIT is left of it. */
export function endWhenThrough(flow: number): boolean {
  const row = flow * ROW;
  if ((rows[row + FLAGS]! & THROUGH) !== THROUGH) return false;
  if ((rows[row + FLAGS]! & (ACK_NOW | ACK_DELAYED)) !== 0) sendSegment(flow, rows[row + SND_MAX]!, 0, 0);
  if ((rows[row + FLAGS]! & CLOSED_FIRST) !== 0) enterTimeWait(flow);
  else end(flow, 0);
  return true;
}
