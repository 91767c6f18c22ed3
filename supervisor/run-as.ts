/**
 * Becoming another user (`--runas`), once the files that only root can make are open and before anything is started.
 */
import { readFileSync } from 'node:fs';
import { UsageError } from './usage-error.ts';

/** Numeric IDs. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
}

const MAX_ID = 0xffff_fffe;

/** Where passwd(5) does not know it. */
const NOBODY = 65_534;

/** What root of the first user namespace has for a map: every number is itself (user_namespaces(7)). */
const WHOLE_MAP = /^\s*0\s+0\s+4294967295\s*$/;

/**
 * From `UID[:GID]` or `LOGIN[:GROUP]`; without a group that of the login, or the one with the user's number. `read` is for tests.
 * @throws UsageError when there is no such user or group, or a name means root
 */
export function identityOf(text: string, read: (path: string) => string = (path) => readFileSync(path, 'utf8')): Identity {
  const colon = text.indexOf(':');
  const user = colon < 0 ? text : text.slice(0, colon);
  const group = colon < 0 ? null : text.slice(colon + 1);
  const named = idOf(user) === null ? entryOf(read('/etc/passwd'), user) : null;
  const uid = idOf(user) ?? idOf(named?.[2]);
  if (uid === null) throw new UsageError(`--runas '${text}': there is no user '${user}'; give a login or a number`);
  if (named !== null && uid === 0) throw new UsageError(`--runas '${text}': that is root; give the number 0 if it is really meant`);
  if (group === null) return { uid, gid: idOf(named?.[3]) ?? uid };
  const gid = idOf(group) ?? idOf(entryOf(read('/etc/group'), group)?.[2]);
  if (gid === null) throw new UsageError(`--runas '${text}': there is no group '${group}'; give its name or a number`);
  return { uid, gid };
}

/** Whether this is root who may do anything, not the root of a user namespace. `read` is for tests. */
export function isMighty(uid = process.geteuid?.(), read: (path: string) => string = readText): boolean {
  return uid === 0 && WHOLE_MAP.test(read('/proc/self/uid_map'));
}

/** Whom such a root becomes who has said nothing. `read` is for tests. */
export function nobody(read: (path: string) => string = readText): Identity {
  const [, , uid, gid] = entryOf(read('/etc/passwd'), 'nobody') ?? [];
  return { uid: idOf(uid) || NOBODY, gid: idOf(gid) || NOBODY };
}

/** The file's text; empty: it can't be read. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** passwd(5), group(5). */
function entryOf(file: string, name: string): string[] | null {
  const line = file.split('\n').find((candidate) => candidate.startsWith(`${name}:`));
  return line === undefined || name === '' ? null : line.split(':');
}

function idOf(text: string | undefined): number | null {
  if (text === undefined || !/^\d{1,10}$/.test(text) || Number(text) > MAX_ID) return null;
  return Number(text);
}

/**
 * Every thread of this process, and all that it starts, is that user from now on.
 * @throws UsageError when this user may not
 */
export function become({ uid, gid }: Identity): void {
  if (process.geteuid?.() !== 0) throw new UsageError('--runas is for root; an ordinary user runs as itself');
  // Root who stays root: in a user namespace that has no other group, too.
  if (uid === 0 && gid === process.getegid?.()) return;
  try {
    process.setgroups?.([]);
    process.setgid?.(gid);
    process.setuid?.(uid);
  } catch (error) {
    throw new UsageError(`cannot become user ${uid} of group ${gid} (${(error as Error).message})`);
  }
}
