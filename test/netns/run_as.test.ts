/** Root that is to be somebody else. */
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect } from 'chai';
import { passtPath } from '../support/machine.ts';
import { tree } from '../support/processtable.ts';
import { run, start } from '../support/processes.ts';
import { PRODUCT } from '../support/translator.ts';

/** Root of the first user namespace, which alone may become anybody. */
const isRoot = process.getuid?.() === 0 && /^\s*0\s+0\s+4294967295$/m.test(readFileSync('/proc/self/uid_map', 'utf8'));

describe('netns: run as', function () {
  this.timeout(20_000);

  it('root’s run is the user’s of --runas, in every room', async function () {
    // Nobody else may become another user.
    if (!isRoot) this.skip();
    const script = 'cat /proc/self/uid_map /proc/self/gid_map; id -u';
    const result = await run([PRODUCT, '--config-net', '--runas', '65534:65533', '--', 'sh', '-c', script], { user: 0 });
    expect(result.code, result.stderr).to.equal(0);
    expect(result.stdout.trim().split(/\s+/).join(' ')).to.equal('0 65534 1 0 65533 1 0');
  });

  for (const [words, uid, line] of [
    [[], 65534, /^pasta: root has started this, which goes on as user 65534; '--runas 0' stays root\n$/],
    [['--runas', '0'], 0, /^$/],
  ] as const) {
    it(`root without a word for it is nobody from then on; ${words.join(' ') || 'and is told so'}`, async function () {
      if (!isRoot) this.skip();
      const result = await run([PRODUCT, '--config-net', ...words, '--', 'cat', '/proc/self/uid_map'], { user: 0 });
      expect(result.code, result.stderr).to.equal(0);
      expect(result.stdout.trim().split(/\s+/).join(' ')).to.equal(`0 ${uid} 1`);
      expect(result.stderr).to.match(line);
    });
  }

  it('has what only root can have: its files, the socket for machines, low TCP ports', async function () {
    if (!isRoot) this.skip();
    const folder = mkdtempSync(`${tmpdir()}/run-as-`);
    const place = `${folder}/machine`;
    const words = ['-f', '-s', place, '-P', `${folder}/pid`, '-l', `${folder}/log`, '-t', '961:80', '-t', '127.0.0.9/962'];
    const passt = start([passtPath('machine'), '-d', ...words], { user: 0 });
    try {
      await passt.waitFor(/ms +ready$/m);
      const listening = await run(['ss', '-Hltn'], { user: 0 });
      expect(listening.stdout)
        .to.match(/\*:961 /)
        .and.to.match(/127\.0\.0\.9:962 /);
      expect(statSync(place).isSocket()).to.equal(true);
      for (const pid of tree(passt.pid)) {
        const status = readFileSync(`/proc/${pid}/status`, 'utf8');
        expect(status, String(pid))
          .to.match(/^Uid:\t65534\t65534\t65534\t65534$/m)
          .and.to.match(/^CapEff:\t0+$/m);
      }
    } finally {
      await passt.stop();
      rmSync(folder, { recursive: true });
    }
  });

  it('is refused to everybody else, in one line', async () => {
    const result = await run([PRODUCT, '--config-net', '--runas', '65534', '--', 'true']);
    expect(result.code).to.equal(1);
    expect(result.stderr).to.equal('pasta: --runas is for root; an ordinary user runs as itself\n');
  });
});
