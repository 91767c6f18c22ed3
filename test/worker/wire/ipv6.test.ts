import { expect } from 'chai';
import fc from 'fast-check';
import { addressFromBytes, parseIPv6 } from '../../../shared/addresses.ts';
import * as ipv6 from '../../../worker/wire/ipv6.ts';
import { Verdict } from '../../../worker/wire/verdict.ts';
import { freshArena, put, putBytes, take } from './arena.ts';

const AT = 40;
const column = new Int32Array(16);

describe('wire/ipv6', () => {
  beforeEach(freshArena);

  it('writes a header byte for byte', () => {
    column.set([0x20010db8, 0, 0, 1], 4);
    column.set([0xfe800000 | 0, 0, 0x0000ffff, -2], 8);
    ipv6.writeIpv6(AT, 0xfffe, 6, column, 4, column, 8, 255, 0xe1, 0xfffff);
    expect(take(AT, 41)).to.equal('6e1ffffffffe06ff20010db8000000000000000000000001fe800000000000000000fffffffffffea5');
  });

  it('reads back what it wrote', () => {
    const word = fc.integer();
    const address = fc.tuple(word, word, word, word);
    fc.assert(
      fc.property(
        address,
        address,
        fc.nat(65_535),
        fc.nat(255),
        fc.nat(255),
        fc.nat(255),
        fc.nat(0xfffff),
        (from, to, payload, next, limit, traffic, label) => {
          column.set(from, 1);
          column.set(to, 9);
          ipv6.writeIpv6(AT, payload, next, column, 1, column, 9, limit, traffic, label);
          expect([
            ipv6.version(AT),
            ipv6.payloadLength(AT),
            ipv6.nextHeader(AT),
            ipv6.hopLimit(AT),
            ipv6.trafficClass(AT),
            ipv6.flowLabel(AT),
          ]).to.deep.equal([6, payload, next, limit, traffic, label]);
          expect([0, 1, 2, 3].map((i) => ipv6.sourceWord(AT, i))).to.deep.equal(from);
          expect([0, 1, 2, 3].map((i) => ipv6.destinationWord(AT, i))).to.deep.equal(to);
          expect(ipv6.equalAddress(ipv6.sourceAt(AT), column, 1)).to.equal(true);
          expect(ipv6.equalAddress(ipv6.destinationAt(AT), column, 9)).to.equal(true);
          ipv6.readAddress(ipv6.sourceAt(AT), column, 5);
          expect([...column.subarray(5, 9)]).to.deep.equal(from);
          column[10] = (column[10] as number) ^ 1;
          expect(ipv6.equalAddress(ipv6.destinationAt(AT), column, 9)).to.equal(false);
        },
      ),
    );
  });

  it('takes padding behind the payload, and refuses a payload that is not there', () => {
    ipv6.writeIpv6(AT, 8, 17, column, 0, column, 0, 1, 0, 0);
    expect(ipv6.check(AT, 60)).to.equal(Verdict.OK);
    expect(ipv6.check(AT, 48)).to.equal(Verdict.OK);
    expect(ipv6.check(AT, 47)).to.equal(Verdict.BAD_IPV6_LENGTH);
    expect(ipv6.check(AT, 39)).to.equal(Verdict.BAD_IPV6_LENGTH);
    put(AT, '40');
    expect(ipv6.check(AT, 60)).to.equal(Verdict.BAD_IPV6_HEADER);
  });

  it('refuses addresses that have no place on the link', () => {
    const verdict = (from: string, to: string): number => {
      putBytes(ipv6.sourceAt(AT), addressFromBytes(parseIPv6(from) as Uint8Array));
      putBytes(ipv6.destinationAt(AT), addressFromBytes(parseIPv6(to) as Uint8Array));
      return ipv6.checkAddresses(AT);
    };
    expect(verdict('2001:db8::1', '2001:db8::2')).to.equal(Verdict.OK);
    expect(verdict('2001:db8::1', '::fffe:1.2.3.4'), 'not quite mapped').to.equal(Verdict.OK);
    expect(verdict('::', 'ff02::1:ff00:1'), 'duplicate address detection').to.equal(Verdict.OK);
    expect(verdict('::1', '2001:db8::2')).to.equal(Verdict.LOOPBACK_ADDRESS);
    expect(verdict('2001:db8::1', '::1')).to.equal(Verdict.LOOPBACK_ADDRESS);
    expect(verdict('ff02::1', '2001:db8::2')).to.equal(Verdict.BAD_ADDRESS);
    expect(verdict('2001:db8::1', '::')).to.equal(Verdict.BAD_ADDRESS);
    expect(verdict('2001:db8::1', 'ff01::1'), 'a group of the node').to.equal(Verdict.BAD_ADDRESS);
    expect(verdict('2001:db8::1', 'ff10::1'), 'scope 0').to.equal(Verdict.BAD_ADDRESS);
    expect(verdict('2001:db8::1', 'ff02::fb')).to.equal(Verdict.OK);
    expect(verdict('2001:db8::1', '::ffff:127.0.0.1'), 'IPv4 loopback in disguise').to.equal(Verdict.BAD_ADDRESS);
    expect(verdict('::ffff:10.0.0.1', '2001:db8::2')).to.equal(Verdict.BAD_ADDRESS);
  });
});
