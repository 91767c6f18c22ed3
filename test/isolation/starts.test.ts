/**
 * What the kernel says about a sealed worker, over enough starts that the layout of its address space is never twice the same.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { expect } from 'chai';
import { whatIsUnsealed } from '../../supervisor/verify.ts';
import { AttackedWorker, ExploitedBuild } from '../support/jailed_worker.ts';

/** Address ranges that cross a 4 GiB line appear about once in 8 starts: so many starts miss none. */
const STARTS = 64;

/** Main thread, V8's one worker, and the one that waits for delayed tasks. */
const MOST_THREADS = 3;

/** Everything that a worker holds when it runs: 0…2, the channel, the tap, the opener's socket, its epoll and what libuv made. */
const DESCRIPTORS = /^(\/dev\/null|socket:\[\d+\]|anon_inode:\[(eventpoll|eventfd)\]|pipe:\[\d+\])$/;

function statusOf(pid: number, thread: string): Map<string, string> {
  const lines = readFileSync(`/proc/${pid}/task/${thread}/status`, 'latin1').split('\n');
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]));
}

/** Executable mappings that no file is behind. */
function executableAnonymous(pid: number): string[] {
  return readFileSync(`/proc/${pid}/maps`, 'latin1')
    .split('\n')
    .filter((line) => /^\S+ ..x/.test(line) && !/\s\/\S|\[vdso\]|\[vsyscall\]/.test(line));
}

describe('a sealed worker, seen from outside', function () {
  this.timeout(60_000);
  let build: ExploitedBuild;

  before(function () {
    // Only root may look into the processes of another user that are not dumpable.
    if (process.getuid?.() !== 0) this.skip();
    build = new ExploitedBuild();
  });
  after(() => build?.remove());

  it(`is sealed on every thread, has no power and an empty root, in each of ${STARTS} starts`, async () => {
    for (let start = 0; start < STARTS; start += 1) {
      const worker = await AttackedWorker.start(build.root);
      try {
        expect(whatIsUnsealed(worker.pid)).to.equal(null);
        const threads = readdirSync(`/proc/${worker.pid}/task`);
        expect(threads.length).to.be.within(1, MOST_THREADS);
        for (const thread of threads) {
          const status = statusOf(worker.pid, thread);
          for (const field of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) expect(status.get(field), field).to.match(/^0+$/);
          expect(status.get('NoNewPrivs')).to.equal('1');
          expect(status.get('Seccomp')).to.equal('2');
          expect(Number(status.get('Seccomp_filters'))).to.be.at.least(2);
          expect(status.get('Uid')).to.equal('65534\t65534\t65534\t65534');
          expect(status.get('Groups')).to.equal('');
          expect(status.get('NSpid')?.split('\t')).to.have.lengthOf(2);
          expect(readdirSync(`/proc/${worker.pid}/task/${thread}/root/`), 'root').to.deep.equal([]);
          expect(readdirSync(`/proc/${worker.pid}/task/${thread}/cwd/..`), 'above the working directory').to.deep.equal([]);
        }
        expect(statusOf(worker.pid, String(worker.pid)).get('Name')).to.equal('pasta.worker');
      } finally {
        await worker.stop();
      }
    }
  });

  it('holds nothing that it was not given, and nothing of the environment it was started from', async function () {
    // The descriptors of a process that is not dumpable are shown to root outside of all user namespaces alone.
    if (!/^\s*0\s+0\s+4294967295$/m.test(readFileSync('/proc/self/uid_map', 'latin1'))) this.skip();
    const worker = await AttackedWorker.start(build.root);
    try {
      const names = readdirSync(`/proc/${worker.pid}/fd`).map((fd) => readlinkSync(`/proc/${worker.pid}/fd/${fd}`));
      for (const name of names) expect(name).to.match(DESCRIPTORS);
      // The worker of this test has our stderr, which is a socket too when another program runs the tests.
      const complaints = readlinkSync('/proc/self/fd/2');
      expect(names.filter((name) => name.startsWith('socket:') && name !== complaints)).to.have.lengthOf(3);
      const environment = readFileSync(`/proc/${worker.pid}/environ`, 'latin1')
        .split('\0')
        .filter((entry) => entry !== '')
        .map((entry) => entry.split('=')[0]);
      expect(environment).to.have.members(['PATH', 'LANG', 'MALLOC_ARENA_MAX', 'UV_THREADPOOL_SIZE']);
      expect(readFileSync(`/proc/${worker.pid}/mountinfo`, 'latin1').trim().split('\n')).to.have.lengthOf(1);
      for (const [limit, value] of [
        ['Max core file size', '0'],
        ['Max msgqueue size', '0'],
      ]) {
        expect(readFileSync(`/proc/${worker.pid}/limits`, 'latin1')).to.match(new RegExp(`${limit} +${value} +${value} `));
      }
    } finally {
      await worker.stop();
    }
  });

  it('has namespaces of its own, all of them', async () => {
    const worker = await AttackedWorker.start(build.root);
    try {
      for (const kind of ['user', 'mnt', 'pid', 'net', 'ipc', 'uts']) {
        expect(readlinkSync(`/proc/${worker.pid}/ns/${kind}`), kind).to.not.equal(readlinkSync(`/proc/self/ns/${kind}`));
      }
    } finally {
      await worker.stop();
    }
  });

  it('has no executable memory but its files when isolation is strict', async () => {
    const worker = await AttackedWorker.start(build.root, 'everything', 'strict');
    try {
      expect(executableAnonymous(worker.pid)).to.deep.equal([]);
    } finally {
      await worker.stop();
    }
  });

  it('has only what V8 reserved at its start otherwise', async () => {
    const worker = await AttackedWorker.start(build.root);
    try {
      expect(executableAnonymous(worker.pid)).to.have.lengthOf.within(1, 2);
    } finally {
      await worker.stop();
    }
  });
});
