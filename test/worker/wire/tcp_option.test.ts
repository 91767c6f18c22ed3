import { expect } from 'chai';
import fc from 'fast-check';
import * as tcp from '../../../worker/wire/tcp.ts';
import * as option from '../../../worker/wire/tcp_option.ts';
import { freshArena, put, putBytes, take } from './arena.ts';

const AT = 100;

/** A SYN whose options are `options` (hex), as long as its data offset says. */
function synWith(options: string): void {
  const bytes = options.replaceAll(' ', '').length / 2;
  tcp.writeTcp(AT, 1, 2, 3, 0, tcp.TCP_HEADER + bytes, tcp.SYN, 0);
  put(AT + tcp.TCP_HEADER, options);
  option.readOptions(AT);
}

describe('wire/tcp_option', () => {
  beforeEach(freshArena);

  it('reads the options of a Linux SYN', () => {
    synWith('020405b40402080a9b025729000000000103030a');
    expect([option.optionMss, option.optionWindowScale, option.optionSackPermitted, option.optionTimestamps]).to.deep.equal([
      1460,
      10,
      true,
      true,
    ]);
  });

  it('forgets the options of the SYN before', () => {
    synWith('020405b40402080a9b025729000000000103030a');
    synWith('');
    expect([option.optionMss, option.optionWindowScale, option.optionSackPermitted, option.optionTimestamps]).to.deep.equal([
      -1,
      -1,
      false,
      false,
    ]);
  });

  it('writes SYN options that it reads, aligned', () => {
    for (const [scale, sack, stamps, expected] of [
      [8, true, true, '0204ffc80402080a0000000700000009010303 08'],
      [8, false, true, '0204ffc80101080a00000007000000090103 0308'],
      [-1, true, false, '0204ffc801010402'],
      [-1, false, false, '0204ffc8'],
    ] as const) {
      const bytes = option.synOptionsBytes(scale, sack, stamps);
      put(AT + tcp.TCP_HEADER + bytes, 'a5');
      tcp.writeTcp(AT, 1, 2, 3, 0, tcp.TCP_HEADER + bytes, tcp.SYN, 0);
      option.writeSynOptions(AT + tcp.TCP_HEADER, 65_480, scale, sack, stamps, 7, 9);
      expect(take(AT + tcp.TCP_HEADER, bytes + 1)).to.equal(`${expected.replaceAll(' ', '')}a5`);
      option.readOptions(AT);
      expect([option.optionMss, option.optionWindowScale, option.optionSackPermitted, option.optionTimestamps]).to.deep.equal([
        65_480,
        scale,
        sack,
        stamps,
      ]);
    }
  });

  it('reads timestamps, aligned as everybody does or not', () => {
    for (const text of ['0101080a9b02572900000003', '080a9b025729000000030101', '01010101080a9b02572900000003 0000']) {
      synWith(text);
      expect([option.optionTimestamps, option.timestampValue, option.timestampEcho]).to.deep.equal([true, 0x9b025729 | 0, 3]);
    }
  });

  it('writes and reads SACK blocks behind timestamps', () => {
    const at = AT + tcp.TCP_HEADER;
    tcp.writeTcp(AT, 1, 2, 3, 0, tcp.TCP_HEADER + option.TIMESTAMPS_BYTES + option.sackBytes(2), tcp.ACK, 0);
    option.writeTimestamps(at, -1, 5);
    option.writeSackHead(at + option.TIMESTAMPS_BYTES, 2);
    option.writeSackBlock(at + option.TIMESTAMPS_BYTES, 0, -5, 10);
    option.writeSackBlock(at + option.TIMESTAMPS_BYTES, 1, 20, 30);
    option.readOptions(AT);
    expect([option.timestampValue, option.sackBlocks]).to.deep.equal([-1, 2]);
    expect([option.sackLeft(0), option.sackRight(0), option.sackLeft(1), option.sackRight(1)]).to.deep.equal([-5, 10, 20, 30]);
    synWith('0101 050b 0000000100000002 00 00');
    expect(option.sackBlocks, 'a length that is no number of blocks').to.equal(0);
  });

  it('takes a window scale above 14 as 14 (RFC 7323 §2.3)', () => {
    synWith('01 0303ff');
    expect(option.optionWindowScale).to.equal(14);
  });

  it('stops at an option with length 0, 1 or past the end (RFC 9293 §3.1 MUST-7)', () => {
    for (const bad of ['0800', '0801', '08ff', 'ff00', '0809']) {
      synWith(`020405b4 ${bad} 0402 01010101`);
      expect([bad, option.optionMss, option.optionSackPermitted]).to.deep.equal([bad, 1460, false]);
    }
  });

  it('stops at the end option and at a kind without its length', () => {
    synWith('00 020405b4 000000');
    expect(option.optionMss).to.equal(-1);
    synWith('010101 02');
    expect(option.optionMss).to.equal(-1);
  });

  it('does not read an option whose length is wrong for its kind, but what follows', () => {
    synWith('020305 03040101 0402 010101');
    expect([option.optionMss, option.optionWindowScale, option.optionSackPermitted]).to.deep.equal([-1, -1, true]);
  });

  it('ends, and stays in the header, for any options', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 40, maxLength: 40 }), fc.integer({ min: 5, max: 15 }), (options, words) => {
        tcp.writeTcp(AT, 1, 2, 3, 0, words * 4, tcp.SYN, 0);
        putBytes(AT + tcp.TCP_HEADER, options);
        option.readOptions(AT);
        const first = [option.optionMss, option.optionWindowScale, option.optionSackPermitted, option.optionTimestamps];
        // Bytes behind the header must not matter.
        putBytes(AT + words * 4, new Uint8Array(64).fill(1));
        option.readOptions(AT);
        expect([option.optionMss, option.optionWindowScale, option.optionSackPermitted, option.optionTimestamps]).to.deep.equal(first);
        expect(option.optionWindowScale).to.be.within(-1, 14);
      }),
    );
  });
});
