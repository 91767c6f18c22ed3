/**
 * A real kernel as the guest, and a bad link between it and the product: every byte arrives, and both sides close in order.
 */
import { behind, exchange, makeRig, type Rig } from '../support/impaired_flow.ts';
import type { Impairment } from '../support/impairment.ts';
import { TARGET4, TARGET6 } from '../support/topology.ts';

const PORT = 6100;
const BYTES = { out: 1_500_000, into: 3_000_000 };

const LINKS: readonly (readonly [what: string, bad: Impairment])[] = [
  ['loses 1 %', { delay: 2, loss: 1 }],
  ['lets 2 % be overtaken', { delay: 2, jitter: 1, reorder: 2 }],
  ['brings 2 % twice', { delay: 1, duplicate: 2 }],
  ['spoils 1 %', { delay: 1, corrupt: 1 }],
  ['does all of that', { delay: 2, jitter: 2, loss: 0.5, reorder: 1, duplicate: 1, corrupt: 0.5 }],
];

describe('a bad link between guest and product', function () {
  this.timeout(60_000);
  let rig: Rig;

  before(async () => {
    rig = await makeRig();
  });
  after(() => rig?.remove());

  LINKS.forEach(([what, bad], index) => {
    const [target, family] = index % 2 === 0 ? [TARGET4, 'IPv4'] : [TARGET6, 'IPv6'];
    it(`that ${what}: ${family} carries both directions at once`, () =>
      behind(rig, bad, (guest) => exchange(rig, guest, target, PORT + index, BYTES)));
  });
});
