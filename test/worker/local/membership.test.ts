/** What the guest's kernel reports of its groups, and what is kept of it. */
import { expect } from 'chai';
import fc from 'fast-check';
import { addressFromBytes, parseAddress } from '../../../shared/addresses.ts';
import { MAX_MEMBERSHIPS, MAX_SOURCES } from '../../../shared/limits.ts';
import { isMember, memberships } from '../../../worker/local/groups.ts';
import { buildFrame, type Ends, sum16 } from '../../support/guest_frame.ts';
import { ENDS4, ENDS6, Workbench } from '../../support/workbench.ts';

const L3 = 10 + 14;
const IGMP = 2;
const ICMPV6 = 58;
const V1_REPORT = 0x12;
const V2_REPORT = 0x16;
const V2_LEAVE = 0x17;
const V3_REPORT = 0x22;
const MLD_REPORT = 131;
const MLD_DONE = 132;
const MLD2_REPORT = 143;
const LINK_LOCAL = parseAddress('fe80::2') as Uint8Array;

function bytesOf(address: string): Uint8Array {
  const bytes = parseAddress(address) as Uint8Array;
  return address.includes(':') ? bytes : bytes.slice(12);
}

function isIn(address: string): boolean {
  const view = new DataView(addressFromBytes(bytesOf(address)).buffer.slice(0));
  return isMember(
    Int32Array.from([0, 4, 8, 12], (at) => view.getInt32(at)),
    0,
  );
}

/** The message as a frame, with right checksums. */
function framed(message: Uint8Array, protocol: number, hopLimit = 1, source = LINK_LOCAL): Uint8Array {
  const ends: Ends = protocol === IGMP ? { ...ENDS4, far: bytesOf('224.0.0.22') } : { ...ENDS6, guest: source, far: bytesOf('ff02::16') };
  const l4 = message.slice();
  let seed = 0;
  if (protocol === ICMPV6)
    seed = sum16(Uint8Array.from([...ends.guest, ...ends.far, 0, 0, l4.length >> 8, l4.length & 255, 0, 0, 0, ICMPV6]));
  new DataView(l4.buffer).setUint16(2, ~sum16(l4, seed));
  const frame = buildFrame(ends, protocol, l4);
  frame[0] = 0;
  const view = new DataView(frame.buffer);
  if (protocol === ICMPV6) frame[L3 + 7] = hopLimit;
  else {
    frame[L3 + 8] = hopLimit;
    view.setUint16(L3 + 10, 0);
    view.setUint16(L3 + 10, ~sum16(frame.subarray(L3, L3 + 20)));
  }
  return frame;
}

/** A message of the older versions. */
function single(type: number, group: string): Uint8Array {
  const bytes = bytesOf(group);
  return Uint8Array.from([type, 0, 0, 0, ...(bytes.length === 4 ? [] : [0, 0, 0, 0]), ...bytes]);
}

type Kept = [type: number, group: string, sources: string[], auxiliary?: number];

/** A message with records. */
function records(type: number, ...kept: Kept[]): Uint8Array {
  const body = kept.flatMap(([kind, group, sources, auxiliary = 0]) => [
    kind,
    auxiliary,
    0,
    sources.length,
    ...bytesOf(group),
    ...sources.flatMap((source) => [...bytesOf(source)]),
    ...new Array<number>(4 * auxiliary).fill(9),
  ]);
  return Uint8Array.from([type, 0, 0, 0, 0, 0, 0, kept.length, ...body]);
}

