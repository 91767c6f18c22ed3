import { expect } from 'chai';
import fc from 'fast-check';
import * as tcp from '../../../worker/wire/tcp.ts';
import { Verdict } from '../../../worker/wire/verdict.ts';
import { freshArena, take } from './arena.ts';

const AT = 100;

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
});
