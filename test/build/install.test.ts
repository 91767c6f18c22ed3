/**
 * The packed tarball, installed by npm into an empty prefix of an ordinary user, and `make install` into a packager's tree.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { Key, Terminal } from '../support/driver.ts';
import { type LocalRegistry, serveInstalled } from '../support/local_registry.ts';
import { type Finished, run, UNPRIVILEGED } from '../support/processes.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url)).slice(0, -1);
const NO_PORTS = ['-t', 'none', '-u', 'none', '-T', 'none', '-U', 'none'];
const RUNTIME = `node-linux-${process.arch}`;
const COMMANDS = readdirSync(`${ROOT}/bin`).filter((name) => !name.includes('.'));
const PROGRAMS = new Set([...COMMANDS, 'start', 'jail', 'opener', 'node']);

/** Every file below a folder, links too, by its path from there. */
function filesBelow(folder: string): string[] {
  return (readdirSync(folder, { recursive: true, withFileTypes: true }) as { parentPath: string; name: string; isDirectory(): boolean }[])
    .filter((entry) => !entry.isDirectory())
    .map((entry) => `${entry.parentPath}/${entry.name}`.slice(folder.length + 1))
    .sort();
}

/** What `pasta` is for: a command in a namespace with an interface that isn't there outside. */
async function expectNetwork(pasta: string, home: string): Promise<void> {
  const { code, stdout, stderr } = await run([pasta, '--config-net', '-I', 'installed0', ...NO_PORTS, '--', 'ip', '-br', 'link'], {
    env: { HOME: home },
  });
  expect(stderr).to.not.match(/pasta:/);
  expect(stdout).to.match(/^installed0 /m);
  expect(code).to.equal(0);
}