describe('worker/local: membership', () => {
  let bench: Workbench;
  beforeEach(() => {
    bench = new Workbench();
  });

  for (const [name, type] of [
    ['RFC 1112', V1_REPORT],
    ['RFC 2236 §2', V2_REPORT],
  ] as const) {
    it(`${name}: a guest that reports a group is in it until it leaves`, () => {
      bench.deliver(framed(single(type, '239.1.2.3'), IGMP), framed(single(type, '224.0.0.251'), IGMP));
      bench.deliver(framed(single(type, '239.1.2.3'), IGMP));
      expect([isIn('239.1.2.3'), isIn('224.0.0.251'), isIn('239.1.2.4'), memberships]).to.deep.equal([true, true, false, 2]);
      bench.deliver(framed(single(V2_LEAVE, '239.1.2.3'), IGMP), framed(single(V2_LEAVE, '239.9.9.9'), IGMP));
      expect([isIn('239.1.2.3'), isIn('224.0.0.251'), memberships]).to.deep.equal([false, true, 1]);
      expect(bench.counter('memberships_reported')).to.equal(5);
    });
  }

  it('RFC 2710 §3: the same for IPv6', () => {
    bench.deliver(framed(single(MLD_REPORT, 'ff02::fb'), ICMPV6), framed(single(MLD_REPORT, 'ff05::c'), ICMPV6, 1, new Uint8Array(16)));
    expect([isIn('ff02::fb'), isIn('ff05::c')]).to.deep.equal([true, true]);
    bench.deliver(framed(single(MLD_DONE, 'ff02::fb'), ICMPV6));
    expect([isIn('ff02::fb'), isIn('ff05::c')]).to.deep.equal([false, true]);
  });

  for (const [name, type, protocol, a, b, source] of [
    ['RFC 3376 §4.2.12', V3_REPORT, IGMP, '239.1.1.1', '239.2.2.2', '192.0.2.9'],
    ['RFC 3810 §5.2.12', MLD2_REPORT, ICMPV6, 'ff05::1:1', 'ff05::2:2', '2001:db8::9'],
  ] as const) {
    it(`${name}: records of every type, with sources and auxiliary data`, () => {
      const say = (...kept: Kept[]): boolean[] => {
        bench.deliver(framed(records(type, ...kept), protocol));
        return [isIn(a), isIn(b)];
      };
      expect(say([4, a, []], [2, b, [source]]), 'all, all but one').to.deep.equal([true, true]);
      expect(say([6, b, [source]]), 'one source less').to.deep.equal([true, true]);
      expect(say([3, a, [], 2], [1, b, []]), 'nothing').to.deep.equal([false, false]);
      expect(say([5, a, [source, source]], [1, b, [source]]), 'some sources').to.deep.equal([true, true]);
      expect(say([3, a, []], [9, b, []]), 'a type that there is not').to.deep.equal([false, true]);
    });

    it(`${name}: a guest that lets in some sources leaves when it blocks the last of them, told twice or not`, () => {
      const other = protocol === IGMP ? '192.0.2.8' : '2001:db8::8';
      const say = (...kept: Kept[]): boolean[] => {
        bench.deliver(framed(records(type, ...kept), protocol), framed(records(type, ...kept), protocol));
        return [isIn(a), isIn(b)];
      };
      expect(say([5, a, [source]], [5, b, [source, other]]), 'one, two').to.deep.equal([true, true]);
      expect(say([6, a, [other]], [6, b, [other]]), 'one less').to.deep.equal([true, true]);
      expect(say([6, a, [source]]), 'the last').to.deep.equal([false, true]);
      expect(say([4, b, []], [6, b, [source]]), 'one of everybody').to.deep.equal([false, true]);
      expect(say([3, b, [other]], [6, b, [source]]), 'another').to.deep.equal([false, true]);
      expect(say([6, b, [other]]), 'that').to.deep.equal([false, false]);
    });

    it(`${name}: of a group with more than ${MAX_SOURCES} sources only that it is left is believed`, () => {
      const many = Array.from({ length: MAX_SOURCES + 1 }, (_, at) => (protocol === IGMP ? `192.0.2.${at + 1}` : `2001:db8::${at + 1}`));
      bench.deliver(framed(records(type, [5, a, many]), protocol), framed(records(type, [6, a, many]), protocol));
      expect(isIn(a)).to.equal(true);
      bench.deliver(framed(records(type, [3, a, []]), protocol));
      expect(memberships).to.equal(0);
    });

    it(`${name}: a message that ends before its records is counted, and whoever is not a group is nothing`, () => {
      const whole = records(type, [4, a, []], [4, b, [source]]);
      bench.deliver(framed(whole.slice(0, -1), protocol));
      expect([isIn(a), isIn(b)]).to.deep.equal([true, false]);
      expect(bench.counter('icmp_ignored')).to.equal(1);
      bench.deliver(framed(records(type, [4, source, []], [4, protocol === IGMP ? '224.0.0.1' : 'ff02::1', []]), protocol));
      expect(memberships).to.equal(1);
    });
  }

  it('what has come over a router is nothing', () => {
    bench.deliver(framed(single(V2_REPORT, '239.1.2.3'), IGMP, 2), framed(single(MLD_REPORT, 'ff05::c'), ICMPV6, 64));
    bench.deliver(framed(single(MLD_REPORT, 'ff05::c'), ICMPV6, 1, bytesOf('2001:db8::2')));
    expect(memberships).to.equal(0);
    expect(bench.counter('icmp_ignored')).to.equal(3);
  });

  it('a wrong checksum is refused', () => {
    const frame = framed(single(V2_REPORT, '239.1.2.3'), IGMP);
    frame[frame.length - 1] = 4;
    bench.deliver(frame);
    expect([memberships, bench.counter('frames_bad_checksum')]).to.deep.equal([0, 1]);
  });

  it(`keeps ${MAX_MEMBERSHIPS} groups at most, and each only once`, () => {
    for (let group = 0; group < MAX_MEMBERSHIPS + 5; group++) bench.deliver(framed(single(V2_REPORT, `239.1.1.${group}`), IGMP));
    expect([memberships, bench.counter('memberships_refused')]).to.deep.equal([MAX_MEMBERSHIPS, 5]);
    bench.deliver(framed(single(V2_LEAVE, '239.1.1.0'), IGMP), framed(single(V2_REPORT, '239.7.7.7'), IGMP));
    expect([memberships, isIn('239.1.1.63'), isIn('239.7.7.7')]).to.deep.equal([MAX_MEMBERSHIPS, true, true]);
  });

  it('no message does more than that, whatever is in it', () => {
    const types = fc.constantFrom(V1_REPORT, V2_REPORT, V2_LEAVE, V3_REPORT, MLD_REPORT, MLD_DONE, MLD2_REPORT);
    fc.assert(
      fc.property(types, fc.uint8Array({ minLength: 7, maxLength: 200 }), (type, rest) => {
        bench.deliver(framed(Uint8Array.from([type, ...rest]), type < 0x80 ? IGMP : ICMPV6));
        expect(bench.kernel.tap.toGuest).to.deep.equal([]);
        expect(memberships).to.be.at.most(MAX_MEMBERSHIPS);
      }),
    );
  });
});
