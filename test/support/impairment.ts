/**
 * A bad network between two namespaces: a pair of taps, and bench/impair.c that carries the frames.
 */
import { program } from './load.ts';
import { start } from './processes.ts';

/** What one way does to frames. Milliseconds, and percent of the frames; what is left out does not happen. */
export interface Way {
  readonly delay?: number;
  /** Up to so much more delay, by chance; the order is kept. */
  readonly jitter?: number;
  readonly loss?: number;
  /** Frames that wait longer than the others, by half of the delay, and at least 2 ms. */
  readonly reorder?: number;
  readonly duplicate?: number;
  /** Frames in which one bit is flipped. */
  readonly corrupt?: number;
  /** A number that chooses the luck; the same one, the same luck. */
  readonly seed?: number;
}

/** What happens both ways, and what is different one way. */
export interface Impairment extends Way {
  readonly out?: Way;
  readonly in?: Way;
}

/** What befell the frames of one way. `overflowed` is the only one that nobody asked for. */
export interface Carried {
  readonly carried: number;
  readonly lost: number;
  readonly reordered: number;
  readonly duplicated: number;
  readonly corrupted: number;
  readonly overflowed: number;
}

export interface BadNetwork {
  /** Ends it, and tells what it has done on the way out, from the first namespace to the second, and in. */
  stop(): Promise<{ readonly out: Carried; readonly in: Carried }>;
  /** Ends it without a word. */
  kill(): void;
}

const UNITS = { delay: 'ms', jitter: 'ms', loss: '%', reorder: '%', duplicate: '%', corrupt: '%', seed: '' };

function words(way: Way, prefix: string): string[] {
  return Object.entries(UNITS).flatMap(([name, unit]) => {
    const value = way[name as keyof Way];
    return value === undefined ? [] : [`${prefix}${name}=${value}${unit}`];
  });
}

/**
 * Joins two namespaces; resolves when the interface `name` is in both, down and without addresses.
 * @param first a name of `ip netns`, or a path of a namespace
 */
export async function startBadNetwork(first: string, second: string, name: string, bad: Impairment): Promise<BadNetwork> {
  const said = [...words(bad, ''), ...words(bad.out ?? {}, 'out:'), ...words(bad.in ?? {}, 'in:')];
  const running = start([program('impair'), first, second, name, ...said], { user: 0, timeout: 3_600_000 });
  await running.waitFor(/ready/);
  return {
    async stop() {
      const { code, stdout, stderr } = await running.stop();
      const line = stdout.trim().split('\n').at(-1) as string;
      if (code !== 0) throw new Error(`impair: exit ${code}: ${stderr}`);
      return JSON.parse(line);
    },
    kill: () => void running.child.kill('SIGKILL'),
  };
}
