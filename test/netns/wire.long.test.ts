/**
 * tshark reads every frame that the guest gets, and every one that leaves the host's interface, while programs of many kinds are at
 * work: no length, no checksum and no header is wrong in any of them.
 */
import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { type Direction, sendDatagrams, sendStreams } from '../support/iperf.ts';
import { check, UNPRIVILEGED } from '../support/processes.ts';
import { requestByQuic, startQuicServer } from '../support/quic.ts';
import { foldered, makeCertificate, startIperf } from '../support/servers.ts';
import { makeTopology, TARGET4, TARGET6, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';
import { startUnbound } from '../support/unbound.ts';
import { judge, startWireCapture, type Verdict, type WireCapture } from '../support/wire_capture.ts';

const ETHERNET = 14;
const QUIC_PORT = 4433;
/** Those of QUIC, of iperf3's random payload, and of traceroute, whose own ports are by chance those of protocols that its payload is none of. */
const UNREADABLE = [QUIC_PORT, 5201, '33434-33463'];
const QUIC_BYTES = 5_000_000;
const STREAM_BYTES = 20_000_000;
const ECHO_BYTES = [0, 1, 1472, 8000, 65_000];
/** Bits per second; datagrams enough of each size, and few enough to be captured. */
const DATAGRAMS = [
  [17, 1e6],
  [64, 5e6],
  [1400, 50e6],
  [1472, 50e6],
  [8192, 50e6],
  [65_000, 50e6],
] as const;
const DIRECTIONS: readonly Direction[] = ['out', 'in', 'both'];

for (const mtu of [1500, 9000, 65_520]) {
  describe(`frames on the wire, with an MTU of ${mtu} in the guest`, function () {
    this.timeout(300_000);
    let topology: Topology;
    let translator: Translator;
    const captures: WireCapture[] = [];
    let guest: Verdict;
    let host: Verdict;

    async function mix(target: string): Promise<void> {
      const inGuest = (words: readonly string[], user = UNPRIVILEGED): Promise<string> =>
        check(words, { namespace: translator.guest, user });
      for (const bytes of ECHO_BYTES) await inGuest(['ping', '-n', '-c', '3', '-i', '0.2', '-W', '5', '-s', String(bytes), target]);
      // Ports where nobody listens: errors with the packet in error.
      await inGuest(['traceroute', '-n', '-m', '3', '-q', '10', '-w', '1', target], 0);
      for (const more of ['+notcp', '+tcp']) await inGuest(['dig', more, `@${target}`, 'known.test', 'missing.test']);
      for (const [size, rate] of DATAGRAMS) {
        for (const direction of DIRECTIONS) await sendDatagrams(translator.guest, { server: target, direction, size, rate, seconds: 1 });
      }
      await sendStreams(translator.guest, target, STREAM_BYTES);
      const certificate = makeCertificate(topology, [target]);
      const files = foldered(topology, 'files');
      execFileSync('sh', ['-ec', `head -c ${QUIC_BYTES} /dev/zero > page; : > none`], { cwd: files });
      const server = await startQuicServer(topology, topology.far, [target, QUIC_PORT], files, certificate);
      await requestByQuic(topology, translator.guest, server, { paths: ['page'] });
      await requestByQuic(topology, translator.guest, server, { paths: ['none'], body: `${files}/page` });
      await server.stop();
    }

    before(async () => {
      topology = makeTopology();
      await startUnbound(topology, topology.far, [TARGET4, TARGET6], { 'known.test': '203.0.113.1' });
      for (const target of [TARGET4, TARGET6]) await startIperf(topology.far, target);
      translator = await startTranslator('ravioli', topology, { mtu });
      await check(['sh', '-ec', 'ip neigh flush dev eth0'], { namespace: translator.guest, user: 0 });
      const near = await startWireCapture(translator.guest, 'eth0', 'received', `${topology.folder}/guest.pcapng`);
      captures.push(near);
      const distant = await startWireCapture(topology.host, 'eth0', 'sent', `${topology.folder}/host.pcapng`);
      captures.push(distant);
      for (const target of [TARGET4, TARGET6]) await mix(target);
      guest = await judge(await near.stop(), UNREADABLE);
      host = await judge(await distant.stop(), UNREADABLE);
    });
    after(async () => {
      for (const capture of captures) await capture.stop();
      await translator?.stop();
      topology?.remove();
    });

    it('there are frames of all kinds', () => {
      console.log(`      guest: ${[...guest.frames].join(' ')}; host: ${[...host.frames].join(' ')}`);
      for (const name of ['ip', 'ipv6', 'udp', 'tcp', 'icmp', 'icmpv6', 'dns', 'arp']) expect(guest.frames.get(name), name).to.be.above(0);
      for (const name of ['ip', 'ipv6', 'udp', 'tcp', 'icmp', 'icmpv6', 'dns']) expect(host.frames.get(name), name).to.be.above(0);
    });

    it('tshark has nothing to complain of in what the guest gets', () => {
      expect(guest.complaints.join('\n')).to.equal('');
      expect(guest.largest).to.be.at.most(mtu + ETHERNET);
    });

    it('nor in what leaves the host', () => {
      expect(host.complaints.join('\n')).to.equal('');
    });
  });
}
