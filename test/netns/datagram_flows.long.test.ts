/**
 * As many UDP flows as a busy guest has: they cost little memory and no work while nothing moves, all of them answer, and all end when
 * their time is over, with what they held.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { loadCommand, LOAD_PORT, serve } from '../support/load.ts';
import { check, type Running, start } from '../support/processes.ts';
import { cpuSeconds, residentBytes, turnsOnProcessor } from '../support/processtable.ts';
import { makeTopology, TARGET4, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const FLOWS = 10_000;
/** Flows of the warm-up: until then V8 compiles. */
const FEW = 2000;
/** How long a flow is kept, seconds; and a time without anything, ms, of which there must be one within that. */
const TIMEOUT = 60;
const QUIET = 5000;
const NO_PORTS = ['-t', 'none', '-u', 'none', '-T', 'none', '-U', 'none'];
/** What is left to be done when the last flow's time is over. */
const SETTLING_MS = 20_000;

describe(`${FLOWS} UDP flows`, function () {
  this.timeout(300_000);
  let topology: Topology;
  let translator: Translator;

  before(async () => {
    topology = makeTopology();
    await serve(topology.far, TARGET4);
    translator = await startTranslator('ravioli', topology, { options: ['--udp-stream-timeout', String(TIMEOUT), ...NO_PORTS] });
  });

  after(async () => {
    await translator?.stop();
    topology?.remove();
  });

  async function hold(count: number): Promise<Running> {
    const holder = start(loadCommand('udp-hold', TARGET4, LOAD_PORT, count), { namespace: translator.guest, user: 0, timeout: 250_000 });
    const [line] = await holder.waitFor(/\{.*\}/, 60_000);
    expect(JSON.parse(line)).to.include({ open: count, echoed: count });
    return holder;
  }

  /** All flows of a holder carry a datagram each way once more. */
  async function echo(holder: Running, count: number): Promise<void> {
    const earlier = holder.stdout().split('\n').length - 1;
    holder.child.stdin?.write('again\n');
    const [, again] = await holder.waitFor(new RegExp(`^(?:\\{.*\\}\\n){${earlier}}(\\{.*\\})`), 60_000);
    expect(JSON.parse(again as string), 'all answer').to.include({ echoed: count });
  }

  /** UDP sockets of the host's namespace, which is the product's alone. */
  async function sockets(): Promise<number> {
    const statistics = await check(['cat', '/proc/net/sockstat'], { namespace: topology.host });
    return Number(/^UDP: inuse (\d+)/m.exec(statistics)?.[1]);
  }

  /** Resolves once no process of the product has run for QUIET. */
  async function expectSleep(tries: number): Promise<void> {
    let woken: string[] = [];
    for (let left = tries; left > 0; left--) {
      const before = turnsOnProcessor(translator.pids());
      await pause(QUIET);
      const after = turnsOnProcessor(translator.pids());
      woken = [...after].filter(([thread, turns]) => turns !== before.get(thread)).map(([thread]) => thread);
      if (woken.length === 0) return;
    }
    expect(woken, `woken in the last ${QUIET} ms`).to.deep.equal([]);
  }

  it('sleep, answer, and end with their sockets', async () => {
    const few = await hold(FEW);
    await echo(few, FEW);
    const memory = residentBytes(translator.pids());
    const many = await hold(FLOWS - FEW);
    const bytesEach = (residentBytes(translator.pids()) - memory) / (FLOWS - FEW);
    process.stdout.write(`      ${bytesEach.toFixed(0)} bytes a flow\n`);
    expect(bytesEach, 'memory of a flow').to.be.below(600);
    expect(await sockets()).to.equal(FLOWS);

    await expectSleep(TIMEOUT / (QUIET / 1000) - 4);
    await echo(few, FEW);
    await echo(many, FLOWS - FEW);
    expect(await sockets(), 'no flow was made anew').to.equal(FLOWS);

    const cpu = cpuSeconds(translator.pids());
    for (const limit = Date.now() + TIMEOUT * 1000 + SETTLING_MS; (await sockets()) > 0; await pause(200))
      expect(Date.now(), 'sockets that are not given back').to.be.below(limit);
    process.stdout.write(`      ${(((cpuSeconds(translator.pids()) - cpu) / FLOWS) * 1e6).toFixed(1)} µs to end one\n`);
    await expectSleep(4);
    for (const holder of [few, many]) await holder.stop();
  });
});
