/**
 * Looks, from outside, whether the worker is sealed. What the worker says about itself counts for nothing: this is asked of the kernel.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** Lines of /proc/PID/task/TID/status that every thread of a sealed worker must have (proc_pid_status(5)). */
const REQUIRED: readonly (readonly [field: string, value: string])[] = [
  ['CapInh', '0000000000000000'],
  ['CapPrm', '0000000000000000'],
  ['CapEff', '0000000000000000'],
  ['CapBnd', '0000000000000000'],
  ['CapAmb', '0000000000000000'],
  ['NoNewPrivs', '1'],
  ['Seccomp', '2'],
];

/** The filter from before the exec and the sealed one; a container may have added its own before. */
const FILTERS = 2;

/**
 * What is missing on any thread, as one clause for people; null when all is as it must be.
 * `read` and `list` are the file system, for tests.
 */
export function whatIsUnsealed(
  pid: number,
  list: (path: string) => string[] = readdirSync,
  read: (path: string) => string = (path) => readFileSync(path, 'latin1'),
): string | null {
  const threads = list(`/proc/${pid}/task`);
  if (threads.length === 0) {
    return `process ${pid} shows no thread`;
  }
  for (const thread of threads) {
    const problem = lookAtThread(read(`/proc/${pid}/task/${thread}/status`));
    if (problem !== null) {
      return `thread ${thread} has ${problem}`;
    }
  }
  return null;
}

function lookAtThread(status: string): string | null {
  const fields = new Map(status.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]));
  for (const [field, value] of REQUIRED) {
    const found = fields.get(field);
    if (found !== value) {
      return `${field} ${found ?? 'unknown'} instead of ${value}`;
    }
  }
  if (Number(fields.get('Seccomp_filters') ?? 0) < FILTERS) {
    return `${fields.get('Seccomp_filters')} filters instead of ${FILTERS}`;
  }
  if ((fields.get('NSpid') ?? '').split(/\s+/).length < 2) {
    return 'no process namespace of its own';
  }
  return null;
}
