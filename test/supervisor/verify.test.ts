/** Each line of /proc that makes a worker sealed: without any one of them it isn't. */
import { expect } from 'chai';
import { whatIsUnsealed } from '../../supervisor/verify.ts';

const SEALED = `Name:\tpasta.worker
NSpid:\t4711\t1
CapInh:\t0000000000000000
CapPrm:\t0000000000000000
CapEff:\t0000000000000000
CapBnd:\t0000000000000000
CapAmb:\t0000000000000000
NoNewPrivs:\t1
Seccomp:\t2
Seccomp_filters:\t2
`;

const look = (...threads: string[]): string | null =>
  whatIsUnsealed(
    4711,
    () => threads.map((_, index) => String(4711 + index)),
    (path) => threads[Number(path.split('/')[4]) - 4711] as string,
  );

describe('supervisor/verify', () => {
  it('finds nothing missing on sealed threads', () => {
    expect(look(SEALED, SEALED, SEALED)).to.equal(null);
    expect(look(SEALED.replace('filters:\t2', 'filters:\t3'))).to.equal(null);
  });

  const wrong: readonly (readonly [string, string])[] = [
    ['CapInh:\t0000000000000000', 'CapInh:\t0000000000000001'],
    ['CapPrm:\t0000000000000000', 'CapPrm:\t0000000000000400'],
    ['CapEff:\t0000000000000000', 'CapEff:\t000001ffffffffff'],
    ['CapBnd:\t0000000000000000', 'CapBnd:\t000001ffffffffff'],
    ['CapAmb:\t0000000000000000', 'CapAmb:\t0000000000000001'],
    ['NoNewPrivs:\t1', 'NoNewPrivs:\t0'],
    ['Seccomp:\t2', 'Seccomp:\t0'],
    ['Seccomp_filters:\t2', 'Seccomp_filters:\t1'],
    ['Seccomp_filters:\t2\n', ''],
    ['CapEff:\t0000000000000000\n', ''],
    ['NSpid:\t4711\t1', 'NSpid:\t4711'],
  ];
  for (const [line, instead] of wrong) {
    it(`sees ${JSON.stringify(instead)} on any one thread`, () => {
      const bad = SEALED.replace(line, instead);
      for (const threads of [[bad], [SEALED, bad], [bad, SEALED]]) {
        expect(look(...threads)).to.be.a('string');
      }
    });
  }

  it('takes a process without threads for unsealed', () => {
    expect(look()).to.match(/no thread/);
  });
});
