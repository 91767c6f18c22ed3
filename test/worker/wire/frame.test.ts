import { expect } from 'chai';
import fc from 'fast-check';
import { sum } from '../../../worker/wire/checksum.ts';
import { Verdict, frame, parse, verifyL4Checksum } from '../../../worker/wire/frame.ts';
import * as tcp from '../../../worker/wire/tcp.ts';
import * as option from '../../../worker/wire/tcp_option.ts';
import { ARENA_BYTES, freshArena, put, putBytes, take, takeBytes } from './arena.ts';
import * as captures from './captures.ts';

const AT = 128;
const L2 = AT + 10;
const L3 = L2 + 14;

/** Parses a capture, changed at the offsets (from its virtio-net header) that are given, and with bytes added or cut (negative). */
function verdictOf(capture: string, changes: Record<number, string> = {}, extra = 0): number {
  const length = put(AT, capture);
  for (const [offset, hex] of Object.entries(changes)) put(AT + Number(offset), hex);
  return parse(AT, length + extra, true);
}

/** As `verdictOf`, with the IPv4 header checksum made right again. */
function verdictOf4(capture: string, changes: Record<number, string>, extra = 0): number {
  const length = put(AT, capture);
  for (const [offset, hex] of Object.entries(changes)) put(AT + Number(offset), hex);
  put(L3 + 10, '0000');
  put(L3 + 10, (~sum(L3, 20, 0) & 0xffff).toString(16).padStart(4, '0'));
  return parse(AT, length + extra, true);
}

