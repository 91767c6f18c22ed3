/**
 * Ports that follow their services, both ways. The ports are named, since those of the topology are all ephemeral ones.
 */
import { expect } from 'chai';
import { failure } from '../support/connections.ts';
import { type Endpoint, startEndpoint } from '../support/endpoint.ts';
import { HOST4, HOST6, makeTopology, type Topology, TARGET4, TARGET6 } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const FIRST = 6300;
const SHIFTED = 6400;
const SPEC = `${FIRST}-${FIRST + 19},auto`;

describe('automatic ports', function () {
  this.timeout(60_000);
  let topology: Topology;
  let translator: Translator;
  let guest: Endpoint;
  let far: Endpoint;
  let host: Endpoint;

  const options = ['-d', '-t', SPEC, '-t', `${SHIFTED}:${FIRST + 19},auto`, '-u', SPEC, '-T', SPEC, '-U', 'none', '--host-lo-to-ns-lo'];

  before(async () => {
    topology = makeTopology();
    host = await startEndpoint({ namespace: topology.host });
    far = await startEndpoint({ namespace: topology.far });
  });
  beforeEach(async () => {
    translator = await startTranslator('ravioli', topology, { options });
    guest = await startEndpoint({ namespace: translator.guest });
  });
  afterEach(async () => {
    await guest.stop();
    await translator.stop();
  });
  after(async () => {
    for (const endpoint of [far, host]) await endpoint?.stop();
    topology?.remove();
  });

  /** Resolves when the product says so of a port. */
  const told = (protocol: 'TCP' | 'UDP', port: number, what: 'open' | 'closed', side = ''): Promise<unknown> =>
    translator.waitFor(new RegExp(`${protocol} \\[\\*\\]${side}:${port} => .* is ${what}`));
  const countOf = (pattern: RegExp): number => translator.log().match(pattern)?.length ?? 0;

  /** Resolves when nobody listens any more: the worker closes what it is told to a moment after that was told to us. */
  const refused = async (from: Endpoint, address: string, port: number): Promise<void> => {
    while (!(await failure(from.connect(address, port))).includes('ECONNREFUSED'));
  };

  for (const [family, address, any] of [
    ['IPv4', HOST4, '0.0.0.0'],
    ['IPv6', HOST6, '::'],
  ] as const)
    it(`lead to a service of the guest as long as it is there, ${family}`, async () => {
      expect(await failure(far.connect(address, FIRST))).to.include('ECONNREFUSED');
      const listener = await guest.listen(any, FIRST);
      await told('TCP', FIRST, 'open');
      const accepting = listener.accept();
      const client = await far.connect(address, FIRST);
      const accepted = await accepting;
      expect([TARGET4, TARGET6]).to.include(accepted.from);
      accepted.resume();
      listener.close();
      await told('TCP', FIRST, 'closed');
      await refused(far, address, FIRST);
      // The connection stays.
      await client.send(100_000);
      await accepted.received(100_000);
    });

  it('lead to a service of the guest on its loopback alone, from the loopback of the host', async () => {
    const listener = await guest.listen('127.0.0.1', FIRST + 1);
    await told('TCP', FIRST + 1, 'open');
    const accepting = listener.accept();
    await host.connect('127.0.0.1', FIRST + 1);
    await accepting;
    listener.close();
  });

  it('lead to another port where the rule says so', async () => {
    const listener = await guest.listen('0.0.0.0', FIRST + 19);
    await told('TCP', SHIFTED, 'open');
    const accepting = listener.accept();
    await far.connect(HOST4, SHIFTED);
    await accepting;
    listener.close();
  });

  it('lead datagrams to a service of the guest, and to one that has TCP only so far', async () => {
    const server = await guest.open('0.0.0.0', FIRST + 2);
    await told('UDP', FIRST + 2, 'open');
    const client = await far.open('0.0.0.0');
    client.send(HOST4, FIRST + 2, 700);
    expect(await server.message()).to.include({ size: 700, good: true });
    const listener = await guest.listen('0.0.0.0', FIRST + 3);
    await told('UDP', FIRST + 3, 'open');
    const late = await guest.open('0.0.0.0', FIRST + 3);
    client.send(HOST4, FIRST + 3, 800);
    expect(await late.message()).to.include({ size: 800, good: true });
    for (const one of [server, client, late, listener]) one.close();
  });

  it('lead to a service on the loopback of the host, and no port goes to and fro', async () => {
    const listener = await host.listen('127.0.0.1', FIRST + 4);
    await told('TCP', FIRST + 4, 'open', '%lo');
    const accepting = listener.accept();
    await guest.connect('127.0.0.1', FIRST + 4);
    await accepting;
    const inner = await guest.listen('0.0.0.0', FIRST + 5);
    await told('TCP', FIRST + 5, 'open');
    listener.close();
    await told('TCP', FIRST + 4, 'closed', '%lo');
    inner.close();
    await told('TCP', FIRST + 5, 'closed');
    // Whatever would follow from a socket of ours that is taken for a service comes with the next looks.
    const marks = await guest.listen('0.0.0.0', FIRST + 6);
    await told('TCP', FIRST + 6, 'open');
    marks.close();
    await told('TCP', FIRST + 6, 'closed');
    expect(countOf(/TCP .* is open/g), translator.log()).to.equal(3);
    await refused(guest, '127.0.0.1', FIRST + 4);
  });

  it('are tried again when another program of the host has them', async () => {
    const taken = await host.listen('0.0.0.0', FIRST + 7);
    const listener = await guest.listen('0.0.0.0', FIRST + 7);
    await translator.waitFor(new RegExp(`can't listen on TCP port ${FIRST + 7} \\(address already in use\\)`));
    taken.close();
    await told('TCP', FIRST + 7, 'open');
    expect(countOf(/can't listen on TCP port/g)).to.be.at.most(2);
    listener.close();
  });
});
