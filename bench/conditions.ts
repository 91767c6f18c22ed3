/**
 * The bad links that TCP is measured and tested on.
 */
import type { Impairment } from '../test/support/impairment.ts';

export interface Condition {
  readonly name: string;
  readonly bad: Impairment;
  /** Also measured by --short. */
  readonly short?: true;
}

/** `delay` is half of the round trip that a row names. */
export const CONDITIONS: readonly Condition[] = [
  { name: '10 ms, 0.01 % lost', bad: { delay: 5, loss: 0.01 } },
  { name: '10 ms, 0.1 % lost', bad: { delay: 5, loss: 0.1 } },
  { name: '10 ms, 1 % lost', bad: { delay: 5, loss: 1 }, short: true },
  { name: '10 ms, 5 % lost', bad: { delay: 5, loss: 5 }, short: true },
  { name: '1 ms, 0.1 % lost', bad: { delay: 0.5, loss: 0.1 } },
  { name: '50 ms, 0.1 % lost', bad: { delay: 25, loss: 0.1 }, short: true },
  { name: '200 ms, 0.1 % lost', bad: { delay: 100, loss: 0.1 } },
  { name: '20 ms and up to 20 more', bad: { delay: 10, jitter: 10 } },
  { name: '10 ms, 1 % out of order', bad: { delay: 5, reorder: 1 }, short: true },
  { name: '10 ms, 1 % twice', bad: { delay: 5, duplicate: 1 } },
  { name: '10 ms, 0.1 % with a wrong bit', bad: { delay: 5, corrupt: 0.1 } },
  {
    name: '20 ms, some of all',
    bad: { delay: 8, jitter: 4, loss: 0.5, reorder: 0.5, duplicate: 0.5, corrupt: 0.05 },
    short: true,
  },
];

/** The longest round trip of a link in milliseconds, without what is out of order. */
export function roundTrip({ delay = 0, jitter = 0 }: Impairment): number {
  return 2 * (delay + jitter);
}
