/** What is sent again when the guest tells what it lacks, and when it tells nothing (RFC 6675, RFC 8985, RFC 3522, RFC 5682). */
import { expect } from 'chai';
import { rows } from '../../../worker/flow/row.ts';
import { pipe } from '../../../worker/tcp/congestion.ts';
import { CWND, REORDERING, RETRANSMIT_AT, RTO, SACK_FIRST, SACKED, SRTT } from '../../../worker/tcp/row.ts';
import { ACK, FIN, type SackBlock, type Segment } from '../../support/guest_frame.ts';
import { Dialogue, type DialogueOptions, pattern } from '../../support/tcp_dialogue.ts';

/** Where the stream begins in the sequence space. */
const PLACES = [-4000, 0x7fffffff - 4000, 100_000] as const;

interface Given extends DialogueOptions {
  /** Round trip that the worker has measured, ms. */
  trip?: number;
}

/** A connection on which everything takes `trip` ms. */
function established({ trip = 0, ...options }: Given = {}): Dialogue {
  const dialogue = new Dialogue({ workerIss: -5000, windowScale: 0, mss: 1000, mtu: 1500, sackPermitted: true, ...options });
  dialogue.establish();
  if (trip === 0) return dialogue;
  const mss = (options.timestamps ?? false) ? 988 : 1000;
  for (let times = 0; times < 60; times++) {
    dialogue.stream.write(pattern(mss));
    const [segment] = dialogue.seen();
    dialogue.bench.advance(trip);
    dialogue.acknowledge(dialogue.ack + (segment?.payload.length ?? 0));
  }
  expect(rows[dialogue.row() + SRTT]).to.be.within(trip * 950, trip * 1050);
  return dialogue;
}

/** `count` segments of 1000 bytes, each in a frame of its own. */
function sendPieces(dialogue: Dialogue, count: number, size = 1000, from = 0): void {
  for (let piece = 0; piece < count; piece++) {
    dialogue.stream.write(pattern(size, from + piece * size));
    expect(dialogue.seen().map(({ payload }) => payload.length)).to.deep.equal([size]);
  }
}

/** Pieces of 1000 bytes of the flight, [first, behind), as blocks. */
function pieces(start: number, ...ranges: [number, number][]): SackBlock[] {
  return ranges.map(([first, behind]) => ({ left: (start + first * 1000) | 0, right: (start + behind * 1000) | 0 }));
}

/** What was sent, as [first byte from `start` on, bytes]. */
function ranges(segments: readonly Segment[], start: number): [number, number][] {
  return segments.filter(({ payload }) => payload.length > 0).map(({ seq, payload }) => [(seq - start) | 0, payload.length]);
}

function arrivals(dialogue: Dialogue, limit: number): { at: number; segment: Segment }[] {
  const found: { at: number; segment: Segment }[] = [];
  for (let at = 1; at <= limit; at++) {
    dialogue.bench.advance(1);
    for (const segment of dialogue.seen()) found.push({ at, segment });
  }
  return found;
}

