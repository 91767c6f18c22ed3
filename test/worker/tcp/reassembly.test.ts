/** What comes from the guest out of order: kept, and passed on when the gap is filled. */
import { expect } from 'chai';
import fc from 'fast-check';
import { BUFFER_BLOCK, BUFFER_BLOCK_COUNT } from '../../../worker/link/arena.ts';
import { MOST_RANGES, rangesTaken } from '../../../worker/tcp/reassembly.ts';
import { blocksTaken, buffersTaken } from '../../../worker/tcp/receive_buffer.ts';
import { RCV_EDGE } from '../../../worker/tcp/row.ts';
import { rows } from '../../../worker/flow/row.ts';
import { ACK, FIN, RST, type Segment } from '../../support/guest_frame.ts';
import { Dialogue, type DialogueOptions, pattern } from '../../support/tcp_dialogue.ts';

/** Near both ends of the numbers, so that every range crosses one. */
const STARTS = [1000, -3000, 0x7fffffff - 3000, BUFFER_BLOCK * 7 - 3000];

function established(options: DialogueOptions = {}): Dialogue {
  const dialogue = new Dialogue(options);
  dialogue.establish();
  dialogue.stream.sendBuffer = 1 << 20;
  return dialogue;
}

/** Bytes of the guest's stream from `from` up to `to`; the worker's answers. */
function piece(dialogue: Dialogue, from: number, to: number, flags = ACK): Segment[] {
  return dialogue.send(flags, { seq: (dialogue.seq + from) | 0, payload: pattern(to - from, from), gsoSize: to - from > 1460 ? 1460 : 0 });
}

function farText(dialogue: Dialogue): Uint8Array {
  do {
    dialogue.stream.read(1 << 20);
    dialogue.bench.settle();
  } while (dialogue.stream.outgoing.length > 0);
  dialogue.stream.read(0);
  return dialogue.stream.farReceived.peek(0, 1 << 20);
}

function expectNothingKept(): void {
  expect({ blocksTaken, buffersTaken, rangesTaken }).to.deep.equal({ blocksTaken: 0, buffersTaken: 0, rangesTaken: 0 });
}

for (const start of STARTS) {
  describe(`worker/tcp: out of order, from ${start} on`, () => {
    const at = { guestIss: (start - 1) | 0 };

    it('RFC 9293 §3.10.7.4 MUST-59: what comes behind a gap is kept, and passed on when the gap is filled', () => {
      const dialogue = established(at);
      for (const from of [1000, 2000, 3000, 4000]) piece(dialogue, from, from + 1000);
      expect(farText(dialogue)).to.have.length(0);
      const answers = piece(dialogue, 0, 1000);
      expect(answers.at(-1)).to.deep.include({ flags: ACK, ack: (dialogue.seq + 5000) | 0 });
      expect(farText(dialogue)).to.deep.equal(pattern(5000));
      expectNothingKept();
    });

    it('several gaps, filled from the front, from the back, and in part', () => {
      const dialogue = established(at);
      for (const [from, to] of [
        [1000, 2000],
        [5000, 6000],
        [3000, 4000],
        [4000, 4500],
        [2500, 3000],
      ] as const)
        piece(dialogue, from, to);
      expect(rangesTaken).to.equal(3);
      expect(piece(dialogue, 0, 600).at(-1)?.ack).to.equal((dialogue.seq + 600) | 0);
      expect(piece(dialogue, 2000, 2500).at(-1)?.ack).to.equal((dialogue.seq + 600) | 0);
      expect(rangesTaken).to.equal(2);
      expect(piece(dialogue, 600, 1000).at(-1)?.ack).to.equal((dialogue.seq + 4500) | 0);
      expect(piece(dialogue, 4500, 5000).at(-1)?.ack).to.equal((dialogue.seq + 6000) | 0);
      expect(farText(dialogue)).to.deep.equal(pattern(6000));
      expectNothingKept();
    });

    it('superframes, kept over several blocks', () => {
      const dialogue = established(at);
      piece(dialogue, 31_000, 64_000);
      piece(dialogue, 1000, 31_000);
      expect(piece(dialogue, 0, 1000).at(-1)?.ack).to.equal((dialogue.seq + 64_000) | 0);
      expect(farText(dialogue)).to.deep.equal(pattern(64_000));
      expectNothingKept();
    });

    it('RFC 9293 §3.10.7.4: of bytes that come twice the first copy counts, wherever they overlap', () => {
      const dialogue = established(at);
      const other = (from: number, to: number): Segment[] =>
        dialogue.send(ACK, { seq: (dialogue.seq + from) | 0, payload: new Uint8Array(to - from).fill(255) });
      piece(dialogue, 1000, 2000);
      piece(dialogue, 3000, 4000);
      other(1200, 1800);
      other(1000, 2000);
      // What these bring anew is made good before it counts.
      piece(dialogue, 900, 2100);
      piece(dialogue, 1500, 3500);
      other(1000, 4000);
      piece(dialogue, 0, 4200);
      expect(farText(dialogue)).to.deep.equal(pattern(4200));
      expectNothingKept();
    });

    it('a FIN that comes first is taken when all before it is there', () => {
      const dialogue = established(at);
      piece(dialogue, 2000, 3000, ACK | FIN);
      piece(dialogue, 1000, 2000);
      dialogue.stream.read(0);
      expect(dialogue.stream.farSawEnd).to.equal(false);
      expect(piece(dialogue, 0, 1000).at(-1)?.ack).to.equal((dialogue.seq + 3001) | 0);
      expect(farText(dialogue)).to.deep.equal(pattern(3000));
      expect(dialogue.stream.farSawEnd).to.equal(true);
      expectNothingKept();
    });
  });
}

