/** The worker that the launcher has started: how it is named, and that nothing of it is left when it isn't wanted. */
import { expect } from 'chai';
import { environmentOfCommand } from '../../supervisor/environment.ts';
import { parseEarlyWorker } from '../../supervisor/early.ts';

describe('supervisor/early', () => {
  it('is found in its variable', () => {
    expect(parseEarlyWorker('4711:16:17')).to.deep.equal({ jail: 4711, channel: 16, control: 17 });
  });

  for (const text of [undefined, '', '0:1:2', '1:2', '1:2:3:4', '-1:2:3', '1:2:x', ' 1:2:3', '1:2:3\n4']) {
    it(`is not taken from ${JSON.stringify(text)}`, () => {
      expect(parseEarlyWorker(text)).to.equal(null);
    });
  }

  it('is no business of the command', () => {
    expect(environmentOfCommand({ environment: 'A=1\0RAVIOLI_WORKER=1:2:3\0', words: '' })).to.deep.equal(['A=1']);
  });
});