for (const peekOffset of [true, false]) {
  describe(`worker/tcp: recovery ${peekOffset ? 'with' : 'without'} SO_PEEK_OFF`, () => {
    for (const workerIss of PLACES) {
      it(`RFC 6675 §5: three segments behind a hole, and the hole is sent again, once, and nothing else (from ${workerIss} on)`, () => {
        const dialogue = established({ peekOffset, workerIss });
        sendPieces(dialogue, 10);
        const start = dialogue.ack;
        expect(dialogue.send(ACK, { sack: pieces(start, [3, 4]) })).to.deep.equal([]);
        expect(dialogue.send(ACK, { sack: pieces(start, [3, 5]) })).to.deep.equal([]);
        const again = dialogue.send(ACK, { sack: pieces(start, [3, 6]) });
        expect(ranges(again, start)).to.deep.equal([[0, 3000]]);
        expect(again[0]?.payload).to.deep.equal(pattern(3000));
        expect(again[0]?.gsoSize).to.equal(1000);
        for (let behind = 7; behind <= 10; behind++) expect(dialogue.send(ACK, { sack: pieces(start, [3, behind]) })).to.deep.equal([]);
        dialogue.stream.write(pattern(500, 10_000));
        expect(ranges(dialogue.seen(), start)).to.deep.equal([[10_000, 500]]);
        expect(ranges(dialogue.acknowledge(start + 10_500), start)).to.deep.equal([]);
        expect(dialogue.bench.counter('tcp_retransmissions')).to.equal(1);
      });
    }

    it('several holes are sent again, each by itself; what is new goes out behind them', () => {
      const dialogue = established({ peekOffset });
      sendPieces(dialogue, 12);
      const start = dialogue.ack;
      dialogue.stream.write(pattern(700, 12_000));
      dialogue.seen();
      const again = dialogue.send(ACK, { sack: pieces(start, [8, 12], [5, 7], [1, 4]) });
      expect(ranges(again, start)).to.deep.equal([
        [0, 1000],
        [4000, 1000],
        [7000, 1000],
      ]);
      for (const { seq, payload } of again) expect(payload).to.deep.equal(pattern(payload.length, (seq - start) | 0));
    });

    it('a FIN that is missing behind data is sent again with it', () => {
      const dialogue = established({ peekOffset });
      sendPieces(dialogue, 3);
      dialogue.stream.end();
      dialogue.seen();
      const found = arrivals(dialogue, 20);
      expect(found).to.have.length(1);
      // Without SO_PEEK_OFF the end shows only when all before it is acknowledged.
      if (peekOffset) expect([found[0]?.segment.payload.length, (found[0]?.segment.flags ?? 0) & FIN]).to.deep.equal([999, FIN]);
    });
  });
}

