/**
 * A million short connections: none fails, and nothing of them stays. All go to one port of one address, so the guest's kernel must soon
 * reuse ports in TIME-WAIT, which it does only where timestamps say that it may (RFC 7323, RFC 6191).
 */
import { expect } from 'chai';
import { expectNoGrowth, type Footprint, footprint } from '../support/footprint.ts';
import { load, LOAD_PORT, serve } from '../support/load.ts';
import { makeTopology, TARGET4, TARGET6, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const WARMING = 20_000;
const EACH_FAMILY = 500_000;
const SECONDS = 280;
/** Two bytes for each connection; before this the code that they run is compiled. */
const MARGIN = 2_000_000;

describe('a million short connections', function () {
  this.timeout(300_000);
  let topology: Topology;
  let translator: Translator;
  let warm: Footprint;

  /** Connects, exchanges a byte and closes, so many times. */
  const connections = (target: string, count: number): Promise<Record<string, number>> =>
    load(translator.guest, SECONDS * 1000 + 10_000, 'crr', target, LOAD_PORT, SECONDS, count);

  before(async () => {
    topology = makeTopology();
    for (const address of [TARGET4, TARGET6]) await serve(topology.far, address);
    translator = await startTranslator('ravioli', topology);
    for (const target of [TARGET4, TARGET6]) await connections(target, WARMING);
    warm = footprint(translator);
  });

  after(async () => {
    await translator?.stop();
    topology?.remove();
  });

  for (const [family, target] of [
    ['IPv4', TARGET4],
    ['IPv6', TARGET6],
  ] as const) {
    it(`all succeed, ${EACH_FAMILY} over ${family}`, async () => {
      expect(await connections(target, EACH_FAMILY)).to.include({ count: EACH_FAMILY, lost: 0 });
    });
  }

  it('nothing of them stays', async () => {
    await expectNoGrowth(translator, warm, MARGIN);
  });
});
