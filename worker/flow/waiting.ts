/**
 * Datagrams whose flow has no socket yet.
 *
 * The first datagram of a flow asks the opener for a socket and waits here, with those that follow it, in order of
 * arrival. Answers come in the order of the requests, so records leave mostly from the front; the space is packed when
 * its end is reached. A full store drops the datagram, as a full queue does anywhere.
 */
import { WAITING, WAITING_SIZE } from '../link/arena.ts';
import { bytes, view } from '../wire/memory.ts';

const FLOW = 0;
const LENGTH = 4;
const FACT = 8;
const HEADER = 12;
const GONE = -1;

let front = 0;
let back = 0;

function recordSize(length: number): number {
  return HEADER + ((length + 3) & ~3);
}

function skipGone(): void {
  while (front < back && view.getInt32(WAITING + front + FLOW, true) === GONE)
    front += recordSize(view.getInt32(WAITING + front + LENGTH, true));
  if (front === back) front = back = 0;
}

/** Keeps `length` bytes from `at` and one int32 fact for the flow. False when there is no room. */
export function keepWaiting(flow: number, at: number, length: number, fact: number): boolean {
  const size = recordSize(length);
  if (back + size > WAITING_SIZE && front > 0) {
    bytes.copyWithin(WAITING, WAITING + front, WAITING + back);
    back -= front;
    front = 0;
  }
  if (back + size > WAITING_SIZE) return false;
  const record = WAITING + back;
  view.setInt32(record + FLOW, flow, true);
  view.setInt32(record + LENGTH, length, true);
  view.setInt32(record + FACT, fact, true);
  bytes.copyWithin(record + HEADER, at, at + length);
  back += size;
  return true;
}

/** After `takeWaiting`: where the bytes lie, how many they are, and the fact that came with them. */
export let waitingAt = 0;
export let waitingLength = 0;
export let waitingFact = 0;

/** Takes the oldest datagram of the flow out of the store; it stays readable until the next `keepWaiting`. False when there is none. */
export function takeWaiting(flow: number): boolean {
  for (let at = front; at < back; ) {
    const record = WAITING + at;
    const length = view.getInt32(record + LENGTH, true);
    if (view.getInt32(record + FLOW, true) === flow) {
      view.setInt32(record + FLOW, GONE, true);
      waitingAt = record + HEADER;
      waitingLength = length;
      waitingFact = view.getInt32(record + FACT, true);
      skipGone();
      return true;
    }
    at += recordSize(length);
  }
  return false;
}

/** Forgets what waits for a flow that ends. */
export function dropWaiting(flow: number): void {
  while (takeWaiting(flow));
}
