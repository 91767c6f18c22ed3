/**
 * The runtime under the sealed filter: what V8 and libc do on rare paths must be in the policy, or a worker dies one day for nothing.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { encodeProgram } from '../../policies/compile.ts';
import { WORKER_FLAGS, workerCommand } from '../../supervisor/runtime.ts';
import { ExploitedBuild } from '../support/jailed_worker.ts';
import { OURS, programOf } from '../support/policies.ts';

const BUSY = fileURLToPath(new URL('./busy_worker.cjs', import.meta.url));
const ADDON = fileURLToPath(new URL('../../native/out/worker.node', import.meta.url));

/** busy_worker.cjs ends by reallyExit(5). */
const ORDERLY = 5;
const SECONDS = Number(process.env.SOAK_SECONDS ?? 2);
/** For what is bound to happen, but not when. */
const LONGEST = 60;

describe('the runtime under the sealed filter', function () {
  this.timeout((SECONDS + 20) * 1000);
  let build: ExploitedBuild;
  let filter: string;
  before(() => {
    build = new ExploitedBuild();
    filter = join(build.root, 'filter');
    writeFileSync(filter, encodeProgram(programOf('worker', OURS)));
  });
  after(() => build.remove());

  /** Runs busy_worker.cjs behind the prelude, instead of the worker's program and its mode, with these flags besides, for so long at most. */
  function run(isolation: 'default' | 'strict', flags: readonly string[], end = 'leave', seconds = SECONDS) {
    const runtime = workerCommand({ root: '/', runtime: process.execPath }, isolation).slice(0, -2);
    const words = ['prelude', '--', '/usr/bin/env', '-i', 'UV_THREADPOOL_SIZE=1', 'MALLOC_ARENA_MAX=1', ...runtime, ...flags];
    const { status, signal, stdout, stderr } = spawnSync(
      join(build.root, 'one_layer'),
      [...words, BUSY, ADDON, filter, String(seconds * 1000), end],
      { encoding: 'utf8', maxBuffer: 1 << 26 },
    );
    return { status, signal, stdout, stderr };
  }

  const cases: readonly (readonly [string, 'default' | 'strict', readonly string[]])[] = [
    ['as the product starts it', 'default', []],
    ['without a compiler', 'strict', []],
    ['with garbage collections all the time', 'default', ['--gc-interval=500', '--stress-compaction']],
    ['with compilation at once', 'default', ['--always-sparkplug']],
  ];
  for (const [what, isolation, flags] of cases) {
    it(`works and ends in order ${what}`, () => {
      expect(run(isolation, flags)).to.deep.equal({ status: ORDERLY, signal: null, stdout: '', stderr: '' });
    });
  }

  it('compiles on the main thread only, even when asked for more', () => {
    const { status, stdout } = run('default', ['--trace-opt', '--concurrent-recompilation']);
    expect(status).to.equal(ORDERLY);
    const modes = new Set([...stdout.matchAll(/^\[compiling method .* mode: ConcurrencyMode::(k\w+)\]$/gm)].map(([, mode]) => mode));
    expect([...modes]).to.deep.equal(['kSynchronous']);
  });

  it('would not live with threads that compile, mark or sweep', () => {
    // When V8 gives them work is its own decision.
    expect(run('default', ['--no-single-threaded'], 'leave', LONGEST).signal, 'the reason for --single-threaded').to.equal('SIGSYS');
  }).timeout((LONGEST + 20) * 1000);

  it('has no thread that compiles, marks or sweeps beside the main one', () => {
    const flags = execFileSync(process.execPath, [...WORKER_FLAGS, '--print-flag-values', '-e', '0'], { encoding: 'utf8' });
    const background = ['recompilation', 'sparkplug', 'marking', 'sweeping', 'array-buffer-sweeping'].map((work) => `concurrent-${work}`);
    for (const flag of [...background, 'parallel-scavenge', 'parallel-marking', 'parallel-compaction', 'lazy-compile-dispatcher'])
      expect(flags.split('\n'), flag).to.include(`--no-${flag}`);
  });

  it('says why it ends when nobody caught an exception', () => {
    const { status, signal, stderr } = run('default', [], 'throw');
    expect({ status, signal }).to.deep.equal({ status: 1, signal: null });
    expect(stderr).to.include('nobody caught this');
  });
});
