/**
 * The sockets of each run in a folder of its user's: for control where the run was given no path, and for questions about its state.
 *
 * Theory of operation. `$XDG_RUNTIME_DIR/ravioli/PID.sock` and `PID.status`, or below `/run/ravioli` for a root without that variable. Two,
 * so that who may only look can be given one of them. Where neither folder can be had there is no such socket, and nobody is troubled
 * with that. A run that was killed leaves its files behind; the next run, and whoever looks for runs, removes those whose process is gone
 * and at which nobody listens.
 *
 * The command in the guest's namespace runs as the same user and may see the folder, but what leads into its network is not its own to
 * decide: who is in the guest's network namespace is refused here. (Not at a path that was asked for with -c: who names a path decides who
 * sees it, as with the peer.)
 */
import { lstatSync, mkdirSync, readdirSync, readlinkSync } from 'node:fs';
import type { Native } from '../../native/supervisor.d.ts';
import { identityOf } from '../join.ts';
import { removeStale } from './path.ts';
import type { ReceptionParts } from './reception.ts';
import { ControlServer } from './server.ts';
import { StatusServer } from './status-server.ts';

const ROOT = 0;
const NAME = /^([1-9][0-9]{0,9})\.(sock|status)$/;

/** What a socket in the folder is for, by the ending of its name. */
export type SocketUse = 'sock' | 'status';

/** One run that can be talked to. */
export interface Instance {
  readonly pid: number;
  readonly path: string;
}

/** Where the sockets are; null = nowhere. `runtimeFolder` is the value of XDG_RUNTIME_DIR. */
export function instanceFolder(runtimeFolder: string | undefined, uid: number): string | null {
  if (runtimeFolder?.startsWith('/')) return isOwn(runtimeFolder, uid) ? `${runtimeFolder}/ravioli` : null;
  return uid === ROOT ? '/run/ravioli' : null;
}

/** Listens at this process's place; null when there is none, for a reason that troubles nobody. Killed runs are cleaned up after. */
export function listenAsInstance(parts: ReceptionParts, runtimeFolder: string | undefined): ControlServer | null {
  return listenInFolder(parts, runtimeFolder, 'sock', (path) => new ControlServer(parts, path));
}

/** The same for the socket that tells of the run's state. */
export function tellAsInstance(parts: ReceptionParts, runtimeFolder: string | undefined): StatusServer | null {
  return listenInFolder(parts, runtimeFolder, 'status', (path) => new StatusServer(parts, path));
}

function listenInFolder<Server>(
  parts: ReceptionParts,
  runtimeFolder: string | undefined,
  use: SocketUse,
  listen: (path: string) => Server,
): Server | null {
  const folder = instanceFolder(runtimeFolder, parts.uid);
  if (folder === null || !makeFolder(folder, parts.uid)) return null;
  removeStaleInstances(parts.native, folder, use);
  try {
    return listen(pathOf(folder, process.pid, use));
  } catch {
    return null;
  }
}

/** The path of something else of the user's in the folder, which is made; null = there is none. */
export function ownPlace(runtimeFolder: string | undefined, uid: number, name: string): string | null {
  const folder = instanceFolder(runtimeFolder, uid);
  return folder === null || !makeFolder(folder, uid) ? null : `${folder}/${name}`;
}

/** Makes the folder where it is missing; true when it is there, and nobody else can put anything into it. */
function makeFolder(folder: string, uid: number): boolean {
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch {
    // It is there, or can't be made: either shows at once.
  }
  return isOwn(folder, uid);
}

function pathOf(folder: string, pid: number, use: SocketUse): string {
  return `${folder}/${pid}.${use}`;
}

/** The sockets of that use in the folder, in the order of their processes. */
export function listInstances(folder: string, use: SocketUse = 'sock'): Instance[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  const found = names.flatMap((name) => {
    const [, pid, ending] = NAME.exec(name) ?? [];
    return pid === undefined || ending !== use ? [] : [{ pid: Number(pid), path: `${folder}/${name}` }];
  });
  return found.sort((a, b) => a.pid - b.pid);
}

/** Removes what killed runs have left. Those whose process is there are not even asked. */
function removeStaleInstances(native: Pick<Native, 'localConnect' | 'close'>, folder: string, use: SocketUse): void {
  for (const { pid, path } of listInstances(folder, use)) if (!isAlive(pid)) removeStale(native, path);
}

/** True while there is a process of this number. */
export function isAlive(pid: number): boolean {
  try {
    lstatSync(`/proc/${pid}`);
    return true;
  } catch {
    return false;
  }
}

/**
 * Whether a client may be in the guest: its network namespace is the guest's, which is not ours as well, or can't be known.
 * `guest` is the inode of the guest's network namespace; null: a machine, which has none.
 */
export function mayBeInGuest(client: number, guest: number | null): boolean {
  if (guest === null) return false;
  try {
    return guest !== networkOf('self') && guest === networkOf(client);
  } catch {
    return true;
  }
}

function networkOf(pid: number | 'self'): number {
  return identityOf(readlinkSync(`/proc/${pid}/ns/net`));
}

function isOwn(folder: string, uid: number): boolean {
  try {
    const status = lstatSync(folder);
    return status.isDirectory() && status.uid === uid && (status.mode & 0o022) === 0;
  } catch {
    return false;
  }
}
