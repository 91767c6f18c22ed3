/**
 * build/start.sh in a folder of its own, where everything that it calls is a program that writes down its call, and tries to read stdin.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const BUILD = fileURLToPath(new URL('../../build/', import.meta.url));
/** Root stays root there. */
const AS = process.geteuid?.() === 0 ? '--runas 0 ' : '';

describe('npm start', () => {
  let folder: string;

  function script(path: string, text: string): void {
    writeFileSync(`${folder}/${path}`, `#!/bin/sh\n${text}\n`);
    chmodSync(`${folder}/${path}`, 0o755);
  }

  function recorder(name: string): string {
    return `echo "${name} $*" >> '${folder}/calls'; echo "noise of ${name}"; while read -r line; do echo "$line"; done`;
  }

  beforeEach(() => {
    folder = mkdtempSync(`${os.tmpdir()}/ravioli-start-`);
    for (const name of ['bin', 'build', 'path', 'node_modules', 'elsewhere']) mkdirSync(`${folder}/${name}`);
    for (const name of ['start.sh', 'packages.sh', 'runtime.sh']) copyFileSync(`${BUILD}${name}`, `${folder}/build/${name}`);
    writeFileSync(`${folder}/calls`, '');
    writeFileSync(`${folder}/package-lock.json`, '{}');
    writeFileSync(`${folder}/node_modules/.package-lock.json`, '{}');
    for (const name of ['need.sh', 'build.sh']) script(`build/${name}`, recorder(name));
    script('path/npm', recorder('npm'));
    script('path/node', `[ "$1" = --version ] && { echo v20.0.0; exit; }; ${recorder('node')}`);
    script('bin/pasta', `echo "pasta $*" >> '${folder}/calls'; while [ "$1" != -- ]; do shift; done; shift; exec "$@"`);
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function start(words: readonly string[], input: string | Buffer = '', cwd = folder) {
    const env = { PATH: `${folder}/path:/usr/bin:/bin`, INIT_CWD: cwd };
    const result = spawnSync('sh', [`${folder}/build/start.sh`, ...words], { input, env, cwd });
    const calls = readFileSync(`${folder}/calls`, 'utf8').trim().split('\n');
    return { code: result.status, stdout: result.stdout, stderr: String(result.stderr), calls };
  }

  it('looks for what is missing, builds, and runs the command in a namespace', () => {
    expect(start(['true']).calls).to.deep.equal(['need.sh run', 'build.sh ', `pasta ${AS}--config-net -- true`]);
  });

  it('gives the command every byte of stdin, and stdout nothing but its output', () => {
    utimesSync(`${folder}/package-lock.json`, 2e9, 2e9);
    const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, index) => (index * 7) & 0xff));
    const { stdout, stderr, calls } = start(['cat'], bytes);
    expect(stdout.equals(bytes)).to.equal(true);
    expect(calls).to.include('npm ci --loglevel=error');
    for (const name of ['need.sh', 'build.sh', 'npm']) expect(stderr).to.include(`noise of ${name}`);
  });

  it('passes words on untouched, runs where the user is, and ends with the exit code of the command', () => {
    const { code, stdout } = start(['sh', '-c', 'pwd; echo "$1"; exit 7', 'x', 'a  "b" $c'], '', `${folder}/elsewhere`);
    expect(String(stdout)).to.equal(`${folder}/elsewhere\na  "b" $c\n`);
    expect(code).to.equal(7);
  });

  it('installs the packages when there are none, and when the lock file is newer', () => {
    expect(start(['true']).calls).to.not.include('npm ci --loglevel=error');
    utimesSync(`${folder}/package-lock.json`, 2e9, 2e9);
    expect(start(['true']).calls).to.include('npm ci --loglevel=error');
    rmSync(`${folder}/calls`);
    rmSync(`${folder}/node_modules`, { recursive: true });
    expect(start(['true']).calls).to.include('npm ci --loglevel=error');
  });

  it('does not empty a node_modules that is only a link', () => {
    rmSync(`${folder}/node_modules`, { recursive: true });
    symlinkSync('elsewhere', `${folder}/node_modules`);
    const { code, stderr, calls } = start(['true']);
    expect(stderr).to.match(/packages: node_modules is a link to elsewhere.*remove the link/);
    expect(calls).to.deep.equal(['need.sh run']);
    expect(code).to.equal(1);
  });

  it('refuses a Node.js that cannot install the packages', () => {
    script('path/node', 'echo v18.19.0');
    rmSync(`${folder}/node_modules`, { recursive: true });
    const { code, stderr, calls } = start(['true']);
    expect(stderr).to.match(/packages: Node.js v18.19.0 is too old/);
    expect(calls).to.deep.equal(['need.sh run']);
    expect(code).to.equal(1);
  });

  it('stops at a build that fails, and says how to repeat it', () => {
    script('build/build.sh', 'echo a lint >&2; exit 3');
    const { code, stderr, calls } = start(['true']);
    expect(stderr).to.match(/a lint\nstart: the build failed.*npm run build/);
    expect(calls).to.deep.equal(['need.sh run']);
    expect(code).to.equal(1);
  });

  it('shows the demonstration where there is no terminal, and a shell where there is one', () => {
    expect(start([]).calls.at(-1)).to.equal('node --disable-warning=ExperimentalWarning bench/demo/main.ts');
    script('bin/pasta', `echo "shell: pasta $*"`);
    const environment = { PATH: `${folder}/path:/usr/bin:/bin` };
    const shown = execFileSync('script', ['-qec', `sh ${folder}/build/start.sh`, '/dev/null'], {
      input: '',
      env: environment,
      encoding: 'utf8',
    });
    expect(shown).to.match(/a shell in a network namespace/);
    expect(shown).to.match(new RegExp(`shell: pasta ${AS}--config-net\\s*$`, 'm'));
  });
});
