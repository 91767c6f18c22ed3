/**
 * Bytes of the guest that the host socket did not take though the window had promised room for them.
 *
 * Rare by the window's design, so the store is small: whole slots of one frame each, chained per flow, first in first
 * out. When no slot is free the bytes are not acknowledged and the guest sends them again.
 */
import { ROW, rows } from '../flow/row.ts';
import { SLOT, STASH, STASH_SLOTS } from '../link/arena.ts';
import { bytes } from '../wire/memory.ts';
import { STASH_FIRST, STASH_LAST } from './row.ts';

const next = new Int32Array(STASH_SLOTS + 1);
const start = new Int32Array(STASH_SLOTS + 1);
const length = new Int32Array(STASH_SLOTS + 1);
let free = 0;

/** Empties the store. */
export function openStash(): void {
  for (let slot = 1; slot <= STASH_SLOTS; slot++) next[slot] = slot === STASH_SLOTS ? 0 : slot + 1;
  free = 1;
}

/** Keeps `size` bytes (at most SLOT) from `at` behind what the flow has stashed. False when the store is full. */
export function stash(flow: number, at: number, size: number): boolean {
  const slot = free;
  if (slot === 0) return false;
  free = next[slot]!;
  const base = STASH + (slot - 1) * SLOT;
  bytes.copyWithin(base, at, at + size);
  start[slot] = base;
  length[slot] = size;
  next[slot] = 0;
  const row = flow * ROW;
  const last = rows[row + STASH_LAST]!;
  if (last === 0) rows[row + STASH_FIRST] = slot;
  else next[last] = slot;
  rows[row + STASH_LAST] = slot;
  return true;
}

/** Offset of the flow's oldest stashed bytes; the flow has some. */
export function stashedAt(flow: number): number {
  return start[rows[flow * ROW + STASH_FIRST]!]!;
}

/** How many bytes lie there. */
export function stashedLength(flow: number): number {
  return length[rows[flow * ROW + STASH_FIRST]!]!;
}

/** The first `size` of them were taken. */
export function unstash(flow: number, size: number): void {
  const row = flow * ROW;
  const slot = rows[row + STASH_FIRST]!;
  start[slot]! += size;
  length[slot]! -= size;
  if (length[slot]! > 0) return;
  rows[row + STASH_FIRST] = next[slot]!;
  if (next[slot] === 0) rows[row + STASH_LAST] = 0;
  next[slot] = free;
  free = slot;
}

/** Gives back all slots of a flow that ends. */
export function dropStash(flow: number): void {
  while (rows[flow * ROW + STASH_FIRST] !== 0) unstash(flow, stashedLength(flow));
}
