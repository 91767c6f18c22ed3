/** What is sent again, and when (RFC 6298, RFC 5681, RFC 6582). */
import { expect } from 'chai';
import { DEFAULT_TCP_TIMEOUTS } from '../../../shared/limits.ts';
import { setTimeouts } from '../../../worker/tcp/timeout.ts';
import { ACK, FIN, type Segment } from '../../support/guest_frame.ts';
import { Dialogue, type DialogueOptions, pattern } from '../../support/tcp_dialogue.ts';

function established(options: DialogueOptions = {}): Dialogue {
  const dialogue = new Dialogue({ workerIss: -5000, windowScale: 0, mss: 1000, mtu: 1500, ...options });
  dialogue.establish();
  return dialogue;
}

/** The host writes `count` pieces of 1000 bytes, each sent in a frame of its own. */
function sendPieces(dialogue: Dialogue, count: number): Segment[] {
  const sent: Segment[] = [];
  for (let piece = 0; piece < count; piece++) {
    dialogue.stream.write(pattern(1000, piece * 1000));
    sent.push(...dialogue.seen());
  }
  expect(sent.map(({ payload }) => payload.length)).to.deep.equal(new Array(count).fill(1000));
  return sent;
}

/** When segments come within `limit` ms, in ms from now. */
function arrivals(dialogue: Dialogue, limit: number): { at: number; segment: Segment }[] {
  const found: { at: number; segment: Segment }[] = [];
  for (let at = 1; at <= limit; at++) {
    dialogue.bench.advance(1);
    for (const segment of dialogue.seen()) found.push({ at, segment });
  }
  return found;
}

/** Five pieces are lost; the timeout finds a window that lets only the first be sent again, during a recovery. */
function goBack(dialogue: Dialogue, ends = false): void {
  sendPieces(dialogue, 5);
  if (ends) dialogue.stream.end();
  dialogue.seen();
  for (let duplicates = 0; duplicates < 3; duplicates++) dialogue.send(ACK);
  dialogue.window = 1000;
  dialogue.send(ACK);
  dialogue.bench.advance(250);
  expect(dialogue.seen().map(({ payload }) => payload.length)).to.deep.equal([1000]);
}

/** `length` bytes of the stream, that begin at the number `dialogue.ack`, as the worker sends them within ten seconds to a guest that acknowledges what comes in order. */
function text(dialogue: Dialogue, length: number, answers: readonly Segment[] = []): Uint8Array {
  const start = dialogue.ack;
  const bytes = new Uint8Array(length);
  for (let waiting = [...answers], wait = 0; wait < 10_000; ) {
    for (const { seq, payload } of waiting) {
      bytes.set(payload.subarray(0, length), (seq - start) | 0);
      if (seq === dialogue.ack) dialogue.ack = (seq + payload.length) | 0;
    }
    if (waiting.length > 0) waiting = dialogue.send(ACK);
    else {
      dialogue.bench.advance(1);
      wait++;
      waiting = dialogue.seen();
    }
  }
  return bytes;
}

