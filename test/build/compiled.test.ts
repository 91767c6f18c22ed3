/**
 * What keeps a start short, without a look at the clock: V8 takes the code that the build has compiled, finds every function in it, and few
 * modules of the runtime are loaded.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { SUPERVISOR_FLAGS, WORKER_FLAGS } from '../../supervisor/runtime.ts';
import { ARENA_SIZE } from '../../worker/link/arena.ts';

const DIST = fileURLToPath(new URL('../../dist/', import.meta.url));

/** Runs `program` in the runtime with `flags`; gives what it writes. */
function evaluate(flags: readonly string[], program: string): string {
  return execFileSync(process.execPath, [...flags, '-e', program], { cwd: DIST, encoding: 'utf8' }).trim();
}

/** Whether V8 refuses the code of `room` under these flags. */
function refuses(room: string, flags: readonly string[]): string {
  return evaluate(
    flags,
    `const { readFileSync } = require('node:fs');
    const { Script } = require('node:vm');
    const cachedData = readFileSync('${room}.code');
    const script = new Script(readFileSync('${room}.js', 'latin1'), { filename: '${DIST}${room}.js', cachedData });
    require('node:fs').writeSync(1, String(script.cachedDataRejected));`,
  );
}

/** What of the runtime's own modules a start of the supervisor loads besides those that are there anyway: each costs some 0.3 ms. */
const LOADED = ['Internal Binding os', 'NativeModule os', 'NativeModule vm'];

describe('the supervisor', () => {
  it(`loads of the runtime ${LOADED.join(', ')}`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'ravioli-loaded-'));
    try {
      writeFileSync(
        join(folder, 'list.cjs'),
        `const before = new Set(process.moduleLoadList);
        process.on('exit', () => {
          const loaded = process.moduleLoadList.filter((name) => !before.has(name));
          require('node:fs').writeFileSync('${folder}/loaded', loaded.sort().join());
        });`,
      );
      execFileSync(process.execPath, [...SUPERVISOR_FLAGS, '-r', join(folder, 'list.cjs'), `${DIST}supervisor.cjs`, 'pasta', '--version']);
      expect(readFileSync(join(folder, 'loaded'), 'utf8').split(',')).to.deep.equal(LOADED);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('the worker', () => {
  it('makes its arena without a collection of garbage', () => {
    const collections = (bytes: number): string =>
      evaluate([...WORKER_FLAGS, '--trace-gc'], `globalThis.arena = new ArrayBuffer(${bytes})`);
    expect(collections(ARENA_SIZE)).to.equal('');
    expect(collections(4 * ARENA_SIZE), 'so that the test would see one').to.contain('external memory pressure');
  });
});

describe('the compiled code of the rooms', () => {
  const rooms: readonly (readonly [string, readonly string[]])[] = [
    ['supervisor', SUPERVISOR_FLAGS],
    ['worker', WORKER_FLAGS],
  ];

  it('belongs to the flags that the launcher starts them with', () => {
    const [supervisor, worker] = rooms.map(([room, flags]) => `${room}_flags="${flags.join(' ')}"`);
    expect(readFileSync(`${DIST}flags.sh`, 'utf8').split('\n')).to.deep.equal([supervisor, worker, '']);
  });

  for (const [room, flags] of rooms) {
    it(`is taken by the ${room}'s runtime`, () => {
      expect(refuses(room, flags)).to.equal('false');
    });

    it(`is refused, and the ${room} compiled, under other flags`, () => {
      expect(refuses(room, [...flags, '--stack-size=500'])).to.equal('true');
    });

    it(`has every function of the ${room}`, () => {
      // A function that is not there would be compiled when it is called first; the whole of it is more than the text.
      expect(readFileSync(`${DIST}${room}.code`).length).to.be.greaterThan(2 * readFileSync(`${DIST}${room}.js`).length);
    });
  }
});
