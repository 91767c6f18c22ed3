import { expect } from 'chai';
import fc from 'fast-check';
import * as tcp from '../../../worker/wire/tcp.ts';
import { Verdict } from '../../../worker/wire/verdict.ts';
import { freshArena, put, putBytes, take } from './arena.ts';

const AT = 100;

/** A SYN whose options are `options` (hex), as long as its data offset says. */
function synWith(options: string): void {
  const bytes = options.replaceAll(' ', '').length / 2;
  tcp.writeTcp(AT, 1, 2, 3, 0, tcp.TCP_HEADER + bytes, tcp.SYN, 0);
  put(AT + tcp.TCP_HEADER, options);
  tcp.readSynOptions(AT);
}

describe('wire/tcp', () => {
  beforeEach(freshArena);

  it('writes a header byte for byte', () => {
    tcp.writeTcp(AT, 0xba0a, 443, 0xd08e424b | 0, -1, 40, tcp.SYN | tcp.ACK, 0xfaf0);
    expect(take(AT, 21)).to.equal('ba0a01bbd08e424bffffffffa012faf000000000a5');
  });

  it('reads back what it wrote', () => {
    const port = fc.nat(0xffff);
    fc.assert(
      fc.property(
        port,
        port,
        fc.integer(),
        fc.integer(),
        fc.integer({ min: 5, max: 15 }),
        fc.nat(255),
        port,
        (from, to, seq, ack, words, bits, window) => {
          tcp.writeTcp(AT, from, to, seq, ack, words * 4, bits, window);
          expect([tcp.sourcePort(AT), tcp.destinationPort(AT), tcp.sequence(AT), tcp.acknowledgement(AT)]).to.deep.equal([
            from,
            to,
            seq,
            ack,
          ]);
          expect([tcp.headerLength(AT), tcp.flags(AT), tcp.window(AT), tcp.checksum(AT), tcp.urgent(AT)]).to.deep.equal([
            words * 4,
            bits,
            window,
            0,
            0,
          ]);
        },
      ),
    );
  });

  it('refuses a header that is short or longer than the packet', () => {
    tcp.writeTcp(AT, 1, 2, 3, 4, 20, tcp.ACK, 0);
    expect(tcp.check(AT, 19)).to.equal(Verdict.BAD_TCP);
    expect(tcp.check(AT, 20)).to.equal(Verdict.OK);
    tcp.writeTcp(AT, 1, 2, 3, 4, 24, tcp.ACK, 0);
    expect(tcp.check(AT, 23)).to.equal(Verdict.BAD_TCP);
    expect(tcp.check(AT, 24)).to.equal(Verdict.OK);
    tcp.writeTcp(AT, 1, 2, 3, 4, 16, tcp.ACK, 0);
    expect(tcp.check(AT, 1000)).to.equal(Verdict.BAD_TCP);
  });

  it('reads the options of a Linux SYN', () => {
    synWith('020405b40402080a9b025729000000000103030a');
    expect([tcp.synMss, tcp.synWindowScale, tcp.synSackPermitted, tcp.synTimestamps]).to.deep.equal([1460, 10, 1, 1]);
  });

  it('forgets the options of the SYN before', () => {
    synWith('020405b40402080a9b025729000000000103030a');
    synWith('');
    expect([tcp.synMss, tcp.synWindowScale, tcp.synSackPermitted, tcp.synTimestamps]).to.deep.equal([-1, -1, 0, 0]);
  });

  it('writes SYN options that it reads', () => {
    tcp.writeTcp(AT, 1, 2, 3, 0, tcp.TCP_HEADER + tcp.writeTcpSynOptions(AT + tcp.TCP_HEADER, 65_480, 8), tcp.SYN, 0);
    expect(take(AT + tcp.TCP_HEADER, 9)).to.equal('0204ffc801030308a5');
    tcp.readSynOptions(AT);
    expect([tcp.synMss, tcp.synWindowScale]).to.deep.equal([65_480, 8]);
    expect(tcp.writeTcpSynOptions(AT + tcp.TCP_HEADER, 1460, 0)).to.equal(8);
    expect(tcp.writeTcpSynOptions(AT + tcp.TCP_HEADER, 1460, -1)).to.equal(4);
  });

  it('takes a window scale above 14 as 14 (RFC 7323 §2.3)', () => {
    synWith('01 0303ff');
    expect(tcp.synWindowScale).to.equal(14);
  });

  it('stops at an option with length 0, 1 or past the end (RFC 9293 §3.1 MUST-7)', () => {
    for (const bad of ['0800', '0801', '08ff', 'ff00', '0809']) {
      synWith(`020405b4 ${bad} 0402 01010101`);
      expect([bad, tcp.synMss, tcp.synSackPermitted]).to.deep.equal([bad, 1460, 0]);
    }
  });

  it('stops at the end option and at a kind without its length', () => {
    synWith('00 020405b4 000000');
    expect(tcp.synMss).to.equal(-1);
    synWith('010101 02');
    expect(tcp.synMss).to.equal(-1);
  });

  it('does not read an option whose length is wrong for its kind, but what follows', () => {
    synWith('020305 03040101 0402 010101');
    expect([tcp.synMss, tcp.synWindowScale, tcp.synSackPermitted]).to.deep.equal([-1, -1, 1]);
  });

  it('ends, and stays in the header, for any options', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 40, maxLength: 40 }), fc.integer({ min: 5, max: 15 }), (options, words) => {
        tcp.writeTcp(AT, 1, 2, 3, 0, words * 4, tcp.SYN, 0);
        putBytes(AT + tcp.TCP_HEADER, options);
        tcp.readSynOptions(AT);
        const first = [tcp.synMss, tcp.synWindowScale, tcp.synSackPermitted, tcp.synTimestamps];
        // Bytes behind the header must not matter.
        putBytes(AT + words * 4, new Uint8Array(64).fill(1));
        tcp.readSynOptions(AT);
        expect([tcp.synMss, tcp.synWindowScale, tcp.synSackPermitted, tcp.synTimestamps]).to.deep.equal(first);
        expect(tcp.synWindowScale).to.be.within(-1, 14);
      }),
    );
  });
});
