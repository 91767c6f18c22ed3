/** Segments of one batch of frames that go on with each other reach the host socket together, and nothing else does. */
import { expect } from 'chai';
import fc from 'fast-check';
import { ACK, FIN, PSH, type Segment, sum16, URG, withChecksum } from '../../support/guest_frame.ts';
import { Dialogue, type DialogueOptions, pattern } from '../../support/tcp_dialogue.ts';
import { ENDS4, ENDS6 } from '../../support/workbench.ts';

const SIZE = 100;
const IP = 10 + 14;

class Batch {
  readonly dialogue: Dialogue;
  /** Bytes of each send to the far end. */
  readonly sends: number[] = [];
  readonly #start: number;

  constructor(options: DialogueOptions = {}) {
    this.dialogue = new Dialogue({ guestIss: -150, timestamps: true, sackPermitted: true, ...options });
    this.dialogue.establish();
    this.#start = this.dialogue.seq;
    const { stream } = this.dialogue;
    const send = stream.send.bind(stream);
    stream.send = (bytes) => {
      this.sends.push(bytes.length);
      return send(bytes);
    };
  }

  /** Segment `index` of the guest's stream. */
  segment(index: number, given: Partial<Segment> = {}, flags = ACK): Uint8Array {
    const seq = (this.#start + index * SIZE) | 0;
    return this.dialogue.frame(flags, { seq, payload: pattern(SIZE, index * SIZE), ...given });
  }

  /** What the far end got of one batch. */
  deliver(...frames: Uint8Array[]): Uint8Array {
    this.dialogue.bench.deliver(...frames);
    this.dialogue.bench.settle();
    this.dialogue.stream.read(1 << 20);
    return this.dialogue.stream.farReceived.peek(0, 1 << 20);
  }
}

/** The frame with another byte at `at`, its IPv4 header's checksum right again. */
function changed(frame: Uint8Array, at: number, value: number): Uint8Array {
  frame[at] = value;
  const view = new DataView(frame.buffer, frame.byteOffset);
  view.setUint16(IP + 10, 0);
  view.setUint16(IP + 10, ~sum16(frame.subarray(IP, IP + 20)));
  return frame;
}

describe('worker/tcp: segments of one batch', () => {
  for (const [name, ends] of [
    ['IPv4', ENDS4],
    ['IPv6', ENDS6],
  ] as const) {
    it(`go to the socket by one call, and are answered once: ${name}`, () => {
      const batch = new Batch({ ends });
      const frames = [0, 1, 2, 3, 4].map((index) => batch.segment(index, {}, index === 2 ? ACK | PSH : ACK));
      expect(batch.deliver(...frames)).to.deep.equal(pattern(5 * SIZE));
      expect(batch.sends).to.deep.equal([5 * SIZE]);
      batch.dialogue.bench.advance(10);
      const answers = batch.dialogue.seen();
      expect(answers.map(({ ack }) => ack)).to.deep.equal([(-149 + 5 * SIZE) | 0]);
    });

    it(`are each checked where nobody vouches for them: ${name}`, () => {
      const batch = new Batch({ ends });
      const frames = [0, 1, 2, 3].map((index) => withChecksum(batch.segment(index), ends));
      (frames[2] as Uint8Array)[(frames[2] as Uint8Array).length - 1]! ^= 1;
      expect(batch.deliver(...frames)).to.deep.equal(pattern(2 * SIZE));
      expect(batch.sends).to.deep.equal([2 * SIZE]);
      expect(batch.deliver(withChecksum(batch.segment(2), ends))).to.deep.equal(pattern(4 * SIZE));
    });
  }

  it('are no more than a packet together', () => {
    const batch = new Batch();
    batch.dialogue.stream.sendBuffer = 1 << 20;
    const [count, size] = [22, 2978];
    const frames = Array.from({ length: count }, (_, index) =>
      batch.segment(0, { seq: (batch.dialogue.seq + index * size) | 0, payload: pattern(size, index * size) }),
    );
    expect(batch.deliver(...frames)).to.deep.equal(pattern(count * size));
    expect(batch.sends, 'the last makes it too long, with the headers').to.deep.equal([(count - 1) * size, size]);
  });

  const OTHERS: Record<string, (batch: Batch) => Uint8Array> = {
    'another TTL': (batch) => changed(batch.segment(1), IP + 8, 63),
    'another TOS': (batch) => changed(batch.segment(1), IP + 1, 3),
    'another window': (batch) => batch.segment(1, { window: 9 }),
    'another timestamp': (batch) =>
      batch.segment(1, { timestamp: { value: batch.dialogue.timestampNow() + 1, echo: batch.dialogue.timestampEcho } }),
    'an urgent pointer': (batch) => batch.segment(1, { urgent: 1 }, ACK | URG),
    'a FIN': (batch) => batch.segment(1, {}, ACK | FIN),
    'segments of its own': (batch) => batch.segment(1, { gsoSize: 50 }),
  };
  for (const [name, other] of Object.entries(OTHERS)) {
    it(`stay apart where one has ${name}`, () => {
      const batch = new Batch();
      expect(batch.deliver(batch.segment(0), other(batch))).to.deep.equal(pattern(2 * SIZE));
      expect(batch.sends).to.deep.equal([SIZE, SIZE]);
    });
  }

  it('that others come between are none of them lost', () => {
    const batch = new Batch();
    batch.deliver(...[0, 5, 1, 2].map((index) => batch.segment(index)));
    expect(batch.deliver(...[3, 4].map((index) => batch.segment(index)))).to.deep.equal(pattern(6 * SIZE));
  });

  it('out of order are answered one by one (RFC 5681 §4.2)', () => {
    const batch = new Batch();
    batch.deliver(...[1, 2, 3].map((index) => batch.segment(index)));
    expect(batch.dialogue.seen()).to.have.length(3);
  });

  it('bring the same bytes as one by one, whatever comes, and in whatever batches', () => {
    const piece = fc.tuple(fc.integer({ min: 0, max: 9 }), fc.constantFrom(0, 0, 0, 0, 0, 1, 2, 3), fc.boolean());
    const most = 40;
    fc.assert(
      fc.property(
        fc.array(piece, { minLength: 1, maxLength: 40 }),
        fc.array(fc.integer({ min: 1, max: 12 }), { minLength: most, maxLength: most }),
        (pieces, sizes) => {
          const frame = (batch: Batch, index: number, kind: number, pushed: boolean): Uint8Array => {
            const segment = batch.segment(index, kind === 1 ? { window: 77 } : {}, pushed ? ACK | PSH : ACK);
            if (kind === 2) changed(segment, IP + 8, 9);
            return kind === 3 ? withChecksum(segment, ENDS4) : segment;
          };
          const run = (limit: number): Uint8Array => {
            const batch = new Batch();
            const left = [...pieces];
            for (const size of sizes) {
              const some = left.splice(0, Math.min(size, limit));
              if (some.length > 0) batch.deliver(...some.map((one) => frame(batch, ...one)));
            }
            return batch.deliver();
          };
          const got = run(most);
          expect(got).to.deep.equal(run(1));
          expect(got).to.deep.equal(pattern(got.length));
        },
      ),
      { numRuns: 300 },
    );
  });
});
