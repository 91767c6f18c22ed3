/** The command gets its words and its environment byte for byte. */
import { expect } from 'chai';
import fc from 'fast-check';
import { bytesOf, environmentOfCommand, lastWords, variable } from '../../supervisor/environment.ts';

const started = (environment: string, words = ''): Parameters<typeof environmentOfCommand>[0] => ({ environment, words });

describe('supervisor/environment', () => {
  it('gives variables that were put aside their names back, and leaves the rest alone', () => {
    expect(environmentOfCommand(started('A=1\0RAVIOLI_KEPT_NODE_OPTIONS=--x\0B=\0'))).to.deep.equal(['A=1', 'NODE_OPTIONS=--x', 'B=']);
    expect(environmentOfCommand(started(''))).to.deep.equal([]);
  });

  it('gives the last words, empty ones too', () => {
    expect(lastWords(started('', 'node\0x\0pasta\0--\0printf\0\0'), 2)).to.deep.equal(['printf', '']);
    expect(lastWords(started('', 'node\0'), 0)).to.deep.equal([]);
  });

  it('keeps bytes that are no UTF-8', () => {
    expect(lastWords(started('', 'a\0\u00ff\u00fe\0'), 1)).to.deep.equal(['\u00ff\u00fe']);
  });

  it('writes any text as its UTF-8 bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => Buffer.from(bytesOf(text), 'latin1').equals(Buffer.from(text, 'utf8'))),
    );
  });

  it('finds a variable, and none where it is empty', () => {
    expect(variable(['SHELLS=a', 'SHELL=/bin/zsh'], 'SHELL')).to.equal('/bin/zsh');
    expect(variable(['SHELL='], 'SHELL')).to.equal(null);
    expect(variable([], 'SHELL')).to.equal(null);
  });
});
