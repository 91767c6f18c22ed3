/**
 * What the guest's link carries, written to a file that the supervisor has opened (`--pcap`): the records of pcap(5).
 *
 * Theory of operation. A frame is recorded when it has been read, or when the link has taken it, as it was on the link: one record for each,
 * also for a superframe, which on a tap is one frame. What is left to the guest's or our kernel, the checksum behind the virtio-net header,
 * is completed in the record. Records are gathered and go out when a turn ends, whole ones always, so that a reader of the file sees
 * no piece of one; when they can't (a pipe that nobody reads, a full disk), they wait here, and when no room is left new ones are lost, and
 * counted. An error for good ends the capture, never the guest's network.
 *
 * Without a capture nothing of this is reached: link.ts and stream.ts go other ways then.
 */
import { Counter } from '../../shared/counters.ts';
import { completeChecksum } from '../wire/checksum.ts';
import { bytes, view } from '../wire/memory.ts';
import * as vnet from '../wire/vnet.ts';
import { CAPTURE, CAPTURE_SIZE, WALL_CLOCK } from './arena.ts';
import { counters } from './counters.ts';
import { kernel } from './kernel.ts';

const EAGAIN = 11;
const EINTR = 4;
const ENOSPC = 28;
const EDQUOT = 122;
/** pcap(5): seconds, microseconds, bytes recorded, bytes that there were; little-endian, as every machine that this runs on. */
const RECORD = 16;
/** The header of the file says so (supervisor/capture-file.ts). */
const MOST_RECORDED = 65_535;
/** So much is written without waiting for the end of the turn. */
const ENOUGH = 1 << 18;

/** A file is there to be written, or its failure is to be told. */
export let captures = false;
let fd = -1;
/** errno of what has ended the capture. */
let failure = 0;
/** What waits to be written. */
let from = CAPTURE;
let to = CAPTURE;

/** Takes the file, whose header is written. */
export function openCapture(descriptor: number): void {
  fd = descriptor;
  from = CAPTURE;
  to = CAPTURE;
  failure = 0;
  captures = true;
}

/** No record is begun any more. */
export function stopCapture(): void {
  captures = false;
}

/** Writes what waits. 0, or the errno of an error that has ended the capture. */
export function flushCapture(): number {
  if (from === to) return failure;
  const written = kernel.write(fd, from, to - from);
  if (written > 0) from += written;
  if (from === to) {
    from = CAPTURE;
    to = CAPTURE;
  }
  if (written >= 0 || written === -EAGAIN || written === -EINTR || written === -ENOSPC || written === -EDQUOT) return 0;
  kernel.close(fd);
  fd = -1;
  from = CAPTURE;
  to = CAPTURE;
  failure = -written;
  return failure;
}

/** Makes `length` bytes of room behind what waits. False: there is none. */
function hasRoom(length: number): boolean {
  if (to - from >= ENOUGH) flushCapture();
  if (to - CAPTURE + length > CAPTURE_SIZE && from > CAPTURE) {
    bytes.copyWithin(CAPTURE, from, to);
    to -= from - CAPTURE;
    from = CAPTURE;
  }
  return to - CAPTURE + length <= CAPTURE_SIZE;
}

/** Begins a record for a packet of `length` bytes. Where its bytes belong, or −1: it is lost. */
export function beginRecord(length: number): number {
  const recorded = Math.min(length, MOST_RECORDED);
  if (fd < 0 || !hasRoom(RECORD + recorded)) {
    counters[Counter.captures_lost]!++;
    return -1;
  }
  kernel.wallClock(WALL_CLOCK);
  view.setInt32(to, view.getInt32(WALL_CLOCK, true), true);
  view.setInt32(to + 4, view.getInt32(WALL_CLOCK + 4, true), true);
  view.setInt32(to + 8, recorded, true);
  view.setInt32(to + 12, length, true);
  const at = to + RECORD;
  to = at + recorded;
  return at;
}

/** Records the frame of `length` bytes at `at` as it is. */
export function captureFrame(at: number, length: number): void {
  const record = beginRecord(length);
  if (record >= 0) bytes.copyWithin(record, at, at + Math.min(length, MOST_RECORDED));
}

/** Records the frame of `length` bytes with its virtio-net header at `at`, which may be a guest's: its fields are believed as far as they are in bounds. */
export function captureOffloaded(at: number, length: number): void {
  const frame = length - vnet.VNET_HEADER;
  const record = beginRecord(frame);
  if (record < 0) return;
  const recorded = Math.min(frame, MOST_RECORDED);
  bytes.copyWithin(record, at + vnet.VNET_HEADER, at + vnet.VNET_HEADER + recorded);
  if ((vnet.flags(at) & vnet.VIRTIO_NET_HDR_F_NEEDS_CSUM) === 0 || recorded < frame) return;
  const start = vnet.checksumStart(at);
  const offset = vnet.checksumOffset(at);
  if (start + offset + 2 <= frame) completeChecksum(record + start, frame - start, offset);
}
