/**
 * passt: the guest is behind a socket, as a virtual machine is. Connections, datagrams and ping both ways, and all
 * checksums right. RAVIOLI_PASST=/opt/peer/bin/passt runs it against the peer.
 */
import { expect } from 'chai';
import { describeConnection, inward, outward } from '../support/connections.ts';
import { type DatagramSocket, type Endpoint, startEndpoint } from '../support/endpoint.ts';
import { check } from '../support/processes.ts';
import { readCounters } from '../support/snmp.ts';
import { GATEWAY4, HOST4, HOST6, makeTopology, TARGET4, TARGET6, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const OUTWARD = 6300;
const INWARD = 6320;
const DATAGRAMS = 6340;
const PORTS = `${INWARD}-${DATAGRAMS + 19}`;
const FAMILIES = [
  { target: TARGET4, host: HOST4, any: '0.0.0.0' },
  { target: TARGET6, host: HOST6, any: '::' },
] as const;

describe('netns: a machine', function () {
  this.timeout(60_000);
  let topology: Topology;
  let translator: Translator;
  let guest: Endpoint;
  let far: Endpoint;

  before(async () => {
    topology = makeTopology();
    translator = await startTranslator('machine', topology, { mtu: 1500, options: ['-t', PORTS, '-u', PORTS] });
    guest = await startEndpoint({ namespace: translator.guest });
    far = await startEndpoint({ namespace: topology.far });
  });

  after(async () => {
    await guest?.stop();
    await far?.stop();
    await translator?.stop();
    topology?.remove();
  });

  describeConnection('made by a machine, IPv4', (port) => outward(guest, far, TARGET4, OUTWARD + port));
  describeConnection('made to a machine, IPv6', (port) => inward(guest, far, HOST6, INWARD + port));

  /** Sends a datagram of each size at once, and expects the other side to see the same. */
  async function expectSame(from: DatagramSocket, to: DatagramSocket, address: string, port: number): Promise<void> {
    const sizes = [1400, 1400, 1400, 0, 1, 1472, 1473, 8192, 60_000, 64, 64];
    for (const size of sizes) from.send(address, port, size);
    for (const size of sizes) expect(await to.message()).to.include({ size, good: true });
  }

  for (const [index, { target, host, any }] of FAMILIES.entries()) {
    it(`sends datagrams to ${target} and hears the answers, in order, also in fragments`, async () => {
      const server = await far.open(target, OUTWARD + 10);
      const client = await guest.open(any);
      client.send(target, OUTWARD + 10, 5);
      const { from, port } = await server.message();
      expect(from).to.equal(host);
      await expectSame(client, server, target, OUTWARD + 10);
      await expectSame(server, client, from as string, port as number);
      for (const socket of [server, client]) socket.close();
    });

    it(`hears datagrams that come to ${host}, and who sends them`, async () => {
      const server = await guest.open(any, DATAGRAMS + index);
      const client = await far.open(target);
      client.send(host, DATAGRAMS + index, 5);
      const { from, port } = await server.message();
      expect([from, port]).to.deep.equal([target, client.port]);
      await expectSame(client, server, host, DATAGRAMS + index);
      await expectSame(server, client, from as string, port as number);
      for (const socket of [server, client]) socket.close();
    });

    it(`is told who connects to ${host}`, async () => {
      const listener = await guest.listen(any, INWARD + 10 + index);
      const client = await far.connect(host, INWARD + 10 + index);
      const accepted = await listener.accept();
      expect(accepted.from).to.equal(target);
      client.reset();
      listener.close();
    });

    it(`pings ${target}`, async () => {
      await check(['ping', '-c', '2', '-i', '0.01', '-W', '5', target], { namespace: translator.guest, user: 0 });
    });
  }

  it('knows the gateway, whatever its name: the host’s loopback', async () => {
    const host = await startEndpoint({ namespace: topology.host });
    const listener = await host.listen('127.0.0.1', OUTWARD + 12);
    const client = await guest.connect(GATEWAY4, OUTWARD + 12);
    expect((await listener.accept()).from).to.equal('127.0.0.1');
    client.reset();
    await host.stop();
  });

  it('has checksums that are right in each frame: its kernel has found none that was not', async () => {
    const counters = await readCounters(translator.guest);
    const wrong = ['TcpInCsumErrors', 'UdpInCsumErrors', 'Udp6InCsumErrors', 'Icmp6InCsumErrors'];
    expect(wrong.map((name) => counters.get(name))).to.deep.equal([0, 0, 0, 0]);
  });
});

describe('netns: a machine that has said nothing', function () {
  this.timeout(60_000);
  let topology: Topology;
  let translator: Translator;

  before(() => {
    topology = makeTopology();
  });
  after(() => topology?.remove());
  afterEach(() => translator?.stop());

  for (const [name, addresses, { host, any, target }] of [
    ['IPv4', [`${HOST4}/24`], FAMILIES[0]],
    ['IPv6', [`${HOST6}/64`, 'fe80::77/64'], FAMILIES[1]],
  ] as const) {
    it(`is found when somebody connects to it over ${name}`, async () => {
      translator = await startTranslator('machine', topology, {
        configured: false,
        options: ['-d', '-t', String(INWARD), '-u', String(INWARD)],
      });
      const namespace = translator.guest;
      // No address that the kernel made, no duplicate address detection, no solicitation: not a frame comes from this guest.
      const silent = `cd /proc/sys/net/ipv6/conf/eth0
echo 1 > addr_gen_mode; echo 0 > accept_dad; echo 0 > router_solicitations; echo 0 > accept_ra
ip link set eth0 multicast off up`;
      await check(['sh', '-ec', silent], { namespace, user: 0 });
      for (const address of addresses)
        await check(['ip', 'addr', 'add', address, 'dev', 'eth0', ...(name === 'IPv6' ? ['nodad'] : [])], { namespace, user: 0 });
      const gateway = name === 'IPv4' ? ['default', 'via', GATEWAY4] : ['-6', 'default', 'via', '2001:db8::1', 'dev', 'eth0'];
      const family = gateway[0] === '-6' ? ['-6'] : [];
      await check(['ip', ...family, 'route', 'add', ...gateway.slice(family.length)], { namespace, user: 0 });
      const guest = await startEndpoint({ namespace });
      const far = await startEndpoint({ namespace: topology.far });
      const listener = await guest.listen(any, INWARD);
      const client = await far.connect(host, INWARD);
      const accepted = await listener.accept();
      expect(accepted.from).to.equal(target);
      accepted.resume();
      await client.send(1000);
      await accepted.received(1000);
      for (const endpoint of [guest, far]) await endpoint.stop();
    });
  }
});
