/**
 * Where the frames of a batch lie. A tap's have a slot each and begin with a virtio-net header, unless it is one that has none; a stream's lie
 * one behind the other as they came, and have none.
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

/** Whether each frame has a slot, in which others may be put behind it. */
export let receivedInSlots = true;

/** The frames are a tap's, with a header of so many bytes: VNET_HEADER or 0. */
export function receiveInSlots(header = VNET_HEADER): void {
  receivedHeader = header;
  receivedInSlots = true;
  for (let slot = 0; slot < RECEIVE_SLOTS; slot++) receivedAt[slot] = RECEIVE + slot * SLOT;
}

/** The frames are a stream's, which says where each lies. */
export function receiveInPlace(): void {
  receivedHeader = 0;
  receivedInSlots = false;
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
