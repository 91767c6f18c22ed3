/**
 * Every bad link of the benchmark, each way, over both families: every byte arrives, and no flow stands still for long.
 */
import { expect } from 'chai';
import { CONDITIONS, roundTrip } from '../../bench/conditions.ts';
import { behind, exchange, makeRig, type Rig } from '../support/impaired_flow.ts';
import type { Impairment } from '../support/impairment.ts';
import { load, LOAD_PORT, serve } from '../support/load.ts';
import { TARGET4, TARGET6 } from '../support/topology.ts';

const PORT = 6200;
const MUCH = 5_000_000;
const LITTLE = 100_000;
const SECONDS = 3;
const FLOWS = 4;
/** The least timeout of a kernel is the round trip and this, in ms (RFC 6298 §2.3, with Linux's least deviation). */
const LEAST_DEVIATION = 200;
/** Timeouts that a flow may stand still for: one segment lost three times in a row, each time waited for twice as long. */
const TIMEOUTS = 8;

describe('every bad link between guest and product', function () {
  this.timeout(150_000);
  let rig: Rig;
  let port = PORT;

  before(async () => {
    rig = await makeRig();
    for (const target of [TARGET4, TARGET6]) await serve(rig.topology.far, target);
  });
  after(() => rig?.remove());

  for (const { name, bad } of CONDITIONS) {
    for (const [family, target] of [
      ['IPv4', TARGET4],
      ['IPv6', TARGET6],
    ] as const) {
      it(`${name}, out, ${family}`, () => look(bad, target, 'out'));
      it(`${name}, in, ${family}`, () => look(bad, target, 'in'));
    }
  }

  function look(bad: Impairment, target: string, way: 'out' | 'in'): Promise<void> {
    return behind(rig, bad, async (guest) => {
      await exchange(rig, guest, target, port++, { out: way === 'out' ? MUCH : LITTLE, into: way === 'in' ? MUCH : LITTLE });
      const { bytes, stall } = await load(guest.namespace, SECONDS * 1000 + 20_000, way, target, LOAD_PORT, SECONDS, FLOWS);
      expect(bytes).to.be.above(0);
      expect(stall, 'ms without a byte at the receiver').to.be.below(TIMEOUTS * (roundTrip(bad) + LEAST_DEVIATION));
    });
  }
});
