/**
 * The native vocabulary is what its declaration says: an addon that exports more gives a compromised room a word that nobody reviewed.
 */
import { createRequire } from 'node:module';
import { expect } from 'chai';
import { ROOT, read } from './tree.ts';

/** Names of the methods that `native/ROOM.d.ts` declares, and how many arguments each takes. */
function declared(room: string): Map<string, number> {
  const methods = [...read(`native/${room}.d.ts`).matchAll(/^ {2}(\w+)\(([^\n]*)\): /gm)];
  return new Map(methods.map(([, name, list]) => [name as string, list === '' ? 0 : (list?.split(/, (?=\w+: )/).length ?? 0)]));
}

/** Words that wait for what will speak them: links without offloads. */
const WAITING: Readonly<Record<string, readonly string[]>> = {
  worker: [],
  supervisor: [],
};

describe('arch: native vocabulary', () => {
  for (const room of ['worker', 'supervisor']) {
    it(`${room}.node exports what ${room}.d.ts declares, and nothing else`, () => {
      const addon = createRequire(import.meta.url)(`${ROOT}native/out/${room}.node`) as Record<string, unknown>;
      expect(Object.keys(addon).sort()).to.deep.equal([...declared(room).keys()].sort());
    });

    it(`every word of ${room}.d.ts is used`, () => {
      const bundle = read(`dist/${room}.js`);
      const idle = [...declared(room).keys()].filter((name) => !new RegExp(`\\.${name}\\(`).test(bundle));
      expect(idle).to.deep.equal(WAITING[room]);
    });

    it(`${room}.d.ts takes integers, where it can`, () => {
      expect([...declared(room).keys()]).to.have.length.above(10);
      if (room === 'worker') expect(read('native/worker.d.ts')).to.not.match(/\(.*: (string|object|Uint8Array|Buffer|boolean)/);
    });
  }
});
