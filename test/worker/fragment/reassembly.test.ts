/** Packets of the guest in fragments: what reaches the far end is what was sent, or nothing. */
import { expect } from 'chai';
import fc from 'fast-check';
import { MAX_REASSEMBLIES } from '../../../shared/limits.ts';
import { dontFragment, identification } from '../../../worker/wire/ipv4.ts';
import { frame } from '../../../worker/wire/frame.ts';
import { packetsWaiting } from '../../../worker/fragment/store.ts';
import { FakeDatagram } from '../../support/fake_datagram.ts';
import { dataLength, fragment, fragments } from '../../support/fragments.ts';
import { buildDatagram, buildEcho, buildFrame, type Ends, sum16, withChecksum } from '../../support/guest_frame.ts';
import { pattern } from '../../support/tcp_dialogue.ts';
import { ENDS4, ENDS6, Workbench } from '../../support/workbench.ts';

const PORT = 5000;
const FAR = 53;

function datagram(ends: Ends, length: number): Uint8Array {
  return withChecksum(buildDatagram(ends, PORT, FAR, pattern(length)), ends);
}

/** A bench with a flow whose socket is there. */
function opened(ends: Ends): { bench: Workbench; socket: FakeDatagram } {
  const bench = new Workbench();
  const socket = new FakeDatagram();
  bench.deliver(buildDatagram(ends, PORT, FAR, pattern(1)));
  bench.kernel.opener.answer(PORT, socket);
  bench.settle();
  socket.sent.length = 0;
  return { bench, socket };
}

