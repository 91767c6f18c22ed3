/**
 * What the worker has to say: ids and integers, put where the channel takes them from. Never a byte of a guest's payload.
 *
 * A ring of a few hundred records; when it is full, later ones are dropped and counted by nobody: the counters tell.
 */
import { LogLevel, MessageId } from '../../shared/messages.ts';
import { GUEST_MAC } from '../link/arena.ts';
import { view } from '../wire/memory.ts';
import { nowMs } from './clock.ts';
import { FAR, FREE, KIND, PORTS, PROTOCOL, ROW, rows } from './row.ts';
import { descriptorCount, flowCount } from './table.ts';

/** int32 words of one record: level, message, number of values, values. */
export const RECORD = 10;
const RECORDS = 256;
const LIMIT_INTERVAL = 10_000;
const EXPIRIES_AT_ONCE = 5;
const MACS_AT_ONCE = 5;

/** Records that wait for the channel. */
export const journal = new Int32Array(RECORD * RECORDS);
let first = 0;
let waiting = 0;
let level: number = LogLevel.INFO;
let limitAt = 0;
let limitTold = false;
let stallAt = 0;
let stallTold = false;
let expiriesAt = 0;
let expiriesTold = 0;
let macsAt = 0;
let macsTold = 0;

/** Sets the most verbose level that is recorded. */
export function setLogLevel(most: number): void {
  level = most;
}

/** True when messages of this level are recorded. */
export function logs(wanted: number): boolean {
  return wanted <= level;
}

/** Records a message with up to six values; unused ones are 0. */
export function log(
  severity: number,
  message: number,
  values: number,
  a: number,
  b: number,
  c: number,
  d: number,
  e: number,
  f: number,
): void {
  if (severity > level || waiting === RECORDS) return;
  const at = ((first + waiting) % RECORDS) * RECORD;
  journal[at] = severity;
  journal[at + 1] = message;
  journal[at + 2] = values;
  journal[at + 3] = a;
  journal[at + 4] = b;
  journal[at + 5] = c;
  journal[at + 6] = d;
  journal[at + 7] = e;
  journal[at + 8] = f;
  waiting++;
}

/** Index of the oldest record in `journal`, or −1. */
export function oldestRecord(): number {
  return waiting === 0 ? -1 : first * RECORD;
}

/** The oldest record was sent. */
export function dropOldest(): void {
  first = (first + 1) % RECORDS;
  waiting--;
}

/** A flow began or ended (debug). */
export function logFlow(message: number, flow: number, errno: number): void {
  if (level < LogLevel.DEBUG) return;
  const row = flow * ROW;
  if (rows[row + KIND] === FREE) return;
  const ports = rows[row + PORTS]!;
  const values = message === MessageId.FLOW_ENDED ? 5 : 4;
  log(LogLevel.DEBUG, message, values, rows[row + PROTOCOL]! & 0xff, flow, ports >>> 16, ports & 0xffff, errno, 0);
}

/** A flow was refused for want of room: at most one line per 10 s. */
export function logFlowLimit(): void {
  if (limitTold && (nowMs - limitAt) >>> 0 < LIMIT_INTERVAL) return;
  limitTold = true;
  limitAt = nowMs;
  log(LogLevel.WARNING, MessageId.FLOW_LIMIT, 2, flowCount, descriptorCount, 0, 0, 0, 0);
}

/** A connection was ended by a limit of time: at most EXPIRIES_AT_ONCE lines per second, lest thousands that end together hide all else. */
export function logExpiry(flow: number, limit: number): void {
  if ((nowMs - expiriesAt) >>> 0 >= 1000) {
    expiriesAt = nowMs;
    expiriesTold = 0;
  }
  if (expiriesTold === EXPIRIES_AT_ONCE) return;
  expiriesTold++;
  const row = flow * ROW;
  const far = row + FAR;
  log(LogLevel.INFO, MessageId.TCP_EXPIRED, 6, limit, rows[row + PORTS]!, rows[far]!, rows[far + 1]!, rows[far + 2]!, rows[far + 3]!);
}

/** The guest has another MAC: at most MACS_AT_ONCE lines per 10 s, since whoever can send frames can change it with each. */
export function logGuestMac(): void {
  if ((nowMs - macsAt) >>> 0 >= LIMIT_INTERVAL) {
    macsAt = nowMs;
    macsTold = 0;
  }
  if (macsTold === MACS_AT_ONCE) return;
  macsTold++;
  const byte = (at: number): number => view.getUint8(GUEST_MAC + at);
  log(LogLevel.INFO, MessageId.GUEST_MAC, 6, byte(0), byte(1), byte(2), byte(3), byte(4), byte(5));
}

/** A connection had stopped and was set going again: at most one line per 10 s. */
export function logStall(flow: number, stall: number, count: number): void {
  if (stallTold && ((nowMs - stallAt) | 0) < LIMIT_INTERVAL) return;
  stallTold = true;
  stallAt = nowMs;
  log(LogLevel.WARNING, MessageId.STALL_REPAIRED, 3, stall, rows[flow * ROW + PORTS]!, count, 0, 0, 0);
}
