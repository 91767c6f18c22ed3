/**
 * Where a socket of ours listens: takes the path, and the place of a socket that a dead process has left there; gives it back at the end.
 */
import { lstatSync, unlinkSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Native } from '../../native/supervisor.d.ts';
import { UsageError } from '../usage-error.ts';

const ENOENT = 2;
const EACCES = 13;
const ENOTDIR = 20;
const EROFS = 30;
const EADDRINUSE = 98;
const ECONNREFUSED = 111;

type Sockets = Pick<Native, 'localListen' | 'localConnect' | 'close'>;

/** The file of a socket that we have made. */
export class SocketFile {
  readonly #path: string;
  readonly #identity: string | null;

  constructor(path: string) {
    // Whoever goes into the background changes the folder.
    this.#path = resolve(path);
    this.#identity = identityOf(this.#path);
  }

  /** Removes it, unless another has taken its place or it is gone already. */
  remove(): void {
    if (this.#identity === null || identityOf(this.#path) !== this.#identity) return;
    try {
      unlinkSync(this.#path);
    } catch {
      // Its folder has gone in between, or may not be written to any more.
    }
  }
}

/** What tells a file from its successors, who may get its inode; null: there is none. */
function identityOf(path: string): string | null {
  try {
    const { dev, ino, birthtimeMs } = lstatSync(path);
    return `${dev}:${ino}:${birthtimeMs}`;
  } catch {
    return null;
  }
}

/**
 * Listens at `path`; the descriptor is the caller's. A socket at which nobody listens any more is removed first, nothing else is.
 * @throws UsageError
 */
export function listenAt(native: Sockets, path: string, what = 'control socket'): number {
  let fd = native.localListen(path);
  if (fd === -EADDRINUSE && removeStale(native, path)) fd = native.localListen(path);
  if (fd < 0) throw new UsageError(`cannot make the ${what} '${path}': ${causeOf(path, -fd)}`);
  return fd;
}

/** Removes a socket at which nobody listens; true when it is gone. */
export function removeStale(native: Pick<Native, 'localConnect' | 'close'>, path: string): boolean {
  try {
    if (!lstatSync(path).isSocket()) return false;
    const fd = native.localConnect(path);
    if (fd >= 0) native.close(fd);
    if (fd !== -ECONNREFUSED) return false;
    unlinkSync(path);
    return true;
  } catch {
    return false;
  }
}

function causeOf(path: string, errno: number): string {
  switch (errno) {
    case EADDRINUSE:
      return isSocket(path)
        ? 'another process listens there; choose another path'
        : 'there is another file; choose another path, or remove it';
    case ENOENT:
    case ENOTDIR:
      return `there is no folder '${dirname(path)}'; make it, or choose another path`;
    case EACCES:
    case EROFS:
      return `this user may not write to '${dirname(path)}'; choose another path`;
    default:
      return `the system says error ${errno}; choose another path`;
  }
}

function isSocket(path: string): boolean {
  try {
    return lstatSync(path).isSocket();
  } catch {
    return false;
  }
}
