/** Fragments with any fields, spoiled at any place: nothing is thrown, what waits is bounded, and what goes out was sent by somebody. */
import { expect } from 'chai';
import fc from 'fast-check';
import { MAX_REASSEMBLIES, REASSEMBLY_TIME } from '../../../shared/limits.ts';
import { packetsWaiting } from '../../../worker/fragment/store.ts';
import { FakeDatagram } from '../../support/fake_datagram.ts';
import { dataLength, fragment, neighbour } from '../../support/fragments.ts';
import { buildDatagram, buildEcho, buildFrame, type Ends, sum16, withChecksum } from '../../support/guest_frame.ts';
import { pattern } from '../../support/tcp_dialogue.ts';
import { ENDS4, ENDS6, Workbench } from '../../support/workbench.ts';

const L3 = 10 + 14;
const SENT = 1200;
const FRAMES = 150;

function repair(frame: Uint8Array): void {
  const header = frame.subarray(L3, L3 + 20);
  header[10] = header[11] = 0;
  const sum = ~sum16(header);
  header[10] = (sum >> 8) & 255;
  header[11] = sum & 255;
}

function packets(ends: Ends): Uint8Array[] {
  return [
    withChecksum(buildDatagram(ends, 5000, 53, pattern(SENT)), ends),
    buildEcho(ends, 7, 1, pattern(SENT)),
    buildFrame(ends, 6, pattern(SENT)),
    buildFrame(ends, 60, pattern(SENT)),
    buildFrame(ends, 44, pattern(SENT)),
  ];
}

/** A frame from five numbers. */
function frameOf(ends: Ends, [kind, place, size, id, spoil]: readonly [number, number, number, number, number]): Uint8Array {
  const from = kind % 16 === 15 ? neighbour(ends, 90 + (id % 5)) : ends;
  const whole = packets(from)[Math.min(kind % 8, 4) % 5]!;
  const end = dataLength(whole);
  const offset = ((place % 8) * 152) >>> (place & 8 ? 1 : 0);
  const to = Math.min(offset + (size % 16 === 0 ? size : 152 * (1 + (size % 8))), end);
  const frame = fragment(
    whole,
    { offset: offset & ~7, end: Math.max(to, offset & ~7), more: to < end || size % 16 === 15 },
    { id: id % 6 },
  );
  // Bits are only set: of those that are cleared, one can make up for another in the checksum.
  if (spoil % 4 === 0) frame[L3 + (spoil % 60)]! |= 1 << (spoil & 7);
  if (ends.guest.length === 4) repair(frame);
  return frame;
}

for (const ends of [ENDS4, ENDS6]) {
  describe(`worker/fragment: a storm of them, IPv${ends.guest.length === 4 ? 4 : 6}`, () => {
    it('leaves nothing behind, and lets nothing through that nobody has sent', function () {
      this.timeout(20_000);
      const five = fc.tuple(fc.nat(), fc.nat(), fc.nat({ max: 60_000 }), fc.nat(), fc.nat());
      let delivered = 0;
      fc.assert(
        fc.property(fc.array(five, { minLength: FRAMES, maxLength: FRAMES }), (numbers) => {
          const bench = new Workbench({ flows: 256 });
          const socket = new FakeDatagram();
          bench.deliver(buildDatagram(ends, 5000, 53, pattern(1)));
          bench.kernel.opener.answer(5000, socket);
          bench.settle();
          socket.sent.length = 0;
          for (const each of numbers) bench.deliver(frameOf(ends, each));
          expect(packetsWaiting).to.be.at.most(MAX_REASSEMBLIES);
          for (const bytes of socket.sent) expect(bytes).to.deep.equal(pattern(SENT));
          delivered += socket.sent.length;
          bench.advance(REASSEMBLY_TIME);
          expect(packetsWaiting).to.equal(0);
        }),
        { numRuns: 60 },
      );
      expect(delivered, 'some get through').to.be.above(0);
    });
  });
}
