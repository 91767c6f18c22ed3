import { expect } from 'chai';
import fc from 'fast-check';
import * as extension from '../../../worker/wire/ipv6-extension.ts';
import { Verdict } from '../../../worker/wire/verdict.ts';
import { freshArena, put, putBytes } from './arena.ts';

const AT = 200;
const HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const AUTHENTICATION = 51;
const OPTIONS = 60;
const UDP = 17;

/** Walks a chain given as hex, which ends where the hex ends; [verdict, protocol, bytes walked] or [verdict]. */
function walk(next: number, hex: string): number[] {
  const length = put(AT, hex);
  const verdict = extension.walk(next, AT, AT + length);
  return verdict === Verdict.OK ? [verdict, extension.protocol, extension.upper - AT] : [verdict];
}

describe('wire/ipv6-extension', () => {
  beforeEach(freshArena);

  it('walks every kind of header to the upper layer', () => {
    expect(
      walk(HOP, '3c00 050200000100 2b00 010400000000 3300 0000 00000000 1104 0000 00000000 00000000 00000000 00000000 00000000 ff'),
    ).to.deep.equal([Verdict.OK, UDP, 48]);
    expect(walk(UDP, 'ff')).to.deep.equal([Verdict.OK, UDP, 0]);
    expect(walk(OPTIONS, '3b00 010400000000')).to.deep.equal([Verdict.OK, 59, 8]);
    expect(walk(135, '3b01 000000000000 0000000000000000')).to.deep.equal([Verdict.OK, 59, 16]);
  });

  it('counts an authentication header in words of 4 bytes', () => {
    expect(walk(AUTHENTICATION, '1101 0000 00000000 00000000')).to.deep.equal([Verdict.OK, UDP, 12]);
  });

  it('takes an atomic fragment as whole (RFC 6946 §4) and tells the others', () => {
    expect(walk(FRAGMENT, '1100 0000 12345678')).to.deep.equal([Verdict.OK, UDP, 8]);
    expect(walk(FRAGMENT, '1100 0001 12345678')).to.deep.equal([Verdict.FRAGMENT]);
    expect(walk(FRAGMENT, '1100 0008 12345678')).to.deep.equal([Verdict.FRAGMENT]);
    expect(walk(FRAGMENT, '1100 fff8 12345678')).to.deep.equal([Verdict.FRAGMENT]);
    expect(walk(FRAGMENT, '2c00 0000 12345678 1100 0001 12345678')).to.deep.equal([Verdict.FRAGMENT]);
  });

  it('refuses a header that overruns the packet', () => {
    expect(walk(OPTIONS, '1100 0104000000')).to.deep.equal([Verdict.BAD_IPV6_EXTENSION]);
    expect(walk(OPTIONS, '1101 010400000000')).to.deep.equal([Verdict.BAD_IPV6_EXTENSION]);
    expect(walk(OPTIONS, '11ff 010400000000')).to.deep.equal([Verdict.BAD_IPV6_EXTENSION]);
    expect(walk(AUTHENTICATION, '11ff 0000 00000000')).to.deep.equal([Verdict.BAD_IPV6_EXTENSION]);
    expect(walk(FRAGMENT, '1100 0000 123456')).to.deep.equal([Verdict.BAD_IPV6_EXTENSION]);
  });

  it('takes hop-by-hop options in the first place only (RFC 8200 §4.1)', () => {
    expect(walk(OPTIONS, '0000 010400000000 1100 010400000000')).to.deep.equal([Verdict.BAD_IPV6_EXTENSION]);
  });

  it('refuses a routing header with hops left (RFC 5095 §3)', () => {
    expect(walk(ROUTING, '1100 0001 00000000')).to.deep.equal([Verdict.BAD_IPV6_EXTENSION]);
    expect(walk(ROUTING, '1100 0400 00000000')).to.deep.equal([Verdict.OK, UDP, 8]);
  });

  it('walks options byte for byte: Pad1, PadN of any length, and what overruns', () => {
    expect(walk(OPTIONS, '1100 000000000000')[0]).to.equal(Verdict.OK);
    expect(walk(OPTIONS, '1100 010001000100')[0], 'PadN of length 0 advances').to.equal(Verdict.OK);
    expect(walk(OPTIONS, '1100 010500000000')[0], 'one byte too long').to.equal(Verdict.BAD_IPV6_EXTENSION);
    expect(walk(OPTIONS, '1100 01ff00000000')[0]).to.equal(Verdict.BAD_IPV6_EXTENSION);
    expect(walk(OPTIONS, '1100 000000000001')[0], 'type without a length').to.equal(Verdict.BAD_IPV6_EXTENSION);
  });

  it('skips unknown options that may be skipped, and refuses the rest, jumbo payload among them', () => {
    expect(walk(HOP, '1100 3e0400000000')[0]).to.equal(Verdict.OK);
    expect(walk(HOP, '1100 450400000000')[0]).to.equal(Verdict.BAD_IPV6_EXTENSION);
    expect(walk(HOP, '1100 c20400010000')[0], 'RFC 2675 §2').to.equal(Verdict.BAD_IPV6_EXTENSION);
  });

  it('gives up after the most headers a packet may have', () => {
    const one = '3c00010400000000';
    const last = '1100010400000000';
    expect(walk(OPTIONS, one.repeat(extension.MAX_EXTENSIONS - 1) + last)).to.deep.equal([Verdict.OK, UDP, 8 * extension.MAX_EXTENSIONS]);
    expect(walk(OPTIONS, one.repeat(extension.MAX_EXTENSIONS) + last)).to.deep.equal([Verdict.BAD_IPV6_EXTENSION]);
    expect(walk(OPTIONS, one.repeat(8000) + last)).to.deep.equal([Verdict.BAD_IPV6_EXTENSION]);
  });

  it('ends inside the packet for any bytes', () => {
    const kinds = fc.constantFrom(0, 43, 44, 51, 60, 135, 139, 140, 17);
    fc.assert(
      fc.property(kinds, fc.uint8Array({ maxLength: 120 }), fc.array(kinds, { maxLength: 8 }), (next, bytes, chain) => {
        // Plausible next headers at plausible places, or few chains would get past their first step.
        chain.forEach((kind, i) => {
          if (i * 8 + 1 < bytes.length) {
            bytes[i * 8] = kind;
            bytes[i * 8 + 1] = (bytes[i * 8 + 1] as number) & 1;
          }
        });
        putBytes(AT, bytes);
        if (extension.walk(next, AT, AT + bytes.length) !== Verdict.OK) return;
        expect(extension.upper).to.be.within(AT, AT + bytes.length);
        expect(extension.isExtension(extension.protocol)).to.equal(false);
      }),
      { numRuns: 2000 },
    );
  });
});
