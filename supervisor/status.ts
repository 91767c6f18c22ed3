/**
 * The worker's counters as text, for SIGUSR2.
 */
import { COUNTERS } from '../shared/counters.ts';

/** One line per counter that isn't zero, and the number of flows first. `counters` are in the order of shared/counters.ts. */
export function statusLines(counters: readonly number[], flows: number): string[] {
  const width = Math.max(...COUNTERS.map((name) => name.length));
  const lines = COUNTERS.flatMap((name, index) => {
    const value = counters[index] ?? 0;
    return value === 0 ? [] : [`${name.padEnd(width)}  ${value}`];
  });
  return [`${'flows'.padEnd(width)}  ${flows}`, ...lines];
}