describe('wire/frame', () => {
  beforeEach(freshArena);

  it('places its offsets in a TCP/IPv4 frame of Linux', () => {
    expect(verdictOf(captures.SYN4)).to.equal(Verdict.OK);
    expect(frame).to.deep.equal({
      l2: L2,
      l3: L3,
      l4: L3 + 20,
      payload: L3 + 60,
      end: L3 + 60,
      family: 4,
      protocol: 6,
      etherType: 0x0800,
      hopLimit: 64,
      trafficClass: 0,
      fragment: 0,
      vnetFlags: 1,
      gsoType: 0,
      gsoSize: 0,
    });
    option.readOptions(frame.l4);
    expect([tcp.destinationPort(frame.l4), option.optionMss, option.optionWindowScale]).to.deep.equal([443, 1460, 10]);
  });

  it('places its offsets in a TCP/IPv6 frame, a UDP superframe and behind extension headers', () => {
    expect(verdictOf(captures.SYN6)).to.equal(Verdict.OK);
    expect([frame.family, frame.protocol, frame.l4, frame.payload, frame.end]).to.deep.equal([6, 6, L3 + 40, L3 + 80, L3 + 80]);
    expect(verdictOf(captures.UDP_SEGMENTS)).to.equal(Verdict.OK);
    expect([frame.gsoType, frame.gsoSize, frame.end - frame.payload]).to.deep.equal([5, 100, 250]);
    expect(verdictOf(captures.UDP_BEHIND_OPTIONS)).to.equal(Verdict.OK);
    expect(frame.protocol).to.equal(17);
    expect(take(frame.payload, frame.end - frame.payload)).to.equal(Buffer.from('hello').toString('hex'));
  });

  it('takes ARP, ICMP and every ICMPv6 message of a starting interface', () => {
    expect(verdictOf(captures.ARP_REQUEST)).to.equal(Verdict.OK);
    expect([frame.family, frame.etherType, frame.end]).to.deep.equal([0, 0x0806, L3 + 28]);
    expect(verdictOf(captures.PING4)).to.equal(Verdict.OK);
    expect([frame.protocol, frame.payload - frame.l4]).to.deep.equal([1, 8]);
    for (const capture of [
      captures.PING6,
      captures.DAD,
      captures.ROUTER_SOLICITATION,
      captures.NEIGHBOUR_SOLICITATION,
      captures.MLD_REPORT,
    ]) {
      expect(verdictOf(capture)).to.equal(Verdict.OK);
      expect([frame.family, frame.protocol, verifyL4Checksum()]).to.deep.equal([6, 58, true]);
    }
  });

  it('does without a virtio-net header', () => {
    const length = put(AT, captures.PING4.slice(20));
    expect(parse(AT, length, false)).to.equal(Verdict.OK);
    expect([frame.l2, frame.l3]).to.deep.equal([AT, AT + 14]);
  });

  it('forgets the frame before', () => {
    verdictOf(captures.UDP_SEGMENTS);
    expect(parse(AT, 20, true)).to.equal(Verdict.TOO_SHORT);
    expect([frame.l3, frame.l4, frame.payload, frame.end, frame.family, frame.protocol, frame.gsoSize]).to.deep.equal([
      -1, -1, -1, -1, 0, 0, 0,
    ]);
  });

  it('cuts off link padding, and what follows the UDP length', () => {
    expect(verdictOf(captures.PING4, {}, 6)).to.equal(Verdict.OK);
    expect(frame.end).to.equal(L3 + 44);
    expect(verdictOf(captures.PING6, {}, 6)).to.equal(Verdict.OK);
    expect(frame.end).to.equal(L3 + 64);
    expect(verdictOf(captures.UDP_BEHIND_OPTIONS, { 76: '000b' })).to.equal(Verdict.OK);
    expect(frame.end - frame.payload).to.equal(3);
  });

  it('refuses every frame that was cut short', () => {
    for (const capture of [captures.SYN4, captures.SYN6, captures.UDP_SEGMENTS, captures.PING4, captures.PING6, captures.ARP_REQUEST]) {
      const length = put(AT, capture);
      for (let cut = 0; cut < length; cut++) expect(parse(AT, cut, true), `${cut} of ${length}`).to.not.equal(Verdict.OK);
    }
  });

  it('tells fragments from packets', () => {
    expect(verdictOf(captures.FRAGMENT4_HEADER, {}, 1480)).to.equal(Verdict.FRAGMENT);
    expect(frame.fragment).to.equal(1);
    expect(verdictOf(captures.FRAGMENT4_LAST_HEADER, {}, 528)).to.equal(Verdict.FRAGMENT);
    expect(frame.fragment).to.equal(1);
    expect(verdictOf(captures.FRAGMENT6_HEADER, {}, 560)).to.equal(Verdict.FRAGMENT);
    expect(frame.fragment).to.equal(1);
  });

  it('names what is wrong', () => {
    expect(verdictOf(captures.SYN4, { 22: '8100' })).to.equal(Verdict.UNKNOWN_ETHERTYPE);
    expect(verdictOf(captures.SYN4, { 34: '0000' })).to.equal(Verdict.BAD_IPV4_CHECKSUM);
    expect(verdictOf4(captures.SYN4, { 40: '7f000001' })).to.equal(Verdict.LOOPBACK_ADDRESS);
    expect(verdictOf4(captures.SYN4, { 40: '00000000' })).to.equal(Verdict.BAD_ADDRESS);
    expect(verdictOf4(captures.SYN4, { 33: '84' })).to.equal(Verdict.UNKNOWN_PROTOCOL);
    expect(verdictOf4(captures.SYN4, { 33: '3a' }), 'ICMPv6 in IPv4').to.equal(Verdict.UNKNOWN_PROTOCOL);
    expect(verdictOf(captures.SYN6, { 30: '01' }), 'ICMP in IPv6').to.equal(Verdict.UNKNOWN_PROTOCOL);
    expect(verdictOf(captures.SYN6, { 30: '3b' }), 'no next header').to.equal(Verdict.UNKNOWN_PROTOCOL);
    expect(verdictOf(captures.SYN4, { 56: 'f0' })).to.equal(Verdict.BAD_TCP);
    expect(verdictOf(captures.UDP_SEGMENTS, { 48: '0000' })).to.equal(Verdict.BAD_UDP);
    expect(verdictOf(captures.UDP_SEGMENTS, { 48: '0103' })).to.equal(Verdict.BAD_UDP);
    expect(verdictOf4(captures.PING4, { 26: '001b' })).to.equal(Verdict.BAD_ICMP);
  });

  it('refuses offload facts that contradict the packet', () => {
    expect(verdictOf(captures.SYN4, { 1: '01', 4: 'b405' })).to.equal(Verdict.OK);
    expect(frame.gsoSize).to.equal(1460);
    expect(verdictOf(captures.SYN4, { 1: '81', 4: 'b405' }), 'with ECN').to.equal(Verdict.OK);
    expect(frame.gsoType).to.equal(1);
    expect(verdictOf(captures.SYN4, { 1: '04', 4: 'b405' }), 'TCPv6 on IPv4').to.equal(Verdict.BAD_VNET);
    expect(verdictOf(captures.SYN4, { 1: '05', 4: 'b405' }), 'UDP on TCP').to.equal(Verdict.BAD_VNET);
    expect(verdictOf(captures.SYN6, { 1: '01', 4: 'b405' }), 'TCPv4 on IPv6').to.equal(Verdict.BAD_VNET);
    expect(verdictOf(captures.UDP_SEGMENTS, { 1: '01' }), 'TCP on UDP').to.equal(Verdict.BAD_VNET);
    expect(verdictOf(captures.PING4, { 1: '05', 4: '6400' }), 'UDP on ICMP').to.equal(Verdict.BAD_VNET);
    expect(verdictOf(captures.SYN4, { 1: '03', 4: '6400' }), 'UFO').to.equal(Verdict.BAD_VNET);
  });

  it('verifies checksums that the sender made, and only those', () => {
    verdictOf(captures.SYN4);
    expect(verifyL4Checksum(), 'left open').to.equal(true);
    verdictOf(captures.SYN4, { 0: '00' });
    expect(verifyL4Checksum(), 'pseudo-header only').to.equal(false);
    verdictOf(captures.SYN4, { 0: '00', 60: '0000' });
    expect(verifyL4Checksum(), 'TCP has no way to leave it out').to.equal(false);
    verdictOf(captures.SYN4, { 0: '02' });
    expect(verifyL4Checksum(), 'vouched for').to.equal(true);
    verdictOf(captures.UDP_BEHIND_OPTIONS);
    expect(verifyL4Checksum()).to.equal(true);
    verdictOf(captures.UDP_BEHIND_OPTIONS, { 80: '69' });
    expect(verifyL4Checksum()).to.equal(false);
    verdictOf(captures.UDP_BEHIND_OPTIONS, { 78: '0000' });
    expect(verifyL4Checksum(), 'RFC 8200 §8.1').to.equal(false);
    verdictOf(captures.UDP_SEGMENTS, { 0: '0000', 50: '0000' });
    expect(verifyL4Checksum(), 'RFC 768: none made').to.equal(true);
    verdictOf(captures.PING4);
    expect(verifyL4Checksum()).to.equal(true);
    verdictOf(captures.PING4, { 60: 'ff' });
    expect(verifyL4Checksum()).to.equal(false);
  });

  /** Whatever came, an accepted frame has its offsets in order and inside what came. */
  function expectOrdered(length: number, hasVnet: boolean): void {
    const verdict = parse(AT, length, hasVnet);
    expect(verdict).to.be.within(Verdict.OK, Verdict.BAD_ICMP);
    if (verdict !== Verdict.OK) return;
    expect(frame.end).to.be.at.most(AT + length);
    if (frame.family === 0) return;
    expect([frame.l2, frame.l3, frame.l4, frame.payload, frame.end]).to.satisfy((o: number[]) =>
      o.every((x, i) => i === 0 || x >= (o[i - 1] as number)),
    );
    verifyL4Checksum();
  }

  it('throws for no bytes and no length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, hasVnet) => {
        putBytes(AT, bytes);
        expectOrdered(bytes.length, hasVnet);
      }),
      { numRuns: 2000 },
    );
  });

  it('throws for no damaged frame, also at the very end of the arena', () => {
    const frames = Object.values(captures).map((hex) => Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex')));
    const damage = fc.array(fc.tuple(fc.nat(120), fc.constantFrom(0, 1, 0x2c, 0x3c, 0x7f, 0x80, 0xff)), { maxLength: 6 });
    fc.assert(
      fc.property(fc.constantFrom(...frames), damage, fc.nat(400), (original, changes, length) => {
        const bytes = original.slice();
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        putBytes(AT, bytes);
        expectOrdered(length, true);
        const end = ARENA_BYTES - bytes.length;
        putBytes(end, bytes);
        parse(end, bytes.length, true);
      }),
      { numRuns: 5000 },
    );
  });

  it('never writes', () => {
    const length = put(AT, captures.MLD_REPORT);
    const before = takeBytes(0, 1024);
    parse(AT, length, true);
    verifyL4Checksum();
    expect(takeBytes(0, 1024)).to.deep.equal(before);
  });
});