for (const peekOffset of [true, false]) {
  describe(`worker/tcp: retransmission ${peekOffset ? 'with' : 'without'} SO_PEEK_OFF`, () => {
    it('RFC 6298 §2.4, §5.5: after 200 ms at first, since the SYN was answered at once, then twice as late each time', () => {
      const dialogue = established({ peekOffset });
      sendPieces(dialogue, 1);
      const found = arrivals(dialogue, 3100);
      expect(found.map(({ at }) => at)).to.deep.equal([200, 600, 1400, 3000]);
      for (const { segment } of found) {
        expect(segment.seq).to.equal(dialogue.ack);
        expect(segment.payload).to.deep.equal(pattern(1000));
      }
      expect(dialogue.bench.counter('tcp_retransmissions')).to.equal(4);
    });

    it('RFC 6298 §2.2: after a measured round trip it is as short as may be: 200 ms', () => {
      const dialogue = established({ peekOffset });
      sendPieces(dialogue, 1);
      dialogue.bench.advance(1);
      dialogue.acknowledge(dialogue.ack + 1000);
      dialogue.stream.write(pattern(1000, 1000));
      dialogue.seen();
      expect(arrivals(dialogue, 500).map(({ at }) => at)).to.deep.equal([200]);
    });

    it('RFC 6298 §3: what was sent twice measures nothing', () => {
      const dialogue = established({ peekOffset });
      sendPieces(dialogue, 1);
      dialogue.bench.advance(1500);
      dialogue.acknowledge(dialogue.ack + 1000);
      dialogue.seen();
      dialogue.stream.write(pattern(1000, 1000));
      dialogue.seen();
      expect(arrivals(dialogue, 3000)[0]?.at, 'the timeout that was backed off stays').to.equal(1600);
    });

    it('RFC 6298 §5.3: an ACK of a part starts the timer anew; after a timeout the rest goes out at once', () => {
      const dialogue = established({ peekOffset });
      sendPieces(dialogue, 2);
      dialogue.bench.advance(900);
      dialogue.seen();
      const [second] = dialogue.acknowledge(dialogue.ack + 1000);
      expect(second?.payload).to.deep.equal(pattern(1000, 1000));
      const [first] = arrivals(dialogue, 4000);
      expect(first?.at).to.be.greaterThan(500);
      expect(first?.segment.seq).to.equal(dialogue.ack);
      expect(first?.segment.payload).to.deep.equal(pattern(1000, 1000));
    });

    it('RFC 5681 §3.2: the third duplicate ACK has the first segment sent again, and only that', () => {
      const dialogue = established({ peekOffset });
      sendPieces(dialogue, 6);
      expect(dialogue.send(ACK)).to.deep.equal([]);
      expect(dialogue.send(ACK)).to.deep.equal([]);
      const again = dialogue.send(ACK);
      expect(again).to.have.length(1);
      expect(again[0]?.seq).to.equal(dialogue.ack);
      expect(again[0]?.payload).to.deep.equal(pattern(1000));
      for (let more = 0; more < 5; more++) expect(dialogue.send(ACK)).to.deep.equal([]);
      dialogue.stream.write(pattern(500, 6000));
      expect(dialogue.acknowledge(dialogue.ack + 6000)[0]?.payload).to.deep.equal(pattern(500, 6000));
    });

    it('RFC 6582 §3.2: an ACK of a part during recovery has the next hole filled', () => {
      const dialogue = established({ peekOffset });
      sendPieces(dialogue, 6);
      for (let duplicates = 0; duplicates < 3; duplicates++) dialogue.send(ACK);
      const again = dialogue.acknowledge(dialogue.ack + 3000);
      expect(again).to.have.length(1);
      expect(again[0]?.seq).to.equal(dialogue.ack);
      expect(again[0]?.payload).to.deep.equal(pattern(1000, 3000));
    });

    it('RFC 5681 §2: data, a new window or a FIN make no duplicate', () => {
      const dialogue = established({ peekOffset });
      sendPieces(dialogue, 4);
      for (let at = 0; at < 4; at++) dialogue.sendData(pattern(10, at * 10));
      for (let at = 0; at < 4; at++) {
        dialogue.window -= 100;
        dialogue.send(ACK);
      }
      expect(dialogue.bench.counter('tcp_duplicate_acks')).to.equal(0);
      expect(dialogue.bench.counter('tcp_retransmissions')).to.equal(0);
    });

    it('an ACK beyond what was sent again goes on from there', () => {
      const dialogue = established({ peekOffset });
      goBack(dialogue);
      dialogue.window = 5000;
      const answers = dialogue.acknowledge(dialogue.ack + 3000);
      expect(text(dialogue, 2000, answers)).to.deep.equal(pattern(2000, 3000));
    });

    it('a FIN is never sent in the place of data that is missing', () => {
      const dialogue = established({ peekOffset });
      goBack(dialogue, true);
      const start = dialogue.ack;
      const answers = [...dialogue.acknowledge(start + 3000), ...arrivals(dialogue, 10_000).map(({ segment }) => segment)];
      for (const { flags, seq, payload } of answers) {
        if ((flags & FIN) !== 0) expect((seq + payload.length - start) | 0).to.equal(5000);
        else expect(payload).to.deep.equal(pattern(payload.length, (seq - start) | 0));
      }
      expect(answers.some(({ seq, payload }) => seq === dialogue.ack && payload.length > 0)).to.equal(true);
    });

    it('an ACK alone carries the highest number sent, also while older data is sent again', () => {
      const dialogue = established({ peekOffset });
      goBack(dialogue);
      const answers = dialogue.sendData(pattern(3000));
      dialogue.bench.advance(5);
      const pure = [...answers, ...dialogue.seen()].filter(({ payload }) => payload.length === 0);
      expect(pure.length).to.be.greaterThan(0);
      for (const { seq } of pure) expect(seq).to.equal((dialogue.ack + 5000) | 0);
    });

    it('a guest that says nothing any more is given up in about a quarter of an hour, and the far end is told', () => {
      const dialogue = established({ peekOffset });
      sendPieces(dialogue, 1);
      dialogue.bench.advance(600_000);
      expect(dialogue.bench.flows()).to.equal(1);
      dialogue.bench.advance(1_200_000);
      expect(dialogue.stream.farSawReset).to.equal(true);
      dialogue.bench.expectNothingLeft();
    });
  });
}

describe('worker/tcp: idle', () => {
  it('a connection without a segment for two hours is reset both ways', () => {
    const dialogue = established();
    dialogue.bench.advance(7_199_000);
    expect(dialogue.bench.flows()).to.equal(1);
    dialogue.bench.advance(2000);
    expect(dialogue.seen()).to.have.length(1);
    expect(dialogue.stream.farSawReset).to.equal(true);
    dialogue.bench.expectNothingLeft();
  });

  it('may last for weeks if the user sets no limit', () => {
    const dialogue = established();
    setTimeouts({ ...DEFAULT_TCP_TIMEOUTS, idle: 0, halfClosed: 0 });
    const before = dialogue.bench.counter('wakeups');
    for (let day = 0; day < 60; day++) dialogue.bench.advance(24 * 3_600_000);
    setTimeouts(DEFAULT_TCP_TIMEOUTS);
    expect(dialogue.bench.flows()).to.equal(1);
    expect(dialogue.bench.counter('wakeups') - before).to.be.lessThan(1000);
    dialogue.sendData(pattern(10));
    dialogue.stream.read(10);
    expect(dialogue.stream.farReceived.length).to.equal(10);
  });

  it('wakes nobody in between', () => {
    const dialogue = established();
    dialogue.bench.settle();
    const before = dialogue.bench.counter('wakeups');
    dialogue.bench.advance(3_600_000);
    expect(dialogue.bench.counter('wakeups') - before).to.be.lessThan(40);
  });
});
