/**
 * Who asks looks for the sockets of runs: those of this user, in the folder of control/instances.ts.
 */
import { type Instance, instanceFolder, isAlive, listInstances, type SocketUse } from './instances.ts';

/** Where they are; null: this user has no place for them. */
export function ownFolder(): string | null {
  return instanceFolder(process.env['XDG_RUNTIME_DIR'], process.geteuid?.() as number);
}

/** Those of runs that are alive. */
export function findInstances(use: SocketUse): readonly Instance[] {
  const folder = ownFolder();
  return folder === null ? [] : listInstances(folder, use).filter(({ pid }) => isAlive(pid));
}
