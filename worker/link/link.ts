/**
 * The one link of this process to its guest: a tap, or a stream. Which is known once, at the start.
 */
import { VNET_HEADER } from '../../shared/limits.ts';
import { RECEIVE_SLOTS } from './arena.ts';
import { captureFrame, captureOffloaded, captures } from './capture.ts';
import { receivedAt, receivedHeader, receivedLength } from './received.ts';
import { flushStream, holdsFrame, receiveStream, streamHasMore, streamHasRoom, transmitStream } from './stream.ts';
import { receiveTap, takesUdpSegments as tapTakesUdpSegments, transmitTap } from './tap.ts';

/** Bytes before the Ethernet header of every frame that is sent: a virtio-net header, whatever the link. */
export const LINK_HEADER = VNET_HEADER;

let isStream = false;
/** A tap of which nothing is recorded: what most runs have, and what the shortest way is for. */
let isPlainTap = true;

/** The link is a stream from now on, else a tap. What is captured is known by now. */
export function setLink(stream: boolean): void {
  isStream = stream;
  isPlainTap = !stream && !captures;
}

/** Reads a batch of frames (received.ts). Count, or −errno; 0 = the guest has closed the stream. */
export function receiveFrames(): number {
  return isPlainTap ? receiveTap() : receiveOtherwise();
}

function receiveOtherwise(): number {
  const count = isStream ? receiveStream() : receiveTap();
  if (!captures) return count;
  for (let index = 0; index < count; index++) {
    if (receivedHeader > 0) captureOffloaded(receivedAt[index]!, receivedLength(index));
    else captureFrame(receivedAt[index]!, receivedLength(index));
  }
  return count;
}

/** Whether a batch of so many `frames` may have left others. */
export function leftFrames(frames: number): boolean {
  return isStream ? streamHasMore() : frames === RECEIVE_SLOTS;
}

/** Whether frames of an earlier read wait here, of which no event will tell. */
export function holdsFrames(): boolean {
  return isStream && holdsFrame();
}

/** Sends the frame of `length` bytes (with the link header) from `at`. Negative: it is lost. */
export function transmitFrame(at: number, length: number): number {
  return isPlainTap ? transmitTap(at, length) : transmitOtherwise(at, length);
}

function transmitOtherwise(at: number, length: number): number {
  if (isStream) return transmitStream(at, length);
  const sent = transmitTap(at, length);
  if (captures && sent >= 0) captureOffloaded(at, length);
  return sent;
}

/** What a stream has gathered goes out. 0 or −errno. */
export function flushLink(): number {
  return isStream ? flushStream() : 0;
}

/** False while so much waits for the guest that nobody is to send more. */
export function linkHasRoom(): boolean {
  return !isStream || streamHasRoom();
}

/** True when the guest's kernel takes UDP superframes (USO) of this family. */
export function takesUdpSegments(family: number): boolean {
  return !isStream && tapTakesUdpSegments(family);
}
