/**
 * A WireGuard tunnel between the guest and the far host: sealed datagrams both ways at once, as many as the programs can seal.
 */
import { expect } from 'chai';
import { rmSync, writeFileSync } from 'node:fs';
import { sendDatagrams, sendStreams } from '../support/iperf.ts';
import { check, type Running, start } from '../support/processes.ts';
import { startIperf } from '../support/servers.ts';
import { countDropped } from '../support/snmp.ts';
import { makeTopology, TARGET4, TARGET6, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const PORT = 51_820;
/** Addresses in the tunnel. */
const NEAR = '10.99.0.2';
const FAR = '10.99.0.1';
const STREAM_BYTES = 100_000_000;

interface Tunnel {
  readonly name: string;
  readonly namespace: string | number;
  readonly process: Running;
  readonly key: string;
  readonly publicKey: string;
}

describe('WireGuard', function () {
  this.timeout(120_000);
  let topology: Topology;
  let translator: Translator;
  let near: Tunnel;
  let far: Tunnel;

  /** One end, which has a device and a pair of keys. Names of devices are those of sockets in /run, which all namespaces share. */
  async function open(name: string, namespace: string | number, address: string): Promise<Tunnel> {
    const process = start(['wireguard-go', '--foreground', name], { namespace, user: 0, timeout: 600_000, env: { LOG_LEVEL: 'verbose' } });
    await process.waitFor(/UAPI listener started/);
    const privateKey = (await check(['wg', 'genkey'])).trim();
    const key = `${topology.folder}/${name}`;
    writeFileSync(key, privateKey, { mode: 0o600 });
    const publicKey = (await check(['wg', 'pubkey'], { input: privateKey })).trim();
    for (const words of [
      ['address', 'add', `${address}/24`, 'dev', name],
      ['link', 'set', name, 'up'],
    ])
      await check(['ip', ...words], { namespace, user: 0 });
    return { name, namespace, process, key, publicKey };
  }

  async function configure(end: Tunnel, ...words: string[]): Promise<void> {
    await check(['wg', 'set', end.name, 'private-key', end.key, ...words], { namespace: end.namespace, user: 0 });
  }

  before(async () => {
    topology = makeTopology();
    translator = await startTranslator('ravioli', topology);
    far = await open(`wg${process.pid}f`, topology.far, FAR);
    near = await open(`wg${process.pid}g`, translator.guest, NEAR);
    await configure(far, 'listen-port', String(PORT), 'peer', near.publicKey, 'allowed-ips', `${NEAR}/32`);
    await startIperf(topology.far, FAR);
  });
  after(async () => {
    for (const end of [near, far]) {
      await end?.process.stop();
      if (end) rmSync(end.key, { force: true });
    }
    await translator?.stop();
    topology?.remove();
  });

  for (const [server, endpoint] of [
    [TARGET4, `${TARGET4}:${PORT}`],
    [TARGET6, `[${TARGET6}]:${PORT}`],
  ]) {
    describe(`by way of ${server}`, () => {
      before(() => configure(near, 'peer', far.publicKey, 'endpoint', endpoint as string, 'allowed-ips', `${FAR}/32`));
      // The other family begins with a handshake of its own.
      after(() => configure(near, 'peer', far.publicKey, 'remove'));

      it('each end reaches the other', async () => {
        for (const [from, to] of [
          [near, FAR],
          [far, NEAR],
        ] as const) {
          const words = ['ping', '-n', '-c', '5', '-i', '0.2', '-W', '10', '-s', '1300', to];
          expect(await check(words, { namespace: from.namespace })).to.match(/5 packets transmitted, 5 received/);
        }
        expect(await check(['wg', 'show', far.name, 'endpoints'], { namespace: topology.far, user: 0 })).to.match(
          /192\.0\.2\.2|2001:db8::2/,
        );
      });

      it('streams both ways at once', async () => {
        const ways = await sendStreams(translator.guest, FAR, STREAM_BYTES);
        console.log(`      ${ways.map((way) => Math.round(way.bits_per_second / 1e6)).join(' and ')} Mbit/s`);
        for (const way of ways) expect(way.bytes).to.be.above(STREAM_BYTES / 100);
      });

      it('datagrams both ways at once: none comes late, and none is lost but where the kernel had no room', async () => {
        const namespaces = [translator.guest, topology.far];
        const load = { server: FAR, direction: 'both', size: 1300, rate: 20e6, seconds: 3 } as const;
        const [dropped, seen] = await countDropped(namespaces, () => sendDatagrams(translator.guest, load));
        console.log(`      ${seen.lost} of ${seen.sent} lost, ${dropped} by the kernel`);
        expect(seen.disordered).to.equal(0);
        expect(seen.lost).to.be.at.most(dropped);
      });
    });
  }
});
