/** --pcap: what tshark reads while a run lasts and after it, and what else may become of the file. RAVIOLI_PASTA runs it against the peer. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect } from 'chai';
import { outward, type Pair } from '../support/connections.ts';
import { type Endpoint, startEndpoint } from '../support/endpoint.ts';
import { dissect, wrongFrames } from '../support/capture.ts';
import { run, start } from '../support/processes.ts';
import { HOST4, makeTopology, TARGET4, TARGET6, type Topology } from '../support/topology.ts';
import { PRODUCT, startTranslator } from '../support/translator.ts';

const PORT = 6400;
const BYTES = 300_000;
const HEADER = 'd4c3b2a1020004000000000000000000ffff000001000000';
describe('netns: capture', function () {
  this.timeout(60_000);
  let folder: string;

  before(() => {
    folder = mkdtempSync(`${tmpdir()}/capture-`);
    chmodSync(folder, 0o777);
  });
  after(() => rmSync(folder, { recursive: true }));

  for (const tool of ['ravioli', 'machine'] as const) {
    describe(tool === 'machine' ? 'a machine' : 'a namespace', () => {
      const file = (): string => `${folder}/${tool}.pcap`;
      let topology: Topology;
      let guest: Endpoint;
      let far: Endpoint;
      let stop: () => Promise<void>;

      before(async () => {
        topology = makeTopology();
        const translator = await startTranslator(tool, topology, { mtu: 1500, options: ['-t', 'none', '-u', 'none', '-p', file()] });
        stop = () => translator.stop();
        guest = await startEndpoint({ namespace: translator.guest });
        far = await startEndpoint({ namespace: topology.far });
      });
      after(async () => {
        await guest?.stop();
        await far?.stop();
        topology?.remove();
      });

      async function exchange(target: string): Promise<Pair> {
        const pair = await outward(guest, far, target, PORT);
        pair.host.resume();
        pair.guest.resume();
        await pair.guest.send(BYTES);
        await pair.host.received(BYTES);
        await pair.host.send(BYTES);
        await pair.guest.received(BYTES);
        return pair;
      }

      it('is only its owner’s, and has the header that the peer writes', () => {
        expect(statSync(file()).mode & 0o777).to.equal(0o600);
        expect(readFileSync(file()).subarray(0, 24).toString('hex')).to.equal(HEADER);
      });

      it('has every byte of a stream once, both ways, while the run lasts', async () => {
        const pair = await exchange(TARGET4);
        for (const direction of [`ip.dst == ${TARGET4}`, `ip.src == ${TARGET4}`]) {
          const lengths = await dissect(file(), '-Y', `tcp.port == ${PORT} && ${direction}`, '-T', 'fields', '-e', 'tcp.len');
          // What is sent again is there again.
          expect(lengths.reduce((sum, length) => sum + Number(length), 0)).to.be.within(BYTES, BYTES * 1.5);
        }
        expect(await dissect(file(), '-Y', `tcp.port == ${PORT} && tcp.flags.syn == 1`)).to.have.length(2);
        pair.guest.end();
        pair.host.end();
      });

      it('has datagrams and IPv6, and no frame in it is wrong', async () => {
        const server = await far.open(TARGET6, PORT);
        const client = await guest.open('::');
        for (const size of [0, 1, 1000, 1452]) client.send(TARGET6, PORT, size);
        for (const size of [0, 1, 1000, 1452]) expect(await server.message()).to.include({ size, good: true });
        const shown = await dissect(file(), '-Y', `ipv6.dst == ${TARGET6} && udp.dstport == ${PORT}`, '-T', 'fields', '-e', 'udp.length');
        expect(shown.map(Number)).to.deep.equal([8, 9, 1008, 1460]);
        expect((await wrongFrames(file())).join()).to.equal('');
      });

      it('ends with a whole record when the run is ended amid a stream', async () => {
        const pair = await outward(guest, far, TARGET4, PORT + 1);
        pair.host.resume();
        // Longer than it can take.
        void pair.guest.send(2_000_000_000).catch(() => {});
        while (((await pair.host.event('data')).bytes ?? 0) < 2_000_000);
        await stop();
        // It says so when a packet is cut short.
        const { code, stdout, stderr } = await run(['capinfos', '-c', '-M', file()], { user: 0 });
        expect([code, stderr]).to.deep.equal([0, '']);
        expect(Number(/packets: +(\d+)/.exec(stdout)?.[1])).to.be.greaterThan(50);
      });
    });
  }

  it('a second run begins anew', async () => {
    const file = `${folder}/again.pcap`;
    writeFileSync(file, 'what was there before');
    chmodSync(file, 0o666);
    const { code } = await run([PRODUCT, '--config-net', '-p', file, '--', 'true']);
    expect(code).to.equal(0);
    expect(readFileSync(file).subarray(0, 24).toString('hex')).to.equal(HEADER);
  });

  it('a reader that goes ends the capture, and not the network', async () => {
    const pipe = `${folder}/pipe`;
    await run(['mkfifo', '-m', '0666', pipe], { user: 0 });
    const reader = start(['head', '-c', '24', pipe]);
    const script = 'ping -c 1 -W 2 $1 > /dev/null; wait; ping -c 1 -W 2 $1 > /dev/null; ip -brief address show up';
    // Whether the reader has opened it already is the reader's business.
    for (;;) {
      const result = await run([PRODUCT, '--config-net', '-p', pipe, '--', 'sh', '-c', script, 'sh', HOST4]);
      if (/is a pipe that nobody reads/.test(result.stderr)) continue;
      expect(result.code).to.equal(0);
      expect(result.stdout).to.match(/^\S+ +UNKNOWN /m);
      break;
    }
    expect(Buffer.from((await reader.finished).stdout, 'latin1')).to.have.length.greaterThan(0);
  });

  for (const [path, message] of [
    [
      '/proc/self/nowhere/a.pcap',
      /^pasta: cannot make the capture file '\/proc\/self\/nowhere\/a.pcap' \(ENOENT.*give --pcap another path\n$/,
    ],
    ['/', /^pasta: cannot make the capture file '\/' \(EISDIR.*give --pcap another path\n$/],
    ['', /^pasta: --pcap '': is no path; give that of a file\n$/],
  ] as const) {
    it(`'${path}' is refused by one line`, async () => {
      const result = await run([PRODUCT, '-p', path, '--', 'true']);
      expect(result.code).to.equal(1);
      expect(result.stderr).to.match(message);
    });
  }
});
