/**
 * The load generator of bench/ (load.c, serve.c), compiled when its source is newer than the program.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Finished, type Running, run, start } from './processes.ts';

const SOURCE = fileURLToPath(new URL('../../bench/', import.meta.url));
const BUILT = fileURLToPath(new URL('../../.cache/bench/', import.meta.url));

function modified(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** Path of a program of bench/, up to date. */
export function program(name: 'load' | 'serve' | 'impair' | 'older' | 'plug' | 'frames'): string {
  const path = `${BUILT}${name}`;
  const newest = Math.max(modified(`${SOURCE}${name}.c`), modified(`${SOURCE}load.h`));
  if (modified(path) <= newest) {
    mkdirSync(BUILT, { recursive: true });
    const fresh = `${path}.${process.pid}`;
    execFileSync('cc', ['-O2', '-Wall', '-Wextra', '-Werror', '-pthread', '-o', fresh, `${SOURCE}${name}.c`], { stdio: 'inherit' });
    renameSync(fresh, path);
  }
  return path;
}

/** First of the three ports of a `serve`. */
export const LOAD_PORT = 7000;

/** Arguments that run the answering end; see serve.c. */
export function serveCommand(address: string, port = LOAD_PORT): string[] {
  return [program('serve'), address, String(port)];
}

/** Starts the answering end on one address; resolves when its ports are bound. `namespace` as in RunOptions. */
export async function serve(namespace: string | number, address: string, port = LOAD_PORT): Promise<Running> {
  const running = start(serveCommand(address, port), { namespace, user: 0, timeout: 3_600_000 });
  await running.waitFor(/ready/);
  return running;
}

/** Arguments that run the generator; see load.c for its kinds. */
export function loadCommand(kind: string, ...args: (string | number)[]): string[] {
  return [program('load'), kind, ...args.map(String)];
}

/** The result a generator printed last; throws with its complaint when it failed or was killed. */
export function loadResult(finished: Finished): Record<string, number> {
  const line = finished.stdout.trim().split('\n').at(-1);
  if (finished.code !== 0 || !line)
    throw new Error(finished.timedOut ? 'load: time limit' : `load: exit ${finished.code}: ${finished.stderr.trim()}`);
  return JSON.parse(line);
}

/**
 * Generates load in a namespace against a `serve`, and gives the generator's result.
 * @param limit milliseconds until it is killed
 */
export async function load(
  namespace: string | number,
  limit: number,
  kind: string,
  ...args: (string | number)[]
): Promise<Record<string, number>> {
  return loadResult(await run(loadCommand(kind, ...args), { namespace, user: 0, timeout: limit }));
}
