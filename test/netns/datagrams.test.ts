/**
 * UDP flows between namespaces: order and borders in bursts and while a flow is being made, how long a flow is kept, and who makes room
 * when the descriptors are used up.
 */
import { expect } from 'chai';
import { type DatagramSocket, type Endpoint, startEndpoint } from '../support/endpoint.ts';
import { makeTopology, TARGET4, TARGET6, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator, type TranslatorOptions } from '../support/translator.ts';

const PORT = 6200;
const FEW_DESCRIPTORS = 512;
/** First port of many where nobody listens. */
const CLOSED = 20_000;

describe('UDP flows', function () {
  this.timeout(60_000);
  let topology: Topology;
  let far: Endpoint;
  let guest: Endpoint;
  let translator: Translator;
  let ports = PORT;

  before(async () => {
    topology = makeTopology();
    far = await startEndpoint({ namespace: topology.far });
  });

  after(async () => {
    await far?.stop();
    topology?.remove();
  });

  afterEach(async () => {
    await guest?.stop();
    await translator?.stop();
  });

  async function begin(options: TranslatorOptions): Promise<void> {
    translator = await startTranslator('ravioli', topology, options);
    guest = await startEndpoint({ namespace: translator.guest });
  }

  /** Sends a datagram of each size at once, and expects the other side to see the same. */
  async function expectSame(from: DatagramSocket, to: DatagramSocket, address: string, port: number, sizes: number[]): Promise<void> {
    for (const size of sizes) from.send(address, port, size);
    for (const size of sizes) expect(await to.message()).to.include({ size, good: true });
  }

  for (const [target, any] of [
    [TARGET4, '0.0.0.0'],
    [TARGET6, '::'],
  ] as const) {
    it(`to ${target}: what a new flow begins with arrives in order, and so does each burst, whatever its sizes, both ways`, async () => {
      await begin({});
      for (const sizes of [
        Array.from({ length: 30 }, (_, at) => at + 1),
        [...new Array<number>(20).fill(1400), 3, ...new Array<number>(20).fill(64), 0, 64, 64],
        // Larger than the path's MTU: fragments of the host, though the guest has sent them in a row.
        [2000, 2000, 2000, 100, 1472, 1473, 1473, 9000, 9000],
      ]) {
        const port = ports++;
        const server = await far.open(target, port);
        const client = await guest.open(any);
        client.send(target, port, 5);
        const { from, port: seen } = await server.message();
        await expectSame(client, server, target, port, sizes);
        await expectSame(server, client, from as string, seen as number, sizes);
        const another = await guest.open(any);
        await expectSame(another, server, target, port, sizes);
        for (const socket of [server, client, another]) socket.close();
      }
    });
  }

  it('the guest’s source port is the host’s, and two flows from it to different ports are not mixed up', async () => {
    await begin({});
    const [first, second] = [await far.open(TARGET4, ports++), await far.open(TARGET4, ports++)];
    // While its neighbour has no address yet, a kernel's later packets may overtake those that wait for that.
    const earlier = await guest.open('0.0.0.0');
    earlier.send(TARGET4, first.port, 1);
    await first.message();
    const client = await guest.open('0.0.0.0', 34_567);
    for (let at = 0; at < 10; at++) {
      client.send(TARGET4, first.port, 10 + at);
      client.send(TARGET4, second.port, 500 + at);
    }
    for (let at = 0; at < 10; at++) {
      expect(await first.message()).to.include({ size: 10 + at, port: 34_567 });
      expect(await second.message()).to.include({ size: 500 + at, port: 34_567 });
    }
  });

  it('--udp-timeout and --udp-stream-timeout end idle flows, each its own', async () => {
    await begin({ options: ['-d', '--udp-timeout', '1', '--udp-stream-timeout', '3'] });
    const server = await far.open(TARGET4, ports++);
    const [asker, silent] = [await guest.open('0.0.0.0'), await guest.open('0.0.0.0')];
    asker.send(TARGET4, server.port, 1);
    const { from, port } = await server.message();
    server.send(from as string, port as number, 1);
    await asker.message();
    silent.send(TARGET4, server.port, 1);
    await server.message();
    const ended = (socket: DatagramSocket): RegExp => new RegExp(`ended: UDP guest port ${socket.port}, far port ${server.port}`);
    await translator.waitFor(ended(silent));
    expect(translator.log(), 'the one with an answer is kept longer').to.not.match(ended(asker));
    await translator.waitFor(ended(asker));
  });

  it('when descriptors are used up, unanswered flows make room; the connection and the flow with answers go on', async () => {
    await begin({ options: ['-d'], descriptors: FEW_DESCRIPTORS });
    const listener = await far.listen(TARGET4, ports);
    const near = await guest.connect(TARGET4, ports);
    const distant = await listener.accept();
    distant.resume();
    const server = await far.open(TARGET4, ports++);
    const asker = await guest.open('0.0.0.0');
    asker.send(TARGET4, server.port, 1);
    const { from, port } = await server.message();
    server.send(from as string, port as number, 1);
    await asker.message();

    const flooder = await guest.open('0.0.0.0');
    const last = CLOSED + 2 * FEW_DESCRIPTORS;
    for (let closed = CLOSED; closed <= last; closed++) {
      flooder.send(TARGET4, closed, 1);
      // The log has room for some hundreds that begin or end in one turn.
      if (closed % 50 !== 0) continue;
      asker.send(TARGET4, server.port, 1);
      await server.message();
    }
    await translator.waitFor(new RegExp(`ended: UDP guest port ${flooder.port}, far port \\d+\\b`));

    await near.send(1000);
    await distant.received(1000);
    asker.send(TARGET4, server.port, 7);
    expect(await server.message(), 'still the same flow').to.include({ size: 7, port });
    const late = await guest.open('0.0.0.0');
    late.send(TARGET4, server.port, 9);
    expect(await server.message(), 'a new flow').to.include({ size: 9 });
    expect(translator.log()).to.not.match(new RegExp(`ended: UDP guest port ${asker.port},`));
  });
});
