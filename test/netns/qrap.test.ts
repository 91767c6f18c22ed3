/** qrap: which passt it finds, what becomes of QEMU's words, and what it leaves alone. In place of QEMU a program that tells what it was given. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { passtPath } from '../support/machine.ts';
import { type Finished, run, type Running, start, UNPRIVILEGED } from '../support/processes.ts';
import { makeTopology, type Topology } from '../support/topology.ts';

const QRAP = fileURLToPath(new URL('../../bin/qrap', import.meta.url));
const CARD = ['-device', 'virtio-net-pci,netdev=hostnet0'];

/** Prints its words, and what an ARP request at descriptor $SOCKET gets: the answer of whom qrap has connected it with. */
const TELLER = `#!/usr/bin/python3
import os, select, socket, struct, sys
print(sys.argv[0].rpartition('/')[2], *['<%s>' % word for word in sys.argv[1:]])
if 'SOCKET' in os.environ:
    passt = socket.socket(fileno=int(os.environ['SOCKET']))
    frame = bytes.fromhex('ffffffffffff02000000007708060001080006040001020000000077c6336401000000000000' + os.environ.get('WHO', 'c6336402'))
    passt.sendall(struct.pack('!I', len(frame)) + frame)
    while True:
        length, = struct.unpack('!I', passt.recv(4, socket.MSG_WAITALL))
        answer = passt.recv(length, socket.MSG_WAITALL)
        if answer[12:14] == b'\\x08\\x06' and answer[:6] == b'\\x02\\x00\\x00\\x00\\x00\\x77':
            print('answered')
            break
if 'STAY' in os.environ:
    print('stays', flush=True)
    sys.stdin.read()
sys.exit(int(os.environ.get('STATUS', '0')))
`;

