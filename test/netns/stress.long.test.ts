/** Starts without end, and blows at any moment: nothing is left of what has ended, however it did. */
import { randomInt } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { run } from '../support/processes.ts';
import { makeTopology, type Topology } from '../support/topology.ts';

const STRESS = fileURLToPath(new URL('../support/stress.ts', import.meta.url));
/** RAVIOLI_SEED brings back what was seen. */
const SEED = process.env['RAVIOLI_SEED'] ?? String(randomInt(1 << 30));

/** What is mounted in one namespace reaches all of it, as on most machines; the first process reaps whatever loses its parent. */
const SCRIPT = `mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs tmpfs /run
mount --make-rshared /
"$@"
exit $?`;

describe('netns: stress', function () {
  this.timeout(600_000);
  let topology: Topology;

  before(() => {
    topology = makeTopology();
  });
  after(() => topology.remove());

  async function stress(starts: number, parallel: number): Promise<void> {
    const node = [process.execPath, '--disable-warning=ExperimentalWarning', STRESS, SEED, String(starts), String(parallel)];
    const spaces = ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
    const end = await run([...spaces, 'sh', '-c', SCRIPT, 'sh', ...node], { namespace: topology.host, user: 0, timeout: 600_000 });
    expect(end.stdout + end.stderr, `RAVIOLI_SEED=${SEED}`).to.equal(`${starts} starts, nothing left\n`);
  }

  it('500 starts in a row: no process, namespace, mount, socket, port or file is left', () => stress(500, 1));
  it('20 at a time', () => stress(100, 20));
});
