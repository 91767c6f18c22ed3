/**
 * A worker under attack. Starts the real bundle, through the real jail and the supervisor's own modules, with an addon that obeys
 * frames beginning with "EXPLOIT!" (test/isolation/exploit.c), and plays supervisor and guest for it. Layers can be left out one by one.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Native } from '../../native/supervisor.d.ts';
import { encodeProgram } from '../../policies/compile.ts';
import { FLOW_ROW_BYTES, MAX_FLOWS } from '../../shared/limits.ts';
import { GrantKind } from '../../shared/roles.ts';
import { type Body, type Envelope, WorkerChannel } from '../../supervisor/channel.ts';
import type { Ending } from '../../supervisor/lifecycle.ts';
import { type Isolation, workerCommand } from '../../supervisor/runtime.ts';
import { Child, Control, JailStep } from '../../supervisor/spawn.ts';
import { OURS, programOf } from './policies.ts';
import { UNPRIVILEGED } from './processes.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url)).replace(/\/$/, '');
export const native = createRequire(import.meta.url)(`${ROOT}/native/out/supervisor.node`) as Native;

/** The product runs as a user without any right; so do these, where the test itself may choose. */
const AS_NOBODY =
  process.getuid?.() === 0 ? ['/usr/bin/setpriv', '--reuid', String(UNPRIVILEGED), '--regid', String(UNPRIVILEGED), '--clear-groups'] : [];

/** What must not reach a worker. */
const HIDDEN = ['SECRET=1', 'NODE_OPTIONS=--inspect'];

/** The layer a worker is behind: all of them, or the jail's first stage alone, or one of one_layer.c, or the sealed filter alone. */
export type Behind = 'everything' | 'jail' | 'filter' | 'none' | 'prelude' | 'landlock' | 'pivot';

/** `return allow`, for the layers' tests. */
const ALLOW_ALL = encodeProgram([{ code: 0x06, jt: 0, jf: 0, k: 0x7fff0000 }]);

/** The exploited build of the worker: its root stands for the project's. */
export class ExploitedBuild {
  readonly root: string;

  constructor() {
    this.root = mkdtempSync(join(tmpdir(), 'ravioli-isolation-'));
    execFileSync('chmod', ['755', this.root]);
    mkdirSync(join(this.root, 'dist'));
    mkdirSync(join(this.root, 'native/out'), { recursive: true });
    for (const file of ['dist/worker.cjs', 'dist/worker.js', 'dist/worker.code', 'native/out/jail'])
      copyFileSync(join(ROOT, file), join(this.root, file));
    const compile = (...words: string[]): void => {
      execFileSync('cc', ['-std=gnu11', '-O1', '-Wall', '-Wextra', '-Werror', ...words], { cwd: ROOT });
    };
    const object = join(this.root, 'stream.o');
    compile(
      '-fPIC',
      '-Inode_modules/node-api-headers/include',
      '-Dsyscall=exploited_syscall',
      '-c',
      '-o',
      object,
      'native/worker/stream.c',
    );
    const rest = execFileSync('sh', ['-c', 'ls native/worker/*.c'], { cwd: ROOT, encoding: 'utf8' })
      .trim()
      .split('\n')
      .filter((file) => !file.endsWith('/stream.c'));
    compile(
      '-fPIC',
      '-shared',
      '-Inode_modules/node-api-headers/include',
      '-o',
      join(this.root, 'native/out/worker.node'),
      ...rest,
      object,
      'test/isolation/exploit.c',
    );
    compile(
      '-Inative',
      '-Inative/out',
      '-o',
      join(this.root, 'one_layer'),
      'test/isolation/one_layer.c',
      'native/empty_root.c',
      'native/landlock.c',
      'native/privileges.c',
    );
  }

  remove(): void {
    rmSync(this.root, { recursive: true });
  }
}

/** Result of one system call made inside the worker: its value or −errno, and the scratch memory after it. */
export interface Obeyed {
  readonly result: number;
  readonly data: Buffer;
}

/** Address of byte `offset` of the scratch memory, as an argument. */
export function at(offset: number): bigint {
  return 0x5afe_0000_0000_0000n + BigInt(offset);
}

interface Parts {
  readonly child: Child;
  readonly ended: Promise<Ending>;
  readonly control: Control;
  readonly dialogue: Dialogue;
  readonly guest: number;
  readonly opener: number;
}

/** A running worker that obeys, and what it is connected to. */
export class AttackedWorker {
  /** As this process sees it. */
  readonly pid: number;
  readonly ended: Promise<Ending>;
  readonly dialogue: Dialogue;
  readonly #child: Child;
  /** Its end is the end of a jail that has not pivoted, and of its worker. */
  readonly #control: Control;
  readonly #guest: number;
  readonly #opener: number;

  private constructor(parts: Parts) {
    this.pid = parts.child.pid;
    this.ended = parts.ended;
    this.dialogue = parts.dialogue;
    this.#child = parts.child;
    this.#control = parts.control;
    this.#guest = parts.guest;
    this.#opener = parts.opener;
  }

