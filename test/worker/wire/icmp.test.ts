import { expect } from 'chai';
import fc from 'fast-check';
import * as icmp from '../../../worker/wire/icmp.ts';
import * as ipv4 from '../../../worker/wire/ipv4.ts';
import * as ipv6 from '../../../worker/wire/ipv6.ts';
import { Verdict } from '../../../worker/wire/verdict.ts';
import { freshArena, put, putBytes, take } from './arena.ts';

const L3 = 1000;
const AT = 2000;
const PACKET = 4000;
/** Data of a ping of Linux, whose request has checksum 0653. */
const ECHO_DATA = '8962016b00000000de170f0000000000';
const column = Int32Array.of(0x20010db8, 0, 0, 1, 0x20010db8, 0, 0, 2);

describe('wire/icmp', () => {
  beforeEach(() => {
    freshArena();
    ipv6.writeIpv6(L3, 0, 58, column, 0, column, 4, 255, 0, 0);
  });

  it('reads the fields of an echo message', () => {
    put(AT, '0800065379c600 01');
    expect([icmp.type(AT), icmp.code(AT), icmp.checksum(AT), icmp.identifier(AT), icmp.sequence(AT)]).to.deep.equal([
      8, 0, 0x0653, 0x79c6, 1,
    ]);
  });

  it('takes a message of 8 bytes and no less', () => {
    expect([icmp.check(7), icmp.check(8)]).to.deep.equal([Verdict.BAD_ICMP, Verdict.OK]);
  });

  it('writes an echo message with any identifier, 0 and 65535 included', () => {
    fc.assert(
      fc.property(fc.constantFrom(0, 1, 0xffff), fc.nat(0xffff), (id, sequence) => {
        icmp.writeEcho(AT, icmp.ECHO_REPLY4, id, sequence);
        expect([icmp.type(AT), icmp.code(AT), icmp.identifier(AT), icmp.sequence(AT)]).to.deep.equal([0, 0, id, sequence]);
      }),
    );
  });

  it('answers an echo request with its own data, in place or elsewhere', () => {
    const length = put(PACKET, `0800065379c60001${ECHO_DATA}`);
    icmp.writeEchoReply4(AT, PACKET, length);
    expect(take(AT, length + 1)).to.equal(`00000e5379c60001${ECHO_DATA}a5`);
    expect(icmp.verify4(AT, length)).to.equal(true);
    icmp.writeEchoReply4(PACKET, PACKET, length);
    expect(take(PACKET, length)).to.equal(take(AT, length));
  });

  it('answers an ICMPv6 echo request of odd length with a checksum that holds', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 8, maxLength: 99 }), (request) => {
        putBytes(PACKET, request);
        icmp.writeEchoReply6(L3, AT, PACKET, request.length);
        expect([icmp.type(AT), icmp.code(AT)]).to.deep.equal([icmp.ECHO_REPLY6, 0]);
        expect(take(AT + 4, request.length - 4)).to.equal(Buffer.from(request.subarray(4)).toString('hex'));
        expect(icmp.verify6(L3, AT, request.length)).to.equal(true);
      }),
    );
  });

  it('sees a damaged checksum', () => {
    const length = put(AT, '80000000000100020304');
    icmp.fillChecksum6(L3, AT, length);
    expect(icmp.verify6(L3, AT, length)).to.equal(true);
    put(L3 + 39, '03');
    expect(icmp.verify6(L3, AT, length)).to.equal(false);
    icmp.fillChecksum4(AT, length);
    expect(icmp.verify4(AT, length)).to.equal(true);
    put(AT + 9, '05');
    expect(icmp.verify4(AT, length)).to.equal(false);
  });

  it('returns as much of the packet in error as fits 576 bytes (RFC 1812 §4.3.2.3)', () => {
    ipv4.writeIpv4(PACKET, 1500, 17, 0x0a000002, 0x0a000001, 64, 0);
    put(PACKET + 20, '0102030405060708 09');
    const length = icmp.writeError4(AT, icmp.UNREACHABLE4, icmp.FRAGMENTATION_NEEDED4, 1400, PACKET, 1500);
    expect(length).to.equal(576 - 20);
    expect(take(AT, 2)).to.equal('0304');
    expect(take(AT + 4, 4)).to.equal('00000578');
    expect(take(AT + 8, 548)).to.equal(take(PACKET, 548));
    expect(take(AT + 556, 1)).to.equal('a5');
    expect(icmp.verify4(AT, length)).to.equal(true);
    expect(icmp.parameter(AT)).to.equal(1400);
  });

  it('returns no more than there is', () => {
    expect(icmp.errorLength4(24)).to.equal(32);
  });

  it('returns as much as fits 1280 bytes on IPv6 (RFC 4443 §2.4 (c))', () => {
    const length = icmp.writeError6(L3, AT, icmp.PACKET_TOO_BIG6, 0, 1400, PACKET, 1500);
    expect(length).to.equal(1280 - 40);
    expect(take(AT, 2)).to.equal('0200');
    expect(take(AT + 4, 4)).to.equal('00000578');
    expect(icmp.verify6(L3, AT, length)).to.equal(true);
    expect(icmp.errorLength6(100)).to.equal(108);
  });

  it('takes a packet in error that was built in place', () => {
    ipv4.writeIpv4(AT + 8, 40, 17, 1, 2, 64, 0);
    put(AT + 28, '0102030405060708');
    const before = take(AT + 8, 28);
    const length = icmp.writeError4(AT, icmp.UNREACHABLE4, 3, 0, AT + 8, 28);
    expect(take(AT + 8, 28)).to.equal(before);
    expect(icmp.verify4(AT, length)).to.equal(true);
  });
});
