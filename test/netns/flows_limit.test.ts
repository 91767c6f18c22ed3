/**
 * As many connections as the descriptors allow: what they cost, that all of them live, and what happens to one more.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { RESERVED_DESCRIPTORS } from '../../shared/limits.ts';
import { failure } from '../support/connections.ts';
import { type Endpoint, startEndpoint } from '../support/endpoint.ts';
import { loadCommand, LOAD_PORT, serve } from '../support/load.ts';
import { check, type Running, start } from '../support/processes.ts';
import { cpuSeconds, residentBytes } from '../support/processtable.ts';
import { comeToRest } from '../support/rest.ts';
import { makeTopology, TARGET4, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const FLOWS = 16_000;
const FEW = 2000;
const CLOSED = 100;
const REFUSALS = 2000;
/** Messages that are echoed to learn what one costs. */
const MESSAGES = 64_000;
const SETTLING_MS = 20_000;

interface Held {
  readonly open: number;
  readonly echoed: number;
}

/** Flows of the guest that stay open until stopped. */
class Holder {
  readonly #running: Running;
  readonly count: number;
  #rounds = 0;

  private constructor(running: Running, count: number) {
    this.#running = running;
    this.count = count;
  }

  static async open(translator: Translator, count: number): Promise<Holder> {
    const line = loadCommand('hold', TARGET4, LOAD_PORT, count);
    const holder = new Holder(start(line, { namespace: translator.guest, user: 0, timeout: 240_000 }), count);
    expect(await holder.#answer()).to.include({ open: count, echoed: count });
    return holder;
  }

  async #answer(): Promise<Held> {
    const [, line] = await this.#running.waitFor(new RegExp(`^(?:\\{.*\\}\\n){${this.#rounds++}}(\\{.*\\})`), 120_000);
    return JSON.parse(line as string);
  }

  /** All flows echo once more. */
  async again(): Promise<void> {
    this.#running.child.stdin?.write('again\n');
    expect(await this.#answer()).to.include({ echoed: this.count });
  }

  async stop(): Promise<void> {
    await this.#running.stop();
  }
}

describe('as many flows as there are descriptors', function () {
  this.timeout(240_000);
  let topology: Topology;
  let translator: Translator;
  let guest: Endpoint;

  before(async () => {
    topology = makeTopology();
    await serve(topology.far, TARGET4);
    translator = await startTranslator('ravioli', topology, { descriptors: FLOWS + RESERVED_DESCRIPTORS });
    guest = await startEndpoint({ namespace: translator.guest });
  });

  after(async () => {
    await guest?.stop();
    await translator?.stop();
    topology?.remove();
  });

  const linesOfLimit = (): number => translator.log().split('the limit is').length - 1;

  /** CPU seconds of the product for one message, of all flows of `holder` in turn. */
  async function costOfEcho(holder: Holder): Promise<number> {
    const rounds = Math.ceil(MESSAGES / holder.count);
    const before = cpuSeconds(translator.pids());
    for (let round = 0; round < rounds; round++) await holder.again();
    return (cpuSeconds(translator.pids()) - before) / (rounds * holder.count);
  }

  /** CPU seconds of the product for one more connection, which is refused. */
  async function refusals(): Promise<number> {
    const before = cpuSeconds(translator.pids());
    for (let attempt = 0; attempt < REFUSALS; attempt++) expect(await failure(guest.connect(TARGET4, LOAD_PORT))).to.match(/ECONNREFUSED/);
    return (cpuSeconds(translator.pids()) - before) / REFUSALS;
  }

  /** Sockets of the host's namespace, which is the product's alone. An ordinary user may not count the descriptors of its rooms. */
  async function sockets(): Promise<number> {
    const statistics = await check(['cat', '/proc/net/sockstat'], { namespace: topology.host });
    return Number(/^sockets: used (\d+)/.exec(statistics)?.[1]);
  }

  /** Until there are at most so many: a connection that ends is not gone at once, the far end closes as well. */
  async function held(atMost: number): Promise<void> {
    for (const end = Date.now() + SETTLING_MS; (await sockets()) > atMost; ) {
      expect(Date.now(), 'sockets that are not given back').to.be.below(end);
      await pause(50);
    }
  }

  it(`${FLOWS} echo, cost little each, and one more is refused while the others go on`, async () => {
    const withoutFlows = await sockets();
    const hundred = await Holder.open(translator, CLOSED);
    const costOfFew = await costOfEcho(hundred);
    const few = await Holder.open(translator, FEW - CLOSED);
    const memory = residentBytes(translator.pids());
    const many = await Holder.open(translator, FLOWS - FEW);
    const bytesEach = (residentBytes(translator.pids()) - memory) / (FLOWS - FEW);
    process.stdout.write(`      ${bytesEach.toFixed(0)} bytes a flow\n`);
    expect(bytesEach, 'memory of a flow').to.be.below(320);

    const costOfRefusal = await refusals();
    await translator.waitFor(/the limit is/);
    expect(linesOfLimit(), 'lines about the limit').to.equal(1);
    await comeToRest(translator.pids());

    const costOfMany = await costOfEcho(many);
    for (const holder of [hundred, few]) await holder.again();
    process.stdout.write(
      `      ${(costOfRefusal * 1e6).toFixed(1)} µs a refusal; ${(costOfFew * 1e6).toFixed(1)} µs a message with ${CLOSED} flows, ${(costOfMany * 1e6).toFixed(1)} µs with ${FLOWS}\n`,
    );
    expect(costOfMany / costOfFew, 'cost of a message beside many flows').to.be.below(3);
    expect(costOfRefusal / costOfMany, 'cost of a refusal in messages').to.be.below(5);

    await hundred.stop();
    await held(withoutFlows + FLOWS - CLOSED);
    const next = await Holder.open(translator, CLOSED);
    for (const holder of [next, few, many]) await holder.again();
    expect(translator.log()).to.not.contain('was set going again');
  });
});
