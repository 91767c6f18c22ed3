/**
 * `--splice-only`: two loopbacks are joined, and there is no other way in or out.
 */
import { expect } from 'chai';
import { failure } from '../support/connections.ts';
import { type Endpoint, startEndpoint } from '../support/endpoint.ts';
import { check } from '../support/processes.ts';
import { HOST4, makeTopology, TARGET4, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const INWARD = 6500;
const OUTWARD = 6600;

describe('without an interface', function () {
  this.timeout(60_000);
  let topology: Topology;
  let translator: Translator;
  let guest: Endpoint;
  let host: Endpoint;
  let far: Endpoint;

  before(async () => {
    topology = makeTopology();
    const options = ['--splice-only', '-t', `${INWARD}`, '-u', 'none', '-T', `${OUTWARD}`, '-U', 'none'];
    translator = await startTranslator('ravioli', topology, { options });
    guest = await startEndpoint({ namespace: translator.guest });
    host = await startEndpoint({ namespace: topology.host });
    far = await startEndpoint({ namespace: topology.far });
  });

  after(async () => {
    for (const endpoint of [guest, host, far]) await endpoint?.stop();
    await translator?.stop();
    topology?.remove();
  });

  it('the namespace has its loopback alone, and it is up', async () => {
    const links = JSON.parse(await check(['ip', '-json', 'link'], { namespace: translator.guest }));
    expect(links.map(({ ifname, flags }: { ifname: string; flags: string[] }) => [ifname, flags.includes('UP')])).to.eql([['lo', true]]);
    expect(await failure(guest.connect(TARGET4, 80))).to.include('ENETUNREACH');
  });

  for (const loopback of ['127.0.0.1', '::1']) {
    it(`a service on ${loopback} is reached from the other side, both ways`, async () => {
      for (const [server, client, port] of [
        [guest, host, INWARD],
        [host, guest, OUTWARD],
      ] as const) {
        const listener = await server.listen(loopback, port);
        const accepting = listener.accept();
        const socket = await client.connect(loopback, port);
        expect((await accepting).from).to.equal(loopback);
        await socket.reset();
        listener.close();
      }
    });
  }

  it('whoever comes from elsewhere is turned away', async () => {
    const listener = await guest.listen('0.0.0.0', INWARD);
    const outcome = await failure(far.connect(HOST4, INWARD, 5000).then((socket) => socket.event('close', 5000)));
    expect(outcome).to.match(/ECONNREFUSED|ECONNRESET|no error/);
    listener.close();
  });
});
