/**
 * `--help` is the table of options, each once.
 */
import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { OPTIONS } from '../../supervisor/config/options.ts';
import { ROOT } from './tree.ts';

describe('arch: options', () => {
  for (const mode of ['pasta', 'passt'] as const) {
    it(`${mode} --help shows the options of the table and no other`, () => {
      const text = execFileSync(`${ROOT}bin/${mode}`, ['--help'], { encoding: 'utf8' });
      const shown = [...text.matchAll(/^ {2}(?:-(\S), | {4})--(\S+)/gm)].map(([, short, long]) => `${short ?? ''} ${long}`);
      const rows = OPTIONS.filter((row) => row.modes === 'both' || row.modes === mode);
      expect(shown.sort()).to.deep.equal(rows.map((row) => `${row.short ?? ''} ${row.long}`).sort());
      expect(new Set(shown).size).to.equal(shown.length);
    });
  }

  it('what is not there yet says so, in the table and in the help', () => {
    const text = execFileSync(`${ROOT}bin/pasta`, ['--help'], { encoding: 'utf8' });
    const waiting = OPTIONS.filter((row) => row.set === undefined && row.awaits !== undefined && row.modes !== 'passt');
    for (const row of waiting)
      expect(
        text.split('\n').find((line) => line.includes(`--${row.long} `)),
        row.long,
      ).to.contain('not supported yet');
  });
});
