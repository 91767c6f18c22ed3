/**
 * Files through the product, between curl and nginx: every byte arrives, in both directions, over both families, inward and outward.
 */
import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { check, run } from '../support/processes.ts';
import { bracketed, startNginx, type WebServer } from '../support/servers.ts';
import { HOST4, HOST6, makeTopology, TARGET4, TARGET6, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const PORT = 8080;
const INWARD = 8081;
const GIGABYTE = 1_000_000_000;

describe('transfer of files', function () {
  this.timeout(120_000);
  let topology: Topology;
  let translator: Translator;
  let far: WebServer;
  let inner: WebServer;
  let sum: string;

  before(async () => {
    topology = makeTopology();
    far = await startNginx(topology, topology.far, [TARGET4, TARGET6], PORT);
    execFileSync('sh', ['-c', `openssl enc -aes-128-ctr -K 00 -iv 00 -in /dev/zero 2>/dev/null | head -c ${GIGABYTE} > ${far.folder}/big`]);
    sum = await sumOf(`${far.folder}/big`);
    translator = await startTranslator('ravioli', topology, { options: ['-t', String(INWARD), '-u', 'none', '-T', 'none', '-U', 'none'] });
    inner = await startNginx(topology, translator.guest, ['0.0.0.0', '::'], INWARD);
    execFileSync('cp', [`${far.folder}/big`, `${inner.folder}/big`]);
  });

  after(async () => {
    await translator?.stop();
    topology?.remove();
  });

  async function sumOf(file: string): Promise<string> {
    return (await check(['md5sum', file], { user: 0 })).split(' ')[0] as string;
  }

  async function download(namespace: string | number, url: string): Promise<string> {
    const command = `set -o pipefail; curl -sS --fail --max-time 100 '${url}' | md5sum`;
    return (await check(['bash', '-c', command], { namespace, timeout: 110_000 })).split(' ')[0] as string;
  }

  async function upload(namespace: string | number, url: string, server: WebServer): Promise<string> {
    const file = `${far.folder}/big`;
    await check(['curl', '-sS', '--fail', '--max-time', '100', '-T', file, `${url}/up/copy`], { namespace, timeout: 110_000 });
    const got = await sumOf(`${server.folder}/up/copy`);
    execFileSync('rm', [`${server.folder}/up/copy`]);
    return got;
  }

  for (const [family, target] of [['IPv4', TARGET4], ['IPv6', TARGET6]] as const) {
    const url = `http://${bracketed(target)}:${PORT}`;
    it(`brings 1 GB into the guest over ${family}`, async () => expect(await download(translator.guest, `${url}/big`)).to.equal(sum));
    it(`takes 1 GB out of the guest over ${family}`, async () => expect(await upload(translator.guest, url, far)).to.equal(sum));
  }

  for (const [family, host] of [['IPv4', HOST4], ['IPv6', HOST6]] as const) {
    const url = `http://${bracketed(host)}:${INWARD}`;
    it(`serves 1 GB from the guest through a forwarded port over ${family}`, async () =>
      expect(await download(topology.far, `${url}/big`)).to.equal(sum));
    it(`receives 1 GB in the guest through a forwarded port over ${family}`, async () =>
      expect(await upload(topology.far, url, inner)).to.equal(sum));
  }

  for (const [family, loopback] of [['IPv4', '127.0.0.1'], ['IPv6', '::1']] as const) {
    const url = `http://${bracketed(loopback)}:${INWARD}`;
    it(`splices 1 GB from the guest to the host's loopback over ${family}`, async () =>
      expect(await download(topology.host, `${url}/big`)).to.equal(sum));
    it(`splices 1 GB from the host's loopback to the guest over ${family}`, async () =>
      expect(await upload(topology.host, url, inner)).to.equal(sum));
  }

  it('answers 200 requests at once', async () => {
    execFileSync('sh', ['-c', `head -c 100000 ${far.folder}/big > ${far.folder}/small`]);
    const url = `http://${TARGET4}:${PORT}/small?[1-200]`;
    const command = ['curl', '-sS', '-Z', '--parallel-immediate', '--parallel-max', '200', '-o', '/dev/null', '-w', '%{http_code} %{size_download}\\n', url];
    const result = await run(command, { namespace: translator.guest, timeout: 60_000 });
    const answers = result.stdout.trim().split('\n');
    expect(answers).to.have.length(200);
    expect(new Set(answers)).to.deep.equal(new Set(['200 100000']));
  });
});
