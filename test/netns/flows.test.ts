/**
 * Many flows at once: all of them live, and at the limit of descriptors new ones are refused while the old ones go on, without spinning.
 */
import { expect } from 'chai';
import { loadCommand, LOAD_PORT, serve } from '../support/load.ts';
import { type Running, start } from '../support/processes.ts';
import { comeToRest } from '../support/rest.ts';
import { makeTopology, TARGET4, TARGET6, type Topology } from '../support/topology.ts';
import { servesMachines, startTranslator, type Translator } from '../support/translator.ts';

const MANY = 10_000;
const FEW_DESCRIPTORS = 1024;

interface Held {
  open: number;
  echoed: number;
  error: string;
}

describe('many flows', function () {
  this.timeout(90_000);
  let topology: Topology;

  before(async () => {
    topology = makeTopology();
    for (const address of [TARGET4, TARGET6]) await serve(topology.far, address);
  });

  after(() => topology?.remove());

  /** Opens flows from the guest, and waits until all have echoed once. */
  async function hold(translator: Translator, kind: string, target: string, count: number): Promise<{ holder: Running; held: Held }> {
    const holder = start(loadCommand(kind, target, LOAD_PORT, count), { namespace: translator.guest, user: 0, timeout: 90_000 });
    const [line] = await holder.waitFor(/\{.*\}/, 80_000);
    return { holder, held: JSON.parse(line) };
  }

  /** Lets the held flows echo once more. */
  async function again(holder: Running): Promise<Held> {
    holder.child.stdin?.write('again\n');
    const [, line] = await holder.waitFor(/\{.*\}\n(\{.*\})/, 60_000);
    return JSON.parse(line as string);
  }

  for (const [kind, name] of [
    ['hold', 'TCP'],
    ['udp-hold', 'UDP'],
  ] as const) {
    for (const target of servesMachines() ? [TARGET6] : [TARGET4, TARGET6]) {
      it(`holds ${MANY} ${name} flows to ${target} that all echo, twice, and is idle in between`, async () => {
        const translator = await startTranslator('ravioli', topology);
        const { holder, held } = await hold(translator, kind, target, MANY);
        expect(held).to.include({ open: MANY, echoed: MANY });
        await comeToRest(translator.pids());
        expect(await again(holder)).to.include({ echoed: MANY });
        await holder.stop();
        await translator.stop();
      });
    }

    it(`refuses ${name} flows beyond its descriptors, keeps the others, and does not spin`, async () => {
      const translator = await startTranslator('ravioli', topology, { descriptors: FEW_DESCRIPTORS });
      const { holder, held } = await hold(translator, kind, TARGET4, FEW_DESCRIPTORS + 100);
      expect(held.open)
        .to.be.above(FEW_DESCRIPTORS / 2)
        .and.below(FEW_DESCRIPTORS);
      expect(held.echoed, 'flows that were open before').to.equal(held.open);
      expect(held.error).to.not.equal('');
      await comeToRest(translator.pids());
      expect((await again(holder)).echoed).to.equal(held.open);
      await holder.stop();
      if (kind === 'udp-hold') return await translator.stop(); // nobody tells a translator that a UDP flow is over
      // Connections end with an exchange of packets, which nobody here is told of.
      let later: Held | undefined;
      for (const deadline = Date.now() + 10_000; later?.open !== 100 && Date.now() < deadline; ) {
        const next = await hold(translator, 'hold', TARGET4, 100);
        later = next.held;
        await next.holder.stop();
      }
      expect(later, 'descriptors of closed flows serve new ones').to.include({ open: 100, echoed: 100 });
      await translator.stop();
    });
  }
});
