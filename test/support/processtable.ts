/**
 * What the kernel's process table says about programs under measurement: who descends from whom, CPU time used, private memory.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** USER_HZ: the unit of utime and stime (proc_pid_stat(5)); fixed at 100 for every architecture we support. */
const TICKS_PER_SECOND = 100;

/** Fields of /proc/PID/stat from the third on; undefined when the process is gone. */
function statOf(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

/** The command name (comm) of a process; empty when it is gone. */
export function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return '';
  }
}

/** Path of the program a process runs; empty when it is gone. */
export function programOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return '';
  }
}

/** Ids of a process and all its descendants, except the subtrees that begin at one of `without`. */
export function tree(root: number, without: readonly number[] = []): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    const parent = Number.isInteger(pid) ? Number(statOf(pid)?.[1]) : Number.NaN;
    if (Number.isNaN(parent)) continue;
    const siblings = children.get(parent);
    if (siblings) siblings.push(pid);
    else children.set(parent, [pid]);
  }
  const found: number[] = [];
  const visit = (pid: number): void => {
    if (without.includes(pid)) return;
    found.push(pid);
    for (const child of children.get(pid) ?? []) visit(child);
  };
  visit(root);
  return found;
}

/** Seconds of CPU, user and system, that these processes have used; one that is gone counts as 0. */
export function cpuSeconds(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const stat = statOf(pid);
    if (stat) ticks += Number(stat[11]) + Number(stat[12]);
  }
  return ticks / TICKS_PER_SECOND;
}

/** Bytes of memory that only these processes hold: the sum of Private_* of smaps_rollup. */
export function privateBytes(pids: readonly number[]): number {
  let kilobytes = 0;
  for (const pid of pids) {
    for (const match of readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8').matchAll(/^Private_(?:Clean|Dirty|Hugetlb): +(\d+) kB$/gm)) {
      kilobytes += Number(match[1]);
    }
  }
  return kilobytes * 1024;
}

/** Bytes of memory that these processes have in use, shared ones too: Rss of smaps_rollup. */
export function residentBytes(pids: readonly number[]): number {
  let kilobytes = 0;
  for (const pid of pids) kilobytes += Number(/^Rss: +(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]);
  return kilobytes * 1024;
}

/** How often each thread of these processes has given the processor up or lost it, by `name of process PID/TID`. */
export function turnsOnProcessor(pids: readonly number[]): Map<string, number> {
  const turns = new Map<string, number>();
  for (const pid of pids) {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const status = readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8');
      const counts = [...status.matchAll(/^(?:non)?voluntary_ctxt_switches:\t(\d+)$/gm)].map(([, count]) => Number(count));
      turns.set(
        `${nameOf(pid)} ${pid}/${thread}`,
        counts.reduce((sum, count) => sum + count, 0),
      );
    }
  }
  return turns;
}

/** One counter of /proc/PID/net/{snmp,netstat}, as in `counter(pid, 'Tcp', 'RetransSegs')`. */
export function kernelCounter(pid: number, group: string, name: string): number {
  const lines = (readFileSync(`/proc/${pid}/net/snmp`, 'utf8') + readFileSync(`/proc/${pid}/net/netstat`, 'utf8')).split('\n');
  const rows = lines.filter((line) => line.startsWith(`${group}:`)).map((line) => line.split(' '));
  const column = (rows[0] ?? []).indexOf(name);
  return column < 0 ? Number.NaN : Number(rows[1]?.[column]);
}
