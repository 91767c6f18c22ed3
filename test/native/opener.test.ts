import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Native as WorkerNative } from '../../native/worker.d.ts';
import { Verb } from '../../shared/opener.ts';
import { Namespace, Opener, type Question } from './opener_client.ts';
import { descriptorCount, native, NOBODY, openerPath, start, status } from './rooms.ts';

const options = createRequire(import.meta.url)(fileURLToPath(new URL('../../native/out/worker.node', import.meta.url))) as WorkerNative;
const EPERM = -1,
  EINVAL = -22,
  EMFILE = -24,
  EADDRNOTAVAIL = -99;

const BIND_SERVICE = '0000000000000400';
/** The namespace has 192.0.2.1 and 2001:db8::1 beside its loopback, see Namespace. */
const HERE4 = '192.0.2.1',
  HERE6 = '2001:db8::1';
const tcp4: Question = { verb: Verb.TCP_CONNECT, family: 4, destination: HERE4, destinationPort: 9 };
const tcp6: Question = { ...tcp4, family: 6, destination: HERE6 };
const udp4: Question = { ...tcp4, verb: Verb.UDP_CONNECT };
const udp6: Question = { ...tcp6, verb: Verb.UDP_CONNECT };
const ping4: Question = { ...tcp4, verb: Verb.PING, destinationPort: 0 };
const ping6: Question = { ...tcp6, verb: Verb.PING, destinationPort: 0 };

