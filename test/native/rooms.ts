/**
 * What the tests of native/ share: the built programs, their sockets, and what /proc says about a process.
 */
import { type ChildProcess, execFileSync, type SpawnOptions, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Native } from '../../native/supervisor.d.ts';

const folder = fileURLToPath(new URL('.', import.meta.url));
const out = join(folder, '../../native/out');

export const native = createRequire(import.meta.url)(join(out, 'supervisor.node')) as Native;
export const jailPath = join(out, 'jail');
export const openerPath = join(out, 'opener');

/** An ordinary user: tests run as root where they can, the rooms as this one. */
export const NOBODY = 65534;

/** Steps of native/jail.h. */
export const Step = {
  PID: 1,
  PIVOTED: 2,
  READY: 3,
  USER_NAMESPACE: 101,
  EXEC: 103,
  NAMESPACES: 104,
  PROC: 106,
  TERMINAL: 113,
} as const;

/** Our end of a SEQPACKET socket, whose datagrams can be awaited. */
export class Channel {
  readonly theirs: number;
  readonly #ours: number;
  readonly #watch: { stop(): void };
  readonly #arrived: ({ bytes: Buffer; fds: number[] } | null)[] = [];
  #waiting: (() => void) | undefined;
  #closed = false;

  constructor() {
    [this.#ours, this.theirs] = native.socketPair();
    this.#watch = native.watch(this.#ours, () => this.#read());
  }

  #read(): void {
    for (;;) {
      const datagram = native.receiveWithDescriptors(this.#ours, 65536);
      if (typeof datagram === 'number' && datagram === -11) return;
      if (typeof datagram === 'object' && datagram !== null) {
        this.#arrived.push({ bytes: Buffer.from(datagram.bytes), fds: datagram.fds });
      } else {
        this.#arrived.push(null);
        this.#watch.stop();
      }
      this.#waiting?.();
      if (this.#arrived.at(-1) === null) return;
    }
  }

  /** The next datagram; null at end of file. */
  async next(): Promise<{ bytes: Buffer; fds: number[] } | null> {
    while (this.#arrived.length === 0)
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    const datagram = this.#arrived[0] as { bytes: Buffer; fds: number[] } | null;
    if (datagram !== null) this.#arrived.shift();
    return datagram;
  }

  send(bytes: Uint8Array | string, fds: number[] = []): number {
    return native.sendWithDescriptors(this.#ours, Buffer.from(bytes), fds);
  }

  /** Our half only keeps its own end, so that the other side's death is seen. */
  releaseTheirs(): void {
    native.close(this.theirs);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watch.stop();
    native.close(this.#ours);
  }

  /** The next message of jail: [step, value], or null at end of file. */
  async step(): Promise<[number, number] | null> {
    const datagram = await this.next();
    return datagram && [datagram.bytes.readInt32LE(0), datagram.bytes.readInt32LE(4)];
  }

  /** Asks test/native/probe.c. */
  async ask(line: string): Promise<string> {
    this.send(line);
    return ((await this.next())?.bytes.toString() ?? 'end of file').trim();
  }
}

export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
}

export interface Started {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
  readonly output: Promise<string>;
}

/** Starts a program; `fds` become its descriptors from 3 on, in order. */
export function start(path: string, args: readonly string[], fds: readonly number[], options: SpawnOptions = {}): Started {
  const child = spawn(path, args, { stdio: ['ignore', 'pipe', 'pipe', ...fds], ...options });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve({ code, signal }));
  });
  const output = new Promise<string>((resolve) => {
    let text = '';
    child.stdout?.on('data', (chunk) => {
      text += chunk;
    });
    child.stderr?.on('data', (chunk) => {
      text += chunk;
    });
    child.on('close', () => resolve(text));
  });
  return { process: child, ended, output };
}

/** test/native/probe.c, compiled where everybody may execute it, until this process ends. */
export function compileProbe(): string {
  const place = mkdtempSync(join(tmpdir(), 'ravioli-probe-'));
  process.on('exit', () => rmSync(place, { recursive: true }));
  const path = join(place, 'probe');
  execFileSync('cc', ['-O1', '-Wall', '-Wextra', '-Werror', '-o', path, join(folder, 'probe.c')]);
  chmodSync(place, 0o755);
  return path;
}

/** Fields of /proc/PID/status. */
export function status(pid: number): Record<string, string> {
  const lines = readFileSync(`/proc/${pid}/status`, 'latin1').trim().split('\n');
  return Object.fromEntries(lines.map((line) => line.split(/:\s*/, 2) as [string, string]));
}

/** Resolves when the process is no more, by its pidfd. */
export async function gone(pid: number): Promise<void> {
  const pidfd = native.pidfd(pid);
  if (pidfd === -3) return;
  await new Promise<void>((resolve) => {
    const watch = native.watch(pidfd, () => {
      watch.stop();
      native.close(pidfd);
      resolve();
    });
  });
}

/** Number of our own descriptors. */
export function descriptorCount(): number {
  return readdirSync('/proc/self/fd').length;
}
