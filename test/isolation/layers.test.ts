/**
 * Each layer of the worker's isolation alone, with all others off: which escape does it stop? The column `none` is the proof that an
 * attack works where nothing stops it. Cells: `ok`, the errno, or `SIGSYS`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readCalls } from '../support/calls.ts';
import { AttackedWorker, at, type Behind, ExploitedBuild } from '../support/jailed_worker.ts';
import { UNPRIVILEGED } from '../support/processes.ts';

const { call } = readCalls();
const AT_FDCWD = -100;
const O_DIRECTORY = process.arch === 'arm64' ? 0o40000 : 0o200000;
const O_CREATE_TO_WRITE = 0o101;
const SIGCHLD = 17;
const PTRACE_SEIZE = 0x4206;
const LAYERS = ['none', 'prelude', 'landlock', 'pivot', 'filter', 'jail'] as const satisfies readonly Behind[];
const ERRNOS: Readonly<Record<number, string>> = {
  1: 'EPERM',
  2: 'ENOENT',
  3: 'ESRCH',
  13: 'EACCES',
  38: 'ENOSYS',
  97: 'EAFNOSUPPORT',
  101: 'ENETUNREACH',
  111: 'ECONNREFUSED',
};

/** What the attacks aim at: a process and two listeners of the same user. */
interface Prey {
  readonly pid: number;
  readonly port: number;
  readonly abstractName: string;
}

/** Makes the attack and tells how it ended. */
type Attack = (worker: AttackedWorker, prey: Prey) => Promise<string>;

const text = (value: string): Uint8Array => Buffer.from(`${value}\0`);

async function simple(worker: AttackedWorker, name: string, words: readonly (number | bigint)[], data?: Uint8Array): Promise<string> {
  const answer = await worker.obey(call(name), words, data);
  if (answer !== null) return answer.result >= 0 ? 'ok' : (ERRNOS[-answer.result] ?? `errno ${-answer.result}`);
  const { signal, code } = await worker.ended;
  if (signal === 31) return 'SIGSYS';
  return signal === 0 && code === 0 ? 'ok' : `signal ${signal}, code ${code}`;
}

/** `ok` when the directory shows the host's tree. */
async function list(worker: AttackedWorker, path: string): Promise<string> {
  const opened = await worker.obey(call('openat'), [AT_FDCWD, at(0), O_DIRECTORY], text(path));
  if (opened === null || opened.result < 0) return ERRNOS[-(opened?.result ?? 0)] ?? 'ended';
  const listed = await worker.obey(call('getdents64'), [opened.result, at(0), 4000]);
  return listed?.data.subarray(0, Math.max(listed.result, 0)).includes('etc\0') ? 'ok' : 'empty';
}

async function connect(worker: AttackedWorker, domain: number, address: Buffer): Promise<string> {
  const made = await worker.obey(call('socket'), [domain, 1, 0]);
  if (made === null) return (await worker.ended).signal === 31 ? 'SIGSYS' : 'ended';
  return simple(worker, 'connect', [made.result, at(0), address.length], address);
}

/** Signals and abstract sockets are in Landlock's scope from this version on (Linux 6.12). */
const LANDLOCK_WITH_SCOPES = 6;

/** The kernel's version of Landlock, −errno without it. */
async function landlockVersion(root: string): Promise<number> {
  const worker = await AttackedWorker.start(root, 'none');
  const version = await worker.obey(call('landlock_create_ruleset'), [0, 0, 1]);
  await worker.stop();
  return version?.result ?? 0;
}

function loopback(port: number): Buffer {
  const address = Buffer.alloc(16);
  address.writeUInt16LE(2, 0);
  address.writeUInt16BE(port, 2);
  address.set([127, 0, 0, 1], 4);
  return address;
}

const abstract = (name: string): Buffer => Buffer.from(`\x01\0\0${name}`, 'latin1');

const PREY_FILE = join(tmpdir(), `ravioli-escape-${process.pid}`);

const makeFile: Attack = (worker) => simple(worker, 'openat', [AT_FDCWD, at(0), O_CREATE_TO_WRITE, 0o600], text(PREY_FILE));

/**
 * Attack, and what each of LAYERS answers; `jail` is everything of the jail but its pivot. The pivot needs a user namespace, which
 * stops some attacks on its own account.
 */
