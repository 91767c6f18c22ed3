/** Names of resolv.conf as DNS, DHCP and router advertisements write them. */
import { expect } from 'chai';
import { compressNames, encodeName, encodeNames } from '../../../worker/wire/domain-name.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

describe('wire/domain-name', () => {
  it('RFC 1035 §3.1: labels behind their lengths, and the root’s', () => {
    expect(hex(encodeName('a.example'))).to.equal('0161076578616d706c6500');
    expect(hex(encodeName('a.example.'))).to.equal('0161076578616d706c6500');
    expect(hex(encodeName('example'))).to.equal('076578616d706c6500');
  });

  it('RFC 1035 §2.3.4: what no name can be is left out', () => {
    const longest = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`;
    expect(encodeName(longest)).to.have.length(255);
    for (const name of ['', '.', '..', 'a..b', '.a', 'a'.repeat(64), `${longest}d`, 'straße.example', 'a b', 'a\u0000b'])
      expect(encodeName(name), name).to.have.length(0);
    expect(encodeNames(['', 'a', '..', 'b']).ends).to.deep.equal([3, 6]);
    expect(compressNames(['', 'a', '..', 'b']).ends).to.deep.equal([3, 6]);
  });

  it('lists names in full, with the end of each', () => {
    const { bytes, ends } = encodeNames(['a.example', 'b.example']);
    expect(hex(bytes)).to.equal('0161076578616d706c65000162076578616d706c6500');
    expect(ends).to.deep.equal([11, 22]);
  });

  it('RFC 3397 §2: the names of its example, compressed to the pointers that it shows', () => {
    const { bytes, ends } = compressNames(['eng.apple.com.', 'marketing.apple.com.']);
    expect(text(bytes)).to.equal('\x03eng\x05apple\x03com\x00\x09marketing\xC0\x04');
    expect(ends).to.deep.equal([15, 27]);
  });

  it('points to whole names, and to the ends of names that were compressed themselves', () => {
    expect(text(compressNames(['b.c', 'a.b.c', 'z.a.b.c', 'b.c']).bytes)).to.equal('\x01b\x01c\x00\x01a\xC0\x00\x01z\xC0\x05\xC0\x00');
  });
});
