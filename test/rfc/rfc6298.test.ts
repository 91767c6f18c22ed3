/** RFC 6298: when a segment is sent again that the guest has not acknowledged. */
import { expect } from 'chai';
import fc from 'fast-check';
import { rows } from '../../worker/flow/row.ts';
import { RTO, SRTT } from '../../worker/tcp/row.ts';
import { ACK, FIN } from '../support/guest_frame.ts';
import { type Dialogue, pattern } from '../support/tcp_dialogue.ts';
import { thousands } from './sack.ts';
import { arrivals, established, sendPieces, synReceived } from './states.ts';
import { bySection, describeTable, differs, type Table } from './table.ts';

const TABLE: Table = {
  '§2.1': 'one second before the first measurement',
  '§2.2': 'the first measurement sets SRTT, RTTVAR and RTO',
  '§2.3': 'later ones move them, RTTVAR first, by 1/4 and 1/8',
  '§2.4': differs('at least one second', 'kernels have 200 ms since their clocks are fine, and the guest is one link away'),
  '§2.5': 'at most some limit, of a minute or more',
  '§3/1': 'what was sent twice measures nothing (Karn)',
  '§3/2': 'one measurement for each round trip, at least',
  '§4': 'the variation counts for at least the granularity of the clock',
  '§5/1': 'nothing is sent again earlier than one RTO after it was sent last',
  '§5.1': 'the timer starts when something is sent and it does not run',
  '§5.2': 'it stops when all is acknowledged',
  '§5.3': 'it starts anew with each ACK of something new',
  '§5.4': 'the earliest that is not acknowledged is sent again',
  '§5.5': 'the timeout is doubled',
  '§5.6': 'and the timer runs again',
  '§5.7': 'after a SYN that had to be sent again data begins with 3 s',
};
describeTable(
  6298,
  bySection({
    '§2.1': 1,
    '§2.2': 1,
    '§2.3': 1,
    '§2.4': 1,
    '§2.5': 1,
    '§3': 2,
    '§4': 1,
    '§5/1': 1,
    '§5.1': 1,
    '§5.2': 1,
    '§5.3': 1,
    '§5.4': 1,
    '§5.5': 1,
    '§5.6': 1,
    '§5.7': 1,
  }),
  TABLE,
);

/** The guest takes `roundTrip` ms to acknowledge a piece. */
function exchange(dialogue: Dialogue, roundTrip: number): void {
  dialogue.stream.write(pattern(100));
  dialogue.seen();
  dialogue.bench.advance(roundTrip);
  expect(dialogue.seen(), 'sent again too early').to.deep.equal([]);
  dialogue.acknowledge(dialogue.ack + 100);
}

/** The present timeout in ms: when a piece that nobody acknowledges is sent again. It stays unacknowledged. */
function timeout(dialogue: Dialogue, limit = 130_000): number {
  dialogue.stream.write(pattern(100));
  dialogue.seen();
  for (let at = 0; at < limit; ) {
    const wait = Math.max(dialogue.bench.wait(), 1);
    dialogue.bench.advance(wait);
    at += wait;
    if (dialogue.seen().length > 0) return at;
  }
  return -1;
}

/** Microseconds are rounded down to the milliseconds of the timer, and that is doubled. */
function expectMs(found: number | undefined, wanted: number): void {
  expect(found).to.be.within(wanted - 3, wanted);
}

/** A connection whose SYN|ACK the guest has answered after `roundTrip` ms. */
function answeredAfter(roundTrip: number, options: object = {}): Dialogue {
  const { dialogue } = synReceived({ windowScale: 0, ...options });
  dialogue.bench.advance(roundTrip);
  dialogue.seen();
  dialogue.send(ACK);
  return dialogue;
}

describe('RFC 6298 §2: the timeout', () => {
  it('RFC 6298 §2.1: one second before anything was measured', () => {
    const { dialogue } = synReceived();
    expect(arrivals(dialogue, 2000)[0]?.at).to.equal(1000);
  });

  it('RFC 6298 §2.2: after the first round trip R: R + 4 · R/2', () => {
    for (const roundTrip of [100, 300, 500, 999]) expectMs(timeout(answeredAfter(roundTrip)), 3 * roundTrip);
  });

  it('RFC 6298 §2.3: later ones move RTTVAR by a quarter, then SRTT by an eighth, at any distance', () => {
    fc.assert(
      fc.property(fc.integer({ min: 80, max: 900 }), fc.array(fc.integer({ min: 0, max: 1000 }), { maxLength: 12 }), (first, more) => {
        const dialogue = answeredAfter(first);
        let [srtt, rttvar] = [first, first / 2];
        let rto = srtt + 4 * rttvar;
        for (const permille of more) {
          const roundTrip = Math.floor((rto * permille * 0.99) / 1000);
          exchange(dialogue, roundTrip);
          rttvar = 0.75 * rttvar + 0.25 * Math.abs(srtt - roundTrip);
          srtt = 0.875 * srtt + 0.125 * roundTrip;
          rto = Math.min(Math.max(srtt + 4 * rttvar, 200), 120_000);
        }
        expect(timeout(dialogue)).to.be.within(Math.floor(rto) - 2, Math.ceil(rto) + 1);
      }),
      { numRuns: 50 },
    );
  });

  it('RFC 6298 §2.4, §4: never below 200 ms, however short and steady the round trips are', () => {
    const dialogue = answeredAfter(0);
    for (let round = 0; round < 50; round++) exchange(dialogue, round % 2);
    expect(timeout(dialogue)).to.equal(200);
  });

  it('RFC 6298 §2.5, §5.5, §5.6: twice as late each time, up to two minutes', () => {
    const dialogue = established();
    sendPieces(dialogue, 1);
    const moments = arrivals(dialogue, 600_000, 100).map(({ at }) => at);
    const gaps = moments.map((at, index) => at - (moments[index - 1] ?? 0));
    expect(gaps.slice(0, 10)).to.deep.equal([200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 102_400]);
    for (const gap of gaps.slice(10)) expect(gap).to.equal(120_000);
    expect(gaps.length).to.be.above(11);
  });
});