// biome-ignore format: columns are the layers
const MATRIX: readonly (readonly [what: string, attack: Attack, ...cells: string[]])[] = [
  //                                                                            none  prelude   landlock  pivot     filter    jail
  ['read a file', (w) => simple(w, 'openat', [AT_FDCWD, at(0), 0], text('/etc/passwd')), 'ok', 'ok', 'ok', 'ENOENT', 'ENOENT', 'ok'],
  ['list the root', (w) => list(w, '/'), 'ok', 'ok', 'ok', 'empty', 'ENOENT', 'ok'],
  ['list above the working directory', (w) => list(w, '../../../../..'), 'ok', 'ok', 'ok', 'empty', 'ENOENT', 'ok'],
  ['make a file', makeFile, 'ok', 'ok', 'EACCES', 'ENOENT', 'ENOENT', 'EACCES'],
  ['run a program', (w) => simple(w, 'execve', [at(0), 0, 0], text('/bin/true')), 'ok', 'ok', 'EACCES', 'ENOENT', 'SIGSYS', 'EACCES'],
  ['make a process', (w) => simple(w, 'clone', [SIGCHLD, 0, 0, 0, 0]), 'ok', 'ok', 'ok', 'ok', 'SIGSYS', 'ok'],
  ['make a user namespace', (w) => simple(w, 'clone', [0x10000000 + SIGCHLD, 0, 0, 0, 0]), 'ok', 'EPERM', 'ok', 'EPERM', 'SIGSYS', 'EPERM'],
  ['make a ring', (w) => simple(w, 'io_uring_setup', [8, at(0)]), 'ok', 'ENOSYS', 'ok', 'ok', 'SIGSYS', 'ENOSYS'],
  ['trace a process', (w, { pid }) => simple(w, 'ptrace', [PTRACE_SEIZE, pid]), 'ok', 'EPERM', 'EPERM', 'EPERM', 'SIGSYS', 'EPERM'],
  ['signal a process', (w, { pid }) => simple(w, 'kill', [pid, 0]), 'ok', 'ok', 'EPERM', 'ok', 'SIGSYS', 'ESRCH'],
  ['connect to the host\'s loopback', (w, { port }) => connect(w, 2, loopback(port)), 'ok', 'ok', 'EACCES', 'ok', 'SIGSYS', 'EACCES'],
  ['connect to an abstract socket', (w, p) => connect(w, 1, abstract(p.abstractName)), 'ok', 'ok', 'EPERM', 'ok', 'SIGSYS', 'ECONNREFUSED'],
  ['map executable memory', (w) => simple(w, 'mmap', [0, 4096, 7, 0x22, -1, 0]), 'ok', 'ok', 'ok', 'ok', 'SIGSYS', 'ok'],
  ['make memory executable', (w) => simple(w, 'mprotect', [at(0), 4096, 7]), 'ok', 'ok', 'ok', 'ok', 'SIGSYS', 'ok'],
  ['imply execution by personality', (w) => simple(w, 'personality', [0x400000]), 'ok', 'EPERM', 'ok', 'ok', 'SIGSYS', 'EPERM'],
  ['handle page faults', (w) => simple(w, 'userfaultfd', [1]), 'ok', 'EPERM', 'ok', 'ok', 'SIGSYS', 'EPERM'],
  ['look into the key ring', (w) => simple(w, 'keyctl', [0, -3, 0]), 'ok', 'EPERM', 'ok', 'ok', 'SIGSYS', 'EPERM'],
];

describe('each layer alone', function () {
  this.timeout(20_000);
  let build: ExploitedBuild;
  let victim: ChildProcess;
  let servers: Server[];
  let prey: Prey;

  before(async function () {
    build = new ExploitedBuild();
    if ((await landlockVersion(build.root)) < LANDLOCK_WITH_SCOPES) this.skip();
    // Ends with its standard input, whatever becomes of this process.
    victim = spawn('cat', process.getuid?.() === 0 ? { uid: UNPRIVILEGED, gid: UNPRIVILEGED, cwd: '/' } : { cwd: '/' });
    const abstractName = `ravioli-test-${process.pid}`;
    const inet = createServer();
    const unix = createServer();
    servers = [inet, unix];
    await new Promise<void>((resolve) => {
      inet.listen(0, '127.0.0.1', resolve);
    });
    await new Promise<void>((resolve) => {
      unix.listen(`\0${abstractName}`, resolve);
    });
    const { port } = inet.address() as AddressInfo;
    prey = { pid: victim.pid as number, port, abstractName };
  });
  after(() => {
    build?.remove();
    victim?.kill('SIGKILL');
    for (const server of servers ?? []) server.close();
  });

  for (const [what, attack, ...cells] of MATRIX) {
    LAYERS.forEach((layer, column) => {
      it(`${layer}: ${what} → ${cells[column]}`, async () => {
        const worker = await AttackedWorker.start(build.root, layer);
        try {
          expect(await attack(worker, prey)).to.equal(cells[column]);
        } finally {
          await worker.stop();
          rmSync(PREY_FILE, { force: true });
        }
      });
    });
  }

  it('stops each attack by at least two layers, or says here why not', () => {
    // What only the filter stops needs no file, no process and no other address: it stays inside the worker.
    const byOne = MATRIX.filter(([, , ...cells]) => cells.slice(1).filter((cell) => cell !== 'ok').length < 2).map(([what]) => what);
    expect(byOne).to.deep.equal(['make a process', 'map executable memory', 'make memory executable']);
  });
});
