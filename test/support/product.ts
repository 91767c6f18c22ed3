/**
 * The built product as its users start it, and its rooms by name, for tests that kill them one by one.
 */
import { readlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Native } from '../../native/supervisor.d.ts';
import { nameOf, tree } from './processtable.ts';
import { type Running, type RunOptions, start } from './processes.ts';
import { PRODUCT } from './translator.ts';

const native = createRequire(import.meta.url)(fileURLToPath(new URL('../../native/out/supervisor.node', import.meta.url))) as Native;

/** A command that writes "ready", and leaves all signals alone: `sh -c` handles SIGINT until its last command is in its place. */
export const IDLER = ['perl', '-e', '$| = 1; print "ready\\n"; sleep 1000'] as const;

export interface Started extends Running {
  /** Every process of the run, the command included, when it was ready. */
  readonly everyone: readonly number[];
  /** By comm: `pasta`, `pasta.worker`, `pasta.opener` (two), `pasta.jail`, and the command's. */
  named(name: string): number[];
  /** Pid of the command's first process. */
  readonly command: number;
  /** The guest's network namespace, as `net:[…]`. */
  readonly namespace: string;
}

/** Runs `script` in a new namespace with /bin/sh; resolves when it has written "ready" to stdout. */
export async function startProduct(
  script: string,
  options: readonly string[] = ['--config-net'],
  given: RunOptions = {},
): Promise<Started> {
  const running = start([PRODUCT, ...options, '--', 'sh', '-c', script], given);
  await running.waitFor(/^ready$/m);
  const everyone = tree(running.pid);
  const jail = everyone.find((pid) => nameOf(pid) === 'pasta.jail') as number;
  const command = tree(jail)[1] as number;
  return {
    ...running,
    everyone,
    named: (name) => everyone.filter((pid) => nameOf(pid) === name),
    command,
    namespace: readlinkSync(`/proc/${command}/ns/net`),
  };
}

/** Resolves when process `pid` has ended, as the kernel tells (pidfd_open(2)); at once when there is none. Rejects after `milliseconds`. */
export function gone(pid: number, milliseconds = 5_000): Promise<void> {
  const pidfd = native.pidfd(pid);
  if (pidfd < 0) {
    return Promise.resolve();
  }
  return new Promise((resolve, reject) => {
    const finish = (settle: () => void): void => {
      clearTimeout(timer);
      watcher.stop();
      native.close(pidfd);
      settle();
    };
    const timer = setTimeout(() => finish(() => reject(new Error(`process ${pid} (${nameOf(pid)}) is still there`))), milliseconds);
    const watcher = native.watch(pidfd, () => finish(resolve));
  });
}

/** Processes, of any user, that are in network namespace `namespace`. */
export function inhabitants(namespace: string): number[] {
  return tree(1)
    .concat(tree(2))
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/ns/net`) === namespace;
      } catch {
        return false;
      }
    });
}
