/**
 * One connection that goes around the sequence numbers twice in each direction: nothing may happen at 2^31 or 2^32.
 */
import { outward } from '../support/connections.ts';
import { type Endpoint, startEndpoint } from '../support/endpoint.ts';
import { makeTopology, TARGET4, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const TEN_GIGABYTES = 10_000_000_000;
const PORT = 6000;

describe('transfer beyond 2^32 bytes', function () {
  this.timeout(600_000);
  let topology: Topology;
  let translator: Translator;
  let guest: Endpoint;
  let far: Endpoint;

  before(async () => {
    topology = makeTopology();
    translator = await startTranslator('ravioli', topology);
    guest = await startEndpoint({ namespace: translator.guest });
    far = await startEndpoint({ namespace: topology.far });
  });

  after(async () => {
    for (const endpoint of [guest, far]) await endpoint?.stop();
    await translator?.stop();
    topology?.remove();
  });

  it('takes 10 GB out of the guest and then brings 10 GB in, on one connection', async () => {
    const pair = await outward(guest, far, TARGET4, PORT);
    pair.host.resume();

    await Promise.all([pair.host.received(TEN_GIGABYTES, 290_000), pair.guest.send(TEN_GIGABYTES, 290_000)]);
    await Promise.all([pair.guest.received(TEN_GIGABYTES, 290_000), pair.host.send(TEN_GIGABYTES, 290_000)]);
    pair.guest.end();
    pair.host.end();
    await Promise.all([pair.guest.event('close'), pair.host.event('close')]);
  });
});
