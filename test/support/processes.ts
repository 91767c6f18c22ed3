/**
 * Programs that tests and benchmarks run: in a network namespace, as an unprivileged user, never longer than asked.
 *
 * Theory of operation. Every program gets a process group of its own and `PR_SET_PDEATHSIG`, so that neither a test that throws nor a test
 * runner that is killed leaves one behind. `start` gives a handle whose output can be awaited; `run` waits for the end. A program that
 * outlives its time limit is killed with its group, and says so in `timedOut`: tests look at the result instead of hanging.
 */
import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';

/** User and group the product runs as: `nobody`, who owns nothing. */
export const UNPRIVILEGED = 65_534;

export interface RunOptions {
  /** Network namespace: a name of `ip netns`, or a pid whose namespace is meant. Default: the runner's own. */
  namespace?: string | number;
  /** Numeric user and group; 0 keeps root. Default: UNPRIVILEGED. */
  user?: number;
  /** Added to the small fixed environment. */
  env?: Record<string, string>;
  /** Working directory. Default `/`. */
  cwd?: string;
  /** Written to standard input, which is then closed. */
  input?: string | Uint8Array;
  /** Milliseconds until SIGKILL. Default 60,000. */
  timeout?: number;
  /** Descriptors that the program gets as 3, 4, …; `'pipe'` makes a pipe that is found in `child.stdio`. */
  extra?: ('pipe' | 'ignore' | number)[];
  /** Limit on open descriptors, hard and soft. */
  descriptors?: number;
  /** A folder that is /etc to the program and to what it starts. */
  etc?: string;
}

export interface Finished {
  /** Exit status; 128 + N after signal N. */
  code: number;
  stdout: string;
  stderr: string;
  timedOut: boolean;
}

export interface Running {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly finished: Promise<Finished>;
  /** What the program has written so far. */
  stdout(): string;
  stderr(): string;
  /** Resolves with the match when either output matches; rejects when the program ends or `milliseconds` (default 10,000) pass. */
  waitFor(pattern: RegExp, milliseconds?: number): Promise<RegExpMatchArray>;
  /** Sends a signal (default SIGTERM) to the group and waits for the end; SIGKILL follows after two seconds. */
  stop(signal?: NodeJS.Signals): Promise<Finished>;
}

const SIGNALS: Record<string, number> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGTERM: 15,
  SIGSYS: 31,
};

const alive = new Set<number>();

/** Kills the groups of all programs that are still running; for the end of a test run. */
export function killAll(): void {
  for (const pid of alive) killGroup(pid, 'SIGKILL');
}
process.once('exit', killAll);

function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function commandLine(argv: readonly string[], options: RunOptions): string[] {
  const user = options.user ?? UNPRIVILEGED;
  const line: string[] = [];
  if (typeof options.namespace === 'string') line.push('nsenter', `--net=/run/netns/${options.namespace}`);
  if (typeof options.namespace === 'number') line.push('nsenter', `--net=/proc/${options.namespace}/ns/net`);
  if (options.descriptors !== undefined) line.push('prlimit', `--nofile=${options.descriptors}:${options.descriptors}`);
  if (options.etc !== undefined)
    line.push('unshare', '--mount', '--propagation', 'private', 'sh', '-ec', 'mount --bind "$0" /etc; exec "$@"', options.etc);
  line.push('setpriv');
  if (user !== 0) line.push(`--reuid=${user}`, `--regid=${user}`, '--clear-groups', '--inh-caps=-all');
  line.push('--pdeathsig=KILL', ...argv);
  return line;
}

/** Starts a program; see RunOptions. Its pid is the program's own (all wrappers exec). */
export function start(argv: readonly string[], options: RunOptions = {}): Running {
  const line = commandLine(argv, options);
  const stdio: StdioOptions = ['pipe', 'pipe', 'pipe', ...(options.extra ?? [])];
  const child = spawn(line[0] as string, line.slice(1), {
    cwd: options.cwd ?? '/',
    env: { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C', HOME: '/tmp', TMPDIR: '/tmp', ...options.env },
    stdio,
    detached: true,
  });
  if (child.pid === undefined) throw new Error(`cannot start ${line[0]}: is it installed?`);
  return watch(child, child.pid, argv.join(' '), options);
}

function watch(child: ChildProcess, pid: number, name: string, options: RunOptions): Running {
  const output = ['', ''];
  const listeners = new Set<() => void>();
  let timedOut = false;
  let ended = false;
  alive.add(pid);
  [child.stdout, child.stderr].forEach((stream, index) => {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output[index] += text;
      for (const listener of listeners) listener();
    });
  });
  child.stdin?.on('error', () => undefined);
  if (options.input !== undefined) child.stdin?.end(options.input);
  const limit = setTimeout(() => {
    timedOut = true;
    killGroup(pid, 'SIGKILL');
  }, options.timeout ?? 60_000);
  const finished = new Promise<Finished>((resolve) => {
    child.on('close', (code, signal) => {
      clearTimeout(limit);
      alive.delete(pid);
      ended = true;
      for (const listener of listeners) listener();
      resolve({ code: code ?? 128 + (SIGNALS[signal ?? ''] ?? 0), stdout: output[0] as string, stderr: output[1] as string, timedOut });
    });
  });

  function waitFor(pattern: RegExp, milliseconds = 10_000): Promise<RegExpMatchArray> {
    return new Promise((resolve, reject) => {
      const give = (settle: () => void): void => {
        listeners.delete(look);
        clearTimeout(timer);
        settle();
      };
      const fail = (why: string): void =>
        give(() => reject(new Error(`${name}: ${why} before it wrote ${pattern}; it wrote: ${output.join('').slice(-2000)}`)));
      const look = (): void => {
        const match = (output[0] as string).match(pattern) ?? (output[1] as string).match(pattern);
        if (match) give(() => resolve(match));
        else if (ended) fail('ended');
      };
      const timer = setTimeout(() => fail(`${milliseconds} ms passed`), milliseconds);
      listeners.add(look);
      look();
    });
  }

  async function stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Finished> {
    if (!ended) killGroup(pid, signal);
    const hard = setTimeout(() => killGroup(pid, 'SIGKILL'), 2000);
    const result = await finished;
    clearTimeout(hard);
    return result;
  }

  return { child, pid, finished, stdout: () => output[0] as string, stderr: () => output[1] as string, waitFor, stop };
}

/** Runs a program to its end. */
export function run(argv: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const running = start(argv, options);
  if (options.input === undefined) running.child.stdin?.end();
  return running.finished;
}

/** Runs a program that must succeed; throws with its whole output otherwise. */
export async function check(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await run(argv, options);
  if (result.code !== 0) {
    throw new Error(`${argv.join(' ')}: exit ${result.code}${result.timedOut ? ' (time limit)' : ''}: ${result.stderr}${result.stdout}`);
  }
  return result.stdout;
}
