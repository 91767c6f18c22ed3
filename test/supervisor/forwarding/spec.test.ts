import { expect } from 'chai';
import { describeRule } from '../../../supervisor/forwarding/rule.ts';
import { UsageError } from '../../../supervisor/usage-error.ts';
import { ACCEPTED, type Case, DEVIATIONS, REFUSED } from '../../support/forwarding_specs.ts';
import { tableOf } from '../../support/forwarding_words.ts';

function title({ words }: Case): string {
  return words.map((word) => (/^\S+$/.test(word) ? word : JSON.stringify(word))).join(' ');
}

describe('supervisor/forwarding: what is accepted', () => {
  for (const given of ACCEPTED) {
    it(title(given), () => {
      const { host, guest } = tableOf(given.words);
      expect([...host, ...guest].map(describeRule)).to.eql(given.rules);
    });
  }
});

describe('supervisor/forwarding: what is refused', () => {
  for (const given of [...REFUSED, ...DEVIATIONS]) it(title(given), () => expect(() => tableOf(given.words)).to.throw(UsageError));

  it('is a hundred and more', () => expect(REFUSED.length + DEVIATIONS.length).to.be.greaterThan(100));
});