  /** A worker that runs, `behind` what is asked, as the unprivileged user. */
  static async start(root: string, behind: Behind = 'everything', isolation: Isolation = 'default'): Promise<AttackedWorker> {
    const [ours, theirs] = native.socketPair();
    const [guest, tap] = native.socketPair();
    const [opener, openerSocket] = native.socketPair();
    const dialogue = new Dialogue(ours);
    const launched = await launch(root, behind, isolation, theirs);
    const columns = native.memfd('columns', MAX_FLOWS * FLOW_ROW_BYTES);
    dialogue.channel.send({ memory: { maxFlows: 64, maxDescriptors: 64 } }, [columns]);
    native.close(columns);
    await dialogue.expect('hello');
    dialogue.channel.send({ config: { ipv4: true, tcp: true, mtu: 1500, secret: new Uint8Array(16) } });
    if (behind === 'everything' || behind === 'pivot') {
      launched.control.proceed();
      await launched.control.expect(JailStep.PIVOTED);
    }
    const filter = behind === 'everything' || behind === 'filter' ? encodeProgram(programOf('worker', OURS)) : ALLOW_ALL;
    dialogue.channel.send({ seal: { filter } });
    const { sealed } = await dialogue.expect('sealed');
    if (sealed?.result !== 0) throw new Error(`sealing failed: ${sealed?.result}`);
    dialogue.channel.send({ grant: { kind: GrantKind.TAP, value: 0 } }, [tap]);
    dialogue.channel.send({ grant: { kind: GrantKind.OPENER_HOST, value: 0 } }, [openerSocket]);
    dialogue.channel.send({ start: {} });
    for (const fd of [tap, openerSocket]) native.close(fd);
    dialogue.channel.send({ statusRequest: {} });
    await dialogue.expect('status'); // so it has taken everything before it
    return new AttackedWorker({ ...launched, dialogue, guest, opener });
  }

  /** Performs one system call inside the worker; null when the worker ended instead of answering. `data` is put into the scratch. */
  async obey(number: number, words: readonly (number | bigint)[], data: Uint8Array = new Uint8Array(0)): Promise<Obeyed | null> {
    const frame = Buffer.alloc(64 + data.length);
    frame.write('EXPLOIT!', 'latin1');
    [number, ...words].forEach((word, index) => frame.writeBigUInt64LE(BigInt.asUintN(64, BigInt(word)), 8 + index * 8));
    frame.set(data, 64);
    native.sendWithDescriptors(this.#guest, frame, []);
    const answer = await nextDatagram(this.#guest);
    if (answer === null) return null;
    return { result: Number(answer.readBigInt64LE(0)), data: answer.subarray(8) };
  }

  /** Ends the worker, if it still runs, and everything that leads to it. */
  async stop(): Promise<void> {
    this.#child.kill(9);
    this.#control.close();
    this.dialogue.channel.close();
    native.close(this.#guest);
    native.close(this.#opener);
    await this.ended;
  }
}

/** The supervisor's end of the dialogue. */
export class Dialogue {
  readonly channel: WorkerChannel;
  /** Why the worker was given up. */
  readonly violation: Promise<string>;
  readonly #arrived: Envelope[] = [];
  #wake: () => void = () => {};
  #closed = false;

  constructor(socket: number) {
    const violation = Promise.withResolvers<string>();
    this.violation = violation.promise;
    this.channel = new WorkerChannel(native, socket, {
      message: (envelope) => {
        this.#arrived.push(envelope);
        this.#wake();
      },
      violation: violation.resolve,
      closed: () => {
        this.#closed = true;
        this.#wake();
      },
    });
  }

  /** The next message, which must have this body. */
  async expect(body: Body): Promise<Envelope> {
    while (this.#arrived.length === 0 && !this.#closed)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    const envelope = this.#arrived.shift();
    if (envelope?.body !== body) throw new Error(`the worker said ${envelope?.body ?? 'nothing and ended'} instead of ${body}`);
    return envelope;
  }
}

interface Launched {
  readonly child: Child;
  readonly ended: Promise<Ending>;
  readonly control: Control;
}

/** Starts the runtime behind its layer. `channel` is closed here. */
async function launch(root: string, behind: Behind, isolation: Isolation, channel: number): Promise<Launched> {
  const [control, jailControl] = native.socketPair();
  const nothing = openSync('/dev/null', 'r+');
  const runtime = workerCommand({ root, runtime: process.execPath }, isolation);
  const jailed = behind === 'everything' || behind === 'jail';
  const layer = jailed ? [join(root, 'native/out/jail'), 'worker', '4'] : [join(root, 'one_layer'), behind === 'filter' ? 'none' : behind];
  const words = [...AS_NOBODY, ...layer, '--', ...runtime];
  const pid = native.spawn(words[0] as string, words, HIDDEN, [nothing, nothing, 2, channel, jailControl]);
  for (const fd of [nothing, channel, jailControl]) native.close(fd);
  if (pid < 0) throw new Error(`${words[0]} can't be started (errno ${-pid})`);
  const first = adopt(pid);
  const steps = new Control(native, control, 'worker');
  if (!jailed && behind !== 'pivot') return { ...first, control: steps };
  return { ...adopt(await steps.expect(JailStep.PID)), control: steps };
}

function adopt(pid: number): { child: Child; ended: Promise<Ending> } {
  const { promise, resolve } = Promise.withResolvers<Ending>();
  return { child: new Child(native, pid, resolve), ended: promise };
}

/** One datagram of a socket, null at end of file. */
function nextDatagram(socket: number): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const watcher = native.watch(socket, () => {
      const datagram = native.receiveWithDescriptors(socket, 65_536);
      if (datagram === -11) return;
      watcher.stop();
      resolve(datagram === null || typeof datagram === 'number' ? null : Buffer.from(datagram.bytes));
    });
  });
}
