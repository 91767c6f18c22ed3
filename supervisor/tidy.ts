/**
 * Gives back what only the start needed, once: 2.7 MB of a run that may idle for months.
 *
 * Not at once, since a command that ends soon would wait for it, and there is more garbage as long as something happens.
 */
import type { Native } from '../native/supervisor.d.ts';

/** Milliseconds after the start; the collection takes 10 or so. */
const REST_MS = 400;

/** Collects garbage when the start is over; holds nobody up from leaving. */
export function tidyLater(native: Pick<Native, 'trim'>): void {
  setTimeout(() => {
    // By the flag --expose-gc (runtime.ts); where somebody runs us without it, V8 collects when it sees fit.
    globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
    native.trim();
  }, REST_MS).unref();
}
