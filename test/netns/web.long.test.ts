/**
 * HTTP through the product: HTTP/1.1 and HTTP/2, in the clear and with TLS, one connection at a time to hundreds.
 */
import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { expectNoGrowth, type Footprint, footprint } from '../support/footprint.ts';
import { requestMany } from '../support/h2load.ts';
import { bracketed, makeCertificate, startNginx } from '../support/servers.ts';
import { makeTopology, TARGET4, TARGET6, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const PAGE_BYTES = 10_000;
const LARGE_BYTES = 10_000_000;
const KINDS = [
  { name: 'HTTP/1.1', version: 1, scheme: 'http', port: 8080, target: TARGET4 },
  { name: 'HTTP/1.1 with TLS', version: 1, scheme: 'https', port: 8443, target: TARGET6 },
  { name: 'HTTP/2', version: 2, scheme: 'http', port: 8081, target: TARGET6 },
  { name: 'HTTP/2 with TLS', version: 2, scheme: 'https', port: 8444, target: TARGET4 },
] as const;

describe('HTTP through the product', function () {
  this.timeout(120_000);
  let topology: Topology;
  let translator: Translator;
  let warm: Footprint;

  const url = (kind: (typeof KINDS)[number], path: string): string => `${kind.scheme}://${bracketed(kind.target)}:${kind.port}/${path}`;

  before(async () => {
    topology = makeTopology();
    const certificate = makeCertificate(topology, [TARGET4, TARGET6]);
    translator = await startTranslator('ravioli', topology);
    for (const kind of KINDS) {
      const given = { http2: kind.version === 2, ...(kind.scheme === 'https' ? { certificate } : {}) };
      const server = await startNginx(topology, topology.far, [kind.target], kind.port, given);
      execFileSync('sh', ['-ec', `head -c ${PAGE_BYTES} /dev/zero > page; head -c ${LARGE_BYTES} /dev/zero > large`], {
        cwd: server.folder,
      });
      await requestMany(translator.guest, url(kind, 'page'), { version: kind.version, concurrency: 32, requests: 2000 });
    }
    warm = footprint(translator);
  });

  after(async () => {
    await translator?.stop();
    topology?.remove();
  });

  for (const kind of KINDS) {
    for (const concurrency of [1, 8, 32, 256]) {
      it(`answers every request of ${concurrency} clients, ${kind.name}`, async () => {
        const requests = concurrency === 1 ? 5000 : 20_000;
        const answers = await requestMany(translator.guest, url(kind, 'page'), { version: kind.version, concurrency, requests });
        expect(answers).to.include({ good: requests, bad: 0, bytes: requests * PAGE_BYTES });
      });
    }

    it(`brings large answers to 32 clients, ${kind.name}`, async () => {
      const answers = await requestMany(translator.guest, url(kind, 'large'), { version: kind.version, concurrency: 32, requests: 200 });
      expect(answers).to.include({ good: 200, bad: 0, bytes: 200 * LARGE_BYTES });
    });
  }

  it('holds no more afterwards than after the first connections', async () => {
    await expectNoGrowth(translator, warm);
  });
});
