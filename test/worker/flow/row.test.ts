/** Rows hold all fields that any kind of flow has. */
import { globSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { NUMBERED, OWN, ROW } from '../../../worker/flow/row.ts';
import { LOSSY_FIELDS } from '../../../worker/tcp/row.ts';

const ROOT = new URL('../../../', import.meta.url).pathname;

describe('worker/flow: rows', () => {
  for (const file of globSync('worker/**/*.ts', { cwd: ROOT })) {
    const text = readFileSync(`${ROOT}${file}`, 'utf8');
    const places = [...text.matchAll(/^(?:export )?const \w+ = OWN(?: \+ (\d+))?;/gm)].map(([, offset]) => OWN + Number(offset ?? 0));
    if (places.length === 0) continue;
    it(`${file}: each field has a place of its own, within the row`, () => {
      // TCP's may be all of the row: its flows are in none of the chains of datagrams.
      expect(Math.max(...places)).to.be.below(file.startsWith('worker/tcp/') ? ROW : NUMBERED);
      expect(new Set(places).size).to.equal(places.length);
    });
  }

  it('cold rows are as long', () => {
    expect(LOSSY_FIELDS).to.be.at.most(ROW);
  });
});
