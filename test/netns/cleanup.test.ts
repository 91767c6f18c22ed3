/** Whatever ends first, everything ends: no process, no namespace is left, and people are told why in one line. */
import { expect } from 'chai';
import { nameOf, tree } from '../support/processtable.ts';
import { start } from '../support/processes.ts';
import { PRODUCT } from '../support/translator.ts';
import { gone, inhabitants, startProduct, type Started } from '../support/product.ts';

/**
 * A command with a child that has left the session and ignores what it can. Ready is said by the program that stays: a shell handles SIGINT,
 * and one that comes between its last word and its exec is nobody's.
 */
const CROWD = `(trap '' HUP INT TERM; setsid sleep 1000) & exec perl -e '$| = 1; print "ready\\n"; sleep 1000'`;

async function expectNothingLeft(running: Started): Promise<void> {
  await Promise.all(running.everyone.map((pid) => gone(pid)));
  expect(inhabitants(running.namespace)).to.deep.equal([]);
}

describe('netns: cleanup', function () {
  this.timeout(30_000);

  const victims: readonly (readonly [name: string, pick: (running: Started) => number, code: number, line: RegExp | null])[] = [
    ['the supervisor', (running) => running.pid, 137, null],
    ['the worker', (running) => running.named('pasta.worker')[0] as number, 1, /^pasta: the worker ended unexpectedly \(signal 9\)\n$/],
    ['the first opener', (running) => running.named('pasta.opener')[0] as number, 1, /^pasta: the opener of the \w+'s network ended.*\n$/],
    ['the second opener', (running) => running.named('pasta.opener')[1] as number, 1, /^pasta: the opener of the \w+'s network ended.*\n$/],
    ['the command’s jail', (running) => running.named('pasta.jail')[0] as number, 137, null],
    ['the command', (running) => running.command, 137, null],
  ];
  for (const [name, pick, code, line] of victims) {
    it(`kill -9 of ${name} ends everything`, async () => {
      const running = await startProduct(CROWD);
      process.kill(pick(running), 'SIGKILL');
      expect((await running.finished).code).to.equal(code);
      if (line === null) {
        expect(running.stderr()).to.equal('');
      } else {
        expect(running.stderr()).to.match(line);
      }
      await expectNothingLeft(running);
    });
  }

  for (const signal of ['SIGTERM', 'SIGQUIT', 'SIGINT', 'SIGHUP'] as const) {
    it(`${signal} leaves nothing`, async () => {
      const running = await startProduct(CROWD);
      process.kill(running.pid, signal);
      await running.finished;
      expect(running.stderr()).to.equal('');
      await expectNothingLeft(running);
    });
  }

  it('a command that ends takes its background processes along', async () => {
    const running = await startProduct(`(trap '' HUP INT TERM; setsid sleep 1000) & echo ready; read line`);
    running.child.stdin?.end();
    await running.finished;
    await expectNothingLeft(running);
  });

  it('SIGKILL of the supervisor at any moment of its start-up leaves nothing', async () => {
    const before = new Set(tree(1).filter((pid) => nameOf(pid).startsWith('pasta')));
    for (let delay = 0; delay < 120; delay += 12) {
      const running = start([PRODUCT, '--config-net', '--', 'sleep', '1000']);
      await new Promise((resolve) => setTimeout(resolve, delay));
      const everyone = tree(running.pid);
      process.kill(running.pid, 'SIGKILL');
      await running.finished;
      await Promise.all(everyone.map((pid) => gone(pid)));
    }
    for (const pid of tree(1)) {
      if (nameOf(pid).startsWith('pasta.') && !before.has(pid)) {
        await gone(pid);
      }
    }
  });
});
