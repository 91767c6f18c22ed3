/**
 * The namespaces of a process that exists already: opening them, and noticing that it has ended.
 */
import { openSync, readlinkSync } from 'node:fs';
import type { Native } from '../native/supervisor.d.ts';
import { explain, type Step } from './explain.ts';
import type { JoinedNamespaces } from './spawn.ts';
import { UsageError } from './usage-error.ts';

/**
 * Opens the user and the network namespace of process `pid`; the user namespace only where it isn't our own, which can't be joined.
 * @throws UsageError when there is no such process, or it is somebody else's.
 */
export function openNamespaces(native: Native, pid: number): JoinedNamespaces {
  const user = attempt('join-user-namespace', pid, () => {
    const path = `/proc/${pid}/ns/user`;
    return readlinkSync(path) === readlinkSync('/proc/self/ns/user') ? null : openSync(path, 'r');
  });
  try {
    return attempt('join-network-namespace', pid, () => {
      const path = `/proc/${pid}/ns/net`;
      return { user, network: openSync(path, 'r'), isHost: readlinkSync(path) === readlinkSync('/proc/self/ns/net') };
    });
  } catch (error) {
    if (user !== null) {
      native.close(user);
    }
    throw error;
  }
}

/**
 * Calls back once when process `pid` has ended; its /proc/PID/ns is gone then.
 * @throws UsageError when there is no such process.
 */
export function watchProcess(native: Native, pid: number, ended: () => void): void {
  const pidfd = native.pidfd(pid);
  if (pidfd < 0) {
    throw new UsageError(explain('join-network-namespace', -pidfd, String(pid)));
  }
  const watcher = native.watch(pidfd, () => {
    watcher.stop();
    native.close(pidfd);
    ended();
  });
}

function attempt<T>(step: Step, pid: number, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException;
    throw errno === undefined ? error : new UsageError(explain(step, -errno, String(pid)));
  }
}
