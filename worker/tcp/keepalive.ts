/**
 * Keep-alive (RFC 9293 §3.8.4), passed on: a guest that probes wants to know whether the far end is there, not whether we are.
 */
import { nowMs } from '../flow/clock.ts';
import { FD, FLAGS, LAST_ACTIVE, ROW, rows } from '../flow/row.ts';
import { kernel } from '../link/kernel.ts';
import { KEEPALIVE } from './row.ts';

const SOL_SOCKET = 1;
const SO_KEEPALIVE = 9;
const IPPROTO_TCP = 6;
const TCP_KEEPIDLE = 4;
/** Seconds: what Linux takes. */
const MAX_KEEPIDLE = 32_767;

/** The guest has probed: the host socket probes from now on after as long a silence as the guest did. */
export function passKeepAliveOn(flow: number): void {
  const row = flow * ROW;
  if ((rows[row + FLAGS]! & KEEPALIVE) !== 0) return;
  rows[row + FLAGS]! |= KEEPALIVE;
  const silence = Math.round(((nowMs - rows[row + LAST_ACTIVE]!) | 0) / 1000);
  kernel.setOption(rows[row + FD]!, IPPROTO_TCP, TCP_KEEPIDLE, Math.min(Math.max(silence, 1), MAX_KEEPIDLE));
  kernel.setOption(rows[row + FD]!, SOL_SOCKET, SO_KEEPALIVE, 1);
}
