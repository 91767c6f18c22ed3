import { expect } from 'chai';
import fc from 'fast-check';
import { sum } from '../../../worker/wire/checksum.ts';
import * as ipv4 from '../../../worker/wire/ipv4.ts';
import { Verdict } from '../../../worker/wire/verdict.ts';
import { freshArena, put, take } from './arena.ts';

const AT = 40;

describe('wire/ipv4', () => {
  beforeEach(freshArena);

  it('writes a header byte for byte', () => {
    ipv4.writeIpv4(AT, 0x73, ipv4.PROTOCOL_UDP, 0xc0a80001 | 0, 0xc0a800c7 | 0, 64, 0);
    expect(take(AT, 21)).to.equal('45000073000040004011b861c0a80001c0a800c7a5');
  });

  it('reads back what it wrote, with a checksum that holds', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 20, max: 65_535 }),
        fc.nat(255),
        fc.integer(),
        fc.integer(),
        fc.nat(255),
        fc.nat(255),
        (total, protocol, from, to, ttl, tos) => {
          ipv4.writeIpv4(AT, total, protocol, from, to, ttl, tos);
          expect(sum(AT, 20, 0)).to.equal(0xffff);
          expect(ipv4.check(AT, total)).to.equal(Verdict.OK);
          expect([
            ipv4.totalLength(AT),
            ipv4.protocol(AT),
            ipv4.source(AT),
            ipv4.destination(AT),
            ipv4.ttl(AT),
            ipv4.tos(AT),
            ipv4.headerLength(AT),
          ]).to.deep.equal([total, protocol, from, to, ttl, tos, 20]);
          expect(ipv4.isFragment(AT)).to.equal(false);
        },
      ),
    );
  });

  it('refuses versions, header lengths and total lengths that cannot be', () => {
    ipv4.writeIpv4(AT, 100, 6, 1, 2, 64, 0);
    expect(ipv4.check(AT, 19)).to.equal(Verdict.BAD_IPV4_LENGTH);
    expect(ipv4.check(AT, 99)).to.equal(Verdict.BAD_IPV4_LENGTH);
    put(AT, '65');
    expect(ipv4.check(AT, 100)).to.equal(Verdict.BAD_IPV4_HEADER);
    put(AT, '44');
    expect(ipv4.check(AT, 100)).to.equal(Verdict.BAD_IPV4_HEADER);
    put(AT, '4f00003b');
    expect(ipv4.check(AT, 100)).to.equal(Verdict.BAD_IPV4_LENGTH);
  });

  it('verifies the header checksum, options included', () => {
    ipv4.writeIpv4(AT, 100, 6, 1, 2, 64, 0);
    put(AT + 8, '3f');
    expect(ipv4.check(AT, 100)).to.equal(Verdict.BAD_IPV4_CHECKSUM);
    put(AT, '46000018 00000000 40010000 0a000001 0a000002 94040000');
    put(AT + 10, (~sum(AT, 24, 0) & 0xffff).toString(16).padStart(4, '0'));
    expect(ipv4.check(AT, 24)).to.equal(Verdict.OK);
    put(AT + 23, '01');
    expect(ipv4.check(AT, 24)).to.equal(Verdict.BAD_IPV4_CHECKSUM);
  });

  it("sees both kinds of fragment, and not the don't-fragment bit", () => {
    ipv4.writeIpv4(AT, 100, 6, 1, 2, 64, 0);
    for (const [field, expected] of [
      ['4000', false],
      ['2000', true],
      ['0001', true],
      ['1fff', true],
      ['8000', false],
    ] as const) {
      put(AT + 6, field);
      expect(ipv4.isFragment(AT), field).to.equal(expected);
    }
  });

  it('refuses addresses that have no place on the link', () => {
    const verdict = (from: number, to: number): number => {
      ipv4.writeIpv4(AT, 20, 6, from | 0, to | 0, 64, 0);
      return ipv4.checkAddresses(AT);
    };
    expect(verdict(0x7f000001, 0x0a000001)).to.equal(Verdict.LOOPBACK_ADDRESS);
    expect(verdict(0x0a000001, 0x7fffffff)).to.equal(Verdict.LOOPBACK_ADDRESS);
    expect(verdict(0x0a000001, 0)).to.equal(Verdict.BAD_ADDRESS);
    expect(verdict(0xe0000001, 0x0a000001)).to.equal(Verdict.BAD_ADDRESS);
    expect(verdict(0xffffffff, 0x0a000001)).to.equal(Verdict.BAD_ADDRESS);
    expect(verdict(0, 0xffffffff), 'a DHCP client').to.equal(Verdict.OK);
    expect(verdict(0x0a000001, 0xe0000001), 'multicast').to.equal(Verdict.OK);
  });
});
