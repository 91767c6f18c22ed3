/**
 * What keeps a start short without a look at the clock: V8 takes the code that the build has compiled, and finds every function in it.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { SUPERVISOR_FLAGS, WORKER_FLAGS } from '../../supervisor/runtime.ts';

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