describe('RFC 6298 §3: what is measured', () => {
  it('RFC 6298 §3/1: not what was sent twice: the backed-off timeout stays', () => {
    const dialogue = answeredAfter(100);
    expectMs(timeout(dialogue), 300);
    dialogue.bench.advance(200);
    dialogue.acknowledge(dialogue.ack + 100);
    expectMs(timeout(dialogue), 600);
  });

  it('RFC 6298 §3/1: nor data that was new when older data was sent again with it', () => {
    const dialogue = answeredAfter(100);
    sendPieces(dialogue, 3);
    dialogue.bench.advance(350);
    dialogue.seen();
    dialogue.acknowledge(dialogue.ack + 3000);
    expectMs(timeout(dialogue), 600);
  });

  it('RFC 6298 §3/2: each round trip of a stream gives one', () => {
    const dialogue = answeredAfter(0);
    // Round trips get longer bit by bit: a timeout that did not follow would be too short in the end.
    for (let roundTrip = 10; roundTrip <= 1000; roundTrip += 10) exchange(dialogue, roundTrip);
    expect(timeout(dialogue)).to.be.above(1000);
  });

  it('RFC 6298 §3/2: a measurement ends where its segment does, also across the end of the sequence space', () => {
    for (const workerIss of [-1001, -501, 0x7fffffff - 1000, 0x7fffffff - 500]) {
      const dialogue = answeredAfter(50, { workerIss });
      sendPieces(dialogue, 1);
      dialogue.bench.advance(100);
      dialogue.acknowledge(dialogue.ack + 999);
      dialogue.bench.advance(100);
      dialogue.acknowledge(dialogue.ack + 1);
      // Measured: 50, 200. SRTT 68.75, RTTVAR 56.25.
      expect(timeout(dialogue), `from ${workerIss}`).to.be.within(292, 295);
    }
  });
});

describe('RFC 6298 §5: the timer', () => {
  it('RFC 6298 §5.1: runs from the first segment that is in flight, not from the last', () => {
    const dialogue = answeredAfter(100);
    sendPieces(dialogue, 1);
    dialogue.bench.advance(200);
    sendPieces(dialogue, 1, 1000, 1000);
    const [first] = arrivals(dialogue, 1000);
    expectMs(first?.at, 100);
    expect(first?.segment.seq).to.equal(dialogue.ack);
  });

  it('RFC 6298 §5.2: stops when all is acknowledged', () => {
    const dialogue = answeredAfter(100);
    sendPieces(dialogue, 3);
    dialogue.acknowledge(dialogue.ack + 3000);
    expect(arrivals(dialogue, 60_000, 1000)).to.deep.equal([]);
  });

  it('RFC 6298 §5.3, §5.4: starts anew with an ACK of something new; then the earliest goes out', () => {
    const dialogue = answeredAfter(100);
    sendPieces(dialogue, 3);
    dialogue.bench.advance(100);
    dialogue.acknowledge(dialogue.ack + 1000);
    // Measured: 100, 100: SRTT 100, RTTVAR 37.5.
    const [first] = arrivals(dialogue, 1000);
    expectMs(first?.at, 250);
    expect(first?.segment.seq).to.equal(dialogue.ack);
    expect(first?.segment.payload.subarray(0, 1000)).to.deep.equal(pattern(1000, 1000));
  });

  it('RFC 6298 §5.3: an ACK of nothing new leaves it alone', () => {
    const dialogue = answeredAfter(100);
    sendPieces(dialogue, 1);
    dialogue.bench.advance(200);
    dialogue.send(ACK);
    dialogue.sendData(pattern(10));
    dialogue.seen();
    const again = arrivals(dialogue, 200).filter(({ segment }) => segment.payload.length > 0);
    expectMs(again[0]?.at, 100);
  });

  it('RFC 6298 §5/1: nothing is sent again before its time, whatever else goes on', () => {
    const dialogue = answeredAfter(100);
    sendPieces(dialogue, 1);
    const sent: number[] = [];
    for (let ms = 0; ms < 290; ms += 10) {
      dialogue.bench.advance(10);
      dialogue.stream.write(pattern(10, 1000 + ms));
      dialogue.sendData(pattern(10, ms));
      for (const { seq, payload } of dialogue.seen()) if (payload.length > 0) sent.push(seq);
    }
    expect(sent).to.not.include(dialogue.ack);
  });

  it('RFC 6298 §5.4, §5.5: a FIN is data to the timer', () => {
    const dialogue = answeredAfter(100);
    dialogue.stream.end();
    dialogue.seen();
    const found = arrivals(dialogue, 1000);
    expect(found.map(({ segment }) => segment.flags)).to.deep.equal([ACK | FIN, ACK | FIN]);
    expectMs(found[0]?.at, 300);
    expectMs(found[1]?.at, 900);
  });

  it('RFC 6298 §5.7: three seconds for the first data after a SYN|ACK that was sent twice', () => {
    const { dialogue } = synReceived({ windowScale: 0 });
    dialogue.bench.advance(1500);
    expect(dialogue.seen()).to.have.length(1);
    dialogue.send(ACK);
    expect(timeout(dialogue)).to.equal(3000);
  });
});

