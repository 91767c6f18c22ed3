/** Sockets that others come to, and the ports of the loopback that rules of forwarding open to the worker. */
import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Native as WorkerNative } from '../../native/worker.d.ts';
import { ConnectFlag, ListenFlag, PortsFlag, Verb } from '../../shared/opener.ts';
import { Namespace, Opener, type Question } from './opener_client.ts';
import { native, NOBODY } from './rooms.ts';

const options = createRequire(import.meta.url)(fileURLToPath(new URL('../../native/out/worker.node', import.meta.url))) as WorkerNative;
const EPERM = -1;
const EACCES = -13;
const EINVAL = -22;
const EADDRINUSE = -98;
const EADDRNOTAVAIL = -99;
const LOOPBACK = 1;

const tcp4: Question = { verb: Verb.TCP_LISTEN, family: 4, source: '0.0.0.0', sourcePort: 40210 };
const udp4: Question = { ...tcp4, verb: Verb.UDP_LISTEN };
const both: Question = { ...tcp4, family: 6, source: '::', flags: ListenFlag.BOTH_FAMILIES };
const connect: Question = { verb: Verb.TCP_CONNECT, family: 4, destination: '127.0.0.1', destinationPort: 40210 };

describe('native/opener: listeners', () => {
  let namespace: Namespace;
  let opener: Opener;

  before(async () => {
    namespace = await Namespace.make();
  });
  after(async () => namespace.end());
  beforeEach(async () => {
    opener = Opener.inside(namespace);
    expect(await opener.seal()).to.equal(0);
  });
  afterEach(async () => opener.end());

  it('are made for the supervisor by the table', async () => {
    const rows: [string, Question, number][] = [
      ['TCP on any address', tcp4, 40210],
      ['UDP on any address', udp4, 40210],
      ['TCP of both families', both, 40210],
      ['UDP of both families', { ...both, verb: Verb.UDP_LISTEN }, 40210],
      ['TCP of IPv6 alone', { ...both, flags: 0 }, 40210],
      ['one address', { ...tcp4, source: '192.0.2.1' }, 40210],
      ['one address of IPv6', { ...both, flags: 0, source: '2001:db8::1' }, 40210],
      ['one link', { ...both, interface: LOOPBACK }, 40210],
      ['an address of nobody', { ...tcp4, source: '198.51.100.77' }, EADDRNOTAVAIL],
      ['an address of nobody yet', { ...tcp4, source: '198.51.100.77', flags: ListenFlag.FREE_BIND }, 40210],
      ['an address of IPv6 of nobody yet', { ...both, source: '2001:db8:9::77', flags: ListenFlag.FREE_BIND }, 40210],
      ['both families of an IPv4 address', { ...tcp4, flags: ListenFlag.BOTH_FAMILIES }, EINVAL],
      ['a low port, which is the namespace’s to give', { ...tcp4, sourcePort: 80 }, 80],
      ['a flag that there is not', { ...tcp4, flags: 4 }, EINVAL],
      ['a family that there is not', { ...tcp4, family: 5 }, EINVAL],
    ];
    for (const [what, question, expected] of rows) {
      const { result, fd } = await opener.ask('supervisor', question);
      expect(result, what).to.equal(expected);
      expect(fd >= 0, `a descriptor: ${what}`).to.equal(expected > 0);
      if (fd >= 0) native.close(fd);
    }
  });

  it('are never made for the worker, nor is it told of ports', async () => {
    for (const question of [tcp4, udp4, both, { verb: Verb.PORTS, sourcePort: 1, destinationPort: 65535 }])
      expect(await opener.ask('worker', question), `verb ${question.verb}`).to.deep.equal({ result: EPERM, fd: -1 });
  });

  it('have a low port of the host only where the host lets anybody have it', async () => {
    const first = Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'));
    const onHost = Opener.onHost(NOBODY);
    expect(await onHost.seal()).to.equal(0);
    const { result, fd } = await onHost.ask('supervisor', { ...tcp4, source: '127.0.0.99', sourcePort: 1 });
    expect(result).to.equal(first > 1 ? EACCES : 1);
    if (fd >= 0) native.close(fd);
    // A flow of datagrams does with another one.
    const flow = { ...connect, verb: Verb.UDP_CONNECT, sourcePort: 1 };
    const { result: port, fd: socket } = await onHost.ask('worker', flow);
    expect(port).to.be.within(first > 1 ? 1024 : 1, first > 1 ? 65535 : 1);
    native.close(socket);
    await onHost.end();
  });

  it('of UDP share their port with their own flows, and with nobody who was there before', async () => {
    const listener = await opener.ask('supervisor', udp4);
    expect(listener.result).to.equal(40210);
    expect((await opener.ask('supervisor', udp4)).result, 'twice').to.equal(EADDRINUSE);
    const flow = { ...udp4, verb: Verb.UDP_CONNECT, source: '192.0.2.1', destination: '192.0.2.1', destinationPort: 9 };
    const connected = await opener.ask('worker', flow);
    expect(connected.result, 'the same port').to.equal(40210);
    const program = await namespace.serve('udp');
    expect((await opener.ask('supervisor', { ...udp4, sourcePort: program })).result, 'a port of a program').to.equal(EADDRINUSE);
    for (const { fd } of [listener, connected]) native.close(fd);
  });

  it('let the worker reach a port of the loopback as long as the supervisor has named it', async () => {
    const listener = await opener.ask('supervisor', tcp4);
    const port = { verb: Verb.PORTS, sourcePort: 40210, destinationPort: 40211 };
    expect((await opener.ask('worker', connect)).result, 'before').to.equal(EPERM);
    expect((await opener.ask('supervisor', port)).result).to.equal(0);
    const reached = await opener.ask('worker', connect);
    expect(reached.result, 'named').to.equal(0);
    expect((await opener.ask('worker', { ...connect, verb: Verb.UDP_CONNECT })).result, 'the port of UDP').to.equal(EPERM);
    expect((await opener.ask('worker', { ...connect, destinationPort: 40212 })).result, 'the next port').to.equal(EPERM);
    expect((await opener.ask('supervisor', { ...port, flags: PortsFlag.WITHDRAW })).result).to.equal(0);
    expect((await opener.ask('worker', connect)).result, 'withdrawn').to.equal(EPERM);
    for (const { fd } of [listener, reached]) native.close(fd);
  });

  it('let the worker answer to the loopback from a port of UDP that the supervisor has named, and from no other', async () => {
    const answer = { ...connect, verb: Verb.UDP_CONNECT, source: '127.0.0.1', sourcePort: 40215, destinationPort: 9 };
    const port = { verb: Verb.PORTS, sourcePort: 40215, destinationPort: 40215, flags: PortsFlag.UDP | PortsFlag.ANSWER };
    expect((await opener.ask('worker', answer)).result, 'before').to.equal(EPERM);
    expect((await opener.ask('supervisor', port)).result).to.equal(0);
    const made = await opener.ask('worker', answer);
    expect(made.result, 'named').to.equal(40215);
    expect((await opener.ask('worker', { ...answer, sourcePort: 40216 })).result, 'another').to.equal(EPERM);
    expect((await opener.ask('worker', { ...answer, sourcePort: 0 })).result, 'any').to.equal(EPERM);
    native.close(made.fd);
  });

  it('refuse malformed ports', async () => {
    for (const [what, question] of [
      ['port 0', { sourcePort: 0, destinationPort: 5 }],
      ['backwards', { sourcePort: 6, destinationPort: 5 }],
      ['answers of TCP', { sourcePort: 5, destinationPort: 5, flags: PortsFlag.ANSWER }],
      ['a flag that there is not', { sourcePort: 5, destinationPort: 5, flags: 8 }],
    ] as const)
      expect((await opener.ask('supervisor', { verb: Verb.PORTS, ...question })).result, what).to.equal(EINVAL);
  });

  it('tell by whom and at which address they were asked', async () => {
    const listener = await opener.ask('supervisor', { ...both, verb: Verb.UDP_LISTEN });
    expect(options.getOption(listener.fd, 41, 49), 'IPV6_RECVPKTINFO').to.equal(1);
    expect(options.getOption(listener.fd, 0, 8), 'IP_PKTINFO').to.equal(1);
    native.close(listener.fd);
  });

  it('keep what a flow heard between bind and connect, when asked', async () => {
    for (const flags of [0, ConnectFlag.KEEP]) {
      const { result, fd } = await opener.ask('worker', {
        ...udp4,
        verb: Verb.UDP_CONNECT,
        destination: '192.0.2.1',
        destinationPort: 9,
        flags,
      });
      expect(result).to.equal(40210);
      native.close(fd);
    }
  });
});
