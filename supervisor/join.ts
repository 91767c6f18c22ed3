/**
 * The namespaces that exist already: opening them, and noticing that they have gone.
 *
 * Theory of operation. A process's namespaces go with it, which its pidfd tells at once. A path's are gone for us when the name has gone:
 * inotify on its folder tells. Where that is refused, or the path is on a filesystem that tells nothing (proc), it is looked every second.
 * A path that we may not look at any more counts as there.
 */
import { type FSWatcher, closeSync, fstatSync, lstatSync, openSync, readlinkSync, statfsSync, watch } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import type { Native } from '../native/supervisor.d.ts';
import type { GuestNamespaces } from './config/namespace-options.ts';
import { explain, type Step } from './explain.ts';
import type { JoinedNamespaces } from './spawn.ts';
import { UsageError } from './usage-error.ts';

/** How often it is looked where the kernel does not tell, ms. */
const LOOK_MS = 1000;
/** statfs(2): what nsfs, and filesystems without inotify, are. */
const NSFS = 0x6e736673;
const SILENT: readonly number[] = [0x9fa0, 0x1cd1, 0x62656572];

/**
 * Opens the network namespace, and the user namespace where one is to be joined that isn't our own, which can't be.
 * @throws UsageError when there is none, or it is somebody else's.
 */
export function openNamespaces(native: Pick<Native, 'close'>, guest: GuestNamespaces): JoinedNamespaces {
  const user = guest.user === null ? null : openNamespace('join-user-namespace', guest.user, guest.pid);
  const joined = user !== null && user.identity !== ownNamespace('user') ? user.descriptor : null;
  if (user !== null && joined === null) native.close(user.descriptor);
  try {
    const network = openNamespace('join-network-namespace', guest.network, guest.pid);
    return {
      user: joined,
      network: network.descriptor,
      identity: network.identity,
      isHost: network.identity === ownNamespace('net'),
      names: { 'join-user-namespace': nameOf(guest.user ?? '', guest.pid), 'join-network-namespace': nameOf(guest.network, guest.pid) },
    };
  } catch (error) {
    if (joined !== null) native.close(joined);
    throw error;
  }
}

/** As `explain` wants it. */
function nameOf(path: string, pid: number | null): string {
  return pid === null ? `'${path}'` : String(pid);
}

function ownNamespace(kind: 'user' | 'net'): number {
  return identityOf(readlinkSync(`/proc/self/ns/${kind}`));
}

/** From what a link to a namespace says, `net:[4026531840]`: its inode, which is the same by every path. */
export function identityOf(link: string): number {
  return Number(/\[(\d+)\]$/.exec(link)?.[1] ?? 0);
}

function openNamespace(step: Step, path: string, pid: number | null): { descriptor: number; identity: number } {
  const subject = nameOf(path, pid);
  try {
    const descriptor = openSync(path, 'r');
    if (statfsSync(path).type === NSFS) return { descriptor, identity: fstatSync(descriptor).ino };
    closeSync(descriptor);
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException;
    throw errno === undefined ? error : new UsageError(explain(step, -errno, subject));
  }
  throw new UsageError(`${subject} is no namespace; a path is one of /proc/PID/ns, or was made by 'ip netns add' or 'unshare --net=PATH'`);
}

/**
 * Calls back once when the guest's network namespace has gone.
 * @throws UsageError when it is not there.
 */
export function watchNamespace(native: Native, guest: GuestNamespaces, gone: () => void): void {
  const pid = guest.pid ?? pidOf(guest.network);
  if (pid === null) {
    new PathWatch(guest.network, gone);
    return;
  }
  const pidfd = native.pidfd(pid);
  if (pidfd < 0) throw new UsageError(explain('join-network-namespace', -pidfd, String(pid)));
  const watcher = native.watch(pidfd, () => {
    watcher.stop();
    native.close(pidfd);
    gone();
  });
}

/** The process that a path names. */
function pidOf(path: string): number | null {
  const found = /^\/proc\/([1-9]\d{0,9})\/ns\/net$/.exec(path);
  return found === null ? null : Number(found[1]);
}

/** True when the name is not there any more. */
function isGone(path: string): boolean {
  try {
    lstatSync(path);
    return false;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR';
  }
}

/** One watched path; stops with the first word. */
export class PathWatch {
  readonly #path: string;
  readonly #gone: () => void;
  #watcher: FSWatcher | null = null;
  #timer: NodeJS.Timeout | undefined;
  #told = false;

  /** `watchFolder` is for tests. */
  constructor(path: string, gone: () => void, watchFolder: typeof watch = watch) {
    this.#path = resolve(path);
    this.#gone = gone;
    if (!this.#listen(watchFolder)) this.#timer = setInterval(() => this.#look(), LOOK_MS);
    this.#look();
  }

  #listen(watchFolder: typeof watch): boolean {
    const folder = dirname(this.#path);
    try {
      if (SILENT.includes(statfsSync(folder).type)) return false;
      const names = [basename(this.#path), basename(folder)];
      this.#watcher = watchFolder(folder, (_, name) => {
        if (name === null || names.includes(name)) this.#look();
      });
    } catch {
      return false; // No instance of inotify is left, or the folder may not be read.
    }
    this.#watcher.on('error', () => this.#look());
    return true;
  }

  #look(): void {
    if (this.#told || !isGone(this.#path)) return;
    this.#told = true;
    this.#watcher?.close();
    clearInterval(this.#timer);
    this.#gone();
  }
}
