/** The units for a user's manager, as `make install` writes them: understood by systemd, and as closed as it can make them. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const ROOT = fileURLToPath(new URL('../../', import.meta.url)).slice(0, -1);
/** Tenths. A service of a user is counted as root's, whose capabilities alone are 3 points, and what needs a mount namespace as missing. */
const MOST_EXPOSED = 74;

describe('build: units', function () {
  this.timeout(60_000);
  let folder: string;
  let units: string;

  before(() => {
    folder = mkdtempSync(`${tmpdir()}/ravioli-units-`);
    units = `${folder}/usr/lib/systemd/user`;
    const settings = [`PREFIX=${folder}/usr`, `SYSCONFDIR=${folder}/etc`, `NODE=${process.execPath}`];
    execFileSync('make', ['-s', '-C', ROOT, 'install', ...settings], { stdio: ['ignore', 'ignore', 'inherit'] });
    mkdirSync(`${units}/ravioli@box.socket.d`);
    writeFileSync(`${units}/ravioli@box.socket.d/ports.conf`, '[Socket]\nListenStream=8443\nFileDescriptorName=tcp-443\n');
    // Its tools want an instance.
    for (const kind of ['service', 'socket']) writeFileSync(`${units}/ravioli@box.${kind}`, readFileSync(`${units}/ravioli@.${kind}`));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  function analyze(...words: string[]): { status: number | null; output: string } {
    const env = { ...process.env, XDG_RUNTIME_DIR: folder, HOME: folder };
    const { status, stdout, stderr } = spawnSync('systemd-analyze', words, { encoding: 'utf8', env });
    return { status, output: stdout + stderr };
  }

  for (const kind of ['service', 'socket']) {
    it(`systemd has no complaint about the ${kind}`, () => {
      const { status, output } = analyze('verify', '--user', '--man=no', `${units}/ravioli@box.${kind}`);
      expect(output).to.equal('');
      expect(status).to.equal(0);
    });
  }

  it('the command is the installed one', () => {
    expect(readFileSync(`${units}/ravioli@.service`, 'utf8')).to.include(`\nExecStart=${folder}/usr/bin/ravioli run %i\n`);
  });

  it(`the service is no more exposed than ${MOST_EXPOSED / 10}`, () => {
    const words = ['--user', '--offline=true', '--no-pager', `--threshold=${MOST_EXPOSED}`];
    const { status, output } = analyze('security', ...words, `${units}/ravioli@box.service`);
    expect(status, output).to.equal(0);
    expect(output).to.match(/Overall exposure level for ravioli@box\.service: /);
  });
});
