/**
 * Files through the product, between curl and nginx: every byte arrives, in both directions, over both families, also where the kernel
 * has neither SO_PEEK_OFF for TCP nor USO.
 */
import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { run } from '../support/processes.ts';
import { bracketed, download, startNginx, sumOf, upload, type WebServer } from '../support/servers.ts';
import { makeTopology, TARGET4, TARGET6, type Topology } from '../support/topology.ts';
import { servesMachines, startTranslator, type Translator } from '../support/translator.ts';

const PORT = 8080;
const FILE_BYTES = 250_000_000;

describe('transfer of files', function () {
  this.timeout(120_000);
  moveFiles('ravioli');
});

if (!servesMachines())
  describe('transfer of files, as under older kernels', function () {
    this.timeout(120_000);
    moveFiles('older');
  });

function moveFiles(tool: 'ravioli' | 'older'): void {
  let topology: Topology;
  let translator: Translator;
  let far: WebServer;
  let sum: string;

  before(async () => {
    topology = makeTopology();
    far = await startNginx(topology, topology.far, [TARGET4, TARGET6], PORT);
    execFileSync('sh', [
      '-c',
      `openssl enc -aes-128-ctr -K 00 -iv 00 -in /dev/zero 2>/dev/null | head -c ${FILE_BYTES} > ${far.folder}/big`,
    ]);
    sum = await sumOf(`${far.folder}/big`);
    translator = await startTranslator(tool, topology);
  });

  after(async () => {
    await translator?.stop();
    topology?.remove();
  });

  for (const [family, target] of [
    ['IPv4', TARGET4],
    ['IPv6', TARGET6],
  ] as const) {
    const url = `http://${bracketed(target)}:${PORT}`;
    it(`brings 250 MB into the guest over ${family}`, async () => expect(await download(translator.guest, `${url}/big`)).to.equal(sum));
    it(`takes 250 MB out of the guest over ${family}`, async () =>
      expect(await upload(translator.guest, url, `${far.folder}/big`, far)).to.equal(sum));
  }

  it('answers 200 requests at once', async () => {
    execFileSync('sh', ['-c', `head -c 100000 ${far.folder}/big > ${far.folder}/small`]);
    const url = `http://${TARGET4}:${PORT}/small?[1-200]`;
    const command = [
      'curl',
      '-sS',
      '-Z',
      '--parallel-immediate',
      '--parallel-max',
      '200',
      '-o',
      '/dev/null',
      '-w',
      '%{http_code} %{size_download}\\n',
      url,
    ];
    const result = await run(command, { namespace: translator.guest, timeout: 60_000 });
    const answers = result.stdout.trim().split('\n');
    expect(answers).to.have.length(200);
    expect(new Set(answers)).to.deep.equal(new Set(['200 100000']));
  });
}
