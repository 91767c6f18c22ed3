import { expect } from 'chai';
import * as udp from '../../../worker/wire/udp.ts';
import { Verdict } from '../../../worker/wire/verdict.ts';
import { freshArena, take } from './arena.ts';

const AT = 64;

describe('wire/udp', () => {
  beforeEach(freshArena);

  it('writes a header byte for byte and reads it back', () => {
    udp.writeUdp(AT, 0xab7a, 0xffff, 0xfff0);
    expect(take(AT, 9)).to.equal('ab7afffffff00000a5');
    udp.setChecksum(AT, 0xfedc);
    expect([udp.sourcePort(AT), udp.destinationPort(AT), udp.length(AT), udp.checksum(AT)]).to.deep.equal([0xab7a, 0xffff, 0xfff0, 0xfedc]);
  });

  it('refuses lengths below the header, above the packet, and 0 (RFC 2675 §4)', () => {
    for (const [length, available, verdict] of [
      [8, 7, Verdict.BAD_UDP],
      [8, 8, Verdict.OK],
      [9, 8, Verdict.BAD_UDP],
      [7, 100, Verdict.BAD_UDP],
      [0, 100, Verdict.BAD_UDP],
      [50, 100, Verdict.OK],
      [65_515, 65_515, Verdict.OK],
    ] as const) {
      udp.writeUdp(AT, 1, 2, length);
      expect(udp.check(AT, available), `${length} of ${available}`).to.equal(verdict);
    }
  });
});
