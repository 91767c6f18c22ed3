/** Sends a finished frame to the guest and counts it. */
import { Counter } from '../../shared/counters.ts';
import { counters } from './counters.ts';
import { LINK_HEADER, transmitFrame } from './tap.ts';

/** Sends the frame (link header first) of `length` bytes from `at`. False when the link refused it: a lost frame. */
export function transmit(at: number, length: number): boolean {
  if (transmitFrame(at, length) < 0) {
    counters[Counter.tap_write_refused]!++;
    return false;
  }
  counters[Counter.frames_to_guest]!++;
  counters[Counter.bytes_to_guest]! += length - LINK_HEADER;
  return true;
}
