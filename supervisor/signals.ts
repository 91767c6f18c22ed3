/**
 * What a signal would do: to a process, and whose terminal it came from. Read from /proc, since only the kernel knows.
 */
import { readFileSync } from 'node:fs';

/** What a process does with signal `number` (proc_pid_status(5): SigCgt, SigIgn); 'default' also when it has ended. */
export function dispositionOf(pid: number, number: number, read: (path: string) => string = readText): 'handled' | 'ignored' | 'default' {
  let status: string;
  try {
    status = read(`/proc/${pid}/status`);
  } catch {
    return 'default';
  }
  const has = (field: string): boolean => {
    const mask = new RegExp(`^${field}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1] ?? '0';
    return ((BigInt(`0x${mask}`) >> BigInt(number - 1)) & 1n) === 1n;
  };
  return has('SigCgt') ? 'handled' : has('SigIgn') ? 'ignored' : 'default';
}

/** True when the process group of `pid` has its terminal, so that the terminal's keys reach it. False when the process has ended. */
export function hasForeground(pid: number | 'self', read: (path: string) => string = readText): boolean {
  // proc_pid_stat(5): after the name in parentheses state, ppid, pgrp, session, tty_nr, tpgid.
  let stat: string;
  try {
    stat = read(`/proc/${pid}/stat`);
  } catch {
    return false;
  }
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[4] !== '0' && fields[2] === fields[5];
}

function readText(path: string): string {
  return readFileSync(path, 'latin1');
}