describe('worker/tcp: recovery with time', () => {
  it('RFC 8985 §6.2: fewer than three segments behind a hole: it is lost after a quarter of a round trip', () => {
    const dialogue = established({ trip: 40 });
    sendPieces(dialogue, 4);
    const start = dialogue.ack;
    expect(dialogue.send(ACK, { sack: pieces(start, [1, 2]) })).to.deep.equal([]);
    const [first] = arrivals(dialogue, 30);
    expect(first?.at).to.be.within(10, 11);
    expect(ranges([first?.segment as Segment], start)).to.deep.equal([[0, 1000]]);
  });

  it('an original that comes late teaches that segments overtake each other: three of them then prove nothing', () => {
    const dialogue = established({ trip: 40 });
    sendPieces(dialogue, 12);
    const start = dialogue.ack;
    dialogue.send(ACK, { sack: pieces(start, [1, 2]) });
    dialogue.acknowledge(start + 2000);
    expect(rows[dialogue.row() + REORDERING]).to.not.equal(0);
    expect(dialogue.send(ACK, { sack: pieces(start, [3, 9]) })).to.deep.equal([]);
    expect(arrivals(dialogue, 20)[0]?.at).to.be.within(8, 11);
  });

  it('RFC 2883 §4, RFC 8985 §6.2: what was sent again in vain has the next hole wait longer', () => {
    const dialogue = established({ trip: 40 });
    sendPieces(dialogue, 20);
    const start = dialogue.ack;
    expect(dialogue.send(ACK, { sack: pieces(start, [1, 6]) })).to.have.length(1);
    dialogue.ack = (start + 6000) | 0;
    dialogue.send(ACK);
    dialogue.send(ACK, { sack: pieces(start, [0, 1]) });
    expect((rows[dialogue.row() + REORDERING] as number) & 0xff).to.equal(1);
    expect(dialogue.send(ACK, { sack: pieces(start, [7, 19]) })).to.deep.equal([]);
    expect(arrivals(dialogue, 20)[0]?.at).to.be.within(10, 11);
  });

  it('RFC 2883 §4.2: the same where what came twice lies within what is SACKed', () => {
    const dialogue = established({ trip: 40 });
    sendPieces(dialogue, 20);
    const start = dialogue.ack;
    expect(dialogue.send(ACK, { sack: pieces(start, [7, 12], [1, 6]) })).to.have.length(2);
    dialogue.send(ACK, { sack: pieces(start, [6, 7], [1, 12]) });
    expect((rows[dialogue.row() + REORDERING] as number) & 0xff).to.equal(1);
  });

  it('no more is sent again than a window that has shrunk allows', () => {
    const dialogue = established();
    sendPieces(dialogue, 10);
    const start = dialogue.ack;
    dialogue.window = 2500;
    expect(ranges(dialogue.send(ACK, { sack: pieces(start, [4, 10]) }), start)).to.deep.equal([
      [0, 2000],
      [2000, 500],
    ]);
  });

  it('a frame that the network has doubled teaches nothing', () => {
    const dialogue = established({ trip: 40 });
    sendPieces(dialogue, 20);
    const start = dialogue.ack;
    dialogue.acknowledge(start + 2000);
    dialogue.send(ACK, { sack: pieces(start, [0, 1]) });
    expect(rows[dialogue.row() + REORDERING]).to.equal(0);
  });

  it('RFC 8985 §6.2: what was sent again is lost again when something sent after it has come', () => {
    const dialogue = established({ trip: 40 });
    sendPieces(dialogue, 6);
    const start = dialogue.ack;
    expect(dialogue.send(ACK, { sack: pieces(start, [1, 6]) })).to.have.length(1);
    sendPieces(dialogue, 2, 1000, 6000);
    dialogue.bench.advance(40);
    expect(ranges(dialogue.seen(), start)).to.deep.equal([]);
    const again = dialogue.send(ACK, { sack: pieces(start, [1, 8]) });
    expect(ranges(again, start)).to.deep.equal([[0, 1000]]);
    expect(dialogue.send(ACK, { sack: pieces(start, [1, 8]) })).to.deep.equal([]);
  });

  it('of two holes sent again, the first is lost again when the second one comes', () => {
    const dialogue = established({ trip: 40 });
    sendPieces(dialogue, 10);
    const start = dialogue.ack;
    expect(dialogue.send(ACK, { sack: pieces(start, [5, 10], [1, 4]) })).to.have.length(2);
    dialogue.bench.advance(40);
    dialogue.seen();
    expect(ranges(dialogue.send(ACK, { sack: pieces(start, [1, 10]) }), start)).to.deep.equal([[0, 1000]]);
  });

  it('RFC 8985 §7.3: the end of a flight that is lost is found by a probe, the last segment, after two round trips', () => {
    const dialogue = established({ trip: 40 });
    sendPieces(dialogue, 5);
    const start = dialogue.ack;
    dialogue.bench.advance(20);
    dialogue.acknowledge(start + 2000);
    const found = arrivals(dialogue, 100);
    expect(found[0]?.at).to.be.within(70, 85);
    expect(ranges([found[0]?.segment as Segment], start)).to.deep.equal([[4000, 1000]]);
    expect(found).to.have.length(1);
    dialogue.send(ACK, { sack: pieces(start, [4, 5]) });
    const rest = arrivals(dialogue, 12);
    expect(
      ranges(
        rest.map(({ segment }) => segment),
        start,
      ),
    ).to.deep.equal([[2000, 2000]]);
  });

  it('RFC 8985 §7.2: a single segment is not asked about: a guest may delay its ACK', () => {
    const dialogue = established({ trip: 1 });
    sendPieces(dialogue, 1);
    expect(arrivals(dialogue, 190)).to.deep.equal([]);
  });

  it('when all that is left is what was sent again, a probe asks for that', () => {
    const dialogue = established({ trip: 20 });
    sendPieces(dialogue, 6);
    const start = dialogue.ack;
    expect(dialogue.send(ACK, { sack: pieces(start, [1, 6]) })).to.have.length(1);
    const found = arrivals(dialogue, 150);
    expect(found.map(({ at }) => at)).to.have.length(1);
    expect(found[0]?.at).to.be.within(38, 45);
    expect(ranges([found[0]?.segment as Segment], start)).to.deep.equal([[0, 1000]]);
  });
});

