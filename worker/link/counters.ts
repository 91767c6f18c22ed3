/** The worker's counters: doubles, exact to 2⁵³, indexed by `Counter` of shared/counters.ts. */
import { COUNTERS } from '../../shared/counters.ts';

export const counters = new Float64Array(COUNTERS.length);

/** Adds one. */
export function count(counter: number): void {
  counters[counter]!++;
}
