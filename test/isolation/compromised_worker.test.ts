/**
 * What is left to somebody who has taken the sealed worker over: every way out that we know is tried from inside, and seen to fail.
 */
import { expect } from 'chai';
import { readCalls } from '../support/calls.ts';
import { AttackedWorker, at, ExploitedBuild } from '../support/jailed_worker.ts';

const { call, exists } = readCalls();

const ENOENT = -2;
const EBADF = -9;
const SIGSYS = 31;
const AT_FDCWD = -100;
const CHANNEL_FD = 3;
const O_DIRECTORY = process.arch === 'arm64' ? 0o40000 : 0o200000;

const PATHS = ['/', '.', '..', '../..', '/etc/passwd', '/proc/self/environ', '/proc/1/root', '/dev/net/tun', '/tmp'];

type Attack = readonly [what: string, name: string, words: readonly (number | bigint)[], data?: string];

/** struct sockaddr_un of an abstract socket, and sockaddr_in of 127.0.0.1:80. */
const ABSTRACT = '\x01\x00\x00ravioli';
const LOOPBACK = '\x02\x00\x00\x50\x7f\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00';

const SOCKETS: readonly Attack[] = [
  ['a TCP socket', 'socket', [2, 1, 0]],
  ['a UDP socket', 'socket', [10, 2, 0]],
  ['a Unix socket', 'socket', [1, 1, 0]],
  ['a netlink socket', 'socket', [16, 3, 0]],
  ['a packet socket', 'socket', [17, 3, 0]],
  ['a vsock', 'socket', [40, 1, 0]],
  ['a crypto socket', 'socket', [38, 5, 0]],
  ['a pair of sockets', 'socketpair', [1, 1, 0, at(0)]],
  ['connect', 'connect', [CHANNEL_FD, at(0), 10], ABSTRACT],
  ['bind', 'bind', [CHANNEL_FD, at(0), 10], ABSTRACT],
  ['listen', 'listen', [CHANNEL_FD, 1]],
  ['accept', 'accept4', [CHANNEL_FD, 0, 0, 0]],
  ['a datagram to an address', 'sendto', [CHANNEL_FD, at(16), 1, 0, at(0), 16], LOOPBACK],
  ['urgent data', 'sendto', [CHANNEL_FD, at(0), 1, 1, 0, 0]],
  ['sendmsg, which has an address in memory', 'sendmsg', [CHANNEL_FD, at(0), 0]],
  ['sendmmsg', 'sendmmsg', [CHANNEL_FD, at(0), 1, 0]],
  ['SO_BINDTODEVICE', 'setsockopt', [CHANNEL_FD, 1, 25, at(0), 4], 'eth0'],
  ['SO_ATTACH_FILTER', 'setsockopt', [CHANNEL_FD, 1, 26, at(0), 16]],
  ['TCP_REPAIR', 'setsockopt', [CHANNEL_FD, 6, 19, at(0), 4]],
  ['TCP_ULP', 'setsockopt', [CHANNEL_FD, 6, 31, at(0), 4]],
  ["the supervisor's pid and uid", 'getsockopt', [CHANNEL_FD, 1, 17, at(0), at(64)]],
];

const PROCESSES: readonly Attack[] = [
  ['a program', 'execve', [at(0), 0, 0], '/bin/sh\0'],
  ['a program by descriptor', 'execveat', [CHANNEL_FD, at(0), 0, 0, 0x1000], '\0'],
  ['a process', 'clone', [17, 0, 0, 0, 0]],
  ['a process by fork', 'fork', []],
  ['a process by vfork', 'vfork', []],
  ['a process by clone3', 'clone3', [at(0), 88]],
  ['a user namespace', 'unshare', [0x10000000]],
  ["another's namespace", 'setns', [CHANNEL_FD, 0]],
  ['killing the supervisor', 'kill', [1, 9]],
  ['killing everybody', 'kill', [-1, 9]],
  ['a signal to a thread', 'tgkill', [1, 1, 9]],
  ['a signal by pidfd', 'pidfd_send_signal', [CHANNEL_FD, 9, 0, 0]],
  ['tracing', 'ptrace', [16, 1, 0, 0]],
  ["reading another's memory", 'process_vm_readv', [1, at(0), 1, at(16), 1, 0]],
  ["another's descriptor", 'pidfd_getfd', [CHANNEL_FD, 0, 0]],
  ['a pidfd', 'pidfd_open', [1, 0]],
  ['another identity', 'setuid', [0]],
  ['capabilities', 'capset', [at(0), at(16)]],
  ['being dumpable', 'prctl', [4, 1, 0, 0, 0]],
  ['a filter of its own', 'seccomp', [1, 0, at(0)]],
  ['other limits', 'prlimit64', [0, 7, at(0), 0]],
];

const MEMORY: readonly Attack[] = [
  ['executable memory', 'mmap', [0, 4096, 5, 0x22, -1, 0]],
  ['writable and executable memory', 'mmap', [0, 4096, 7, 0x22, -1, 0]],
  ['shared memory', 'mmap', [0, 4096, 3, 0x21, -1, 0]],
  ['a mapped descriptor', 'mmap', [0, 4096, 3, 2, CHANNEL_FD, 0]],
  ['its own memory made executable', 'mprotect', [at(0), 4096, 5]],
  ['the same with a protection key', 'pkey_mprotect', [at(0), 4096, 5, -1]],
  ['the same by personality', 'personality', [0x0400000]],
  ['a remapped fixed range', 'mremap', [at(0), 4096, 4096, 3, at(4096)]],
  ['a file in memory', 'memfd_create', [at(0), 0], 'x\0'],
  ['System V memory', 'shmget', [0, 4096, 0o1777]],
];

