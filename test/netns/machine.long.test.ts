/**
 * The suites of namespaces once more, with passt in place of pasta: the guest is behind its socket, where no link has offloads. Then what
 * tshark says of each frame that such a guest gets.
 */
import { expect } from 'chai';
import { type Endpoint, startEndpoint } from '../support/endpoint.ts';
import { sendStreams } from '../support/iperf.ts';
import { check } from '../support/processes.ts';
import { startIperf } from '../support/servers.ts';
import { makeTopology, TARGET4, TARGET6, type Topology } from '../support/topology.ts';
import { serveMachines, startTranslator, type Translator } from '../support/translator.ts';
import { judge, startWireCapture, type Verdict, type WireCapture } from '../support/wire_capture.ts';

const PORT = 6400;
/** That of iperf3's random payload, and of ours. */
const UNREADABLE = [PORT, 5201];
const STREAM_BYTES = 20_000_000;
const ETHERNET = 14;
const SIZES = [0, 1, 17, 64, 1472, 1473, 8192, 65_000];
/** What udhcpc is to call: nothing is to change. */
const TRUE = '/bin/true';

serveMachines();
await import('./honesty.test.ts');
await import('./datagrams.test.ts');
await import('./forwarding.test.ts');
await import('./ping.test.ts');
await import('./fragments.test.ts');
await import('./unreachable.test.ts');
await import('./dns.test.ts');
await import('./flows.test.ts');
await import('./transfer.test.ts');
await import('./hostile.test.ts');

for (const mtu of [1500, 65_520]) {
  describe(`frames of a machine's link with an MTU of ${mtu}`, function () {
    this.timeout(120_000);
    let topology: Topology;
    let translator: Translator;
    let guest: Endpoint;
    let far: Endpoint;
    let capture: WireCapture;
    let verdict: Verdict;

    async function mix(target: string, any: string): Promise<void> {
      const server = await far.open(target, PORT);
      const client = await guest.open(any);
      for (const size of SIZES) {
        client.send(target, PORT, size);
        const { from, port } = await server.message();
        server.send(from as string, port as number, size);
        expect(await client.message()).to.include({ size, good: true });
      }
      client.send(target, PORT + 1, 9);
      for (const size of [1, 1472, 20_000])
        await check(['ping', '-n', '-c', '2', '-i', '0.1', '-W', '5', '-s', `${size}`, target], { namespace: translator.guest });
      await sendStreams(translator.guest, target, STREAM_BYTES);
      for (const socket of [server, client]) socket.close();
    }

    before(async () => {
      topology = makeTopology();
      for (const target of [TARGET4, TARGET6]) await startIperf(topology.far, target);
      translator = await startTranslator('machine', topology, { mtu });
      const namespace = translator.guest;
      guest = await startEndpoint({ namespace });
      far = await startEndpoint({ namespace: topology.far });
      await check(['ip', 'neigh', 'flush', 'dev', 'eth0'], { namespace, user: 0 });
      capture = await startWireCapture(namespace, 'eth0', 'received', `${topology.folder}/link.pcapng`);
      await check(['busybox', 'udhcpc', '-f', '-q', '-n', '-i', 'eth0', '-s', TRUE], { namespace, user: 0 });
      await check(['rdisc6', '-1', 'eth0'], { namespace, user: 0 });
      await mix(TARGET4, '0.0.0.0');
      await mix(TARGET6, '::');
      verdict = await judge(await capture.stop(), UNREADABLE);
    });

    after(async () => {
      await capture?.stop();
      for (const endpoint of [guest, far]) await endpoint?.stop();
      await translator?.stop();
      topology?.remove();
    });

    it('there are frames of all kinds, none larger than the link', () => {
      for (const name of ['arp', 'ip', 'ipv6', 'udp', 'tcp', 'icmp', 'icmpv6', 'dhcp'])
        expect(verdict.frames.get(name), name).to.be.above(0);
      expect(verdict.largest).to.be.at.most(mtu + ETHERNET);
    });

    it('tshark complains of none', () => {
      expect(verdict.complaints).to.deep.equal([]);
    });
  });
}
