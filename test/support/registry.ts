/**
 * A registry of container images, and an image to push: an OCI layout whose layers nothing can compress.
 */
import { execFileSync } from 'node:child_process';
import { createHash, type Hash } from 'node:crypto';
import { createReadStream, createWriteStream, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type Running, start } from './processes.ts';
import { accepting, bracketed, type Certificate, foldered } from './servers.ts';
import type { Topology } from './topology.ts';

const HOUR = 3_600_000;

/** Debian's registry, with TLS, its storage in the run's folder. */
export async function startRegistry(
  topology: Topology,
  namespace: string | number,
  address: string,
  port: number,
  certificate: Certificate,
): Promise<Running> {
  const base = foldered(topology, 'registry');
  const settings = {
    version: '0.1',
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: `${base}/storage` } },
    http: { addr: `${bracketed(address)}:${port}`, tls: { certificate: certificate.file, key: certificate.key } },
  };
  // Its configuration is YAML, of which JSON is a part.
  writeFileSync(`${base}/config.yml`, JSON.stringify(settings));
  const env = { OTEL_TRACES_EXPORTER: 'none' };
  const server = start(['docker-registry', 'serve', `${base}/config.yml`], { namespace, user: 0, timeout: HOUR, env });
  return accepting(server, namespace, address, port);
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

function counting(hash: Hash): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
}

/** Writes one layer into a layout: a tar of one file, in gzip's format, its bytes a function of `seed`. */
async function makeLayer(folder: string, seed: number, bytes: number): Promise<{ layer: Descriptor; contents: string }> {
  const work = `${folder}/work`;
  mkdirSync(work);
  const key = `openssl enc -aes-128-ctr -K 00 -iv ${seed.toString(16).padStart(32, '0')} -in /dev/zero 2> /dev/null`;
  execFileSync('sh', ['-ec', `${key} | head -c ${bytes} > data-${seed}; tar -c --mtime=@0 -f ../tar data-${seed}`], { cwd: work });
  rmSync(work, { recursive: true });
  const [plain, packed] = [createHash('sha256'), createHash('sha256')];
  const zipped = `${folder}/zipped`;
  // Level 0 stores: what random bytes become at any level, but at once.
  const zip = createGzip({ level: 0, chunkSize: 1 << 20 });
  const source = createReadStream(`${folder}/tar`, { highWaterMark: 1 << 20 });
  await pipeline(source, counting(plain), zip, counting(packed), createWriteStream(zipped));
  rmSync(`${folder}/tar`);
  const digest = packed.digest('hex');
  const size = statSync(zipped).size;
  renameSync(zipped, `${folder}/blobs/sha256/${digest}`);
  const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: `sha256:${digest}`, size };
  return { layer, contents: `sha256:${plain.digest('hex')}` };
}

function writeBlob(folder: string, mediaType: string, value: unknown): Descriptor {
  const text = JSON.stringify(value);
  const digest = createHash('sha256').update(text).digest('hex');
  writeFileSync(`${folder}/blobs/sha256/${digest}`, text);
  return { mediaType, digest: `sha256:${digest}`, size: text.length };
}

/**
 * Makes an image as an OCI layout in a new folder.
 * @returns the digest of its manifest, which stands for all of it
 */
export async function makeImage(folder: string, layers: number, bytesOfLayer: number): Promise<string> {
  mkdirSync(`${folder}/blobs/sha256`, { recursive: true });
  const made: { layer: Descriptor; contents: string }[] = [];
  for (let seed = 1; seed <= layers; seed++) made.push(await makeLayer(folder, seed, bytesOfLayer));
  const config = writeBlob(folder, 'application/vnd.oci.image.config.v1+json', {
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: made.map(({ contents }) => contents) },
  });
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = writeBlob(folder, mediaType, { schemaVersion: 2, mediaType, config, layers: made.map(({ layer }) => layer) });
  writeFileSync(`${folder}/oci-layout`, '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(`${folder}/index.json`, JSON.stringify({ schemaVersion: 2, manifests: [manifest] }));
  return manifest.digest;
}
