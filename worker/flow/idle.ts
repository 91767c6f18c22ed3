/**
 * When a flow has been idle for too long: after its kind's time since it was last active.
 */
import { DEFAULT_UDP_TIMEOUTS } from '../../shared/limits.ts';
import { nowMs } from './clock.ts';
import { LAST_ACTIVE, rows } from './row.ts';

/** How far ahead a timer is set that has nothing to wait for; the wheel comes round earlier and links again. */
const NEVER = 0x3fffffff;

/** The moment (ms) when the flow in `row` has been idle for `timeout` ms; 0 = never. */
export function idleAt(row: number, timeout: number): number {
  return timeout === 0 ? (nowMs + NEVER) | 0 : (rows[row + LAST_ACTIVE]! + timeout) | 0;
}

/** Milliseconds that an idle flow of datagrams is kept, each 0 for no limit. */
export interface DatagramTimeouts {
  /** While one end only has spoken. */
  unanswered: number;
  /** Once both have. */
  answered: number;
}

let timeouts: DatagramTimeouts = DEFAULT_UDP_TIMEOUTS;

/** Sets how long idle flows of datagrams are kept, by frames or spliced, once, from the configuration. */
export function setDatagramTimeouts(wanted: DatagramTimeouts): void {
  timeouts = wanted;
}

/** The moment (ms) when the flow of datagrams in `row` ends; `answered`: both ends have spoken. */
export function datagramsEndAt(row: number, answered: boolean): number {
  return idleAt(row, answered ? timeouts.answered : timeouts.unanswered);
}
