/**
 * Where the frames of a batch lie. A tap's have a slot each and begin with a virtio-net header; a stream's lie one behind the other as they
 * came, and have none.
 */
import { VNET_HEADER } from '../../shared/limits.ts';
import { view } from '../wire/memory.ts';
import { RECEIVE, RECEIVE_LENGTHS, RECEIVE_SLOTS, SLOT } from './arena.ts';

/** Most frames of one batch. */
export const MOST_RECEIVED = 512;

/** Offset in the arena of each frame. */
export const receivedAt = new Int32Array(MOST_RECEIVED);

/** Bytes before the Ethernet header of each frame: VNET_HEADER or 0. */
export let receivedHeader = VNET_HEADER;

/** The frames are a tap's. */
export function receiveInSlots(): void {
  receivedHeader = VNET_HEADER;
  for (let slot = 0; slot < RECEIVE_SLOTS; slot++) receivedAt[slot] = RECEIVE + slot * SLOT;
}

/** The frames are a stream's, which says where each lies. */
export function receiveInPlace(): void {
  receivedHeader = 0;
}

/** Bytes of frame `index`, header included. */
export function receivedLength(index: number): number {
  return view.getInt32(RECEIVE_LENGTHS + 4 * index, true);
}

/** Frame `index` lies there. */
export function setReceived(index: number, at: number, length: number): void {
  receivedAt[index] = at;
  view.setInt32(RECEIVE_LENGTHS + 4 * index, length, true);
}
