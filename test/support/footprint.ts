/**
 * What a tool holds while it runs, process by process: descriptors and private memory, before some work and after it.
 */
import { readdirSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { nameOf, privateBytes } from './processtable.ts';
import type { Translator } from './translator.ts';

export interface Held {
  readonly name: string;
  readonly descriptors: number;
  /** Bytes that no other process has. */
  readonly memory: number;
}

/** By pid. */
export type Footprint = ReadonlyMap<number, Held>;

/**
 * Bytes that the worker may hold more after any work than after a little of it: code that V8 compiled meanwhile and what its garbage
 * collector has not looked at yet. Seen: 4 MB after files of 500 MB, nothing after a million connections.
 */
export const WORKER_MARGIN = 6_000_000;

/** The others have nothing to do with traffic; the opener works for each flow, and keeps nothing. */
const OTHERS_MARGIN = 500_000;

/** A connection that ends is not gone at once: both ends' last segments, and the opener's sockets that nobody needed. */
const SETTLING_MS = 20_000;

/** What each process of a tool holds now. */
export function footprint(translator: Translator): Footprint {
  const held = new Map<number, Held>();
  for (const pid of translator.pids())
    held.set(pid, { name: nameOf(pid), descriptors: readdirSync(`/proc/${pid}/fd`).length, memory: privateBytes([pid]) });
  return held;
}

/** In words, the processes that hold more than before, or that are others. */
function grown(before: Footprint, after: Footprint, margin: number): string {
  const found: string[] = [];
  for (const [pid, { name, descriptors, memory }] of after) {
    const earlier = before.get(pid);
    if (earlier === undefined) found.push(`${name} is new`);
    else if (descriptors > earlier.descriptors) found.push(`${name} holds ${descriptors} descriptors instead of ${earlier.descriptors}`);
    else if (memory > earlier.memory + (name === 'pasta.worker' ? margin : OTHERS_MARGIN))
      found.push(`${name} has ${Math.round(memory / 1024)} KiB of its own instead of ${Math.round(earlier.memory / 1024)}`);
  }
  for (const [pid, { name }] of before) if (!after.has(pid)) found.push(`${name} is gone`);
  return found.join(', ');
}

/**
 * Throws, with what has grown, when a tool holds more than `before`; descriptors of ended flows have some seconds to go.
 * @param margin bytes that the worker may hold more
 */
export async function expectNoGrowth(translator: Translator, before: Footprint, margin = WORKER_MARGIN): Promise<void> {
  let found = grown(before, footprint(translator), margin);
  for (const limit = Date.now() + SETTLING_MS; found !== '' && Date.now() < limit; ) {
    await pause(50);
    found = grown(before, footprint(translator), margin);
  }
  if (found !== '') throw new Error(`after its work, ${found}`);
}