describe('native/opener', () => {
  let namespace: Namespace;
  let opener: Opener;

  before(async () => {
    namespace = await Namespace.make();
  });
  after(async () => namespace.end());
  afterEach(async () => opener.end());

  describe('sealed, without loopback', () => {
    beforeEach(async () => {
      opener = Opener.inside(namespace);
      expect(await opener.seal()).to.equal(0);
    });

    const rows: [string, Question, number | 'port'][] = [
      ['a TCP destination', tcp4, 0],
      ['a TCP destination of IPv6', tcp6, 0],
      ['a UDP destination', udp4, 'port'],
      ['a UDP destination of IPv6', udp6, 'port'],
      ['a ping destination', { ...ping4, sourcePort: 77 }, 77],
      ['a ping destination of IPv6', { ...ping6, sourcePort: 78 }, 78],
      ['TCP to 127.0.0.1', { ...tcp4, destination: '127.0.0.1' }, EPERM],
      ['TCP to 127.255.255.254', { ...tcp4, destination: '127.255.255.254' }, EPERM],
      ['TCP to 0.0.0.0', { ...tcp4, destination: '0.0.0.0' }, EPERM],
      ['TCP to ::1', { ...tcp6, destination: '::1' }, EPERM],
      ['TCP to ::', { ...tcp6, destination: '::' }, EPERM],
      ['UDP to 127.0.0.1', { ...udp4, destination: '127.0.0.1' }, EPERM],
      ['UDP to ::1', { ...udp6, destination: '::1' }, EPERM],
      ['UDP to a group of the loopback interface', { ...udp6, destination: 'ff01::1', interface: 1 }, EPERM],
      ['ping to 127.0.0.1', { ...ping4, destination: '127.0.0.1' }, EPERM],
      ['ping to ::1', { ...ping6, destination: '::1' }, EPERM],
      ['the loopback as source', { ...tcp4, source: '127.0.0.1' }, EPERM],
      ['the loopback of IPv6 as source', { ...udp6, source: '::1' }, EPERM],
      ['TCP to the broadcast address', { ...tcp4, destination: '255.255.255.255' }, EPERM],
      ['TCP to a multicast group', { ...tcp4, destination: '224.0.0.1' }, EPERM],
      ['TCP to a multicast group of IPv6', { ...tcp6, destination: 'ff02::1', interface: 1 }, EPERM],
      ['an IPv4 address as IPv6', { ...tcp4, family: 6 }, EINVAL],
      ['an IPv4 loopback as IPv6', { ...tcp4, family: 6, destination: '127.0.0.1' }, EINVAL],
      ['an IPv6 address as IPv4', { ...tcp6, family: 4 }, EINVAL],
      ['a source of the other family', { ...tcp4, source: '2001:db8::1' }, EINVAL],
      ['a link-local destination without interface', { ...tcp6, destination: 'fe80::1' }, EINVAL],
      ['a group of the link without interface', { ...udp6, verb: Verb.UDP_GROUP, destination: 'ff02::fb' }, EINVAL],
      ['an interface for a global destination', { ...tcp6, interface: 1 }, EINVAL],
      ['an interface for IPv4', { ...tcp4, interface: 1 }, EINVAL],
      ['a family that there is not', { ...tcp4, family: 5 }, EINVAL],
      ['a verb that there is not', { ...tcp4, verb: 8 }, EINVAL],
      ['verb 0', { ...tcp4, verb: 0 }, EINVAL],
      ['a flag of UDP', { ...tcp4, flags: 1 }, EINVAL],
      ['a reserved byte', { ...tcp4, reserved: 12 }, EINVAL],
      ['a source that is not ours', { ...tcp4, source: '198.51.100.1' }, EADDRNOTAVAIL],
      ['a tap', { verb: Verb.TAP, name: 'tap9' }, EPERM],
      ['a netlink socket', { verb: Verb.NETLINK }, EPERM],
      ['a socket that tells of sockets', { verb: Verb.SOCKET_DIAGNOSIS }, EPERM],
      ['another source of flows', { verb: Verb.OUTBOUND }, EPERM],
      ['another seal', { verb: Verb.SEAL }, EPERM],
    ];
    for (const who of ['worker', 'supervisor'] as const) {
      it(`answers by the table to the ${who}`, async () => {
        for (const [what, question, expected] of rows) {
          const { result, fd } = await opener.ask(who, question);
          if (expected === 'port') expect(result, what).to.be.within(1, 65535);
          else expect(result, what).to.equal(expected);
          expect(fd >= 0, `${what}: descriptor`).to.equal(result >= 0);
          if (fd >= 0) native.close(fd);
        }
      });
    }

    it('has an empty root, no power but that over low ports of the namespace, and no descriptor but what it needs', () => {
      const pid = opener.pid;
      const facts = status(pid);
      for (const set of ['CapInh', 'CapBnd', 'CapAmb']) expect(facts[set], set).to.equal('0000000000000000');
      expect(facts).to.include({ CapPrm: BIND_SERVICE, CapEff: BIND_SERVICE });
      expect(facts).to.include({ NoNewPrivs: '1', Seccomp: '2', Name: 'pasta.opener', PPid: `${process.pid}` });
      expect(readdirSync(`/proc/${pid}/root/`)).to.deep.equal([]);
      expect(readdirSync(`/proc/${pid}/cwd/`)).to.deep.equal([]);
      expect(readdirSync(`/proc/${pid}/fd`).sort()).to.deep.equal(['0', '1', '2', '3', '4']);
      expect(readlinkSync(`/proc/${pid}/ns/net`)).to.equal(readlinkSync(`/proc/${namespace.pid}/ns/net`));
    });

    it('makes a TCP connection with the options asked for', async () => {
      const port = await namespace.serve('tcp');
      const asked = { ...tcp4, destinationPort: port, sourcePort: 40123, mss: 1000, hopLimit: 33, trafficClass: 0xb8, flags: 2 };
      const { result, fd } = await opener.ask('worker', asked);
      expect(result).to.equal(0);
      expect(options.getOption(fd, 6, 1), 'TCP_NODELAY').to.equal(1);
      expect(options.getOption(fd, 0, 2), 'IP_TTL').to.equal(33);
      expect(options.getOption(fd, 0, 1), 'IP_TOS').to.equal(0xb8);
      expect(options.getOption(fd, 0, 11), 'IP_RECVERR').to.equal(1);
      expect(options.getOption(fd, 0, 12), 'IP_RECVTTL').to.equal(1);
      expect(options.getOption(fd, 6, 2), 'TCP_MAXSEG').to.be.at.most(1000);
      const socket = new Socket({ fd });
      socket.end('question');
      const [answer] = await once(socket, 'data');
      expect(`${answer}`).to.equal(`192.0.2.1:40123 question`);
    });

    it('makes a UDP socket with its own port, errors and GRO, and takes another port if that one is taken', async () => {
      const port = await namespace.serve('udp');
      const { result, fd } = await opener.ask('worker', { ...udp4, destinationPort: port, sourcePort: 40124, hopLimit: 7 });
      expect(result).to.equal(40124);
      expect(options.getOption(fd, 0, 11), 'IP_RECVERR').to.equal(1);
      expect(options.getOption(fd, 17, 104), 'UDP_GRO').to.equal(1);
      expect(options.getOption(fd, 0, 2), 'IP_TTL').to.equal(7);
      native.send(fd, Buffer.from('question'));
      expect(native.waitReadable(fd, 1000)).to.equal(1);
      expect(Buffer.from(native.receive(fd, 100) as Uint8Array).toString()).to.equal('192.0.2.1:40124 question');
      const second = await opener.ask('worker', { ...udp4, sourcePort: 40124 });
      expect(second.result, 'shared with the other flow').to.equal(40124);
      const taken = await opener.ask('worker', { ...udp4, sourcePort: port });
      expect(taken.result).to.be.within(1, 65535).and.not.equal(port);
      const privileged = await opener.ask('worker', { ...udp6, sourcePort: 53 });
      expect(privileged.result, 'the namespace has low ports, too').to.equal(53);
      expect(options.getOption(privileged.fd, 41, 25), 'IPV6_RECVERR').to.equal(1);
      for (const each of [fd, second.fd, taken.fd, privileged.fd]) native.close(each);
    });

    it('makes a ping socket, with another identifier if that one is in use', async () => {
      const first = await opener.ask('worker', { ...ping4, sourcePort: 4711 });
      expect(first.result).to.equal(4711);
      const second = await opener.ask('worker', { ...ping4, sourcePort: 4711 });
      expect(second.result).to.be.within(1, 65535).and.not.equal(4711);
      native.send(first.fd, Buffer.from([8, 0, 0, 0, 0, 0, 0, 1, 65]));
      expect(native.waitReadable(first.fd, 1000)).to.equal(1);
      const reply = Buffer.from(native.receive(first.fd, 100) as Uint8Array);
      expect(reply.readUInt8(0)).to.equal(0);
      expect(reply.readUInt16BE(4)).to.equal(4711);
      native.close(first.fd);
      native.close(second.fd);
    });

    it('ends at a request of any other length', async () => {
      opener.worker.send('ten bytes.');
      expect(await opener.started.ended).to.deep.equal({ code: 1, signal: null });
    });

    it('ends at a request that is too long', async () => {
      opener.worker.send(Buffer.alloc(65));
      expect(await opener.started.ended).to.deep.equal({ code: 1, signal: null });
    });

    it("goes on without the worker, and ends when the supervisor's socket closes", async () => {
      opener.worker.close();
      const { result, fd } = await opener.ask('supervisor', tcp4);
      expect(result).to.equal(0);
      native.close(fd);
      // The worker's end of file is seen in the turn that begins next, of which nothing tells.
      while (readdirSync(`/proc/${opener.pid}/fd`).length > 4) await opener.ask('supervisor', { verb: 99 });
      expect(readdirSync(`/proc/${opener.pid}/fd`).sort()).to.deep.equal(['0', '1', '2', '3']);
      opener.supervisor.close();
      expect(await opener.started.ended).to.deep.equal({ code: 0, signal: null });
    });

    it('drops descriptors that come with a request', async () => {
      for (let i = 0; i < 5; i += 1) {
        const { fd } = await opener.ask('worker', tcp4, [0, 1, 2]);
        native.close(fd);
      }
      await opener.ask('worker', { verb: 99 });
      expect(readdirSync(`/proc/${opener.pid}/fd`)).to.have.length(5);
    });

    it('answers 10,000 requests and leaves no descriptor anywhere', async function () {
      this.timeout(20_000);
      const before = descriptorCount();
      const begin = process.hrtime.bigint();
      for (let i = 0; i < 10_000; i += 1) {
        const { result, fd } = await opener.ask('worker', udp4);
        if (result <= 0 || native.close(fd) !== 0) throw new Error(`request ${i}: ${result}`);
      }
      const microseconds = Number(process.hrtime.bigint() - begin) / 1e7;
      expect(microseconds, "µs each, with the test's own part").to.be.below(1000);
      expect(descriptorCount()).to.be.at.most(before);
      await opener.ask('worker', { verb: 99 });
      expect(readdirSync(`/proc/${opener.pid}/fd`)).to.have.length(5);
    });

    it('stops reading while its answers are not read, serves the other side, and loses nothing', async () => {
      const [ours, theirs] = native.socketPair();
      const other = Opener.inside(namespace, { workerSocket: theirs });
      expect(await other.seal()).to.equal(0);
      let sent = 0;
      const send = (): number => native.sendWithDescriptors(ours, other.encode({ ...udp4 }, sent), []);
      // The queues of both directions, and the answer that waits: until the kernel takes no more.
      for (let round = 0; round < 3; round += 1) {
        while (send() === 64) sent += 1;
        native.close((await other.ask('supervisor', tcp4)).fd);
      }
      expect(sent).to.be.within(10, 2000);
      for (let i = 0; i < sent; i += 1) {
        expect(native.waitReadable(ours, 1000)).to.equal(1);
        const answer = native.receiveWithDescriptors(ours, 64) as { bytes: Uint8Array; fds: number[] };
        expect(Buffer.from(answer.bytes).readUInt32LE(0)).to.equal(i);
        expect(answer.fds).to.have.length(1);
        native.close(answer.fds[0] as number);
      }
      native.close(ours);
      await other.end();
    });
  });

  describe('sealed, with loopback', () => {
    it('allows the loopback of each family by its own option', async () => {
      const loopback4 = { ...tcp4, destination: '127.0.0.1' };
      const loopback6 = { ...tcp6, destination: '::1' };
      for (const [option, results] of [
        ['--allow-loopback4', [0, EPERM]],
        ['--allow-loopback6', [EPERM, 0]],
      ] as const) {
        opener = Opener.inside(namespace, { options: [option] });
        expect(await opener.seal()).to.equal(0);
        const answers = [await opener.ask('worker', loopback4), await opener.ask('worker', loopback6)];
        expect(
          answers.map(({ result }) => result),
          option,
        ).to.deep.equal(results);
        for (const { fd } of answers) if (fd >= 0) native.close(fd);
        await opener.end();
      }
      opener = Opener.inside(namespace, { options: ['--allow-loopback4'] });
      await opener.seal();
      const zero = await opener.ask('worker', { ...tcp4, destination: '0.0.0.0' });
      expect(zero.result).to.equal(0);
      native.close(zero.fd);
    });
  });

  describe('before it is sealed', () => {
    beforeEach(() => {
      opener = Opener.inside(namespace);
    });

    it('opens a tap with offloads and a netlink socket, in the namespace', async () => {
      const tap = await opener.ask('supervisor', { verb: Verb.TAP, name: 'tap0' });
      expect(tap.result & 0x7, 'CSUM, TSO4, TSO6').to.equal(7);
      expect(execFileSync('nsenter', ['-t', `${namespace.pid}`, '-U', '-n', 'ip', '-o', 'link', 'show', 'tap0']).toString()).to.include(
        'tap0',
      );
      const netlink = await opener.ask('supervisor', { verb: Verb.NETLINK });
      expect(netlink.result).to.equal(0);
      expect(await opener.seal()).to.equal(0);
      native.close(tap.fd);
      native.close(netlink.fd);
    });

    it('refuses a tap without a name or with one that is too long', async () => {
      for (const name of ['', 'sixteen-letters.']) {
        expect(await opener.ask('supervisor', { verb: Verb.TAP, name })).to.deep.equal({ result: EINVAL, fd: -1 });
      }
    });

    it('does not serve the worker', async () => {
      opener.worker.send(opener.encode(tcp4, 5));
      await opener.ask('supervisor', { verb: 99 });
      let answered = false;
      const answer = opener.worker.next().then((datagram) => {
        answered = true;
        return datagram;
      });
      await opener.ask('supervisor', { verb: 99 });
      expect(answered).to.equal(false);
      expect(await opener.seal()).to.equal(0);
      const datagram = await answer;
      expect(datagram?.bytes.readUInt32LE(0)).to.equal(5);
      native.close(datagram?.fds[0] as number);
    });

    it('can not be traced by the root of the namespace', async () => {
      expect(await opener.ask('supervisor', { verb: 99 })).to.deep.equal({ result: EINVAL, fd: -1 });
      expect(() =>
        execFileSync('nsenter', ['-t', `${namespace.pid}`, '-U', '-n', 'readlink', `/proc/${opener.pid}/exe`], { stdio: 'pipe' }),
      ).to.throw();
    });
  });

  it('answers EMFILE when it may have no more descriptors, and goes on', async () => {
    opener = Opener.inside(namespace, { descriptors: 5 });
    expect(await opener.seal()).to.equal(0);
    expect(await opener.ask('worker', tcp4)).to.deep.equal({ result: EMFILE, fd: -1 });
    expect(await opener.ask('worker', ping6)).to.deep.equal({ result: EMFILE, fd: -1 });
    opener.worker.close();
    for (let i = 0; i < 65; i += 1) await opener.ask('supervisor', { verb: 99 });
    const { result, fd } = await opener.ask('supervisor', tcp4);
    expect(result).to.equal(0);
    native.close(fd);
  });

  it('answers EMFILE when the user has too many descriptors in flight, and loses no answer', async () => {
    const [ours, theirs] = native.socketPair();
    opener = Opener.inside(namespace, { descriptors: 8, workerSocket: theirs });
    expect(await opener.seal()).to.equal(0);
    let sent = 0;
    // It serves both sides in each of its turns: after so many without room for one more question its answers fill the other queue.
    for (let turns = 0; turns < 50; turns += 1) {
      while (native.sendWithDescriptors(ours, opener.encode(tcp4, sent), []) === 64) sent += 1;
      await opener.ask('supervisor', { verb: 99 });
    }
    const results: number[] = [];
    while (results.length < sent && native.waitReadable(ours, 1000) === 1) {
      const answer = native.receiveWithDescriptors(ours, 64) as { bytes: Uint8Array; fds: number[] };
      const result = Buffer.from(answer.bytes).readInt32LE(4);
      expect(answer.fds).to.have.length(result === 0 ? 1 : 0);
      for (const fd of answer.fds) native.close(fd);
      results.push(result);
    }
    expect(results).to.have.length(sent);
    expect(new Set(results)).to.deep.equal(new Set([0, EMFILE]));
    native.close(ours);
  });

  for (const uid of [0, NOBODY]) {
    it(`for the host, as uid ${uid}: needs no namespace to join and has an empty root when sealed`, async () => {
      opener = Opener.onHost(uid);
      expect(await opener.seal()).to.equal(0);
      const facts = status(opener.pid);
      for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) expect(facts[set], set).to.equal('0000000000000000');
      expect(facts).to.include({ NoNewPrivs: '1', Seccomp: '2', Uid: `${uid}\t${uid}\t${uid}\t${uid}` });
      expect(readdirSync(`/proc/${opener.pid}/root/`)).to.deep.equal([]);
      expect(readlinkSync(`/proc/${opener.pid}/ns/net`)).to.equal(readlinkSync('/proc/self/ns/net'));
      const receiver = createSocket('udp4').bind(0);
      await once(receiver, 'listening');
      const { result, fd } = await opener.ask('worker', { ...udp4, destination: '127.0.0.1', destinationPort: receiver.address().port });
      expect(result).to.be.within(1, 65535);
      native.send(fd, Buffer.from('hello'));
      const [message, from] = await once(receiver, 'message');
      expect(`${message} ${from.port}`).to.equal(`hello ${result}`);
      native.close(fd);
      receiver.close();
    });
  }

  for (const [join, kept] of [
    [['--join-net', '6'], '0000000000000000'],
    [['--join-net', '6', '--low-ports'], BIND_SERVICE],
    [['--join', '5', '6'], '0000000000000000'],
    [['--join', '5', '6', '--low-ports'], BIND_SERVICE],
  ] as const) {
    it(`joins by ${join.join(' ')} when it is in the user namespace already`, async () => {
      opener = Opener.asItsRoot(namespace, [...join]);
      const tap = await opener.ask('supervisor', { verb: Verb.TAP, name: 'tap1' });
      expect(tap.result).to.be.above(0);
      native.close(tap.fd);
      expect(await opener.seal()).to.equal(0);
      expect(readlinkSync(`/proc/${opener.pid}/ns/net`)).to.equal(readlinkSync(`/proc/${namespace.pid}/ns/net`));
      expect(readdirSync(`/proc/${opener.pid}/root/`)).to.deep.equal([]);
      expect(status(opener.pid)).to.include({ CapEff: kept, NoNewPrivs: '1', Seccomp: '2' });
    });
  }

  it('refuses arguments that make no sense, with one line', async () => {
    opener = Opener.onHost(0);
    for (const args of [
      [],
      ['name'],
      ['name', '77'],
      ['name', '--join', '3'],
      ['name', '--what', '3'],
      ['name', '3', '4', '5', '6'],
      ['name', '3x'],
    ]) {
      const started = start(openerPath, args, []);
      expect(await started.output, args.join(' ')).to.match(/^opener: [^\n]+\n$/);
      expect(await started.ended).to.deep.equal({ code: 1, signal: null });
    }
  });
});
