/**
 * An opener under test, in a namespace that belongs to an ordinary user or on the host, and the questions to it.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import { OpenerAnswer, OpenerRequest as At } from '../../shared/opener.ts';
import { OPENER_REQUEST } from '../../shared/limits.ts';
import { Channel, jailPath, native, NOBODY, openerPath, Step, type Started, start } from './rooms.ts';

export interface Question {
  readonly verb: number;
  readonly family?: number;
  readonly flags?: number;
  readonly hopLimit?: number;
  readonly trafficClass?: number;
  readonly interface?: number;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly source?: string;
  readonly destination?: string;
  readonly name?: string;
  readonly mss?: number;
  /** Which of the reserved bytes is not 0. */
  readonly reserved?: number;
}

/** 16 bytes; IPv4 as ::ffff:a.b.c.d. Only what the tests use: at most one `::`, no dotted tail. */
function encodeAddress(text: string): Buffer {
  const bytes = Buffer.alloc(16);
  if (isIPv4(text)) return Buffer.concat([bytes.subarray(0, 10), Buffer.from([255, 255]), Buffer.from(text.split('.').map(Number))]);
  const [head, tail] = text.split('::').map((half) =>
    half
      .split(':')
      .filter(Boolean)
      .map((word) => Number.parseInt(word, 16)),
  );
  head?.forEach((word, index) => {
    bytes.writeUInt16BE(word, 2 * index);
  });
  tail?.forEach((word, index) => {
    bytes.writeUInt16BE(word, 16 - 2 * (tail.length - index));
  });
  return bytes;
}

/** The network of a command under jail: lo is up, with 192.0.2.1/24 and 2001:db8::1/64 on it. It belongs to NOBODY. */
export class Namespace {
  readonly pid: number;
  readonly #control: Channel;
  readonly #jail: Started;
  readonly #servers: ChildProcess[] = [];

  private constructor(control: Channel, jail: Started, pid: number) {
    this.#control = control;
    this.#jail = jail;
    this.pid = pid;
  }

  static async make(): Promise<Namespace> {
    const control = new Channel();
    const jail = start(jailPath, ['command', '3', '--', 'true'], [control.theirs], { uid: NOBODY, gid: NOBODY });
    control.releaseTheirs();
    const step = await control.step();
    if (step?.[0] !== Step.PID || (await control.step())?.[0] !== Step.READY) throw new Error(`jail: ${step} ${await jail.output}`);
    const namespace = new Namespace(control, jail, step[1]);
    for (const command of [
      'link set lo up',
      'addr add 192.0.2.1/24 dev lo',
      'addr add 2001:db8::1/64 dev lo nodad',
      'route add 224.0.0.0/4 dev lo',
    ])
      namespace.#ip(command);
    return namespace;
  }

  #ip(command: string): void {
    execFileSync('nsenter', [...this.#enter(), 'ip', ...command.split(' ')]);
  }

  #enter(): string[] {
    return ['-t', `${this.pid}`, '-U', '-n'];
  }

