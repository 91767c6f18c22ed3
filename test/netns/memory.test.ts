/** What an idle run holds: bounded, so that what makes every run larger is seen; and what of it can be executed. */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { nameOf } from '../support/processtable.ts';
import { makeTopology, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

/** KiB that all processes together have written to and share with nobody. 23,500 in November 2026, of which an empty runtime has 8,000. */
const MOST = 26_500;
const PATIENCE_MS = 20_000;

describe('memory', function () {
  this.timeout(60_000);
  let topology: Topology;
  let translator: Translator;

  before(async () => {
    topology = makeTopology();
    translator = await startTranslator('ravioli', topology);
  });

  after(async () => {
    await translator?.stop();
    topology?.remove();
  });

  function dirty(): Map<string, number> {
    const held = new Map<string, number>();
    for (const pid of translator.pids()) {
      const [, kilobytes] = /^Private_Dirty: +(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')) ?? [];
      held.set(`${nameOf(pid)} ${pid}`, Number(kilobytes));
    }
    return held;
  }

  it('of the supervisor can be executed where it is a file, and nowhere else', () => {
    const supervisor = translator.pids().find((pid) => nameOf(pid) === 'pasta');
    const maps = readFileSync(`/proc/${supervisor}/maps`, 'utf8').trim().split('\n');
    const executable = maps.map((line) => line.split(/\s+/)).filter(([, rights]) => rights?.includes('x'));
    expect(executable.length).to.be.greaterThan(2);
    const odd = executable.filter(([, rights, , , , name]) => rights?.includes('w') || !/^\/|^\[v(dso|syscall)\]/.test(name ?? ''));
    expect(odd).to.deep.equal([]);
  });

  it(`of an idle run is at most ${MOST} KiB`, async () => {
    const until = Date.now() + PATIENCE_MS;
    for (;;) {
      const held = dirty();
      const sum = [...held.values()].reduce((left, right) => left + right, 0);
      if (sum <= MOST) return;
      if (Date.now() > until) expect.fail(`${sum} KiB: ${[...held].map(([name, size]) => `${name} ${size}`).join(', ')}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  });
});
