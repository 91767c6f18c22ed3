import { expect } from 'chai';
import fc from 'fast-check';
import { complement, completeChecksum, fold, pseudoSum4, pseudoSum6, sum } from '../../../worker/wire/checksum.ts';
import { view } from '../../../worker/wire/memory.ts';
import { freshArena, put, putBytes } from './arena.ts';

const AT = 64;

/** RFC 1071 §1 word for word, with the carry brought round after every word. */
function naive(bytes: Uint8Array, seed: number): number {
  let total = seed;
  for (let i = 0; i < bytes.length; i += 2) {
    total += ((bytes[i] as number) << 8) + (bytes[i + 1] ?? 0);
    if (total > 0xffff) total -= 0xffff;
  }
  return total;
}

/** 0 and 0xffff are the same number in one's complement, but a sum of anything is never 0. */
describe('wire/checksum', () => {
  beforeEach(freshArena);

  it('sums the example of RFC 1071 §3', () => {
    expect(sum(AT, put(AT, '0001 f203 f4f5 f6f7'), 0)).to.equal(0xddf2);
  });

  it('agrees with the definition for any bytes, length and seed', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.integer({ min: 0, max: 0xffff }),
        fc.integer({ min: 0, max: 7 }),
        (bytes, seed, shift) => {
          putBytes(AT + shift, bytes);
          expect(sum(AT + shift, bytes.length, seed)).to.equal(naive(bytes, seed));
        },
      ),
    );
  });

  for (const [protocol, offset, expected] of [
    ['UDP', 6, 0xffff],
    ['TCP', 16, 0],
  ] as const) {
    it(`a checksum of zero is ${expected} in ${protocol}, others are the complement`, () => {
      const header = new Uint8Array(20).fill(1);
      // The sum of the pseudo-header, and the bytes that make the whole all ones.
      header.set([0x12, 0x34], offset);
      header.set([0, 0], 2);
      const rest = 0xffff - naive(header, 0);
      header.set([rest >> 8, rest & 0xff], 2);
      putBytes(AT, header);
      completeChecksum(AT, header.length, offset);
      expect(view.getUint16(AT + offset)).to.equal(expected);
      header.set([0, 5], 2);
      putBytes(AT, header);
      completeChecksum(AT, header.length, offset);
      expect(view.getUint16(AT + offset)).to.equal(complement(naive(header, 0)));
    });
  }

  it('does not lose a carry over 64 KiB of ones', () => {
    const ones = new Uint8Array(65_535).fill(0xff);
    putBytes(AT, ones);
    expect(sum(AT, ones.length, 0xffff)).to.equal(naive(ones, 0xffff));
  });

  it('can be taken in even pieces', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 2, maxLength: 200 }), fc.nat(99), (bytes, half) => {
        const cut = Math.min(half * 2, bytes.length & ~1);
        putBytes(AT, bytes);
        expect(sum(AT + cut, bytes.length - cut, sum(AT, cut, 0))).to.equal(sum(AT, bytes.length, 0));
      }),
    );
  });

  it('folds any uint32 to its value modulo 65535', () => {
    for (const value of [0, 1, 0xffff, 0x10000, 0x1fffe, 0x1ffff, 0xfffeffff, 0xffff0000, 0xffffffff]) {
      const folded = fold(value);
      expect(folded).to.be.within(0, 0xffff);
      expect(folded % 0xffff).to.equal(value % 0xffff);
    }
  });

  it('makes a header checksum that sums to all ones', () => {
    const length = put(AT, '4500 0073 0000 4000 4011 0000 c0a8 0001 c0a8 00c7');
    expect(complement(sum(AT, length, 0))).to.equal(0xb861);
  });

  it('sums the IPv4 pseudo-header as its 12 bytes', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer(), fc.constantFrom(6, 17), fc.nat(65_535), (source, destination, protocol, length) => {
        const header = new DataView(new ArrayBuffer(12));
        header.setInt32(0, source);
        header.setInt32(4, destination);
        header.setUint8(9, protocol);
        header.setUint16(10, length);
        expect(pseudoSum4(source, destination, protocol, length)).to.equal(naive(new Uint8Array(header.buffer), 0));
      }),
    );
  });

  it('sums the IPv6 pseudo-header as its 40 bytes, lengths above 64 KiB included', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.nat(0x1ffff), (addresses, length) => {
        putBytes(AT + 8, addresses);
        const header = new DataView(new ArrayBuffer(40));
        new Uint8Array(header.buffer).set(addresses);
        header.setUint32(32, length);
        header.setUint8(39, 58);
        expect(pseudoSum6(AT, 58, length)).to.equal(naive(new Uint8Array(header.buffer), 0));
      }),
    );
  });
});
