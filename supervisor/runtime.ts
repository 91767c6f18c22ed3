/**
 * How the worker's runtime is started.
 *
 * The launcher has both rooms' flags from dist/flags.sh, which the build writes; the code of the bundles is compiled with them (build/).
 * Flags that change V8's flag hash make it refuse the code cache of the built-in modules, and loading those then costs 7–10 ms
 * (measured: child_process 2.3 ms with the cache, 9–14 ms without). Both rooms load hardly any, so they take what such flags give.
 */

/** Where the parts of the installation are. */
export interface Installation {
  /** The project's directory, absolute. */
  readonly root: string;
  /** The runtime's binary, absolute. */
  readonly runtime: string;
}

/** `strict` has no compiler at run time, hence no executable memory. */
export type Isolation = 'default' | 'strict';

/**
 * --no-rehash-snapshot spares 2.8 of a start's 17 ms: hashes of strings are not salted anew. Neither room has a table whose keys are text of
 * somebody who would choose them for their hashes; the worker's flow table has a key of its own.
 */
const UNSALTED = '--no-rehash-snapshot';

/**
 * One V8 thread besides the main one and the delayed-task scheduler's, without work: what it would take over from a start that is all on one
 * thread costs more than it saves. No debugger. No compiler at run time, hence no executable memory: a start is over before it has paid,
 * and 8,000 ports, the most work there is, take 7 % more CPU without. Garbage can be collected when asked (tidy.ts), and what a start
 * makes fits into the young generation.
 */
export const SUPERVISOR_FLAGS = [
  '--v8-pool-size=1',
  '--disable-sigusr1',
  '--single-threaded',
  '--jitless',
  UNSALTED,
  '--expose-gc',
  '--disable-proto=delete',
  '--no-warnings',
  '--min-semi-space-size=2',
  '--max-semi-space-size=2',
  '--max-old-space-size=64',
] as const;

/**
 * One V8 thread besides the main one and the delayed-task scheduler's; no debugger; no code from text; young generation of 1 MiB.
 * --single-threaded switches all of V8's background work off, its compilation above all, which would make calls that the filter kills for.
 * V8 collects garbage, 4 ms, when half of the old space's limit has come to lie outside of the heap: the arena must fit into that.
 * The launcher starts the worker with them at once when nothing else is asked for.
 */
export const WORKER_FLAGS = [
  '--v8-pool-size=1',
  '--disable-sigusr1',
  '--single-threaded',
  UNSALTED,
  '--disallow-code-generation-from-strings',
  '--disable-proto=delete',
  '--no-warnings',
  '--max-semi-space-size=1',
  '--max-old-space-size=128',
] as const;

/** argv of the worker's runtime; its first word is the program's path. */
export function workerCommand(installation: Installation, isolation: Isolation, mode: 'pasta' | 'passt' = 'pasta'): string[] {
  const strict = isolation === 'strict' ? ['--jitless'] : [];
  return [installation.runtime, ...WORKER_FLAGS, ...strict, `${installation.root}/dist/worker.cjs`, mode];
}