describe('build: installation', function () {
  this.timeout(120_000);
  let folder: string;

  before(() => {
    folder = mkdtempSync('/tmp/ravioli-install-');
    chmodSync(folder, 0o755);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  describe('npm install -g', () => {
    let registry: LocalRegistry;
    let tarball: string;
    let prefix: string;
    let installed: Finished;

    before(async () => {
      // A copy, since packing changes package.json for a moment.
      const copy = `${folder}/tree`;
      mkdirSync(copy);
      for (const name of ['bin', 'build', 'dist', 'native', 'man', 'completions', 'systemd', 'package.json', 'LICENSE', 'README.md'])
        if (existsSync(`${ROOT}/${name}`)) cpSync(`${ROOT}/${name}`, `${copy}/${name}`, { recursive: true });
      writeFileSync(`${copy}/build/build.sh`, '');
      writeFileSync(`${copy}/build/runtime.sh`, `NODE=${process.execPath}\n`);
      execFileSync('npm', ['pack', '--loglevel=error'], { cwd: copy, stdio: ['ignore', 'ignore', 'inherit'] });
      expect(readFileSync(`${copy}/package.json`, 'utf8'), 'the manifest behind it').to.equal(readFileSync(`${ROOT}/package.json`, 'utf8'));
      tarball = `${copy}/${readdirSync(copy).find((name) => name.endsWith('.tgz'))}`;
      registry = await serveInstalled(ROOT, RUNTIME, ['bin/node'], folder);
      prefix = `${folder}/prefix`;
      for (const path of [prefix, `${folder}/home`]) {
        mkdirSync(path);
        chownSync(path, UNPRIVILEGED, UNPRIVILEGED);
      }
      installed = await run(['npm', 'install', '-g', '--loglevel=warn', '--prefix', prefix, tarball], {
        env: { HOME: `${folder}/home`, npm_config_registry: registry.url, npm_config_update_notifier: 'false' },
        timeout: 100_000,
      });
    });
    after(() => registry?.close());

    it('needs nothing but the runtime, and runs nothing', () => {
      expect(`${installed.stderr}${installed.stdout}`).to.match(/^\s*added 2 packages in .*\n$/);
      expect(installed.code).to.equal(0);
      expect(registry.asked.filter((path) => !path.startsWith('/-/'))).to.deep.equal([`/${RUNTIME}`, `/${RUNTIME}.tar`]);
      const manifest = JSON.parse(readFileSync(`${prefix}/lib/node_modules/ravioli/package.json`, 'utf8'));
      expect(manifest).to.not.have.any.keys('scripts', 'devDependencies', 'optionalDependencies');
      expect(manifest.dependencies).to.have.all.keys(RUNTIME);
      expect(manifest.cpu).to.deep.equal([process.arch]);
    });

    it('has every command and its page, and each says who it is', async () => {
      expect(readdirSync(`${prefix}/share/man/man1`).sort()).to.deep.equal(readdirSync(`${ROOT}/man`).sort());
      expect(readdirSync(`${prefix}/bin`).sort()).to.deep.equal(COMMANDS);
      for (const name of ['pasta', 'passt', 'pesto', 'ravioli']) {
        const { stdout, code } = await run([`${prefix}/bin/${name}`, '--version'], { env: { HOME: `${folder}/home` } });
        expect(stdout).to.match(new RegExp(`^${name} \\d`));
        expect(code).to.equal(0);
      }
    });

    it('gives a command a network, and an interactive one its terminal', async () => {
      await expectNetwork(`${prefix}/bin/pasta`, `${folder}/home`);
      const terminal = new Terminal([`${prefix}/bin/pasta`, '--config-net', ...NO_PORTS, '--', 'sh', '-i']);
      try {
        await terminal.see(/[#$] $/);
        terminal.type(`exit 9${Key.ENTER}`);
        expect(await terminal.end()).to.equal(9);
      } finally {
        terminal.kill();
      }
    });

    it('logs with --debug, for which another bundle is loaded', async () => {
      const { code, stderr } = await run([`${prefix}/bin/pasta`, '--debug', '-f', '--config-net', ...NO_PORTS, '--', 'true']);
      expect(stderr).to.match(/offloads of the tap/);
      expect(code).to.equal(0);
    });
  });

  describe('make install', () => {
    const make = (target: string, tree: string): void => {
      const settings = ['PREFIX=/usr', 'SYSCONFDIR=/etc', `DESTDIR=${tree}`];
      execFileSync('make', ['-s', '-C', ROOT, target, ...settings], { stdio: ['ignore', 'ignore', 'inherit'] });
    };

    it('fills a tree that works, with modes that a packager expects', async () => {
      const tree = `${folder}/packaged`;
      make('install', tree);
      const files = filesBelow(tree);
      expect(files).to.include.members(COMMANDS.map((name) => `usr/bin/${name}`));
      for (const file of files.filter((path) => path.startsWith('usr/lib/ravioli/'))) {
        const isProgram = PROGRAMS.has(file.slice(file.lastIndexOf('/') + 1));
        expect(statSync(`${tree}/${file}`).mode & 0o7777, file).to.equal(isProgram ? 0o755 : 0o644);
      }
      for (const page of readdirSync(`${ROOT}/man`)) expect(files).to.include(`usr/share/man/man1/${page}`);
      expect(files).to.include.members([
        'usr/share/bash-completion/completions/pasta',
        'usr/share/fish/vendor_completions.d/pasta.fish',
        'usr/share/zsh/site-functions/_pasta',
        'usr/lib/systemd/user/ravioli@.service',
        'usr/lib/systemd/user/ravioli@.socket',
        'etc/apparmor.d/ravioli',
        'etc/apparmor.d/ravioli.d/abi',
        'etc/apparmor.d/abstractions/ravioli-worker',
      ]);
      expect(readFileSync(`${tree}/etc/apparmor.d/tunables/ravioli`, 'utf8')).to.match(/^@\{ravioli\}=\/usr\/lib\/ravioli$/m);
      await expectNetwork(`${tree}/usr/bin/pasta`, '/');
    });

    it('is undone by make uninstall, which leaves what is not ours', () => {
      const tree = `${folder}/packaged`;
      writeFileSync(`${tree}/usr/bin/another`, '');
      make('uninstall', tree);
      expect(filesBelow(tree)).to.deep.equal(['usr/bin/another']);
      expect(existsSync(`${tree}/usr/lib/ravioli`)).to.equal(false);
    });
  });
});
