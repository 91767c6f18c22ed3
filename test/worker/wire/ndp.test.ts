import { expect } from 'chai';
import fc from 'fast-check';
import * as ndp from '../../../worker/wire/ndp.ts';
import { freshArena, put, putBytes, take } from './arena.ts';

const AT = 64;

function read(options: string): boolean {
  return ndp.readOptions(AT, AT + put(AT, options));
}

describe('wire/ndp', () => {
  beforeEach(freshArena);

  it('knows its five types', () => {
    expect([132, 133, 134, 135, 136, 137, 138].map(ndp.isNdp)).to.deep.equal([false, true, true, true, true, true, false]);
  });

  it('finds the source link-layer address behind options it does not know', () => {
    expect(read('0e01421b4cb1e524 0101020000000002')).to.equal(true);
    expect(take(ndp.sourceMacAt, 6)).to.equal('020000000002');
    expect(read('')).to.equal(true);
    expect(ndp.sourceMacAt, 'forgotten').to.equal(-1);
    expect(read('0102020000000002 0000000000000000')).to.equal(true);
    expect(ndp.sourceMacAt, 'not an Ethernet address').to.equal(-1);
  });

  it('refuses options of length 0 (RFC 4861 §4.6), that overrun, or are cut short', () => {
    for (const bad of [
      '0100020000000002',
      '0e01000000000000 0000000000000000',
      '0102020000000002',
      '01ff020000000002',
      '01',
      '01010200000000',
    ]) {
      expect(read(bad), bad).to.equal(false);
    }
    expect(read(`0eff${'00'.repeat(2038)}`)).to.equal(true);
    expect(read(`0eff${'00'.repeat(2037)}`)).to.equal(false);
  });

  it('ends for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        putBytes(AT, bytes);
        if (ndp.readOptions(AT, AT + bytes.length) && ndp.sourceMacAt !== -1) {
          expect(ndp.sourceMacAt).to.be.within(AT + 2, AT + bytes.length - 6);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('writes an advertisement byte for byte', () => {
    put(16, '020000000001');
    put(1000, '20010db8000000000000000000000009');
    expect(ndp.writeNeighbourAdvertisement(AT, ndp.NA_ROUTER | ndp.NA_SOLICITED | ndp.NA_OVERRIDE, 1000, 16)).to.equal(32);
    expect(take(AT, 33)).to.equal('88000000e000000020010db80000000000000000000000090201020000000001a5');
  });
});
