/**
 * Whether the loop looks for the next event a while before it sleeps.
 *
 * Theory of operation. Waking a sleeping process costs more than most events do, above all in a virtual machine, where an
 * idle processor is given away: in a dialogue the next event mostly comes within the time of some looks. So the loop looks
 * first, but only as long as that pays: each time it finds nothing costs trust, and without trust there is only a try now
 * and then. A worker with little to do, or nothing, sleeps at once. So does one with much to do for many: what comes while
 * it sleeps is done in one turn, and the programs that it works for need the processor.
 */

/** Looks before sleeping: some 30 µs. */
export const LOOKS = 64;
/** Events at once that one dialogue makes: a frame of the guest and a socket's. */
const DIALOGUE = 2;
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

/** Looking has found so many events. */
export function learnFromLooks(events: number): void {
  trust = events > 0 && events <= DIALOGUE ? Math.min(trust + 1, FULL_TRUST) : Math.max(trust - LOSS, 0);
}
