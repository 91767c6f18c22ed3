/**
 * Ports of the guest that are forwarded: connections and datagrams from outside and from the host's loopback (spliced).
 * RAVIOLI_PASTA=/opt/peer/bin/pasta runs it against the peer, which passes.
 */
import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { describeConnection, failure, inward } from '../support/connections.ts';
import { type Endpoint, startEndpoint } from '../support/endpoint.ts';
import { sendDatagrams } from '../support/iperf.ts';
import { check } from '../support/processes.ts';
import { bracketed, download, startIperf, startNginx, sumOf, upload, type WebServer } from '../support/servers.ts';
import { countDropped } from '../support/snmp.ts';
import { HOST4, HOST6, makeTopology, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const INWARD = 6100;
const INWARD_WEB = 8081;
const INWARD_IPERF = 5301;
const BYTES = 50_000_000;
const PORTS = `${INWARD}-${INWARD + 9},${INWARD_WEB},${INWARD_IPERF}`;

describe('forwarded ports', function () {
  this.timeout(120_000);
  let topology: Topology;
  let translator: Translator;
  let guest: Endpoint;
  let far: Endpoint;
  let host: Endpoint;
  let inner: WebServer;
  let sum: string;

  before(async () => {
    topology = makeTopology();
    translator = await startTranslator('ravioli', topology, { options: ['-t', PORTS, '-u', PORTS, '-T', 'none', '-U', 'none'] });
    guest = await startEndpoint({ namespace: translator.guest });
    far = await startEndpoint({ namespace: topology.far });
    host = await startEndpoint({ namespace: topology.host });
    inner = await startNginx(topology, translator.guest, ['0.0.0.0', '::'], INWARD_WEB);
    execFileSync('sh', ['-c', `openssl enc -aes-128-ctr -K 00 -iv 00 -in /dev/zero 2>/dev/null | head -c ${BYTES} > ${inner.folder}/big`]);
    sum = await sumOf(`${inner.folder}/big`);
  });

  after(async () => {
    for (const endpoint of [guest, far, host]) await endpoint?.stop();
    await translator?.stop();
    topology?.remove();
  });

  describeConnection('made from outside, IPv4', (port) => inward(guest, far, HOST4, INWARD + port));
  describeConnection('made from outside, IPv6', (port) => inward(guest, far, HOST6, INWARD + port));
  describeConnection('spliced from loopback, IPv4', (port) => inward(guest, host, '127.0.0.1', INWARD + port));
  describeConnection('spliced from loopback, IPv6', (port) => inward(guest, host, '::1', INWARD + port));

  for (const [name, target] of [
    ['IPv4', HOST4],
    ['IPv6', HOST6],
  ] as const) {
    it(`ends a connection from outside to a forwarded port nobody listens on in the guest, ${name}`, async () => {
      const port = INWARD + 9;
      const outcome = await failure(far.connect(target, port, 5000).then((socket) => socket.event('close', 5000)));
      expect(outcome).to.match(/ECONNREFUSED|ECONNRESET|no error/);
    });
  }

  for (const [family, address, any] of [
    ['IPv4', HOST4, '0.0.0.0'],
    ['IPv6', HOST6, '::'],
  ] as const) {
    it(`brings datagrams from outside to a forwarded port and the answers back over ${family}`, async () => {
      const server = await guest.open(any, INWARD);
      const client = await far.open(any);
      for (const size of [1, 0, 1400, 8192, 52_000]) {
        client.send(address, INWARD, size);
        const there = await server.message();
        expect(there).to.include({ size, good: true });
        server.send(there.from as string, there.port as number, size);
        expect(await client.message()).to.include({ size, good: true, from: address, port: INWARD });
      }
      server.close();
      client.close();
    });
  }

  for (const [family, host] of [
    ['IPv4', HOST4],
    ['IPv6', HOST6],
  ] as const) {
    const url = `http://${bracketed(host)}:${INWARD_WEB}`;
    it(`serves 50 MB from the guest through a forwarded port over ${family}`, async () =>
      expect(await download(topology.far, `${url}/big`)).to.equal(sum));
    it(`receives 50 MB in the guest through a forwarded port over ${family}`, async () =>
      expect(await upload(topology.far, url, `${inner.folder}/big`, inner)).to.equal(sum));
  }

  for (const [family, loopback] of [
    ['IPv4', '127.0.0.1'],
    ['IPv6', '::1'],
  ] as const) {
    const url = `http://${bracketed(loopback)}:${INWARD_WEB}`;
    it(`splices 50 MB from the guest to the host's loopback over ${family}`, async () =>
      expect(await download(topology.host, `${url}/big`)).to.equal(sum));
    it(`splices 50 MB from the host's loopback to the guest over ${family}`, async () =>
      expect(await upload(topology.host, url, `${inner.folder}/big`, inner)).to.equal(sum));
  }

  it('moves TCP and UDP through a forwarded port', async () => {
    const server = await startIperf(translator.guest, '0.0.0.0', INWARD_IPERF);
    for (const options of [[], ['-R']]) {
      const line = ['iperf3', '-J', '-t', '1', '-c', HOST4, '-p', String(INWARD_IPERF), ...options];
      const { end } = JSON.parse(await check(line, { namespace: topology.far, timeout: 20_000 }));
      expect(end.sum_received.bytes).to.be.above(1e6);
    }
    for (const direction of ['out', 'in'] as const) {
      const load = { server: HOST4, port: INWARD_IPERF, direction, size: 1200, rate: 20e6, seconds: 1 };
      const ends = [translator.guest, topology.far];
      const [dropped, { sent, lost }] = await countDropped(ends, () => sendDatagrams(topology.far, load));
      expect(lost - dropped, 'lost before they reached their receiver').to.be.below(sent / 100);
    }
    await server.stop('SIGKILL');
  });
});
