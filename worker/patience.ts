/**
 * Whether the loop looks for the next event a while before it sleeps.
 *
 * Theory of operation. Waking a sleeping process costs more than most events do, above all in a virtual machine, where an
 * idle processor is given away: in a dialogue the next event mostly comes within the time of some looks. So the loop looks
 * first, but only as long as that pays: each time it finds nothing costs trust, and without trust there is only a try now
 * and then. A worker with little to do, or nothing, sleeps at once.
 */

/** Looks before sleeping: some 30 µs. */
export const LOOKS = 64;
const FULL_TRUST = 16;
/** What a vain wait costs, in successful ones. */
const LOSS = 4;
/** Without trust, one wait in so many is a try. */
export const TRY_EVERY = 64;

let trust = 0;
let waits = 0;

/** How often to look before the wait that comes now; 0 = sleep at once. */
export function looksBeforeSleep(): number {
  if (trust > 0) return LOOKS;
  waits = (waits + 1) % TRY_EVERY;
  return waits === 0 ? LOOKS : 0;
}

/** Looking has found an event, or not. */
export function learnFromLooks(found: boolean): void {
  trust = found ? Math.min(trust + 1, FULL_TRUST) : Math.max(trust - LOSS, 0);
}
