/**
 * Leaving. Not `process.exit`: its handlers make system calls that the seal kills.
 *
 * Exit codes: 0 drained, or the supervisor is gone; 3 a message that makes no sense; 4 the opener is gone.
 */
import { captures, flushCapture } from './link/capture.ts';

export const EXIT_DONE = 0;
export const EXIT_CHANNEL = 3;
export const EXIT_OPENER = 4;

/** Ends the process at once; what was captured is written first. */
export function leave(code: number): never {
  if (captures) flushCapture();
  (process as unknown as { reallyExit(code: number): never }).reallyExit(code);
  throw new Error('unreachable');
}