describe('worker/tcp: out of order', () => {
  it('a FIN without data that comes first is remembered; one behind other bytes than the first said is not', () => {
    const dialogue = established();
    dialogue.send(ACK | FIN, { seq: (dialogue.seq + 500) | 0 });
    dialogue.send(ACK | FIN, { seq: (dialogue.seq + 400) | 0 });
    expect(piece(dialogue, 0, 400).at(-1)?.ack).to.equal((dialogue.seq + 400) | 0);
    expect(piece(dialogue, 400, 500).at(-1)?.ack).to.equal((dialogue.seq + 501) | 0);
    expect(dialogue.stream.farSawEnd || farText(dialogue).length === 500).to.equal(true);
    expectNothingKept();
  });

  it('data behind the FIN is forgotten when the FIN comes', () => {
    const dialogue = established();
    piece(dialogue, 2000, 3000);
    piece(dialogue, 0, 1000, ACK | FIN);
    expect(farText(dialogue)).to.deep.equal(pattern(1000));
    expect(dialogue.stream.farSawEnd).to.equal(true);
    expectNothingKept();
    piece(dialogue, 2000, 3000);
    expectNothingKept();
  });

  it('nothing beyond the window is kept', () => {
    const dialogue = established();
    const row = dialogue.row();
    const room = ((rows[row + RCV_EDGE] as number) - dialogue.seq) | 0;
    piece(dialogue, room - 100, room + 100, ACK | FIN);
    piece(dialogue, 1000, 2000);
    for (let at = 0; at < room - 100; at += 60_000) piece(dialogue, at, Math.min(at + 60_000, room - 100));
    expect(farText(dialogue)).to.deep.equal(pattern(room));
    expect(dialogue.stream.farSawEnd).to.equal(false);
  });

  it('RFC 5681 §4.2: each segment out of order is answered at once, and so is each that fills a gap', () => {
    const dialogue = established();
    dialogue.stream.write(pattern(10));
    dialogue.seen();
    const frames = [1000, 2000, 3000, 4000].map((from) =>
      dialogue.frame(ACK, { seq: (dialogue.seq + from) | 0, payload: pattern(1000, from) }),
    );
    dialogue.bench.deliver(...frames);
    expect(dialogue.seen().map(({ ack }) => (ack - dialogue.seq) | 0)).to.deep.equal([0, 0, 0, 0]);
    expect(piece(dialogue, 0, 500).map(({ ack }) => (ack - dialogue.seq) | 0)).to.deep.equal([500]);
    expect(piece(dialogue, 500, 1000).map(({ ack }) => (ack - dialogue.seq) | 0)).to.deep.equal([5000]);
  });

  it('what the socket has no room for when a gap is filled waits, and nothing is lost', () => {
    for (const limits of [[100], [0], [1000, 0], [1000, 3000, 7, 0], [0, 0, 0, 0]]) {
      const dialogue = established();
      piece(dialogue, 1000, 50_000);
      piece(dialogue, 60_000, 61_000);
      dialogue.stream.sendLimits.push(...limits);
      piece(dialogue, 0, 1000);
      dialogue.bench.advance(5);
      piece(dialogue, 50_000, 60_000);
      expect(farText(dialogue)).to.deep.equal(pattern(61_000));
      expectNothingKept();
    }
  });

  it('a socket that fails when a gap is filled ends the connection, and everything is given back', () => {
    const dialogue = established();
    piece(dialogue, 1000, 50_000);
    dialogue.stream.reset();
    const answers = piece(dialogue, 0, 1000);
    expect(answers.some(({ flags }) => (flags & RST) !== 0)).to.equal(true);
    dialogue.bench.expectNothingLeft();
  });

  it('a connection that is reset gives everything back', () => {
    const dialogue = established();
    piece(dialogue, 1000, 50_000);
    piece(dialogue, 60_000, 70_000, ACK | FIN);
    expect(blocksTaken).to.be.greaterThan(0);
    dialogue.send(RST, { seq: dialogue.seq });
    dialogue.bench.expectNothingLeft();
  });

  it('one flow keeps at most half of the room there is, and a block is left for who has none', () => {
    const dialogue = established();
    dialogue.stream.sendBuffer = 40 << 20;
    dialogue.stream.overhead = 1;
    dialogue.sendData(pattern(60_000));
    dialogue.bench.settle();
    dialogue.sendData(pattern(60_000, 60_000));
    dialogue.seen();
    const room = ((rows[dialogue.row() + RCV_EDGE] as number) - dialogue.seq) | 0;
    expect(room).to.be.greaterThan(9 << 20);
    const payload = new Uint8Array(60_000);
    for (let at = 1; at < room - 60_000; at += 60_000) dialogue.send(ACK, { seq: (dialogue.seq + at) | 0, payload, gsoSize: 1460 });
    expect(blocksTaken).to.be.within(BUFFER_BLOCK_COUNT / 2 - 64, BUFFER_BLOCK_COUNT / 2);
  });

  it('when no block is left, what comes out of order is asked for again, and what fits into one is kept', () => {
    const dialogue = established({ flows: 1100, guestIss: BUFFER_BLOCK * 3 - 1 });
    piece(dialogue, 1000, 2000);
    dialogue.bench.exhaustReceiveBuffers();
    piece(dialogue, 3000, 4000);
    piece(dialogue, BUFFER_BLOCK - 100, BUFFER_BLOCK + 100);
    expect(piece(dialogue, 0, 1000).at(-1)?.ack).to.equal((dialogue.seq + 2000) | 0);
    expect(piece(dialogue, 2000, 3000).at(-1)?.ack).to.equal((dialogue.seq + 4000) | 0);
    expect(piece(dialogue, 4000, BUFFER_BLOCK - 100).at(-1)?.ack).to.equal((dialogue.seq + BUFFER_BLOCK) | 0);
    piece(dialogue, BUFFER_BLOCK + 1000, BUFFER_BLOCK + 2000);
    piece(dialogue, BUFFER_BLOCK, BUFFER_BLOCK + 1000);
    expect(farText(dialogue)).to.deep.equal(pattern(BUFFER_BLOCK + 1000));
    dialogue.bench.returnReceiveBuffers();
    expectNothingKept();
  });

  it('a guest that leaves a gap between any two bytes costs a bounded number of ranges', () => {
    const dialogue = established();
    for (let at = 1; at < 4 * MOST_RANGES; at += 2) piece(dialogue, at, at + 1);
    expect(rangesTaken).to.equal(MOST_RANGES);
    piece(dialogue, 0, 4 * MOST_RANGES);
    expect(farText(dialogue)).to.deep.equal(pattern(4 * MOST_RANGES));
    expectNothingKept();
  });

  it('whatever the order, sizes and copies, the far end gets each byte once and in order', () => {
    const total = 60_000;
    const bits = fc.array(fc.tuple(fc.nat({ max: total - 1 }), fc.integer({ min: 1, max: 20_000 }), fc.nat({ max: 3 })), { maxLength: 60 });
    fc.assert(
      fc.property(fc.constantFrom(...STARTS), bits, (start, pieces) => {
        const dialogue = established({ guestIss: (start - 1) | 0 });
        for (const [from, length, limit] of pieces) {
          if (limit === 0) dialogue.stream.sendLimits.push(length % 777, 0);
          piece(dialogue, from, Math.min(from + length, total));
        }
        for (let at = 0; at < total; at += 10_000) piece(dialogue, at, Math.min(at + 10_000, total));
        expect(Buffer.compare(farText(dialogue), pattern(total))).to.equal(0);
        expectNothingKept();
      }),
      // The example: a socket under memory pressure whose queue was empty, which makes no event.
      {
        numRuns: 300,
        examples: [
          [
            1000,
            [
              [0, 16_384, 1],
              [0, 1, 0],
            ],
          ],
        ],
      },
    );
  });
});
