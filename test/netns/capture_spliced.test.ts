/** --pcap-spliced: what goes from loopback to loopback, as tshark reads it. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect } from 'chai';
import { dissect, wrongFrames } from '../support/capture.ts';
import { type Endpoint, startEndpoint } from '../support/endpoint.ts';
import { makeTopology, type Topology } from '../support/topology.ts';
import { startTranslator } from '../support/translator.ts';

const PORT = 6410;
const BYTES = 300_000;

describe('netns: capture of what is spliced', function () {
  this.timeout(60_000);
  const file = (): string => `${folder}/spliced.pcap`;
  let folder: string;
  let topology: Topology;
  let guest: Endpoint;
  let host: Endpoint;
  let stop: () => Promise<void>;

  before(async () => {
    folder = mkdtempSync(`${tmpdir()}/capture-`);
    chmodSync(folder, 0o777);
    topology = makeTopology();
    const ports = ['-t', `${PORT}`, '-u', `${PORT}`, '-T', 'none', '-U', 'none'];
    const options = ['--host-lo-to-ns-lo', ...ports, '-p', file(), '--pcap-spliced'];
    const translator = await startTranslator('ravioli', topology, { options });
    stop = () => translator.stop();
    guest = await startEndpoint({ namespace: translator.guest });
    host = await startEndpoint({ namespace: topology.host });
  });
  after(async () => {
    await guest?.stop();
    await host?.stop();
    await stop?.();
    topology?.remove();
    rmSync(folder, { recursive: true });
  });

  for (const [address, field] of [
    ['127.0.0.1', 'ip'],
    ['::1', 'ipv6'],
  ] as const) {
    it(`a connection to ${address} is there from its first segment to its last, each byte once and in order`, async () => {
      const listener = await guest.listen(address, PORT);
      const connecting = host.connect(address, PORT);
      const accepted = await listener.accept();
      const client = await connecting;
      listener.close();
      for (const socket of [accepted, client]) socket.resume();
      await client.send(BYTES);
      await accepted.received(BYTES);
      await accepted.send(2 * BYTES);
      await client.received(2 * BYTES);
      client.end();
      await accepted.event('end');
      accepted.end();
      await client.event('end');
      const fields = ['-T', 'fields', '-e', 'tcp.dstport', '-e', 'tcp.seq', '-e', 'tcp.len', '-e', 'tcp.flags.str'];
      const rows = (await dissect(file(), '-Y', `${field} && tcp.port == ${PORT}`, ...fields)).map((line) => line.split('\t'));
      expect(rows.slice(0, 3).map((row) => row[3])).to.deep.equal(['··········S·', '·······A··S·', '·······A····']);
      for (const [toService, bytes] of [
        [true, BYTES],
        [false, 2 * BYTES],
      ] as const) {
        const direction = rows.filter(([port, , length]) => (Number(port) === PORT) === toService && Number(length) > 0);
        let next = 1;
        for (const [, sequence, length] of direction) {
          expect(Number(sequence)).to.equal(next);
          next += Number(length);
        }
        expect(next).to.equal(1 + bytes);
      }
      expect(rows.filter((row) => row[3]?.endsWith('F'))).to.have.length(2);
      expect(await dissect(file(), '-Y', `${field} && tcp.analysis.flags`)).to.deep.equal([]);
    });
  }

  it('datagrams are there with their borders, both ways, and no frame is wrong', async () => {
    const server = await guest.open('127.0.0.1', PORT);
    const client = await host.open('127.0.0.1');
    const sizes = [0, 1, 1000, 1000, 1000, 500, 60_000];
    for (const size of sizes) client.send('127.0.0.1', PORT, size);
    let asker = { from: '', port: 0 };
    for (const size of sizes) {
      const message = await server.message();
      expect(message).to.include({ size, good: true });
      asker = { from: message.from as string, port: message.port as number };
    }
    server.send(asker.from, asker.port, 77);
    expect(await client.message()).to.include({ size: 77, good: true });
    const lengths = async (filter: string): Promise<number[]> =>
      (await dissect(file(), '-Y', filter, '-T', 'fields', '-e', 'udp.length')).map((length) => Number(length) - 8);
    expect(await lengths(`udp.dstport == ${PORT}`)).to.deep.equal(sizes);
    expect(await lengths(`udp.srcport == ${PORT}`)).to.deep.equal([77]);
    expect((await wrongFrames(file())).join()).to.equal('');
  });
});
