/** The bad network of tests and benchmarks: it does what it is asked to, to the same frames in each run. */
import { expect } from 'chai';
import { type Endpoint, startEndpoint } from '../support/endpoint.ts';
import type { Impairment } from '../support/impairment.ts';
import { program } from '../support/load.ts';
import { check, run } from '../support/processes.ts';
import { GATEWAY4, HOST4, makeImpairedTopology, type Topology } from '../support/topology.ts';

const PORT = 6300;
/** Datagram n has n bytes. */
const COUNT = 200;
const MARK = 1000;
/** So many that one arrives. */
const MARKS = 30;

describe('a bad network', function () {
  this.timeout(30_000);
  let topology: Topology | undefined;

  afterEach(() => topology?.remove());

  /** Which of the datagrams arrive on the other side, in this order; until the mark has come, or until `all` of them have. */
  async function arrivals(bad: Impairment, all = false): Promise<number[]> {
    topology = await makeImpairedTopology(bad);
    const [{ address }] = JSON.parse(await check(['ip', '-j', '-n', topology.far, 'link', 'show', 'eth0'], { user: 0 }));
    await check(['ip', '-n', topology.host, 'neigh', 'replace', GATEWAY4, 'lladdr', address, 'dev', 'eth0'], { user: 0 });
    const [host, far] = await Promise.all([topology.host, topology.far].map((namespace) => startEndpoint({ namespace })));
    const [from, to] = [await (host as Endpoint).open(HOST4), await (far as Endpoint).open(GATEWAY4, PORT)];
    for (let size = 1; size <= COUNT; size++) from.send(GATEWAY4, PORT, size);
    for (let i = 0; i < MARKS; i++) from.send(GATEWAY4, PORT, MARK);
    const sizes: number[] = [];
    while (!all || new Set(sizes).size < COUNT) {
      const { size = 0, good } = await to.message();
      expect(good).to.equal(true);
      if (size < MARK) sizes.push(size);
      else if (!all) break;
    }
    for (const endpoint of [host, far]) await endpoint?.stop();
    topology.remove();
    return sizes;
  }

  it('loses the same frames in each run, others with another seed, and more when more are to be lost', async () => {
    const some = await arrivals({ out: { loss: 20, seed: 7 } });
    expect(some.length)
      .to.be.above(COUNT * 0.6)
      .and.below(COUNT * 0.95);
    expect(await arrivals({ out: { loss: 20, seed: 7 } })).to.deep.equal(some);
    expect(await arrivals({ out: { loss: 20, seed: 8 } })).to.not.deep.equal(some);
    expect(some).to.include.members(await arrivals({ out: { loss: 40, seed: 7 } }));
    expect(await arrivals({ in: { loss: 20 } }), 'the other way').to.have.length(COUNT);
  });

  it('keeps the order but of the frames that are to be overtaken, and spoils so that nobody takes it for good', async () => {
    const inOrder = await arrivals({ delay: 1, jitter: 3 });
    expect(inOrder).to.deep.equal(Array.from({ length: COUNT }, (_, i) => i + 1));
    const sorted = (sizes: number[]): number[] => [...sizes].sort((one, other) => one - other);
    const late = await arrivals({ out: { delay: 100, reorder: 10 } }, true);
    expect(late).to.not.deep.equal(sorted(late));
    const twice = await arrivals({ out: { duplicate: 10 } });
    expect(twice.length).to.be.above(COUNT);
    expect(new Set(twice).size).to.equal(COUNT);
    expect((await arrivals({ out: { corrupt: 20 } })).length).to.be.below(COUNT);
  });

  it('refuses what it does not understand', async () => {
    for (const word of ['los=1%', 'loss=1', 'delay=5', 'delay=fast', 'loss=-1%', 'seed', 'up:loss=1%']) {
      const { code, stderr } = await run([program('impair'), 'a', 'b', 'eth0', word], { user: 0 });
      expect([code, stderr]).to.deep.equal([
        2,
        `impair: '${word}' is not understood: give NAME=NUMBER with a unit, like delay=25ms loss=0.1% seed=7\n`,
      ]);
    }
  });
});
