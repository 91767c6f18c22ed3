/**
 * Rules of standards are cited in one spelling, `RFC 9293 §3.10.7.4`, so that one search finds a rule in code and tests.
 */
import { expect } from 'chai';
import { citationsIn, describeCitations } from '../../build/standards.ts';
import { files, linesLike, read } from './tree.ts';

const PRODUCT = files(['shared', 'supervisor', 'worker', 'native'], '.ts', '.c', '.h', '.proto');
const TESTS = files(['test'], '.ts', '.c').filter((path) => !path.startsWith('test/arch/'));

describe('arch: standards', () => {
  it('no citation is spelled another way', () => {
    const others =
      /\bRFC[-_ ]?\d+(?:,? ?(?:section|sect\.|sec\.|chapter|p\.|page)\b| ?\(\d|§| {2,})|\bRFC[-_]?\d|\brfc ?\d|\bSection \d+\.\d+ of/;
    expect(linesLike([...PRODUCT, ...TESTS], others)).to.deep.equal([]);
  });

  it('the product cites sections, and tests name some of them', () => {
    const product = citationsIn(PRODUCT.map(read));
    const tests = citationsIn(TESTS.map(read));
    expect(product.get(9293)?.size).to.be.above(5);
    expect([...(product.get(9293) ?? [])].filter((section) => tests.get(9293)?.has(section))).to.not.have.length(0);
  });

  it('reads several sections of one document, and lists what no test names', () => {
    const product = citationsIn(['(RFC 1 §2.1, §3 and §A.4): RFC 2; RFC 3 §4 MUST-5, RFC 1 §9.']);
    expect([...product]).to.deep.equal([
      [1, new Set(['§2.1', '§3', '§A.4', '§9'])],
      [2, new Set(['all'])],
      [3, new Set(['§4'])],
    ]);
    expect(describeCitations(product, citationsIn(['RFC 1 §3']))).to.deep.equal([
      'RFC 1: §2.1 §3 §9 §A.4; named by no test: §2.1 §9 §A.4',
      'RFC 2: all',
      'RFC 3: §4; named by no test: §4',
    ]);
  });
});
