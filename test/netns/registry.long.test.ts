/**
 * A container image of 2 GB through the product, to a registry and back, by skopeo.
 */
import { rmSync } from 'node:fs';
import { expectNoGrowth, type Footprint, footprint } from '../support/footprint.ts';
import { check } from '../support/processes.ts';
import { makeImage, startRegistry } from '../support/registry.ts';
import { makeCertificate } from '../support/servers.ts';
import { makeTopology, TARGET4, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const PORT = 5000;
const LAYERS = 4;
const LAYER_BYTES = 500_000_000;
const SMALL_LAYER_BYTES = 10_000_000;

describe('images through the product', function () {
  this.timeout(240_000);
  let topology: Topology;
  let translator: Translator;
  let digest: string;
  let warm: Footprint;

  before(async () => {
    topology = makeTopology();
    await startRegistry(topology, topology.far, TARGET4, PORT, makeCertificate(topology, [TARGET4]));
    await makeImage(`${topology.folder}/small`, 2, SMALL_LAYER_BYTES);
    digest = await makeImage(`${topology.folder}/large`, LAYERS, LAYER_BYTES);
    translator = await startTranslator('ravioli', topology);
    await copy('oci:small', 'docker://REGISTRY/small:1');
    await copy('docker://REGISTRY/small:1', 'oci:small-again:1');
    warm = footprint(translator);
  });

  after(async () => {
    await translator?.stop();
    topology?.remove();
  });

  /** skopeo in the guest; it compares the digest of every blob it reads, as the registry does with those it is sent. */
  function copy(from: string, to: string): Promise<string> {
    const unsigned = ['--insecure-policy', 'copy', '-q', `--src-tls-verify=false`, '--dest-tls-verify=false'];
    const places = [from, to].map((place) => place.replace('REGISTRY', `${TARGET4}:${PORT}`));
    const env = { HOME: topology.folder, XDG_RUNTIME_DIR: topology.folder, TMPDIR: topology.folder };
    return check(['skopeo', ...unsigned, ...places], { namespace: translator.guest, cwd: topology.folder, env, timeout: 120_000 });
  }

  it('pushes 2 GB in four layers, every digest right', async () => {
    await copy('oci:large', 'docker://REGISTRY/large:1');
  });

  it('pulls the same image', async () => {
    // Its memory is needed: the registry has the image now.
    rmSync(`${topology.folder}/large`, { recursive: true });
    await copy(`docker://REGISTRY/large@${digest}`, 'oci:again:1');
  });

  it('holds no more afterwards than after the first image', async () => {
    await expectNoGrowth(translator, warm);
  });
});