describe('RFC 6298 §5: the timer in a recovery', () => {
  /** Six segments, of which the first is missing and was sent again. */
  function recovering(roundTrip = 100): { dialogue: Dialogue; start: number } {
    const dialogue = answeredAfter(roundTrip, { sackPermitted: true });
    sendPieces(dialogue, 6);
    const start = dialogue.ack;
    dialogue.bench.advance(roundTrip);
    expect(dialogue.send(ACK, { sack: thousands(start, [1, 5]) })).to.have.length(1);
    return { dialogue, start };
  }

  /** When the first segment goes out within `limit` ms; the probe of RFC 8985 §7 comes before the timeout. */
  function repetitions(dialogue: Dialogue, limit: number): number[] {
    return arrivals(dialogue, limit)
      .filter(({ segment }) => segment.seq === dialogue.ack)
      .map(({ at }) => at);
  }

  it('RFC 6298 §5/1, §5.1: runs for a whole timeout from the first repetition', () => {
    const { dialogue } = recovering();
    const timeout = rows[dialogue.row() + RTO] as number;
    expect(timeout).to.be.within(240, 300);
    const found = repetitions(dialogue, timeout + 5);
    expect(found.at(-1)).to.be.within(timeout - 1, timeout + 1);
    expect(found.length, 'but for the probe').to.be.at.most(2);
  });

  it('RFC 6298 §5.3: SACK alone does not put it off, an ACK of a part does', () => {
    const { dialogue, start } = recovering();
    const timeout = rows[dialogue.row() + RTO] as number;
    dialogue.bench.advance(timeout - 50);
    dialogue.seen();
    dialogue.send(ACK, { sack: thousands(start, [1, 6]) });
    expect(repetitions(dialogue, 60).at(-1)).to.be.within(40, 52);

    const { dialogue: other } = recovering();
    other.bench.advance(timeout - 50);
    other.seen();
    other.acknowledge(other.ack + 5000);
    expect(repetitions(other, 150)).to.deep.equal([]);
    expect(repetitions(other, 2 * timeout)).to.not.deep.equal([]);
  });

  it('RFC 6298 §5.2: is off once all is acknowledged, with all that the recovery has armed', () => {
    const { dialogue, start } = recovering();
    dialogue.acknowledge(start + 6000);
    expect(arrivals(dialogue, 10_000, 10)).to.deep.equal([]);
    expect(dialogue.bench.wait()).to.be.above(10_000);
  });

  it('RFC 6298 §5.5, §5.6: doubles for what was sent again before as well', () => {
    const { dialogue } = recovering();
    const timeout = rows[dialogue.row() + RTO] as number;
    const found = repetitions(dialogue, 8 * timeout).slice(-3);
    expect(found[1]).to.be.within(3 * timeout - 2, 3 * timeout + 2);
    expect(found[2]).to.be.within(7 * timeout - 2, 7 * timeout + 2);
  });

  it('RFC 6298 §3/1: the time that a repetition takes is not measured', () => {
    const dialogue = answeredAfter(40, { sackPermitted: true });
    sendPieces(dialogue, 6);
    const start = dialogue.ack;
    const smoothed = rows[dialogue.row() + SRTT];
    expect(dialogue.send(ACK, { sack: thousands(start, [1, 6]) })).to.have.length(1);
    dialogue.bench.advance(150);
    dialogue.acknowledge(start + 6000);
    expect(rows[dialogue.row() + SRTT]).to.equal(smoothed);
  });
});