describe('worker/tcp: timeouts', () => {
  for (const workerIss of PLACES) {
    it(`RFC 6298 §5.4: only the first segment goes out; what is SACKed never does (from ${workerIss} on)`, () => {
      const dialogue = established({ workerIss });
      sendPieces(dialogue, 10);
      const start = dialogue.ack;
      // Both repetitions of the hole are lost as well.
      dialogue.send(ACK, { sack: pieces(start, [1, 4]) });
      const found = arrivals(dialogue, 205).at(-1);
      expect(ranges([found?.segment as Segment], start)).to.deep.equal([[0, 1000]]);
      const sent: [number, number][] = [];
      for (let answers = dialogue.acknowledge(start + 4000); answers.length > 0; ) {
        sent.push(...ranges(answers, start));
        answers = dialogue.acknowledge(
          answers.reduce((end, { seq, payload }) => Math.max(end, (seq + payload.length - start) | 0), 0) + start,
        );
      }
      // Slow start: one segment was delivered, two may follow.
      expect(sent[0]).to.deep.equal([4000, 2000]);
      expect(sent.reduce((sum, [, bytes]) => sum + bytes, 0)).to.equal(6000);
    });
  }

  it('RFC 2018 §8: after one timeout what is SACKed still counts, after two in a row no more', () => {
    const dialogue = established();
    sendPieces(dialogue, 4);
    dialogue.send(ACK, { sack: pieces(dialogue.ack, [1, 4]) });
    dialogue.bench.advance(250);
    expect(rows[dialogue.row() + SACKED]).to.equal(3000);
    dialogue.bench.advance(400);
    expect([rows[dialogue.row() + SACKED], rows[dialogue.row() + SACK_FIRST]]).to.deep.equal([0, 0]);
  });

  it('RFC 3522 §3.2: an echo of the first sending shows that the timeout was in vain: all is as before', () => {
    const dialogue = established({ timestamps: true, trip: 20 });
    sendPieces(dialogue, 6, 988);
    const start = dialogue.ack;
    const echo = dialogue.timestampEcho;
    dialogue.timestampEcho = echo;
    const found = arrivals(dialogue, 230);
    expect(found.length).to.be.greaterThan(0);
    expect(rows[dialogue.row() + CWND]).to.equal(988);
    // The originals come at last, the first one's ACK first.
    dialogue.timestampEcho = echo;
    const answers = dialogue.acknowledge(start + 988);
    expect(ranges(answers, start)).to.deep.equal([]);
    expect(rows[dialogue.row() + CWND]).to.equal(0);
    dialogue.acknowledge(start + 6 * 988);
    sendPieces(dialogue, 6, 988, 6 * 988);
  });

  it('RFC 5682 §3.1: without timestamps, SACK of what was not sent again shows the same', () => {
    const dialogue = established({ trip: 20 });
    sendPieces(dialogue, 6);
    const start = dialogue.ack;
    arrivals(dialogue, 230);
    expect(rows[dialogue.row() + CWND]).to.equal(1000);
    const answers = dialogue.send(ACK, { sack: pieces(start, [2, 3]) });
    expect(ranges(answers, start)).to.deep.equal([]);
    expect(rows[dialogue.row() + CWND]).to.equal(0);
  });

  it('a timeout that was not in vain is not undone', () => {
    const dialogue = established({ timestamps: true, trip: 20 });
    sendPieces(dialogue, 6, 988);
    const start = dialogue.ack;
    expect(arrivals(dialogue, 230).length).to.be.greaterThan(0);
    const answers = dialogue.acknowledge(start + 988);
    expect(ranges(answers, start).length).to.be.greaterThan(0);
    expect(rows[dialogue.row() + CWND]).to.be.within(988, 3 * 988);
  });

  it('RFC 7323 §4.1: timestamps measure what was sent again, so that the timeout does not stay backed off', () => {
    const dialogue = established({ timestamps: true });
    sendPieces(dialogue, 1, 988);
    dialogue.bench.advance(650);
    expect(rows[dialogue.row() + RTO]).to.equal(800);
    expect(dialogue.seen()).to.have.length(2);
    dialogue.bench.advance(5);
    dialogue.acknowledge(dialogue.ack + 988);
    expect(rows[dialogue.row() + RTO]).to.be.below(300);
  });

  it('a SACK that measures a shorter round trip than was feared shortens the timer that runs', () => {
    const dialogue = established({ trip: 20 });
    sendPieces(dialogue, 3);
    const start = dialogue.ack;
    dialogue.bench.advance(3500);
    dialogue.seen();
    expect(rows[dialogue.row() + RTO]).to.be.above(3000);
    dialogue.ack = (start + 1000) | 0;
    dialogue.send(ACK, { sack: pieces(start, [2, 3]) });
    // The hole is judged meanwhile, and a recovery begins with the timeout that is still backed off.
    dialogue.bench.advance(100);
    dialogue.stream.write(pattern(1000, 3000));
    expect(dialogue.seen().some(({ seq }) => seq === start + 3000)).to.equal(true);
    dialogue.bench.advance(20);
    dialogue.send(ACK, { sack: pieces(start, [2, 4]) });
    expect(rows[dialogue.row() + RTO]).to.be.below(300);
    expect(((rows[dialogue.row() + RETRANSMIT_AT] as number) - Math.floor(dialogue.bench.kernel.now / 1000)) | 0).to.be.below(300);
  });

  it('data that a closed window has shut out is sent again as soon as it opens, however long the probes have backed off', () => {
    const dialogue = established();
    sendPieces(dialogue, 3);
    const start = dialogue.ack;
    const { window } = dialogue;
    dialogue.window = 0;
    dialogue.acknowledge(start + 1000);
    for (let seconds = 0; seconds < 300; seconds++) {
      dialogue.bench.advance(1000);
      if (dialogue.seen().length > 0) dialogue.send(ACK);
    }
    dialogue.window = window;
    expect(ranges(dialogue.send(ACK), start)).to.deep.equal([[1000, 2000]]);
    expect(rows[dialogue.row() + RTO]).to.equal(200);
  });

  it('the same where the timeout is at its limit, and no probe can back it off', () => {
    const dialogue = established({ timestamps: true });
    for (let round = 0; round < 4; round++) {
      dialogue.stream.write(pattern(100));
      dialogue.seen();
      // It answers what was sent first, after a minute.
      dialogue.bench.advance(60_000);
      dialogue.acknowledge(dialogue.ack + 100);
    }
    expect(rows[dialogue.row() + RTO]).to.equal(120_000);
    sendPieces(dialogue, 2);
    const start = dialogue.ack;
    const { window } = dialogue;
    dialogue.window = 0;
    dialogue.send(ACK);
    dialogue.bench.advance(120_000);
    expect(dialogue.seen()).to.have.length(1);
    dialogue.window = window;
    expect(ranges(dialogue.send(ACK), start)).to.deep.equal([[0, 2000]]);
  });

  it('RFC 6582 §3.2: duplicates that come after a timeout are not taken for what has left the way', () => {
    const dialogue = established({ sackPermitted: false });
    sendPieces(dialogue, 6);
    dialogue.bench.advance(205);
    // It has no room for more than what was sent again.
    dialogue.window = 1000;
    for (let count = 0; count < 6; count++) dialogue.send(ACK);
    expect(pipe(dialogue.row())).to.be.at.least(0);
  });
});
