/** Sends a finished frame to the guest, counts it and, when asked to, tells of it. */
import { Counter } from '../../shared/counters.ts';
import { LogLevel, MessageId } from '../../shared/messages.ts';
import { counters } from '../link/counters.ts';
import { LINK_HEADER, transmitFrame } from '../link/tap.ts';
import { etherType } from '../wire/ethernet.ts';
import { log, logs } from './journal.ts';

/** Sends the frame (link header first) of `length` bytes from `at`. False when the link refused it: a lost frame. */
export function transmit(at: number, length: number): boolean {
  if (transmitFrame(at, length) < 0) {
    counters[Counter.tap_write_refused]!++;
    return false;
  }
  counters[Counter.frames_to_guest]!++;
  counters[Counter.bytes_to_guest]! += length - LINK_HEADER;
  if (logs(LogLevel.TRACE)) log(LogLevel.TRACE, MessageId.FRAME_OUT, 2, length - LINK_HEADER, etherType(at + LINK_HEADER), 0, 0, 0, 0);
  return true;
}
