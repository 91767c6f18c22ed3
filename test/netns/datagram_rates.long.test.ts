/**
 * Datagrams of many sizes, as fast as it goes and at a quarter of the rate that then arrives: none comes late, and at a quarter none is
 * lost, but for those that the kernel had no room for: a busy machine may let their receiver wait.
 */
import { expect } from 'chai';
import { type Direction, sendDatagrams } from '../support/iperf.ts';
import { startIperf } from '../support/servers.ts';
import { countDropped } from '../support/snmp.ts';
import { makeTopology, TARGET4, TARGET6, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

/** Those above 1472 leave the host in fragments. */
const SIZES = [64, 512, 1400, 8192, 65_000];
const DIRECTIONS: readonly Direction[] = ['out', 'in', 'both'];

describe('datagrams at many rates', function () {
  this.timeout(120_000);
  let topology: Topology;
  let translator: Translator;

  before(async () => {
    topology = makeTopology();
    for (const server of [TARGET4, TARGET6]) await startIperf(topology.far, server);
    translator = await startTranslator('ravioli', topology);
  });
  after(async () => {
    await translator?.stop();
    topology?.remove();
  });

  for (const server of [TARGET4, TARGET6]) {
    for (const size of SIZES) {
      for (const direction of DIRECTIONS) {
        it(`${size} bytes, ${direction}, ${server}`, async () => {
          const peak = await sendDatagrams(translator.guest, { server, direction, size, rate: 0, seconds: 1 });
          const ends = [translator.guest, topology.host, topology.far];
          const load = { server, direction, size, rate: peak.arrived / 4, seconds: 2 };
          const [dropped, steady] = await countDropped(ends, () => sendDatagrams(translator.guest, load));
          const share = `${steady.lost} of ${steady.sent} lost, ${dropped} by the kernel`;
          console.log(`      peak ${Math.round(peak.arrived / 1e6)} Mbit/s, then ${Math.round(steady.arrived / 1e6)}: ${share}`);
          expect(peak.arrived).to.be.above(0);
          expect(peak.disordered + steady.disordered).to.equal(0);
          expect(steady.sent).to.be.above(0);
          expect(steady.lost).to.be.at.most(dropped);
        });
      }
    }
  }
});
