/** Root that is to be somebody else. */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { run } from '../support/processes.ts';
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

  it('is refused to everybody else, in one line', async () => {
    const result = await run([PRODUCT, '--config-net', '--runas', '65534', '--', 'true']);
    expect(result.code).to.equal(1);
    expect(result.stderr).to.equal('pasta: --runas is for root; an ordinary user runs as itself\n');
  });
});
