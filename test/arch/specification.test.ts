/**
 * SPECIFICATION.md: every promise has a number of its own, and names a test or a row of the benchmark that exists.
 */
import { expect } from 'chai';
import { ROWS } from '../../bench/rows.ts';
import { exists, read } from './tree.ts';

interface Promised {
  readonly name: string;
  readonly enforcers: readonly string[];
}

const PROMISES: readonly Promised[] = [...read('SPECIFICATION.md').matchAll(/^\| ([A-Z]\d+) \| (.+) \| (.+) \|$/gm)].map(
  ([, name, , enforcers]) => ({ name: name as string, enforcers: (enforcers as string).match(/(bench )?`[^`]+`/g) ?? [] }),
);

describe('arch: specification', () => {
  it('numbers its promises without a gap', () => {
    expect(PROMISES).to.have.length.above(20);
    for (const letter of new Set(PROMISES.map(({ name }) => name[0]))) {
      const numbers = PROMISES.filter(({ name }) => name[0] === letter).map(({ name }) => Number(name.slice(1)));
      expect(numbers, letter).to.deep.equal(numbers.map((_, index) => index + 1));
    }
  });

  for (const { name, enforcers } of PROMISES) {
    it(`${name} names what enforces it`, () => {
      expect(enforcers).to.not.have.length(0);
      for (const enforcer of enforcers) {
        const [, bench, target] = enforcer.match(/^(bench )?`(.+)`$/) as unknown as [string, string | undefined, string];
        if (bench !== undefined) expect(ROWS.map((row) => row.name)).to.include(target);
        else expect(exists(target) && /\bit\(/.test(read(target)), target).to.equal(true);
      }
    });
  }

  it('every line of met.txt is a goal of a row', () => {
    const goals = ROWS.flatMap((row) => row.metrics.map((metric) => `${row.name}: ${metric.name}`));
    const lines = read('bench/met.txt')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(lines.filter((line) => !goals.includes(line))).to.deep.equal([]);
  });

  it('ARCHITECTURE.md, CONTRIBUTING.md and DECISIONS.md name files that exist', () => {
    for (const document of ['ARCHITECTURE.md', 'CONTRIBUTING.md', 'DECISIONS.md', 'SPECIFICATION.md']) {
      const named = [...read(document).matchAll(/`((?:bin|build|bench|native|policies|shared|supervisor|test|worker)\/[\w./-]+)`/g)].map(
        ([, path]) => path,
      );
      const missing = named.filter((path) => !exists(path as string) && !/^native\/out\//.test(path as string));
      expect(missing, document).to.deep.equal([]);
    }
  });

  it('decisions are numbered without a gap', () => {
    const numbers = [...read('DECISIONS.md').matchAll(/^## D-(\d{3}) /gm)].map(([, number]) => Number(number));
    expect(numbers).to.deep.equal(numbers.map((_, index) => index + 1));
  });
});
