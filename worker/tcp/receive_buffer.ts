/**
 * Bytes of the guest that its flow's host socket has not taken: those behind a gap (tcp/reassembly.ts), and, rarely, those
 * in order that the socket had no room for though the window had promised it (tcp/deliver.ts).
 *
 * Theory of operation. A block holds an aligned piece of the sequence space, so a byte's number tells its place: segments
 * that follow each other share blocks, a gap is filled without moving anything, and a flow never holds more blocks than its
 * window spans, whatever the sizes and the order of its segments. A flow's blocks are chained by sequence number.
 *
 * All flows share the blocks. None takes another one unless as many are free as it has: alone it gets half of all, n flows
 * get one part in n + 1 each, and there is always one for who has none. What came out of order leaves some for what comes
 * in order. Bytes that find no room are not acknowledged, and come again; none that were told of are ever dropped
 * (RFC 2018 §8 would allow it).
 */
import { FLAGS, ROW, rows } from '../flow/row.ts';
import { BUFFER_BLOCK, BUFFER_BLOCK_COUNT, BUFFER_BLOCKS } from '../link/arena.ts';
import { bytes } from '../wire/memory.ts';
import { GUEST_FIN, HELD, RCV_BUFFER, RCV_NXT } from './row.ts';
import { after, before } from './sequence.ts';

const WITHIN = BUFFER_BLOCK - 1;
/** Blocks that only bytes in order may take. */
const IN_ORDER_ONLY = BUFFER_BLOCK_COUNT >> 4;
/** More than blocks: a buffer may hold no byte, but only know where the stream ends. */
export const BUFFERS = 2 * BUFFER_BLOCK_COUNT;

/** Of each block: the number of its first byte, and the next block of its flow, or of the free ones. */
const base = new Int32Array(BUFFER_BLOCK_COUNT + 1);
const next = new Int32Array(BUFFER_BLOCK_COUNT + 1);
let freedBlock = 0;
let usedBlocks = 0;

/** Of each buffer: its first and last block, and how many it has; a free one's `first` is the next free one. */
const first = new Int32Array(BUFFERS + 1);
const last = new Int32Array(BUFFERS + 1);
const count = new Int32Array(BUFFERS + 1);
let freedBuffer = 0;
let usedBuffers = 0;

/** Blocks and buffers that are in use. */
export let blocksTaken = 0;
export let buffersTaken = 0;

/** Forgets everything. */
export function openReceiveBuffers(): void {
  freedBlock = usedBlocks = blocksTaken = 0;
  freedBuffer = usedBuffers = buffersTaken = 0;
}

/** The flow's buffer, a new one if it has none; 0 when there is none left. */
export function receiveBuffer(flow: number): number {
  const present = rows[flow * ROW + RCV_BUFFER]!;
  if (present !== 0) return present;
  let buffer = freedBuffer;
  if (buffer !== 0) freedBuffer = first[buffer]!;
  else if (usedBuffers < BUFFERS) buffer = ++usedBuffers;
  else return 0;
  first[buffer] = last[buffer] = count[buffer] = 0;
  buffersTaken++;
  rows[flow * ROW + RCV_BUFFER] = buffer;
  return buffer;
}

function takeBlock(buffer: number, number: number, previous: number, reserved: number): number {
  const free = BUFFER_BLOCK_COUNT - blocksTaken - reserved;
  if (count[buffer]! >= free) return 0;
  const block = freedBlock || ++usedBlocks;
  if (block === freedBlock) freedBlock = next[block]!;
  blocksTaken++;
  count[buffer]!++;
  base[block] = number;
  next[block] = previous === 0 ? first[buffer]! : next[previous]!;
  if (previous === 0) first[buffer] = block;
  else next[previous] = block;
  if (next[block] === 0) last[buffer] = block;
  return block;
}

/** The block of the byte `seq`, taken if the flow has none for it; 0 when it may not have one. */
function blockOf(buffer: number, seq: number, reserved: number): number {
  const number = seq & ~WITHIN;
  let previous = last[buffer]!;
  if (previous === 0 || before(number, base[previous]!)) {
    previous = 0;
    for (let block = first[buffer]!; block !== 0 && !after(base[block]!, number); block = next[block]!) previous = block;
  }
  if (previous !== 0 && base[previous] === number) return previous;
  return takeBlock(buffer, number, previous, reserved);
}

/** Keeps up to `length` bytes from `at`, whose first has the number `seq`. How many were kept, from the first on. */
export function keep(flow: number, seq: number, at: number, length: number, inOrder: boolean): number {
  const buffer = receiveBuffer(flow);
  if (buffer === 0) return 0;
  let kept = 0;
  while (kept < length) {
    const number = (seq + kept) | 0;
    const block = blockOf(buffer, number, inOrder ? 0 : IN_ORDER_ONLY);
    if (block === 0) break;
    const place = number & WITHIN;
    const piece = Math.min(BUFFER_BLOCK - place, length - kept);
    bytes.copyWithin(BUFFER_BLOCKS + (block - 1) * BUFFER_BLOCK + place, at + kept, at + kept + piece);
    kept += piece;
  }
  return kept;
}

/** The number of the oldest byte that waits for the socket, or of the one that it gets next. */
export function heldFrom(row: number): number {
  // The FIN has a number, and no byte.
  const fin = (rows[row + FLAGS]! & GUEST_FIN) === 0 ? 0 : 1;
  return (rows[row + RCV_NXT]! - fin - rows[row + HELD]!) | 0;
}

/** Where the oldest byte lies that waits for the socket; there is one. */
export function heldAt(flow: number): number {
  const row = flow * ROW;
  const seq = heldFrom(row);
  return BUFFER_BLOCKS + (first[rows[row + RCV_BUFFER]!]! - 1) * BUFFER_BLOCK + (seq & WITHIN);
}

/** How many of those that wait lie there in one piece. */
export function heldLength(flow: number): number {
  const row = flow * ROW;
  const seq = heldFrom(row);
  return Math.min(BUFFER_BLOCK - (seq & WITHIN), rows[row + HELD]!);
}

/** Gives back the blocks that hold only bytes before `seq`. */
export function releaseBefore(flow: number, seq: number): void {
  const buffer = rows[flow * ROW + RCV_BUFFER]!;
  const number = seq & ~WITHIN;
  for (let block = first[buffer]!; block !== 0 && before(base[block]!, number); block = first[buffer]!) {
    first[buffer] = next[block]!;
    next[block] = freedBlock;
    freedBlock = block;
    blocksTaken--;
    count[buffer]!--;
  }
  if (first[buffer] === 0) last[buffer] = 0;
}

/** Gives back the flow's buffer with all that is in it. */
export function releaseBuffer(flow: number): void {
  const row = flow * ROW;
  const buffer = rows[row + RCV_BUFFER]!;
  if (buffer === 0) return;
  if (last[buffer] !== 0) {
    next[last[buffer]!] = freedBlock;
    freedBlock = first[buffer]!;
    blocksTaken -= count[buffer]!;
  }
  first[buffer] = freedBuffer;
  freedBuffer = buffer;
  buffersTaken--;
  rows[row + RCV_BUFFER] = 0;
  rows[row + HELD] = 0;
}