const KERNEL: readonly Attack[] = [
  ['a ring', 'io_uring_setup', [8, at(0)]],
  ['an operation in a ring', 'io_uring_enter', [CHANNEL_FD, 1, 0, 0, 0, 0]],
  ['registering with a ring', 'io_uring_register', [CHANNEL_FD, 0, 0, 0]],
  ['mount', 'mount', [at(0), at(0), at(0), 0, 0], 'tmpfs\0'],
  ['umount', 'umount2', [at(0), 2], '/\0'],
  ['pivot_root', 'pivot_root', [at(0), at(0)], '.\0'],
  ['chroot', 'chroot', [at(0)], '..\0'],
  ['chdir', 'chdir', [at(0)], '..\0'],
  ['a mount by descriptor', 'open_tree', [AT_FDCWD, at(0), 1], '/\0'],
  ['a file by handle', 'open_by_handle_at', [CHANNEL_FD, at(0), 0]],
  ['opening by the newest call', 'openat2', [AT_FDCWD, at(0), at(16), 24], '/etc/passwd\0'],
  ['listing a directory', 'getdents64', [CHANNEL_FD, at(0), 1024]],
  ['userfaultfd', 'userfaultfd', [1]],
  ['bpf', 'bpf', [0, at(0), 64]],
  ['perf_event_open', 'perf_event_open', [at(0), 0, -1, -1, 0]],
  ['key rings', 'keyctl', [0, -3, 0]],
  ['a module', 'finit_module', [CHANNEL_FD, at(0), 0]],
  ['another interface on the tap', 'ioctl', [CHANNEL_FD, 0x400454ca, at(0)]],
  ['typing into the terminal', 'ioctl', [0, 0x5412, at(0)]],
  ['another descriptor number', 'dup3', [CHANNEL_FD, 100, 0]],
  ['descriptor flags', 'fcntl', [CHANNEL_FD, 4, 0]],
  ['watching files', 'inotify_init1', [0]],
  ['a clock', 'clock_settime', [0, at(0)]],
];

describe('a compromised worker', function () {
  this.timeout(20_000);
  let build: ExploitedBuild;
  let worker: AttackedWorker;

  before(() => {
    build = new ExploitedBuild();
  });
  after(() => build.remove());
  beforeEach(async () => {
    worker = await AttackedWorker.start(build.root);
  });
  afterEach(() => worker.stop());

  it('is told that there is no file, and goes on working', async () => {
    for (const path of PATHS) {
      for (const flags of [0, O_DIRECTORY, 0o2, 0o102]) {
        const opened = await worker.obey(call('openat'), [AT_FDCWD, at(0), flags, 0o600], Buffer.from(`${path}\0`));
        expect(opened?.result, `${path} ${flags}`).to.equal(ENOENT);
      }
      expect((await worker.obey(call('newfstatat'), [AT_FDCWD, at(0), at(512), 0], Buffer.from(`${path}\0`)))?.result).to.equal(ENOENT);
      expect((await worker.obey(call('statx'), [AT_FDCWD, at(0), 0, 0x7ff, at(512)], Buffer.from(`${path}\0`)))?.result).to.equal(ENOENT);
      expect((await worker.obey(call('readlinkat'), [AT_FDCWD, at(0), at(512), 100], Buffer.from(`${path}\0`)))?.result).to.equal(ENOENT);
    }
    expect((await worker.obey(call('fstat'), [CHANNEL_FD, at(0)]))?.result).to.equal(EBADF);
    worker.dialogue.channel.send({ statusRequest: {} });
    expect((await worker.dialogue.expect('status')).status?.flows).to.equal(0);
  });

  for (const [what, name, words, data] of [...SOCKETS, ...PROCESSES, ...MEMORY, ...KERNEL]) {
    if (!exists(name)) continue;
    it(`dies of ${name}: ${what}`, async () => {
      const answer = await worker.obey(call(name), words, Buffer.from(data ?? '', 'latin1'));
      expect(answer).to.equal(null);
      expect(await worker.ended).to.deep.equal({ code: 0, signal: SIGSYS });
    });
  }

  const messages: readonly (readonly [string, readonly number[], RegExp])[] = [
    ['bytes that are no envelope', [0xff, 0xff, 0xff], /not an envelope/],
    ['an empty envelope', [0x08, 0x01], /without a body/],
    ['a greeting when it is late', [0x82, 0x01, 0x04, 0x08, 0x01, 0x10, 0x01], /a hello in phase/],
    ["the supervisor's own configuration", [0x12, 0x00], /a config in phase/],
    ['a grant', [0x22, 0x02, 0x08, 0x01], /a grant in phase/],
    ['an unknown field', [0x9a, 0x01, 0x00, 0xf8, 0x07, 0x01], /canonical/],
    ['two bodies', [0x92, 0x01, 0x00, 0x92, 0x01, 0x00], /canonical/],
    ['a log line that does not exist', [0x92, 0x01, 0x03, 0x10, 0xe7, 0x07], /log message 999/],
    ['a status without counters', [0x9a, 0x01, 0x02, 0x10, 0x01], /impossible counters/],
  ];
  for (const [what, bytes, reason] of messages) {
    it(`is given up by the supervisor for ${what}`, async () => {
      const sent = await worker.obey(call('write'), [CHANNEL_FD, at(0), bytes.length], Uint8Array.from(bytes));
      expect(sent?.result).to.equal(bytes.length);
      expect(await worker.dialogue.violation).to.match(reason);
    });
  }
});
