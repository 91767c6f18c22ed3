/**
 * What `npm pack` puts into the tarball as package.json: nothing is built, downloaded or run where that is installed. What is compiled or
 * bundled here is in it, so the only package that it needs is the runtime, of this architecture.
 *
 * `package.ts pack` (script `prepack`) puts that manifest in the place of the tree's, which `package.ts restore` (`postpack`) puts back.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const MANIFEST = fileURLToPath(new URL('../package.json', import.meta.url));
/** Where the tree's own is meanwhile. */
const ASIDE = `${MANIFEST}.whole`;

interface Manifest {
  readonly optionalDependencies: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

/** Fields that the installed package has as the tree has them. */
const KEPT = ['name', 'version', 'description', 'license', 'type', 'bin', 'man', 'files'] as const;

/** The manifest of a tarball for the architecture `arch`, in the words of Node.js. */
export function packedManifest(whole: Manifest, arch: string): Record<string, unknown> {
  const runtime = `node-linux-${arch}`;
  const version = whole.optionalDependencies[runtime];
  if (version === undefined) throw new Error(`package.json names no runtime ${runtime}`);
  const kept = Object.fromEntries(KEPT.filter((field) => whole[field] !== undefined).map((field) => [field, whole[field]]));
  return { ...kept, os: ['linux'], cpu: [arch], libc: ['glibc'], dependencies: { [runtime]: version } };
}

function restore(): void {
  if (existsSync(ASIDE)) renameSync(ASIDE, MANIFEST);
}

function pack(): void {
  // One that was broken off has left it there.
  restore();
  const whole = readFileSync(MANIFEST, 'utf8');
  const packed = `${JSON.stringify(packedManifest(JSON.parse(whole), process.arch), null, 2)}\n`;
  writeFileSync(ASIDE, whole);
  writeFileSync(MANIFEST, packed);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv[2] === 'restore') restore();
  else pack();
}
