/** The time of this wake-up, read once by the loop. */

/** Milliseconds and microseconds of the monotonic clock, int32, wrapping. */
export let nowMs = 0;
export let nowUs = 0;

/** Sets the time; everything until the next call happens at this moment. */
export function setNow(milliseconds: number, microseconds: number): void {
  nowMs = milliseconds;
  nowUs = microseconds;
}
