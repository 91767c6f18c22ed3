/**
 * What one end does, the other sees, no more and no less: half-closes, resets, refusals, slow readers. Nothing stalls, nothing is invented.
 */
import { expect } from 'chai';
import { describeConnection, failure, outward } from '../support/connections.ts';
import { type Endpoint, startEndpoint } from '../support/endpoint.ts';
import { check, run } from '../support/processes.ts';
import { HOST4, makeTopology, TARGET4, TARGET6, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const OUTWARD = 6000;
const CLOSED = 6666;

describe('honesty of flows', function () {
  this.timeout(60_000);
  let topology: Topology;
  let translator: Translator;
  let guest: Endpoint;
  let far: Endpoint;

  before(async () => {
    topology = makeTopology();
    translator = await startTranslator('ravioli', topology);
    guest = await startEndpoint({ namespace: translator.guest });
    far = await startEndpoint({ namespace: topology.far });
  });

  after(async () => {
    for (const endpoint of [guest, far]) await endpoint?.stop();
    await translator?.stop();
    topology?.remove();
  });

  describeConnection('made by the guest, IPv4', (port) => outward(guest, far, TARGET4, OUTWARD + port));
  describeConnection('made by the guest, IPv6', (port) => outward(guest, far, TARGET6, OUTWARD + port));

  for (const target of [TARGET4, TARGET6]) {
    it(`tells the guest at once that ${target} refuses a connection`, async () => {
      expect(await failure(guest.connect(target, CLOSED, 3000))).to.match(/ECONNREFUSED/);
    });
  }

  // What the guest's own kernel would say if it had met the same.
  const unreachable = [
    ['203.0.113.9', 'by a route of the host', 'host', ['route', 'add', 'unreachable', '203.0.113.9/32'], 'EHOSTUNREACH'],
    ['2001:db8:dead::9', 'by a route of the host', 'host', ['-6', 'route', 'add', 'unreachable', '2001:db8:dead::9/128'], 'EHOSTUNREACH'],
    ['203.0.113.10', 'by an ICMP error from afar', 'far', ['route', 'add', 'prohibit', '203.0.113.10/32'], 'EHOSTUNREACH'],
    ['2001:db8:dead::10', 'by an ICMPv6 error from afar', 'far', ['-6', 'route', 'add', 'prohibit', '2001:db8:dead::10/128'], 'EACCES'],
  ] as const;
  for (const [target, how, where, route, error] of unreachable) {
    it(`tells the guest that ${target} cannot be reached, ${how}: ${error}`, async () => {
      await check(['ip', '-n', topology[where], ...route], { user: 0 });
      const forward = 'echo 1 | tee /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding';
      await check(['sh', '-c', forward], { namespace: topology.far, user: 0 });
      expect(await failure(guest.connect(target, CLOSED, 8000))).to.include(error);
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

  for (const [family, target, any, largest] of [
    ['IPv4', TARGET4, '0.0.0.0', 65_507],
    ['IPv6', TARGET6, '::', 65_527],
  ] as const) {
    it(`carries datagrams of every size both ways over ${family}, empty ones too`, async () => {
      const server = await far.open(target, OUTWARD);
      const client = await guest.open(any);
      for (const size of [0, 1, 8, 512, 1400, 1472, 1473, 9000, 30_000, 65_000, largest]) {
        client.send(target, OUTWARD, size);
        const there = await server.message();
        expect(there).to.include({ size, good: true });
        server.send(there.from as string, there.port as number, size);
        expect(await client.message()).to.include({ size, good: true, from: target, port: OUTWARD });
      }
      server.close();
      client.close();
    });
  }
});
