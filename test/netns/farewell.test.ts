/** Whatever ends the product, the far end of each connection learns of it at once, and no socket stays behind. */
import { expect } from 'chai';
import { outward, type Pair } from '../support/connections.ts';
import { type Endpoint, startEndpoint } from '../support/endpoint.ts';
import { check } from '../support/processes.ts';
import { nameOf } from '../support/processtable.ts';
import { makeTopology, TARGET4, TARGET6, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const PORT = 6300;
/** Room for it nowhere but in queues. */
const MUCH = 20_000_000;

describe('farewell', function () {
  this.timeout(60_000);
  let topology: Topology;
  let translator: Translator;
  let guest: Endpoint;
  let far: Endpoint;
  let port = PORT;

  before(async () => {
    topology = makeTopology();
    far = await startEndpoint({ namespace: topology.far });
  });

  beforeEach(async () => {
    translator = await startTranslator('ravioli', topology);
    guest = await startEndpoint({ namespace: translator.guest });
  });

  afterEach(async () => {
    await guest?.stop();
    await translator?.stop();
  });

  after(async () => {
    await far?.stop();
    topology?.remove();
  });

  const pidOf = (name: string): number => translator.pids().find((pid) => nameOf(pid) === name) as number;

  /** Connections in each state that lasts. */
  async function connections(): Promise<Record<string, Pair>> {
    const made = async (target: string): Promise<Pair> => outward(guest, far, target, port++);
    const pairs = { idle: await made(TARGET4), closed: await made(TARGET6), ended: await made(TARGET4), full: await made(TARGET6) };
    for (const pair of [pairs.idle, pairs.closed, pairs.ended]) pair.host.resume();
    pairs.closed.guest.end();
    await pairs.closed.host.event('end');
    pairs.ended.host.end();
    await pairs.ended.guest.event('end');
    pairs.full.guest.pause();
    void pairs.full.guest.send(MUCH).catch(() => undefined);
    void pairs.full.host.send(MUCH).catch(() => undefined);
    return pairs;
  }

  /** Resolves when the far ends have learned, one whose other end had closed before by its next word. */
  async function expectFarewell(pairs: Record<string, Pair>): Promise<void> {
    const { idle, closed, ended, full } = pairs as Record<string, Pair> & { idle: Pair; closed: Pair; ended: Pair; full: Pair };
    expect(await idle.host.event('end')).to.include({ bytes: 0 });
    idle.host.end();
    const refused = closed.host.event('error');
    void closed.host.send(100).catch(() => undefined);
    expect((await refused).code).to.match(/^(ECONNRESET|EPIPE)$/);
    expect((await full.host.event('error')).code).to.equal('ECONNRESET');
    for (const { host } of [idle, closed, ended, full]) await host.event('close');
  }

  /** Connections of the host's side that are not over. */
  async function left(): Promise<string[]> {
    const lines = (await check(['ss', '-Htan'], { namespace: topology.host, user: 0 })).split('\n');
    return lines.filter((line) => line !== '' && !line.startsWith('TIME-WAIT'));
  }

  for (const [what, kill] of [
    ['the worker is killed', () => process.kill(pidOf('pasta.worker'), 'SIGKILL')],
    ['the supervisor is killed', () => process.kill(pidOf('pasta'), 'SIGKILL')],
    ['the product is told to end', () => process.kill(pidOf('pasta'), 'SIGTERM')],
    ['the command ends', () => process.kill(translator.guest, 'SIGKILL')],
  ] as const) {
    it(`${what}: the far ends are told, and nothing is left`, async () => {
      const pairs = await connections();
      kill();
      await expectFarewell(pairs);
      await translator.ended;
      for (const limit = Date.now() + 5000; (await left()).length > 0 && Date.now() < limit; );
      expect(await left()).to.deep.equal([]);
    });
  }
});