  /** A server that answers with the address of who asks and the question; resolves to its port. */
  serve(protocol: 'tcp' | 'udp'): Promise<number> {
    const script =
      protocol === 'tcp'
        ? `require('net').createServer((s) => s.on('data', (d) => s.end(s.remoteAddress + ':' + s.remotePort + ' ' + d)))
           .listen(0, '192.0.2.1', function () { console.log(this.address().port); })`
        : `const s = require('dgram').createSocket('udp4', (d, from) => s.send(from.address + ':' + from.port + ' ' + d, from.port, from.address));
         s.bind(0, '192.0.2.1', () => console.log(s.address().port))`;
    const child = spawn('nsenter', [...this.#enter(), process.execPath, '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#servers.push(child);
    return new Promise<number>((resolve) => child.stdout.once('data', (line) => resolve(Number(`${line}`))));
  }

  open(): [number, number] {
    return [openSync(`/proc/${this.pid}/ns/user`, 'r'), openSync(`/proc/${this.pid}/ns/net`, 'r')];
  }

  async end(): Promise<void> {
    for (const server of this.#servers) server.kill();
    this.#control.close();
    await this.#jail.ended;
  }
}

export class Opener {
  readonly supervisor = new Channel();
  readonly worker = new Channel();
  readonly started: Started;
  #id = 0;

  /** `wrapper` starts jail; `join` are the options that name the descriptors `fds`, which are 5 and 6 there. */
  private constructor(uid: number, wrapper: string[], join: string[], fds: number[], options: string[], workerSocket?: number) {
    const all = [this.supervisor.theirs, workerSocket ?? this.worker.theirs, ...fds];
    const kept = all.map((_, index) => 3 + index).join(',');
    const opener = [openerPath, 'pasta.opener', ...join, ...options, '3', '4'];
    const [program, ...args] = [...wrapper, jailPath, 'opener', kept, '--', ...opener] as [string, ...string[]];
    this.started = start(program, args, all, { uid, gid: uid, stdio: ['ignore', 'inherit', 'inherit', ...all] });
    this.supervisor.releaseTheirs();
    this.worker.releaseTheirs();
    for (const fd of [...fds, ...(workerSocket === undefined ? [] : [workerSocket])]) native.close(fd);
  }

  static inside(namespace: Namespace, given: { options?: string[]; workerSocket?: number; descriptors?: number } = {}): Opener {
    const limit = given.descriptors ?? 1000;
    const wrapper = ['prlimit', `--nofile=${limit}:${limit}`];
    return new Opener(NOBODY, wrapper, ['--join', '5', '6', '--low-ports'], namespace.open(), given.options ?? [], given.workerSocket);
  }

  /** Started as the root of the namespace's user namespace, which podman's pasta is, but in our network. */
  static asItsRoot(namespace: Namespace, join: string[]): Opener {
    return new Opener(0, ['nsenter', '-t', `${namespace.pid}`, '-U'], join, namespace.open(), []);
  }

  static onHost(uid: number): Opener {
    return new Opener(uid, [], [], [], ['--allow-loopback4']);
  }

  get pid(): number {
    return this.started.process.pid as number;
  }

  encode(question: Question, id: number): Buffer {
    const bytes = Buffer.alloc(OPENER_REQUEST);
    bytes.writeUInt32LE(id, At.ID);
    bytes.writeUInt8(question.verb, At.VERB);
    bytes.writeUInt8(question.family ?? 4, At.FAMILY);
    bytes.writeUInt8(question.flags ?? 0, At.FLAGS);
    bytes.writeUInt8(question.hopLimit ?? 0, At.HOP_LIMIT);
    bytes.writeUInt8(question.trafficClass ?? 0, At.TRAFFIC_CLASS);
    bytes.writeUInt32LE(question.interface ?? 0, At.INTERFACE);
    bytes.writeUInt16LE(question.sourcePort ?? 0, At.SOURCE_PORT);
    bytes.writeUInt16LE(question.destinationPort ?? 0, At.DESTINATION_PORT);
    encodeAddress(question.source ?? '::').copy(bytes, At.SOURCE);
    encodeAddress(question.destination ?? '::').copy(bytes, At.DESTINATION);
    if (question.name !== undefined) bytes.fill(0, At.DESTINATION, At.DESTINATION + 16).write(question.name, At.DESTINATION);
    bytes.writeUInt16LE(question.mss ?? 0, At.MSS);
    if (question.reserved !== undefined) bytes.writeUInt8(1, At.RESERVED + question.reserved);
    return bytes;
  }

  /** Asks and awaits the answer; `fd` is −1 when none came. */
  async ask(who: 'supervisor' | 'worker', question: Question, fds: number[] = []): Promise<{ result: number; fd: number }> {
    const id = this.#id++;
    this[who].send(this.encode(question, id), fds);
    const answer = await this[who].next();
    if (answer === null) throw new Error(`the opener ended instead of answering: ${JSON.stringify(await this.started.ended)}`);
    if (answer.bytes.length !== 8 || answer.bytes.readUInt32LE(OpenerAnswer.ID) !== id) throw new Error('not the answer to this question');
    return { result: answer.bytes.readInt32LE(OpenerAnswer.RESULT), fd: answer.fds[0] ?? -1 };
  }

  async seal(): Promise<number> {
    return (await this.ask('supervisor', { verb: 32 })).result;
  }

  async end(): Promise<void> {
    this.supervisor.close();
    this.worker.close();
    await this.started.ended;
  }
}
