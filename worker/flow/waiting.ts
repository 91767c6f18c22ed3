/**
 * Datagrams whose flow has no socket yet.
 *
 * Theory of operation. The first datagram of a flow asks the opener for a socket and waits here, with those that follow it. All
 * records lie in one space in order of arrival; each names the next of its flow, and the row names the first and the last: so one is
 * taken at the same cost however many wait. Answers come in the order of the requests, so records leave mostly from the front;
 * the space is packed when its end is reached. A record's name is its place counted from where the space once began, which packing does
 * not change. A full store drops the datagram, as a full queue does anywhere.
 */
import { WAITING, WAITING_SIZE } from '../link/arena.ts';
import { bytes, view } from '../wire/memory.ts';
import { ROW, rows, WAITING_FIRST, WAITING_LAST } from './row.ts';

const NEXT = 0;
const LENGTH = 4;
const FACT = 8;
const PATH = 12;
const HEADER = 16;
/** In place of a length: the record was taken. What was its length follows in NEXT. */
const GONE = -1;
/** Records are a multiple of 4 long, so no name is ever 0, which stands for none; names wrap. */
const FIRST_NAME = 1;

let front = 0;
let back = 0;
/** Name of a record at the space's beginning. */
let base = FIRST_NAME;

/** Empties the store, for a new table. */
export function openWaiting(): void {
  front = back = 0;
  base = FIRST_NAME;
}

function recordSize(length: number): number {
  return HEADER + ((length + 3) & ~3);
}

function skipGone(): void {
  while (front < back && view.getInt32(WAITING + front + LENGTH, true) === GONE)
    front += recordSize(view.getInt32(WAITING + front + NEXT, true));
  if (front === back) front = back = 0;
}

/** Keeps `length` bytes from `at` with one int32 fact of the flow's kind and a path word (flow/path.ts). False when there is no room. */
export function keepWaiting(flow: number, at: number, length: number, fact: number, path: number): boolean {
  const size = recordSize(length);
  if (back + size > WAITING_SIZE && front > 0) {
    bytes.copyWithin(WAITING, WAITING + front, WAITING + back);
    base = (base + front) | 0;
    back -= front;
    front = 0;
  }
  if (back + size > WAITING_SIZE) return false;
  const row = flow * ROW;
  const name = (base + back) | 0;
  if (rows[row + WAITING_FIRST] === 0) rows[row + WAITING_FIRST] = name;
  else view.setInt32(WAITING + ((rows[row + WAITING_LAST]! - base) | 0) + NEXT, name, true);
  rows[row + WAITING_LAST] = name;
  const record = WAITING + back;
  view.setInt32(record + NEXT, 0, true);
  view.setInt32(record + LENGTH, length, true);
  view.setInt32(record + FACT, fact, true);
  view.setInt32(record + PATH, path, true);
  bytes.copyWithin(record + HEADER, at, at + length);
  back += size;
  return true;
}

/** After `takeWaiting`: where the bytes lie, how many they are, and what came with them. */
export let waitingAt = 0;
export let waitingLength = 0;
export let waitingFact = 0;
export let waitingPath = 0;

/** Takes the oldest datagram of the flow out of the store; it stays readable until the next `keepWaiting`. False when there is none. */
export function takeWaiting(flow: number): boolean {
  const row = flow * ROW;
  const name = rows[row + WAITING_FIRST]!;
  if (name === 0) return false;
  const record = WAITING + ((name - base) | 0);
  waitingAt = record + HEADER;
  waitingLength = view.getInt32(record + LENGTH, true);
  waitingFact = view.getInt32(record + FACT, true);
  waitingPath = view.getInt32(record + PATH, true);
  rows[row + WAITING_FIRST] = view.getInt32(record + NEXT, true);
  view.setInt32(record + NEXT, waitingLength, true);
  view.setInt32(record + LENGTH, GONE, true);
  skipGone();
  return true;
}

/** Forgets what waits for a flow that ends. */
export function dropWaiting(flow: number): void {
  while (takeWaiting(flow));
}
