/**
 * That programs with nothing to do come to rest. How soon depends on the machine, that they do does not.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { cpuSeconds } from './processtable.ts';

const INTERVAL_MS = 1000;
const TRIES = 20;
/** Two of the kernel's ticks: what a look at the ports of both namespaces may fall into. */
const REST_SECONDS = 0.02;

/** Resolves with CPU seconds, once these processes used next to none in a second; rejects when that does not come about. */
export async function comeToRest(pids: readonly number[]): Promise<number> {
  let used = Number.NaN;
  for (let tries = 0; tries < TRIES; tries++) {
    const before = cpuSeconds(pids);
    await pause(INTERVAL_MS);
    used = cpuSeconds(pids) - before;
    if (used <= REST_SECONDS) return used;
  }
  throw new Error(`they have nothing to do, and after ${(TRIES * INTERVAL_MS) / 1000} s they still use ${used} s of CPU in a second`);
}
