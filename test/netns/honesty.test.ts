/**
 * What one end does, the other sees, no more and no less: half-closes, resets, refusals, slow readers. Nothing stalls, nothing is invented.
 */
import { expect } from 'chai';
import { type Endpoint, type Socket, startEndpoint } from '../support/endpoint.ts';
import { check, run } from '../support/processes.ts';
import { HOST4, HOST6, makeTopology, TARGET4, TARGET6, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const OUTWARD = 6000;
const INWARD = 6100;
const CLOSED = 6666;
const MEGABYTE = 1_000_000;

interface Pair {
  guest: Socket;
  host: Socket;
}

describe('honesty of flows', function () {
  this.timeout(60_000);
  let topology: Topology;
  let translator: Translator;
  let guest: Endpoint;
  let far: Endpoint;
  let host: Endpoint;

  before(async () => {
    topology = makeTopology();
    const ports = ['-t', `${INWARD}-${INWARD + 9}`, '-u', `${INWARD}-${INWARD + 9}`, '-T', 'none', '-U', 'none'];
    translator = await startTranslator('ravioli', topology, { options: ports });
    guest = await startEndpoint({ namespace: translator.guest });
    far = await startEndpoint({ namespace: topology.far });
    host = await startEndpoint({ namespace: topology.host });
  });

  after(async () => {
    for (const endpoint of [guest, far, host]) await endpoint?.stop();
    await translator?.stop();
    topology?.remove();
  });

  /** A connection made by the guest to `target`; both ends read unless told otherwise. */
  async function outward(target: string, port: number): Promise<Pair> {
    const listener = await far.listen(target, port);
    const connecting = guest.connect(target, port);
    const accepted = await listener.accept();
    const pair = { guest: await connecting, host: accepted };
    listener.close();
    return pair;
  }

  /** A connection made from `from` to a forwarded port. */
  async function inward(from: Endpoint, address: string, port: number): Promise<Pair> {
    const listener = await guest.listen(address.includes(':') ? '::' : '0.0.0.0', port);
    const connecting = from.connect(address, port);
    const accepted = await listener.accept();
    const pair = { guest: accepted, host: await connecting };
    listener.close();
    return pair;
  }

  const paths: [string, (port: number) => Promise<Pair>][] = [
    ['made by the guest, IPv4', (port) => outward(TARGET4, OUTWARD + port)],
    ['made by the guest, IPv6', (port) => outward(TARGET6, OUTWARD + port)],
    ['made from outside, IPv4', (port) => inward(far, HOST4, INWARD + port)],
    ['made from outside, IPv6', (port) => inward(far, HOST6, INWARD + port)],
    ['spliced from loopback, IPv4', (port) => inward(host, '127.0.0.1', INWARD + port)],
    ['spliced from loopback, IPv6', (port) => inward(host, '::1', INWARD + port)],
  ];

  for (const [name, connect] of paths) {
    describe(`a connection ${name}`, () => {
      it('carries data after the guest has ended its direction', async () => {
        const pair = await connect(0);
        pair.host.resume();
        pair.guest.resume();
        await pair.guest.send(1000);
        pair.guest.end();
        expect((await pair.host.event('end')).bytes).to.equal(1000);
        await pair.host.send(3 * MEGABYTE);
        pair.host.end();
        expect(await pair.guest.event('end')).to.include({ bytes: 3 * MEGABYTE, good: true });
      });

      it('carries data after the far end has ended its direction', async () => {
        const pair = await connect(1);
        pair.host.resume();
        pair.guest.resume();
        await pair.host.send(1000);
        pair.host.end();
        expect((await pair.guest.event('end')).bytes).to.equal(1000);
        await pair.guest.send(3 * MEGABYTE);
        pair.guest.end();
        expect(await pair.host.event('end')).to.include({ bytes: 3 * MEGABYTE, good: true });
      });

      it('brings a reset by the guest to the far end', async () => {
        const pair = await connect(2);
        pair.host.resume();
        await pair.guest.send(1000);
        await pair.host.received(1000);
        pair.guest.reset();
        expect((await pair.host.event('error')).code).to.equal('ECONNRESET');
      });

      it('brings a reset by the far end to the guest', async () => {
        const pair = await connect(3);
        pair.guest.resume();
        await pair.host.send(1000);
        await pair.guest.received(1000);
        pair.host.reset();
        expect((await pair.guest.event('error')).code).to.equal('ECONNRESET');
      });

      it('waits for a guest that does not read, and goes on when it does', async () => {
        const pair = await connect(4);
        pair.guest.pause();
        const sent = pair.host.send(40 * MEGABYTE);
        const early = await Promise.race([sent, new Promise((resolve) => setTimeout(() => resolve('waiting'), 1500))]);
        expect(early, 'buffers on the way are smaller than 40 MB').to.equal('waiting');
        pair.guest.resume();
        await pair.guest.received(40 * MEGABYTE, 20_000);
        await sent;
        pair.guest.reset();
      });

      it('waits for a far end that does not read, and goes on when it does', async () => {
        const pair = await connect(5);
        pair.host.pause();
        const sent = pair.guest.send(60 * MEGABYTE);
        const early = await Promise.race([sent, new Promise((resolve) => setTimeout(() => resolve('waiting'), 1500))]);
        expect(early, 'buffers on the way are smaller than 60 MB').to.equal('waiting');
        pair.host.resume();
        await pair.host.received(60 * MEGABYTE, 20_000);
        await sent;
        pair.guest.reset();
      });

      it('carries both directions at once', async () => {
        const pair = await connect(6);
        pair.host.resume();
        pair.guest.resume();
        const both = Promise.all([pair.host.received(20 * MEGABYTE), pair.guest.received(20 * MEGABYTE)]);
        await Promise.all([pair.guest.send(20 * MEGABYTE), pair.host.send(20 * MEGABYTE)]);
        await both;
        pair.guest.end();
        pair.host.end();
        await Promise.all([pair.guest.event('close'), pair.host.event('close')]);
      });
    });
  }

  async function failure(attempt: Promise<unknown>): Promise<string> {
    return attempt.then(
      () => 'no error',
      (error: Error) => error.message,
    );
  }

  for (const target of [TARGET4, TARGET6]) {
    it(`tells the guest at once that ${target} refuses a connection`, async () => {
      expect(await failure(guest.connect(target, CLOSED, 3000))).to.match(/ECONNREFUSED/);
    });
  }

  const unreachable = [
    ['203.0.113.9', 'by a route of the host', 'host', ['route', 'add', 'unreachable', '203.0.113.9/32']],
    ['2001:db8:dead::9', 'by a route of the host', 'host', ['-6', 'route', 'add', 'unreachable', '2001:db8:dead::9/128']],
    ['203.0.113.10', 'by an ICMP error from afar', 'far', ['route', 'add', 'prohibit', '203.0.113.10/32']],
    ['2001:db8:dead::10', 'by an ICMPv6 error from afar', 'far', ['-6', 'route', 'add', 'prohibit', '2001:db8:dead::10/128']],
  ] as const;
  for (const [target, how, where, route] of unreachable) {
    it(`tells the guest that ${target} cannot be reached, ${how}`, async () => {
      await check(['ip', '-n', topology[where], ...route], { user: 0 });
      const forward = 'echo 1 | tee /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding';
      await check(['sh', '-c', forward], { namespace: topology.far, user: 0 });
      expect(await failure(guest.connect(target, CLOSED, 8000))).to.match(/ECONNREFUSED|ENETUNREACH|EHOSTUNREACH|ECONNRESET/);
    });
  }

  for (const [name, target] of [['IPv4', HOST4], ['IPv6', HOST6]] as const) {
    it(`ends a connection from outside to a forwarded port nobody listens on in the guest, ${name}`, async () => {
      const port = INWARD + 9;
      const outcome = await failure(far.connect(target, port, 5000).then((socket) => socket.event('close', 5000)));
      expect(outcome).to.match(/ECONNREFUSED|ECONNRESET|no error/);
    });
  }

  it('refuses a connection from outside to a port that is not forwarded', async () => {
    expect(await failure(far.connect(HOST4, CLOSED, 3000))).to.match(/ECONNREFUSED/);
  });

  for (const target of [TARGET4, TARGET6]) {
    it(`answers a datagram to a closed port of ${target} with an error`, async () => {
      const result = await run(['bash', '-c', `exec 3<>/dev/udp/${target}/${CLOSED}; echo x >&3; sleep 0.3; echo y >&3`], {
        namespace: translator.guest,
        timeout: 4000,
      });
      expect(result.stderr).to.match(/Connection refused/);
    });
  }

  for (const [family, target, any] of [['IPv4', TARGET4, '0.0.0.0'], ['IPv6', TARGET6, '::']] as const) {
    it(`carries datagrams of every size both ways over ${family}, empty ones too`, async () => {
      const server = await far.open(target, OUTWARD);
      const client = await guest.open(any);
      for (const size of [0, 1, 8, 512, 1400, 1472, 1473, 9000, 30_000, 65_000]) {
        client.send(target, OUTWARD, size);
        const there = await server.message();
        expect(there).to.include({ size, good: true });
        server.send(there.from as string, there.port as number, size);
        expect(await client.message()).to.include({ size, good: true, from: target, port: OUTWARD });
      }
      server.close();
      client.close();
    });

    it(`brings datagrams from outside to a forwarded port and the answers back over ${family}`, async () => {
      const server = await guest.open(any, INWARD);
      const client = await far.open(any);
      const address = family === 'IPv4' ? HOST4 : HOST6;
      for (const size of [1, 0, 1400, 8192, 52_000]) {
        client.send(address, INWARD, size);
        const there = await server.message();
        expect(there).to.include({ size, good: true });
        server.send(there.from as string, there.port as number, size);
        expect(await client.message()).to.include({ size, good: true, from: address, port: INWARD });
      }
      server.close();
      client.close();
    });
  }
});
