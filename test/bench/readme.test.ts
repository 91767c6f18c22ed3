/**
 * The figures of README.md are those of bench/figures.json, and come out right from a measurement.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { figuresText, type Measured, withFigures } from '../../bench/readme.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const MEASURED: Measured = {
  date: '2026-11-21T10:00:00.000Z',
  machine: '2 × some CPU, 4 turns of 2 s',
  tools: { ravioli: { version: 'pasta 0.1.0' }, pasta: { version: 'pasta 2026' } },
  verdicts: [
    { row: 'TCP out', metric: 'rate', unit: 'Gbit/s', medians: { ravioli: 12.345, pasta: null, bare: 20 } },
    { row: 'TCP spliced', metric: 'rate', unit: 'Gbit/s', medians: { ravioli: null, pasta: 3, bare: 20 } },
  ],
};

describe('figures of the README', () => {
  it('are those that were measured and are kept', () => {
    const measured: Measured = JSON.parse(readFileSync(`${ROOT}bench/figures.json`, 'utf8'));
    const readme = readFileSync(`${ROOT}README.md`, 'utf8');
    expect(withFigures(readme, figuresText(measured))).to.equal(readme);
  });

  it('are a line for each kind of work that can be done, with a dash for what a peer failed at', () => {
    const lines = figuresText(MEASURED).split('\n');
    expect(lines).to.include('| work | unit | ravioli | pasta | no translator |');
    expect(lines).to.include('| TCP out: rate | Gbit/s | 12.3 | – | 20 |');
    expect(lines.join()).to.not.include('spliced');
    expect(lines.join()).to.include('ravioli 0.1.0; pasta 2026');
    expect(lines.join()).to.include('`npm run bench -- --pairs 4 --seconds 2`');
  });

  it('replace the former ones and nothing else', () => {
    const place = (text: string): string =>
      `before\n<!-- figures: begin (bench/readme.ts writes this part) -->\n${text}<!-- figures: end -->\nafter\n`;
    expect(withFigures(place('old\n'), 'new\n')).to.equal(place('\nnew\n\n'));
    expect(() => withFigures('no place', 'new')).to.throw('figures: begin');
  });

  it('stand among links to files that exist', () => {
    const readme = readFileSync(`${ROOT}README.md`, 'utf8');
    const named = [...readme.matchAll(/`([\w./-]+\/[\w./-]*|[A-Z]+(?:\.md)?)`/g)].map((match) => match[1] as string);
    const files = named.filter((name) => /^(bin|build|bench|test|policies)\//.test(name) || /^[A-Z]+\.md$|^LICENSE$/.test(name));
    expect(files).to.not.be.empty;
    for (const file of files) expect(existsSync(`${ROOT}${file}`), file).to.equal(true);
  });
});
