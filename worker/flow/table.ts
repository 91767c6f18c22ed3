/**
 * Which flows exist, and how one is found.
 *
 * Theory of operation. Rows are taken lowest-first from a chain of freed rows, or from the never-used rest. The index is
 * open addressing with linear probing over twice as many slots as rows; a slot holds row + 1, 0 is empty. Deletion moves
 * later entries back, so no tombstones exist and a probe ends at the first empty slot. The row's GENERATION recognises
 * events and answers that were meant for an earlier flow of the same row.
 *
 * Limits: `maxFlows` rows and `maxDescriptors` sockets; both full means the new flow is refused, never an old one hurt.
 */
import { nowMs } from './clock.ts';
import { flowHash } from './hash.ts';
import { FAR, FD, FLAGS, FREE, GENERATION, GUEST, KIND, LAST_ACTIVE, NEXT, OWN, PORTS, PROTOCOL, ROW, rows, TIMER_SLOT } from './row.ts';

let slots = new Int32Array(2);
let mask = 1;
let maxFlows = 0;
let maxDescriptors = 0;
let used = 0;
let freed = -1;
/** Moment (ms) each flow began. */
let begun = new Int32Array(0);

/** Flows that exist. */
export let flowCount = 0;
/** Sockets that flows hold or have asked an opener for. */
export let descriptorCount = 0;

/** FD of a row whose socket was given back before the row. */
const SOCKET_RETURNED = -2;

/** The key of the flow sought: guest address, far address. Filled by the caller before `find` or `add`. */
export const key = new Int32Array(8);
export const KEY_GUEST = 0;
export const KEY_FAR = 4;

/** Makes an empty table over the bound rows. Limits are ≥ 1. */
export function openTable(flows: number, descriptors: number): void {
  maxFlows = flows;
  maxDescriptors = descriptors;
  let size = 2;
  while (size < 2 * flows) size *= 2;
  slots = new Int32Array(size);
  mask = size - 1;
  begun = new Int32Array(flows);
  used = 0;
  freed = -1;
  flowCount = 0;
  descriptorCount = 0;
}

function matches(row: number, ports: number, protocol: number): boolean {
  return (
    rows[row + PORTS] === ports &&
    rows[row + PROTOCOL] === protocol &&
    rows[row + FAR + 3] === key[7] &&
    rows[row + GUEST + 3] === key[3] &&
    rows[row + FAR] === key[4] &&
    rows[row + FAR + 1] === key[5] &&
    rows[row + FAR + 2] === key[6] &&
    rows[row + GUEST] === key[0] &&
    rows[row + GUEST + 1] === key[1] &&
    rows[row + GUEST + 2] === key[2]
  );
}

let recent = 0;

/** The flow of `key`, ports and protocol, or −1. */
export function find(ports: number, protocol: number): number {
  if (rows[recent * ROW + KIND] !== FREE && matches(recent * ROW, ports, protocol)) return recent;
  let slot = flowHash(key, KEY_GUEST, KEY_FAR, ports, protocol) & mask;
  for (;;) {
    const entry = slots[slot]!;
    if (entry === 0) return -1;
    if (matches((entry - 1) * ROW, ports, protocol)) {
      recent = entry - 1;
      return recent;
    }
    slot = (slot + 1) & mask;
  }
}

/** So many descriptors more (or fewer, when negative) are not there for flows. */
export function reserveDescriptors(count: number): void {
  maxDescriptors -= count;
}

/** Descriptors that are left, for flows and for what `reserveDescriptors` is told of. */
export function freeDescriptors(): number {
  return Math.max(maxDescriptors - descriptorCount, 0);
}

/** True when one more flow with one more socket is within the limits. */
export function hasRoom(): boolean {
  return flowCount < maxFlows && descriptorCount < maxDescriptors;
}

/** Takes a row for `key`, ports and protocol; −1 when the limits are reached. The socket to come is counted at once. */
export function add(kind: number, ports: number, protocol: number): number {
  if (!hasRoom()) return -1;
  let flow = freed;
  if (flow >= 0) freed = rows[flow * ROW + NEXT]!;
  else flow = used++;
  const row = flow * ROW;
  begun[flow] = nowMs;
  rows[row + KIND] = kind;
  rows[row + GENERATION] = (rows[row + GENERATION]! + 1) & 0x3fff;
  rows[row + FD] = -1;
  rows[row + FLAGS] = 0;
  for (let i = 0; i < 4; i++) {
    rows[row + GUEST + i] = key[KEY_GUEST + i]!;
    rows[row + FAR + i] = key[KEY_FAR + i]!;
  }
  rows[row + PORTS] = ports;
  rows[row + PROTOCOL] = protocol;
  rows[row + TIMER_SLOT] = -1;
  rows[row + LAST_ACTIVE] = 0;
  for (let field = OWN; field < ROW; field++) rows[row + field] = 0;
  let slot = flowHash(key, KEY_GUEST, KEY_FAR, ports, protocol) & mask;
  while (slots[slot] !== 0) slot = (slot + 1) & mask;
  slots[slot] = flow + 1;
  flowCount++;
  descriptorCount++;
  return flow;
}

function homeOf(entry: number): number {
  const row = (entry - 1) * ROW;
  return flowHash(rows, row + GUEST, row + FAR, rows[row + PORTS]!, rows[row + PROTOCOL]!) & mask;
}

/** Gives the row back. The caller has closed its socket and stopped its timer. */
export function remove(flow: number): void {
  const row = flow * ROW;
  let hole = homeOf(flow + 1);
  while (slots[hole] !== flow + 1) hole = (hole + 1) & mask;
  for (let slot = (hole + 1) & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
    const home = homeOf(slots[slot]!);
    // The entry may move back when its home isn't cyclically within (hole, slot].
    if (((slot - home) & mask) >= ((slot - hole) & mask)) {
      slots[hole] = slots[slot]!;
      hole = slot;
    }
  }
  slots[hole] = 0;
  rows[row + KIND] = FREE;
  rows[row + NEXT] = freed;
  freed = flow;
  flowCount--;
  if (rows[row + FD] !== SOCKET_RETURNED) descriptorCount--;
}

/** The flow's socket was closed, and the row goes on without one. */
export function returnSocket(flow: number): void {
  rows[flow * ROW + FD] = SOCKET_RETURNED;
  descriptorCount--;
}

/** Milliseconds since the flow began, below 2³². */
export function ageOf(flow: number): number {
  return (nowMs - begun[flow]!) >>> 0;
}

/** Rows that were ever taken: a walk over all flows ends here. */
export function rowsInUse(): number {
  return used;
}