describe('netns: qrap', function () {
  this.timeout(60_000);
  let topology: Topology;
  let programs: string;
  let room: Running;
  const running: Running[] = [];

  before(async () => {
    topology = makeTopology();
    programs = `${topology.folder}/programs`;
    mkdirSync(programs);
    for (const name of ['kvm', 'other']) {
      writeFileSync(`${programs}/${name}`, TELLER);
      chmodSync(`${programs}/${name}`, 0o755);
    }
  });
  after(() => topology?.remove());
  // Paths of passt's own choice are in /tmp, which is everybody's: here it is new for each test.
  beforeEach(async () => {
    const line = ['unshare', '--mount', 'sh', '-ec', 'mount -t tmpfs -o mode=1777 tmpfs /tmp; echo made; exec sleep infinity'];
    room = start(line, { user: 0, namespace: topology.host });
    await room.waitFor(/made/);
  });
  afterEach(async () => {
    for (const one of running.splice(0)) await one.stop();
    await room.stop('SIGKILL');
  });

  function inside(...words: string[]): string[] {
    const user = ['setpriv', `--reuid=${UNPRIVILEGED}`, `--regid=${UNPRIVILEGED}`, '--clear-groups'];
    return ['nsenter', `--mount=/proc/${room.pid}/ns/mnt`, ...user, ...words];
  }

  async function serve(...words: string[]): Promise<void> {
    const passt = start(inside(passtPath('machine'), '-f', '-t', 'none', '-u', 'none', ...words), {
      user: 0,
      namespace: topology.host,
    });
    running.push(passt);
    await passt.waitFor(/UNIX domain socket bound at/);
  }

  const given = (env: Record<string, string>) => ({ user: 0, env: { PATH: `${programs}:/usr/bin:/bin`, ...env } });

  function qrap(words: readonly string[], env: Record<string, string> = {}): Promise<Finished> {
    return run(inside(QRAP, ...words), given(env));
  }

  /** QEMU's words after qrap's work. */
  async function wordsOf(...words: string[]): Promise<string[]> {
    const { code, stdout, stderr } = await qrap(words);
    expect([code, stderr]).to.deep.equal([0, '']);
    expect(stdout).to.match(/^kvm /);
    return [...stdout.matchAll(/<(.*?)>/g)].map(([, word]) => word as string);
  }

  it('connects a descriptor for a command, whose words, environment and status are its own', async () => {
    await serve();
    const words = ['7', 'other', '-netdev', 'socket,fd=7,id=a b', '-net', 'nic', ''];
    const { code, stdout, stderr } = await qrap(words, { SOCKET: '7', STATUS: '9' });
    expect([code, stderr]).to.deep.equal([9, '']);
    expect(stdout).to.equal('other <-netdev> <socket,fd=7,id=a b> <-net> <nic> <>\nanswered\n');
  });

  for (const family of ['-4', '-6'])
    it(`connects to a passt with ${family} alone`, async () => {
      await serve(family, '--no-ra');
      expect((await qrap(['5', 'other'], family === '-4' ? { SOCKET: '5' } : {})).code).to.equal(0);
    });

  it('adds a card to words that have none', async () => {
    await serve();
    expect(await wordsOf('disk.img', '-m', '1024')).to.deep.equal([
      'disk.img',
      '-m',
      '1024',
      ...CARD,
      '-netdev',
      'socket,id=hostnet0,fd=5',
    ]);
    const { stdout } = await qrap(['disk.img'], { SOCKET: '5' });
    expect(stdout).to.match(/\nanswered\n$/);
  });

  it('drops every network but the first card, which gets the socket', async () => {
    await serve();
    const kept = ['-device', 'e1000,mac=52:54:00:12:34:56,netdev=first,bus=pci.0,addr=0x3'];
    const disk = ['-device', 'virtio-blk-pci,drive=d,serial=a,,netdev=no'];
    const words = ['-netdev', 'user,id=first', ...disk, ...kept, '--netdev', 'tap,id=t', '-device', 'virtio-net-pci,netdev=t'];
    expect(await wordsOf(...words, '-net', 'nic', '-net', 'user', '-nic', 'none', '-S')).to.deep.equal([
      ...[...disk, ...kept, '-S'],
      ...['-netdev', 'socket,id=first,fd=5'],
    ]);
  });

  it('reads the words of libvirt', async () => {
    await serve();
    const card = '{"driver":"virtio-net-pci","netdev":"hostnet0","id":"net0","mac":"52:54:00:fb:1e:00","bus":"pci.1","addr":"0x0"}';
    const spaced = '{"driver": "e1000", "netdev" : "hostnet1"}';
    const disk = ['-device', '{"driver":"virtio-blk-pci","drive":"a"}'];
    const networks = ['-netdev', '{"type":"user","id":"hostnet0"}', '-netdev', '{"type":"user","id":"hostnet1"}'];
    expect(await wordsOf('-name', 'guest=a', ...networks, ...disk, '-device', card, '-device', spaced)).to.deep.equal([
      ...['-name', 'guest=a', ...disk, '-device', card],
      ...['-netdev', 'socket,id=hostnet0,fd=5'],
    ]);
  });

  for (const words of [
    ['-version'],
    ['--help'],
    ['-S', '-machine', 'none,accel=tcg', '-daemonize'],
    ['-device', 'help'],
    ['-device', 'e1000,help'],
  ])
    it(`needs no passt for ${words.join(' ')}`, async () => {
      expect(await wordsOf(...words)).to.deep.equal(words);
    });

  it('takes the first passt that has no machine, and tells by one line when there is none', async () => {
    const refused = async (): Promise<string> => {
      const { code, stdout, stderr } = await qrap(['5', 'other']);
      expect([code, stdout]).to.deep.equal([1, '']);
      return stderr;
    };
    expect(await refused()).to.match(/^qrap: no passt listens at .*\n$/);
    await serve();
    const first = start(inside(QRAP, '5', 'other'), given({ SOCKET: '5', STAY: '1' }));
    running.push(first);
    await first.waitFor(/answered\nstays/);
    expect(await refused()).to.match(/^qrap: each passt at .* has a machine already; .*\n$/);
    await serve();
    const second = await qrap(['5', 'other'], { SOCKET: '5' });
    expect([second.code, second.stdout]).to.deep.equal([0, 'other\nanswered\n']);
    await run(inside('rm', '/tmp/passt_1.socket'), { user: 0 });
    expect((await qrap(['5', 'other'], { SOCKET: '5' })).code, 'with a gap').to.equal(0);
  });

  for (const [words, line] of [
    [[], /nothing to start/],
    [['5'], /no command is given; name QEMU behind descriptor 5/],
    [['2', 'other'], /'2' is no descriptor/],
    [['99999999999999999999', 'other'], /is no descriptor/],
    [['7', 'nowhere'], /nowhere can't be started: No such file/],
    [['999999', 'other'], /descriptor 999999 can't be had/],
  ] as const)
    it(`says by one line what is wrong with '${words.join(' ')}'`, async () => {
      await serve();
      const { code, stderr } = await qrap(words);
      expect(code).to.equal(1);
      expect(stderr)
        .to.match(line)
        .and.match(/^qrap: .*\n$/);
    });

  it('says by one line that there is no QEMU', async () => {
    await serve();
    const { code, stderr } = await run(inside('/usr/bin/env', 'PATH=/nowhere', QRAP, '-m', '1'), { user: 0 });
    expect(code).to.equal(1);
    expect(stderr).to.match(/^qrap: no QEMU is in PATH, .*\n$/);
  });
});
