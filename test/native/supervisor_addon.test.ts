import { expect } from 'chai';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, fstatSync, ftruncateSync, openSync, readFileSync, readlinkSync, writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { descriptorCount, native, NOBODY } from './rooms.ts';

const EAGAIN = -11,
  EBADF = -9,
  EINVAL = -22,
  EMSGSIZE = -90,
  ECHILD = -10,
  ESRCH = -3,
  EPIPE = -32;
const text = (datagram: unknown): string => Buffer.from((datagram as { bytes: Uint8Array }).bytes).toString();

describe('native/supervisor, channel', () => {
  let ours: number;
  let theirs: number;
  let before: number;

  beforeEach(() => {
    before = descriptorCount();
    [ours, theirs] = native.socketPair();
  });
  afterEach(() => {
    native.close(ours);
    native.close(theirs);
    expect(descriptorCount(), 'descriptors').to.be.at.most(before);
  });

  it('makes sockets that do not block and do not survive an exec', () => {
    for (const fd of [ours, theirs]) {
      const flags = Number.parseInt(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1').match(/flags:\s*(\d+)/)?.[1] as string, 8);
      expect(flags & 0o2000000, 'O_CLOEXEC').not.to.equal(0);
      expect(flags & 0o4000, 'O_NONBLOCK').not.to.equal(0);
    }
    expect(native.receiveWithDescriptors(ours, 10)).to.equal(EAGAIN);
  });

  it('keeps the borders of datagrams and their descriptors, up to 253', () => {
    const file = openSync('/dev/null', 'r');
    expect(native.sendWithDescriptors(ours, Buffer.from('one'), [])).to.equal(3);
    expect(native.sendWithDescriptors(ours, Buffer.from('two'), Array(253).fill(file))).to.equal(3);
    expect(text(native.receiveWithDescriptors(theirs, 100))).to.equal('one');
    const second = native.receiveWithDescriptors(theirs, 100) as { bytes: Uint8Array; fds: number[] };
    expect(text(second)).to.equal('two');
    expect(second.fds).to.have.length(253);
    for (const fd of second.fds) {
      expect(readlinkSync(`/proc/self/fd/${fd}`)).to.equal('/dev/null');
      native.close(fd);
    }
    closeSync(file);
  });

  it('receives no more than asked for: a longer datagram is refused and its descriptors are closed', () => {
    const file = openSync('/dev/null', 'r');
    native.sendWithDescriptors(ours, Buffer.alloc(11), [file, file, file]);
    closeSync(file);
    expect(native.receiveWithDescriptors(theirs, 10)).to.equal(EMSGSIZE);
  });

  it('gives null at end of file, and -EPIPE to who sends', () => {
    const [a, b] = native.socketPair();
    native.close(b);
    expect(native.receiveWithDescriptors(a, 10)).to.equal(null);
    expect(native.sendWithDescriptors(a, Buffer.from('x'), [])).to.equal(EPIPE);
    native.close(a);
  });

  it('sends from the middle of a buffer', () => {
    native.sendWithDescriptors(ours, Buffer.from('abcdef').subarray(2, 4), []);
    expect(text(native.receiveWithDescriptors(theirs, 100))).to.equal('cd');
  });

  it('refuses arguments of the wrong kind', () => {
    const loose = native as unknown as Record<string, (...list: unknown[]) => unknown>;
    const wrong: [string, unknown[]][] = [
      ['sendWithDescriptors', [ours, 'text', []]],
      ['sendWithDescriptors', [ours, Buffer.alloc(1), [-1]]],
      ['sendWithDescriptors', [ours, Buffer.alloc(1), ['1']]],
      ['sendWithDescriptors', [ours, Buffer.alloc(1)]],
      ['sendWithDescriptors', [ours, Buffer.alloc(1), Array(254).fill(0)]],
      ['sendWithDescriptors', [ours, new Uint16Array(1), []]],
      ['receiveWithDescriptors', [ours, 0]],
      ['receiveWithDescriptors', [ours, 2 ** 21]],
      ['receiveWithDescriptors', [ours]],
      ['close', ['3']],
      ['close', []],
      ['memfd', ['name', -1]],
      ['memfd', [3, 3]],
      ['memfd', ['n'.repeat(300), 'x']],
      ['kill', [0, 9]],
      ['kill', [-1, 9]],
      ['pidfd', [0]],
      ['reap', [-1]],
      ['probePeekOffset', [5]],
      ['harden', [7]],
      ['send', [ours, 'text']],
      ['hungUp', ['3']],
      ['receive', [ours, -1]],
      ['waitReadable', [ours]],
      ['netlinkSocket', ['route']],
    ];
    for (const [name, list] of wrong) expect(loose[name]?.(...list), `${name}(${list})`).to.equal(EINVAL);
    expect(native.close(9999)).to.equal(EBADF);
    expect(native.sendWithDescriptors(ours, Buffer.alloc(1), [9999])).to.equal(EBADF);
  });
});

describe('native/supervisor, watch', () => {
  it('calls at every datagram and at end of file, until it is stopped', async () => {
    const [ours, theirs] = native.socketPair();
    const seen: string[] = [];
    let wake: () => void = () => {};
    const watch = native.watch(ours, () => {
      const datagram = native.receiveWithDescriptors(ours, 10);
      seen.push(datagram === null ? 'end' : text(datagram));
      if (datagram === null) watch.stop();
      wake();
    });
    const woken = (): Promise<void> =>
      new Promise((resolve) => {
        wake = resolve;
      });
    native.sendWithDescriptors(theirs, Buffer.from('1'), []);
    await woken();
    native.sendWithDescriptors(theirs, Buffer.from('2'), []);
    native.sendWithDescriptors(theirs, Buffer.from('3'), []);
    await woken();
    if (seen.length < 3) await woken();
    native.close(theirs);
    await woken();
    expect(seen).to.deep.equal(['1', '2', '3', 'end']);
    watch.stop();
    native.close(ours);
  });

  it('is not called after stop, also when an event is there already', async () => {
    const [ours, theirs] = native.socketPair();
    let calls = 0;
    const watch = native.watch(ours, () => {
      calls += 1;
    });
    native.sendWithDescriptors(theirs, Buffer.from('1'), []);
    watch.stop();
    watch.stop();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(calls).to.equal(0);
    native.close(ours);
    native.close(theirs);
  });

  it('throws for what can not be watched', () => {
    const file = openSync('/etc/passwd', 'r');
    expect(() => native.watch(file, () => {})).to.throw(/not permitted/);
    expect(() => native.watch(9999, () => {})).to.throw();
    expect(() => native.watch(-1, () => {})).to.throw(/Invalid argument/);
    closeSync(file);
  });

  it('runs promises and reports exceptions as Node.js does, survives collection, and lets the process end', () => {
    const script = `
      const native = require(process.argv[1]);
      const [a, b] = native.socketPair();
      process.on('uncaughtException', (error) => { console.log('caught', error.message); setImmediate(again); });
      const stops = [];
      stops.push(native.watch(a, () => {
        native.receiveWithDescriptors(a, 10);
        Promise.resolve().then(() => console.log('promise'));
        throw new Error('from the callback');
      }));
      native.sendWithDescriptors(b, Buffer.from('x'), []);
      function again() {
        stops.pop().stop();
        (() => { native.watch(a, () => { console.log('collected'); process.exit(7); }); })();
        for (let i = 0; i < 5; i++) gc();
        setImmediate(() => { gc(); native.sendWithDescriptors(b, Buffer.from('y'), []); });
      }`;
    const out = fileURLToPath(new URL('../../native/out/supervisor.node', import.meta.url));
    let output = '';
    try {
      execFileSync(process.execPath, ['--expose-gc', '-e', script, out], { stdio: ['ignore', 'pipe', 'inherit'] });
    } catch (error) {
      const failed = error as { status: number; stdout: Buffer };
      output = `${failed.stdout}${failed.status}`;
    }
    expect(output.split('\n').sort()).to.deep.equal(['7', 'caught from the callback', 'collected', 'promise'].sort());
  });
});

describe('native/supervisor, descriptors and processes', () => {
  it('makes a memory file whose length can not be changed', () => {
    const fd = native.memfd('columns', 4096);
    expect(fstatSync(fd).size).to.equal(4096);
    expect(readlinkSync(`/proc/self/fd/${fd}`)).to.include('columns');
    expect(() => ftruncateSync(fd, 0)).to.throw(/EPERM/);
    expect(() => ftruncateSync(fd, 8192)).to.throw(/EPERM/);
    expect(writeSync(fd, 'x', 4095)).to.equal(1);
    native.close(fd);
  });

  it('sees the end of a process by its pidfd, and reaps it', async () => {
    const child = spawn('sleep', ['100']);
    const pidfd = native.pidfd(child.pid as number);
    const ended = new Promise<void>((resolve) => {
      const watch = native.watch(pidfd, () => {
        watch.stop();
        resolve();
      });
    });
    expect(native.reap(child.pid as number)).to.equal(null);
    expect(native.kill(child.pid as number, 0)).to.equal(0);
    native.kill(child.pid as number, 15);
    await ended;
    native.close(pidfd);
    await once(child, 'exit');
    expect(native.reap(child.pid as number)).to.equal(ECHILD);
    expect(native.kill(child.pid as number, 0)).to.equal(ESRCH);
    expect(native.pidfd(child.pid as number)).to.equal(ESRCH);
  });

  it('raises the limit of descriptors, and hardens the process', () => {
    const script = `
      const native = require(process.argv[1]);
      const limit = native.raiseDescriptorLimit();
      const result = native.harden('pasta');
      console.log(limit, require('fs').readFileSync('/proc/self/limits', 'latin1').match(/Max open files +(\\d+) +(\\d+)/).slice(1).join(' '),
        result, require('fs').readFileSync('/proc/self/comm', 'latin1').trim());
      console.log(require('fs').statSync('/proc/self/maps').uid);`;
    const out = fileURLToPath(new URL('../../native/out/supervisor.node', import.meta.url));
    const output = execFileSync('prlimit', ['--nofile=300:777', process.execPath, '-e', script, out], { uid: NOBODY }).toString();
    // The kernel gives the files in /proc/PID of a process that is not dumpable to root.
    expect(output).to.equal('777 777 777 0 pasta\n0\n');
    expect(native.harden('sixteen letters!')).to.equal(0);
    expect(readFileSync('/proc/self/comm', 'latin1')).to.equal('sixteen letters\n');
    native.harden('node');
  });

  it('knows of SO_PEEK_OFF what the kernel does', () => {
    const [major, minor] = readFileSync('/proc/sys/kernel/osrelease', 'latin1').split('.').map(Number) as [number, number];
    expect(native.probePeekOffset(4)).to.equal(major > 6 || (major === 6 && minor >= 9) ? 1 : 0);
    expect(native.probePeekOffset(6)).to.be.oneOf([0, 1]);
  });
});

describe('native/supervisor, hungUp', () => {
  it('sees that the other end has left, also behind what is unread', () => {
    const [ours, theirs] = native.socketPair();
    expect(native.hungUp(ours)).to.equal(0);
    native.sendWithDescriptors(theirs, Buffer.alloc(1), []);
    expect(native.hungUp(ours)).to.equal(0);
    native.close(theirs);
    expect(native.hungUp(ours)).to.equal(1);
    native.close(ours);
    expect(native.hungUp(ours)).to.equal(EBADF);
  });
});

describe('native/supervisor, netlink', () => {
  it('asks the kernel for the links of our namespace', () => {
    const fd = native.netlinkSocket(0);
    expect(native.receive(fd, 100)).to.equal(null);
    expect(native.waitReadable(fd, 0)).to.equal(0);
    const request = Buffer.alloc(32);
    request.writeUInt32LE(32, 0);
    request.writeUInt16LE(18, 4); // RTM_GETLINK
    request.writeUInt16LE(0x301, 6); // NLM_F_REQUEST | NLM_F_DUMP
    request.writeUInt32LE(7, 8);
    expect(native.send(fd, request)).to.equal(32);
    expect(native.waitReadable(fd, 1000)).to.equal(1);
    const answer = Buffer.from(native.receive(fd, 65536) as Uint8Array);
    expect(answer.readUInt16LE(4)).to.equal(16); // RTM_NEWLINK
    expect(answer.readUInt32LE(8)).to.equal(7);
    expect(answer.includes('lo\0')).to.equal(true);
    native.close(fd);
  });

  it('waits on when a signal comes', () => {
    const ignore = (): void => undefined;
    process.on('SIGUSR2', ignore);
    const script = 'for time in 1 2 3 4 5 6 7 8; do kill -USR2 $PPID; sleep 0.02; done';
    const pidfd = native.pidfd(spawn('sh', ['-c', script]).pid as number);
    expect(native.waitReadable(pidfd, 20_000), 'it has ended').to.equal(1);
    native.close(pidfd);
    process.off('SIGUSR2', ignore);
  });

  it('refuses an answer that is longer than asked for', () => {
    const [ours, theirs] = native.socketPair();
    native.send(theirs, Buffer.alloc(11));
    expect(native.receive(ours, 10)).to.equal(EMSGSIZE);
    native.close(ours);
    native.close(theirs);
  });
});