for (const ends of [ENDS4, ENDS6]) {
  const ipv4 = ends.guest.length === 4;
  const largest = ipv4 ? 65_507 : 65_527;
  const shuffled = (count: number): fc.Arbitrary<number[]> =>
    fc.shuffledSubarray([...Array(count).keys()], { minLength: count, maxLength: count });

  describe(`worker/fragment: reassembly over IPv${ipv4 ? 4 : 6}`, () => {
    for (const [length, size] of [
      [largest, 1480],
      [largest, 65_496],
      [largest, 8],
      [4000, 1232],
      [17, 8],
    ] as const) {
      it(`${length} bytes in fragments of ${size} go out as one datagram`, () => {
        const { bench, socket } = opened(ends);
        for (const frame of fragments(datagram(ends, length), size)) bench.deliver(frame);
        expect(socket.sent).to.deep.equal([pattern(length)]);
        expect(bench.counter('datagrams_reassembled')).to.equal(1);
        expect(packetsWaiting).to.equal(0);
        if (ipv4) expect([dontFragment(frame.l3), identification(frame.l3)], 'DF and identification').to.deep.equal([false, 1]);
      });
    }

    it('any order, with copies of any of them in between', () => {
      const { bench, socket } = opened(ends);
      let id = 0;
      fc.assert(
        fc.property(fc.integer({ min: 1, max: 6000 }), fc.integer({ min: 1, max: 200 }), fc.func(fc.nat()), (length, units, random) => {
          const pieces = fragments(datagram(ends, length), units * 8, { id: ++id });
          const order = pieces.map((_, index) => index).sort((a, b) => random(a, id) - random(b, id));
          for (const index of order.slice(0, -1))
            bench.deliver(pieces[index]!, pieces[order[random(index) % (order.indexOf(index) + 1)]!]!);
          if (pieces.length > 1) expect(socket.sent).to.deep.equal([]);
          bench.deliver(pieces[order.at(-1)!]!);
          if (pieces.length > 1) expect(socket.sent.splice(0)).to.deep.equal([pattern(length)]);
          else socket.sent.length = 0;
        }),
        { numRuns: 200 },
      );
      expect(bench.counter('fragments_overlapping')).to.equal(0);
    });

    it('several packets at the same time do not mix', () => {
      const { bench, socket } = opened(ends);
      const lengths = [3000, 3001, 3002, 3003];
      const sets = lengths.map((length, at) => fragments(datagram(ends, length), 504, { id: 100 + at }));
      fc.assert(
        fc.property(shuffled(28), (order) => {
          for (const at of order) bench.deliver(sets[at % 4]![at >> 2]!);
          const got = socket.sent.splice(0).map((bytes) => bytes.length);
          expect(got.sort()).to.deep.equal(lengths);
        }),
        { numRuns: 50 },
      );
    });

    it('RFC 5722 §4: of a packet whose fragments overlap nothing goes out, whatever comes of it later', () => {
      const whole = datagram(ends, 4000);
      const end = dataLength(whole);
      const other = pattern(1000, 77);
      for (const bad of [
        { offset: 8, end: 1008, more: true, bytes: other },
        { offset: 992, end: 1992, more: true },
        { offset: 0, end: 2000, more: true },
        { offset: 0, end: 1000, more: true, bytes: other },
        { offset: 3000, end: 3500, more: false },
        { offset: end + 8 - (end % 8), end: end + 16 - (end % 8), more: true, bytes: pattern(8) },
      ]) {
        const { bench, socket } = opened(ends);
        const good = fragments(whole, 1000);
        bench.deliver(good[0]!, good[3]!, good[4]!, fragment(whole, bad));
        bench.deliver(good[1]!, good[2]!, ...good);
        expect(socket.sent, JSON.stringify({ ...bad, bytes: 0 })).to.deep.equal([]);
        expect(bench.counter('fragments_overlapping')).to.equal(8);
        expect(bench.packets(ends), 'silence').to.deep.equal([]);
      }
    });

    it('what can be no fragment is dropped before it takes a place', () => {
      const { bench, socket } = opened(ends);
      const whole = datagram(ends, 4000);
      for (const cut of [
        { offset: 0, end: 0, more: true },
        { offset: 800, end: 800, more: false },
        { offset: 0, end: 1001, more: true },
        { offset: 65_528, end: 65_536, more: false, bytes: pattern(8) },
        { offset: 64_528, end: 65_536, more: false, bytes: pattern(1008) },
        { offset: 65_528, end: 65_600, more: true, bytes: pattern(72) },
      ])
        bench.deliver(fragment(whole, cut));
      expect(bench.counter('fragments_malformed')).to.equal(6);
      expect(packetsWaiting).to.equal(0);
      expect(socket.sent).to.deep.equal([]);
    });

    it('the checksum of the whole is verified', () => {
      const { bench, socket } = opened(ends);
      const spoiled = datagram(ends, 3000);
      spoiled[spoiled.length - 1]! ^= 1;
      bench.deliver(...fragments(spoiled, 1480));
      expect(socket.sent).to.deep.equal([]);
      expect(bench.counter('frames_bad_checksum')).to.equal(1);
    });

    it('RFC 3168 §5.3: congestion that one fragment has experienced the packet has; of a sender without ECN none can have', () => {
      for (const [classes, expected] of [
        [[2, 2, 2], 2],
        [[2, 3, 2], 3],
        [[0xb8, 0xb8, 0xb8], 0xb8],
        [[0xb9, 0xbb, 0x02], 0xbb],
        [[0, 3, 0], -1],
      ] as const) {
        const { bench, socket } = opened(ends);
        const whole = datagram(ends, 3000);
        const length = dataLength(whole);
        for (const [at, trafficClass] of classes.entries()) {
          const offset = at * 1480;
          bench.deliver(fragment(whole, { offset, end: Math.min(offset + 1480, length), more: offset + 1480 < length }, { trafficClass }));
        }
        expect(socket.sent).to.have.length(expected < 0 ? 0 : 1);
        if (expected >= 0) expect([frame.trafficClass, frame.hopLimit]).to.deep.equal([expected, 64]);
        else expect(bench.counter('fragments_malformed')).to.equal(1);
      }
    });

    it('nothing waits for a protocol that is not served', () => {
      const bench = new Workbench();
      bench.deliver(...fragments(buildFrame(ends, 132, pattern(3000)), 1480).slice(0, 2));
      expect(packetsWaiting).to.equal(0);
      expect(bench.counter('frames_unknown_protocol')).to.equal(2);
    });

    it('nothing waits for a family that is not served', () => {
      const bench = new Workbench({ protocols: { ipv4: false, ipv6: false } });
      bench.deliver(fragments(datagram(ends, 3000), 1480)[0]!);
      expect(packetsWaiting).to.equal(0);
    });

    it('an echo request of 65,000 bytes goes out', () => {
      const bench = new Workbench();
      bench.deliver(...fragments(buildEcho(ends, 7, 1, pattern(65_000)), 1480));
      const socket = new FakeDatagram();
      bench.kernel.opener.answer(7, socket);
      bench.settle();
      expect(socket.sent.map((message) => message.slice(8))).to.deep.equal([pattern(65_000)]);
    });

    it('floods of fragments that never complete take no more than their share, and others still get through', () => {
      const { bench, socket } = opened(ends);
      const whole = datagram(ends, 3000);
      const [first] = fragments(whole, 1480);
      for (let id = 1; id <= 10_000; id++) {
        new DataView(first!.buffer).setUint16(ipv4 ? 28 : 70, id);
        if (ipv4) {
          new DataView(first!.buffer).setUint16(34, 0);
          new DataView(first!.buffer).setUint16(34, ~checksumOf(first!));
        }
        bench.deliver(first!);
        if (id % 1000 !== 0) continue;
        bench.deliver(...fragments(datagram(ends, 2000), 1480, { id: 20_000 }));
        expect(socket.sent.splice(0)).to.have.length(1);
      }
      expect(bench.counter('reassemblies_evicted')).to.be.above(10_000 - MAX_REASSEMBLIES);
      expect(bench.kernel.openFlows()).to.equal(1);
    });
  });
}

function checksumOf(frame: Uint8Array): number {
  let total = 0;
  for (let at = 24; at < 44; at += 2) total += (frame[at]! << 8) | frame[at + 1]!;
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return total;
}

describe('worker/fragment: neighbours', () => {
  it('RFC 6980 §5: what is said of them in fragments is not heard', () => {
    const link = { ...ENDS6, far: Uint8Array.from([0xfe, 0x80, ...Array(13).fill(0), 1]) };
    const solicitation = new Uint8Array(24);
    solicitation[0] = 135;
    solicitation.set(link.far, 8);
    const view = new DataView(solicitation.buffer);
    view.setUint16(2, ~(sum16(solicitation, sum16(link.guest) + sum16(link.far) + 58 + 24) & 0xffff));
    const whole = buildFrame(link, 58, solicitation);
    whole[10 + 14 + 7] = 255;
    const bench = new Workbench();
    bench.deliver(whole);
    expect(bench.counter('ndp_answered')).to.equal(1);
    bench.deliver(...fragments(whole, 16, { hopLimit: 255 }));
    bench.deliver(...fragments(whole, 24, { hopLimit: 255 }));
    expect(bench.counter('datagrams_reassembled')).to.equal(1);
    expect(bench.counter('ndp_answered')).to.equal(1);
  });
});
