/** Sends a finished frame to the guest, counts it and, when asked to, tells of it. */
import { Counter } from '../../shared/counters.ts';
import { LogLevel, MessageId } from '../../shared/messages.ts';
import { FRAGMENT_FRAME } from '../link/arena.ts';
import { counters } from '../link/counters.ts';
import { LINK_HEADER, transmitFrame } from '../link/link.ts';
import { ETHERNET_HEADER, etherType } from '../wire/ethernet.ts';
import { beginFragments, exceedsLink, fragmentFrameLength, nextFragment } from './fragmentation.ts';
import { log, logs } from './journal.ts';

/** Sends the frame (link header first) of `length` bytes from `at` in one piece, even one larger than the guest's MTU. False when the link refused it. */
export function transmitWhole(at: number, length: number): boolean {
  if (transmitFrame(at, length) < 0) {
    counters[Counter.tap_write_refused]!++;
    return false;
  }
  counters[Counter.frames_to_guest]!++;
  counters[Counter.bytes_to_guest]! += length - LINK_HEADER;
  if (logs(LogLevel.TRACE)) log(LogLevel.TRACE, MessageId.FRAME_OUT, 2, length - LINK_HEADER, etherType(at + LINK_HEADER), 0, 0, 0, 0);
  return true;
}

/** One fragment that is lost makes the others worthless. */
function sendInFragments(at: number, length: number): boolean {
  beginFragments(at, length);
  while (nextFragment()) {
    counters[Counter.fragments_to_guest]!++;
    if (!transmitWhole(FRAGMENT_FRAME, fragmentFrameLength)) return false;
  }
  return true;
}

/**
 * Sends the frame (link header first) of `length` bytes from `at`, in fragments when its packet is larger than the guest's MTU. False when
 * the link refused it: a lost frame.
 */
export function transmit(at: number, length: number): boolean {
  if (exceedsLink(at, length - LINK_HEADER - ETHERNET_HEADER)) return sendInFragments(at, length);
  return transmitWhole(at, length);
}
