/**
 * A product with nothing to do does nothing: its processes are not woken at all, however many connections are open.
 */
import { expect } from 'chai';
import { loadCommand, LOAD_PORT, serve } from '../support/load.ts';
import { start } from '../support/processes.ts';
import { turnsOnProcessor } from '../support/processtable.ts';
import { makeTopology, TARGET4, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const FLOWS = 500;
const QUIET = 5000;

describe('idle', function () {
  this.timeout(120_000);
  let topology: Topology;
  let translator: Translator;

  before(async () => {
    topology = makeTopology();
    await serve(topology.far, TARGET4);
    translator = await startTranslator('ravioli', topology);
  });

  after(async () => {
    await translator?.stop();
    topology?.remove();
  });

  const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

  /** Resolves once no process of the product has run for QUIET; rejects with who did, in the last interval, when that takes too long. */
  async function expectSleep(): Promise<void> {
    let last: string[] = [];
    // The guest's own kernel asks for routers and neighbours for a while.
    for (let tries = 0; tries < 12; tries++) {
      const before = turnsOnProcessor(translator.pids());
      await pause(QUIET);
      const after = turnsOnProcessor(translator.pids());
      last = [...after].filter(([thread, turns]) => turns !== before.get(thread)).map(([thread]) => thread);
      if (last.length === 0) return;
    }
    expect(last, `woken in the last ${QUIET} ms`).to.deep.equal([]);
  }

  it(`sleeps for good with ${FLOWS} idle connections, and without any`, async () => {
    const holder = start(loadCommand('hold', TARGET4, LOAD_PORT, FLOWS), { namespace: translator.guest, user: 0, timeout: 110_000 });
    const [line] = await holder.waitFor(/\{.*\}/, 60_000);
    expect(JSON.parse(line)).to.include({ open: FLOWS, echoed: FLOWS });
    await expectSleep();
    holder.child.stdin?.write('again\n');
    const [, again] = await holder.waitFor(/\{.*\}\n(\{.*\})/, 60_000);
    expect(JSON.parse(again as string), 'they still echo').to.include({ echoed: FLOWS });
    await holder.stop();
    await expectSleep();
    expect(translator.log()).to.not.contain('was set going again');
  });
});
