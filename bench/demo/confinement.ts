/**
 * What the kernel says the product's processes are confined to, read from /proc while they run.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { nameOf, tree } from '../../test/support/processtable.ts';

/** One process of the product. */
export interface Room {
  readonly pid: number;
  readonly name: string;
  /** The name, and what distinguishes two of the same name. */
  readonly title: string;
  readonly uid: string;
  readonly threads: string;
  /** Effective capabilities: `none`, `low ports`, or how many. */
  readonly capabilities: string;
  readonly noNewPrivileges: string;
  /** Seccomp filters in force. */
  readonly filters: string;
  readonly root: string;
  /** Kinds of namespaces that are not those of this process. */
  readonly namespaces: string;
  /** It has to be confined (the supervisor and the launcher are not), and it is. */
  readonly confined: boolean | null;
}

/** Stands for what /proc does not show to this user. */
export const HIDDEN = 'hidden';

/** Runs `look`; HIDDEN when it fails. */
function orHidden(look: () => string): string {
  try {
    return look();
  } catch {
    return HIDDEN;
  }
}

/** Fields of a status file (proc_pid_status(5)) of a process or, with its path below /proc, of a thread. */
function statusOf(path: number | string): Map<string, string> {
  const lines = readFileSync(`/proc/${path}/status`, 'latin1').split('\n');
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]));
}

function ones(hexadecimal: string | undefined): number {
  return [...BigInt(`0x${hexadecimal ?? '0'}`).toString(2)].filter((digit) => digit === '1').length;
}

/** What lies at `/` for a process: an empty file system, or the one that this process sees. */
function rootOf(pid: number): string {
  return orHidden(() => {
    const own = readFileSync('/proc/self/mountinfo', 'latin1');
    const mounts = readFileSync(`/proc/${pid}/mountinfo`, 'latin1');
    if (mounts === own) return "the host's";
    const [, type, options] = / \/ \/ (?:\S+).* - (\S+) \S+ (\S+)/.exec(mounts.split('\n')[0] ?? '') ?? [];
    const entries = readdirSync(`/proc/${pid}/root/`).length;
    return type === 'tmpfs' && entries === 0 ? `empty, ${options?.startsWith('ro') ? 'read-only' : 'writable'}` : 'its own mounts';
  });
}

function namespacesOf(pid: number): string {
  return orHidden(() => {
    const kinds = ['user', 'mnt', 'net', 'pid', 'ipc', 'uts'];
    const own = kinds.filter((kind) => readlinkSync(`/proc/${pid}/ns/${kind}`) !== readlinkSync(`/proc/self/ns/${kind}`));
    return own.length === 0 ? 'none' : own.join(' ');
  });
}

/** The name that `ps` shows; an opener with the side whose sockets it opens. */
function titleOf(pid: number, name: string): string {
  if (name !== 'pasta.opener') return name;
  const joins = readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('\0--join\0');
  return `${name} (${joins ? 'guest' : 'host'})`;
}

/** CAP_NET_BIND_SERVICE, which the opener of the namespace keeps there. */
const LOW_PORTS = 1n << 10n;

function capabilitiesOf(hexadecimal: string | undefined): string {
  if (BigInt(`0x${hexadecimal ?? '0'}`) === LOW_PORTS) return 'low ports';
  const count = ones(hexadecimal);
  return count === 0 ? 'none' : String(count);
}

/** No thread has any capability but for low ports where `lowPorts`, or the way to one, and each has a filter. */
function isConfined(pid: number, lowPorts: boolean): boolean {
  return readdirSync(`/proc/${pid}/task`).every((thread) => {
    const status = statusOf(`${pid}/task/${thread}`);
    const held = ['CapPrm', 'CapEff'].map((field) => capabilitiesOf(status.get(field)));
    const none = ['CapInh', 'CapBnd', 'CapAmb'].every((field) => ones(status.get(field)) === 0);
    return (
      none &&
      held.every((what) => what === 'none' || (lowPorts && what === 'low ports')) &&
      status.get('NoNewPrivs') === '1' &&
      status.get('Seccomp') === '2'
    );
  });
}

function look(pid: number, name: string): Room {
  const status = statusOf(pid);
  const title = titleOf(pid, name);
  const root = rootOf(pid);
  const confine = /\.(worker|opener)$/.test(name);
  return {
    pid,
    name,
    title,
    uid: status.get('Uid')?.split('\t')[0] ?? '',
    threads: status.get('Threads') ?? '',
    capabilities: capabilitiesOf(status.get('CapEff')),
    noNewPrivileges: status.get('NoNewPrivs') === '1' ? 'yes' : 'no',
    filters: status.get('Seccomp') === '2' ? (status.get('Seccomp_filters') ?? 'yes') : 'none',
    root,
    namespaces: namespacesOf(pid),
    confined: confine ? isConfined(pid, title.endsWith('(guest)')) && (root === HIDDEN || root === 'empty, read-only') : null,
  };
}

/** The product's processes below its supervisor, without the command. */
export function rooms(supervisor: number): Room[] {
  const named = tree(supervisor).map((pid) => ({ pid, name: nameOf(pid) }));
  return named.filter(({ name }) => name.startsWith('pasta')).map(({ pid, name }) => look(pid, name));
}
