import { expect } from 'chai';
import { parseIPv6 } from '../../../shared/addresses.ts';
import * as address from '../../../worker/wire/address.ts';

/** Four words behind one that must not be looked at. */
function words(text: string): Int32Array {
  const bytes = parseIPv6(text) as Uint8Array;
  const from = new DataView(bytes.buffer, bytes.byteOffset);
  return Int32Array.of(-1, from.getInt32(0), from.getInt32(4), from.getInt32(8), from.getInt32(12));
}

describe('wire/address', () => {
  it('knows the kinds of IPv4 address at their edges', () => {
    expect(address.isUnspecified4(0)).to.equal(true);
    expect(address.isUnspecified4(1)).to.equal(false);
    expect([0x7effffff, 0x7f000000, 0x7fffffff, 0x80000000 | 0].map(address.isLoopback4)).to.deep.equal([false, true, true, false]);
    expect([0xdfffffff, 0xe0000000, 0xefffffff, 0xf0000000].map((word) => address.isMulticast4(word | 0))).to.deep.equal([
      false,
      true,
      true,
      false,
    ]);
    expect([0xfffffffe, 0xffffffff].map((word) => address.isBroadcast4(word | 0))).to.deep.equal([false, true]);
    expect([0xa9fdffff, 0xa9fe0000, 0xa9feffff, 0xa9ff0000].map((word) => address.isLinkLocal4(word | 0))).to.deep.equal([
      false,
      true,
      true,
      false,
    ]);
  });

  it('knows the kinds of IPv6 address at their edges', () => {
    expect(['::', '::1', '1::'].map((text) => address.isUnspecified6(words(text), 1))).to.deep.equal([true, false, false]);
    expect(['::', '::1', '::2', '1::1'].map((text) => address.isLoopback6(words(text), 1))).to.deep.equal([false, true, false, false]);
    expect(['fe00::', 'ff00::', 'ff02::1'].map((text) => address.isMulticast6(words(text), 1))).to.deep.equal([false, true, true]);
    expect(['fe7f::', 'fe80::', 'febf::', 'fec0::'].map((text) => address.isLinkLocal6(words(text), 1))).to.deep.equal([
      false,
      true,
      true,
      false,
    ]);
    expect(['::fffe:1.2.3.4', '::ffff:0.0.0.0', '1::ffff:1.2.3.4'].map((text) => address.isMapped(words(text), 1))).to.deep.equal([
      false,
      true,
      false,
    ]);
  });

  it('compares all four words', () => {
    const a = words('2001:db8::1');
    expect(address.equalWords(a, 1, words('2001:db8::1'), 1)).to.equal(true);
    for (const other of ['2001:db9::1', '2001:db8:0:1::1', '2001:db8::1:0:1', '2001:db8::2']) {
      expect(address.equalWords(a, 1, words(other), 1), other).to.equal(false);
    }
  });
});
