/** RFC 8985: losses found by time (RACK), and the probe of a flight's end (TLP). */
import { expect } from 'chai';
import { FLAGS, rows } from '../../worker/flow/row.ts';
import { CWND, RECOVERING, REORDERING, RTTVAR, SACKED, SRTT } from '../../worker/tcp/row.ts';
import { ACK, type Segment } from '../support/guest_frame.ts';
import { type Dialogue, pattern } from '../support/tcp_dialogue.ts';
import { spans, thousands } from './sack.ts';
import { arrivals, distant, established, sendPieces } from './states.ts';
import { absent, bySection, describeTable, differs, type Table } from './table.ts';

const NO_STAMP =
  'segments have no memory here, only holes: they are timed from the moment they show, a round trip less the delay after they were sent';

const TABLE: Table = {
  '§4/1': 'only where SACK is permitted are losses found by time',
  '§4/2': differs('each segment’s time of sending is known, finer than a quarter of the least round trip', NO_STAMP),
  '§4/3': 'what came twice in vain widens the reordering window',
  '§4/4': differs('probes only where SACK is permitted', 'a guest without it answers a probe of the one segment that it lacks as well'),
  '§6.1': 'what is sent again is timed anew',
  '§6.2/1': differs(
    'the least round trip is known',
    'the reordering window is made of the smoothed one, which is bounded by four times as much',
  ),
  '§6.2/2': 'of what has come, the latest sent counts; an answer that is too soon is the original’s',
  '§6.2/3': 'an original that comes behind later ones shows that they overtake each other',
  '§6.2/4': 'no reordering seen: three segments’ worth, or a recovery, are proof at once',
  '§6.2/5': 'else a quarter of a round trip is waited, and a quarter more each time that was too short, up to a round trip',
  '§6.2/6': 'it is forgotten after sixteen recoveries',
  '§6.2/7': 'what was sent again is lost again when what was sent after it has come',
  '§6.2/8': 'a timer judges what no ACK does',
  '§6.3': differs(
    'a timeout takes for lost what is older than a round trip and the window',
    'all of it, but the first segment alone goes out (RFC 6298 §5.4)',
  ),
  '§7.2/1': differs(
    'the probe comes after two round trips',
    'or one and four variations, if that is more, and not before 10 ms: a guest’s kernel needs its time',
  ),
  '§7.2/2': differs('for one segment later, since its ACK may be delayed', 'for one segment not at all: the timeout comes as soon'),
  '§7.2/3': 'never later than the timeout',
  '§7.2/4': 'it is put off by each segment and each ACK of new data',
  '§7.2/5': differs(
    'not in a recovery, nor with a range SACKed',
    'there as well: it asks for the first hole, or the end (RFC 6675 §4 NextSeg 4)',
  ),
  '§7.3/1': differs(
    'new data is sent if there is some, else the last segment',
    'the last segment: new data has gone out already, as far as the guest’s window allows',
  ),
  '§7.3/2': 'none is sent while one is unanswered',
  '§7.3/3': differs('the timeout then runs from the probe', 'it runs on: the probe puts nothing off'),
  '§7.4.1': 'its SACK shows what is lost before it',
  '§7.4.2': differs('a loss that the probe itself repairs reduces the window', 'a loss alone takes nothing: DECISIONS.md D-034'),
  '§8': 'the timer of the flow is set to the earliest of them all',
  '§9': absent('discussion', 'it requires nothing'),
};
describeTable(
  8985,
  bySection({ '§4': 4, '§6.1': 1, '§6.2': 8, '§6.3': 1, '§7.2': 5, '§7.3': 3, '§7.4.1': 1, '§7.4.2': 1, '§8': 1, '§9': 1 }),
  TABLE,
);

/** `count` segments on their way to a guest `trip` ms away. */
function inFlight(trip: number, count: number): { dialogue: Dialogue; start: number; row: number } {
  const dialogue = distant(trip);
  sendPieces(dialogue, count);
  return { dialogue, start: dialogue.ack, row: dialogue.row() };
}

function tell(dialogue: Dialogue, start: number, ...ranges: [number, number][]): [number, number][] {
  return spans(dialogue.send(ACK, { sack: thousands(start, ...ranges) }), start);
}

/** What comes within `limit` ms: when, and where in the stream. */
function times(dialogue: Dialogue, start: number, limit: number): [number, number][] {
  return arrivals(dialogue, limit).map(({ at, segment }) => [at, (segment.seq - start) | 0]);
}

const quarters = (row: number): number => (rows[row + REORDERING] as number) & 0xff;

/** The third piece comes before the second: an original that is late, and nothing was sent again. */
function overtake(dialogue: Dialogue, start: number): void {
  expect(tell(dialogue, start, [1, 2])).to.deep.equal([]);
  dialogue.acknowledge(start + 2000);
}

/** Eight segments, of which the first is sent again in vain, and told of as twice. */
function inVain(dialogue: Dialogue): void {
  const start = dialogue.ack;
  sendPieces(dialogue, 8);
  tell(dialogue, start, [1, 6]);
  dialogue.bench.advance(45);
  dialogue.seen();
  dialogue.acknowledge(start + 6000);
  dialogue.send(ACK, { sack: thousands(start, [0, 1]) });
  dialogue.acknowledge(start + 8000);
}

describe('RFC 8985 §6: RACK', () => {
  it('RFC 8985 §4/1: without SACK no time but the timeout finds a loss', () => {
    const dialogue = distant(40, { sackPermitted: false });
    sendPieces(dialogue, 5);
    const start = dialogue.ack;
    for (let count = 0; count < 2; count++) expect(dialogue.send(ACK)).to.deep.equal([]);
    expect(times(dialogue, start, 70)).to.deep.equal([]);
  });

  it('RFC 8985 §4/2, §6.2/1, §6.2/5, §6.2/8: a hole that shows now is sent again a quarter of a round trip later, by a timer', () => {
    for (const trip of [20, 40, 100]) {
      const { dialogue, start } = inFlight(trip, 5);
      dialogue.bench.advance(trip);
      expect(tell(dialogue, start, [1, 2]), `${trip} ms`).to.deep.equal([]);
      const [first] = times(dialogue, start, trip);
      expect(first?.[0]).to.be.within(Math.floor(trip / 4), Math.ceil(trip / 4) + 1);
      expect(first?.[1]).to.equal(0);
    }
  });

  it('RFC 8985 §6.2/5: never sooner than a millisecond, however near the guest is', () => {
    const dialogue = established({ mss: 1000, sackPermitted: true });
    sendPieces(dialogue, 5);
    const start = dialogue.ack;
    tell(dialogue, start, [1, 2]);
    expect(times(dialogue, start, 5)).to.deep.equal([[1, 0]]);
  });

  it('RFC 8985 §6.2/4: more than two segments’ worth is proof at once, and so is anything in a recovery', () => {
    const { dialogue, start } = inFlight(40, 60);
    expect(tell(dialogue, start, [1, 4])).to.deep.equal([[0, 1000]]);
    expect(tell(dialogue, start, [5, 6], [1, 4])).to.deep.equal([[4000, 1000]]);
  });

  it('RFC 8985 §6.2/3, §6.2/5: once segments have overtaken each other, five prove nothing at once; time does', () => {
    const { dialogue, start, row } = inFlight(40, 20);
    overtake(dialogue, start);
    expect(quarters(row)).to.equal(1);
    expect(tell(dialogue, start, [3, 9])).to.deep.equal([]);
    const [first] = times(dialogue, start, 30);
    expect(first?.[0]).to.be.within(8, 11);
    expect(first?.[1]).to.equal(2000);
  });

  it('RFC 8985 §4/3, §6.2/5: a quarter of a round trip more for each recovery in vain, up to one', () => {
    const dialogue = distant(40);
    const found: number[] = [];
    for (let round = 0; round < 6; round++) {
      inVain(dialogue);
      found.push(quarters(dialogue.row()));
    }
    expect(found).to.deep.equal([1, 2, 3, 4, 4, 4]);
    sendPieces(dialogue, 8);
    const start = dialogue.ack;
    tell(dialogue, start, [1, 6]);
    const [first] = times(dialogue, start, 60);
    expect(first?.[0]).to.be.within(36, 46);
  });

  it('RFC 8985 §6.2/6: after sixteen recoveries nothing is left of it', () => {
    const dialogue = distant(40);
    sendPieces(dialogue, 4);
    overtake(dialogue, dialogue.ack);
    dialogue.acknowledge(dialogue.ack + 2000);
    let recoveries = 0;
    for (; quarters(dialogue.row()) !== 0 && recoveries < 40; recoveries++) {
      const start = dialogue.ack;
      sendPieces(dialogue, 6);
      expect(tell(dialogue, start, [1, 6])).to.deep.equal([]);
      dialogue.bench.advance(12);
      expect(spans(dialogue.seen(), start)).to.deep.equal([[0, 1000]]);
      dialogue.bench.advance(40);
      dialogue.seen();
      dialogue.acknowledge(start + 6000);
    }
    expect(recoveries).to.equal(16);
    sendPieces(dialogue, 6);
    expect(tell(dialogue, dialogue.ack, [1, 6])).to.deep.equal([[0, 1000]]);
  });

  it('RFC 8985 §6.1, §6.2/2, §6.2/7: what was sent again is lost again when something sent after it has come, a round trip later', () => {
    const { dialogue, start } = inFlight(40, 6);
    expect(tell(dialogue, start, [1, 6])).to.deep.equal([[0, 1000]]);
    dialogue.bench.advance(1);
    sendPieces(dialogue, 2, 1000, 6000);
    dialogue.bench.advance(39);
    dialogue.seen();
    expect(tell(dialogue, start, [1, 8])).to.deep.equal([[0, 1000]]);
    expect(tell(dialogue, start, [1, 8])).to.deep.equal([]);
  });

  it('RFC 8985 §6.2/7: where segments overtake each other, the reordering window later than that', () => {
    const { dialogue, start } = inFlight(40, 8);
    overtake(dialogue, start);
    tell(dialogue, start, [3, 8]);
    dialogue.bench.advance(12);
    expect(spans(dialogue.seen(), start)).to.deep.equal([[2000, 1000]]);
    sendPieces(dialogue, 2, 1000, 8000);
    dialogue.bench.advance(36);
    dialogue.seen();
    expect(tell(dialogue, start, [3, 10])).to.deep.equal([]);
    const [first] = times(dialogue, start, 30);
    expect(first?.[0]).to.be.within(3, 8);
    expect(first?.[1]).to.equal(2000);
  });

  it('RFC 8985 §6.2/2: an answer sooner than half a round trip after the repetition is the original’s', () => {
    const { dialogue, start, row } = inFlight(40, 10);
    expect(tell(dialogue, start, [7, 10], [3, 5])).to.deep.equal([
      [0, 3000],
      [5000, 2000],
    ]);
    dialogue.bench.advance(5);
    dialogue.seen();
    // The second hole fills too soon: nothing is known of what was sent again before it.
    expect(tell(dialogue, start, [3, 10])).to.deep.equal([]);
    dialogue.bench.advance(30);
    expect(dialogue.seen()).to.deep.equal([]);
    expect(rows[row + SACKED]).to.equal(7000);
  });

  it('RFC 8985 §6.3: a timeout takes all for lost, and sends the first segment', () => {
    const { dialogue, start } = inFlight(40, 6);
    const found = arrivals(dialogue, 210).filter(({ at }) => at > 190);
    expect(
      spans(
        found.map(({ segment }) => segment),
        start,
      ),
    ).to.deep.equal([[0, 1000]]);
    expect(spans(dialogue.acknowledge(start + 1000), start)).to.deep.equal([[1000, 2000]]);
  });
});

/** What the probe timeout should be (ms): RFC 8985 §7.2, by what the worker has measured. */
function probeTimeout(row: number): number {
  const [srtt, rttvar] = [rows[row + SRTT] as number, rows[row + RTTVAR] as number];
  return Math.max(2 * srtt, srtt + 4 * rttvar, 10_000) / 1000;
}

describe('RFC 8985 §7: TLP', () => {
  it('RFC 8985 §7.2/1, §7.3/1, §7.3/2: the last segment goes out after two round trips, 10 ms at least; once', () => {
    for (const trip of [1, 20, 60]) {
      const { dialogue, start, row } = inFlight(trip, 5);
      const expected = probeTimeout(row);
      const found = times(dialogue, start, 195);
      expect(
        found.map(([, from]) => from),
        `${trip} ms`,
      ).to.deep.equal([4000]);
      expect(found[0]?.[0]).to.be.within(expected - 1, expected + 2);
    }
  });

  it('RFC 8985 §7.2/2: none for a single segment: it is the timeout’s', () => {
    const { dialogue, start } = inFlight(20, 1);
    expect(times(dialogue, start, 220).map(([, from]) => from)).to.deep.equal([0]);
    const [only] = times(inFlight(20, 1).dialogue, 0, 195);
    expect(only).to.equal(undefined);
  });

  it('RFC 8985 §7.2/3: none where two round trips are no less than the timeout', () => {
    const dialogue = established({ mss: 1000, sackPermitted: true });
    sendPieces(dialogue, 5);
    const start = dialogue.ack;
    rows[dialogue.row() + SRTT] = 150_000;
    dialogue.acknowledge(start + 1000);
    expect(times(dialogue, start, 195)).to.deep.equal([]);
  });

  it('RFC 8985 §7.2/4: more data, and an ACK of new data, put it off', () => {
    const { dialogue, start, row } = inFlight(40, 3);
    dialogue.bench.advance(50);
    sendPieces(dialogue, 1, 1000, 3000);
    dialogue.bench.advance(50);
    expect(dialogue.seen()).to.deep.equal([]);
    dialogue.acknowledge(start + 1000);
    const expected = probeTimeout(row);
    const [first] = times(dialogue, start, 190);
    expect(first?.[0]).to.be.within(expected - 2, expected + 4);
    expect(first?.[1]).to.equal(3000);
  });

  it('RFC 8985 §7.2/5: in a recovery it asks for the first hole, and without a hole for the end', () => {
    const hole = inFlight(20, 6);
    expect(tell(hole.dialogue, hole.start, [1, 6])).to.deep.equal([[0, 1000]]);
    expect(times(hole.dialogue, hole.start, 60).map(([, from]) => from)).to.deep.equal([0]);
    const end = inFlight(20, 10);
    tell(end.dialogue, end.start, [1, 5]);
    end.dialogue.acknowledge(end.start + 5000);
    expect(times(end.dialogue, end.start, 60).map(([, from]) => from)).to.deep.equal([9000]);
  });

  it('RFC 8985 §7.3/1: where the guest’s window holds new data back, the last segment as well', () => {
    const dialogue = distant(20, { window: 5000 });
    dialogue.stream.write(pattern(20_000));
    expect(spans(dialogue.seen(), dialogue.ack)).to.deep.equal([[0, 5000]]);
    expect(times(dialogue, dialogue.ack, 60).map(([, from]) => from)).to.deep.equal([4000]);
  });

  it('RFC 8985 §7.3/3: the timeout comes when it would have come without', () => {
    const { dialogue, start } = inFlight(20, 5);
    const found = times(dialogue, start, 210);
    expect(found.map(([, from]) => from)).to.deep.equal([4000, 0]);
    expect(found[1]?.[0]).to.be.within(199, 201);
  });

  it('RFC 8985 §7.4.1: its SACK has all that is lost before it sent again', () => {
    const { dialogue, start } = inFlight(20, 12);
    dialogue.acknowledge(start + 4000);
    expect(times(dialogue, start, 60).map(([, from]) => from)).to.deep.equal([11_000]);
    const again = [
      ...dialogue.send(ACK, { sack: thousands(start, [11, 12]) }),
      ...arrivals(dialogue, 10).map(({ segment }): Segment => segment),
    ];
    expect(spans(again, start)[0]?.[0]).to.equal(4000);
  });

  it('RFC 8985 §4/4, §7.4.2: an ACK of all that the probe has repaired: nothing is reduced, with SACK and without', () => {
    for (const sackPermitted of [true, false]) {
      const dialogue = distant(20, { sackPermitted });
      sendPieces(dialogue, 5);
      const start = dialogue.ack;
      dialogue.acknowledge(start + 4000 - 1);
      expect(times(dialogue, start, 60).map(([, from]) => from)).to.deep.equal([4000]);
      dialogue.acknowledge(start + 5000);
      expect([rows[dialogue.row() + CWND], (rows[dialogue.row() + FLAGS] as number) & RECOVERING]).to.deep.equal([0, 0]);
    }
  });

  it('RFC 8985 §4/3, §7.4.2: what came twice because of a probe teaches nothing of reordering', () => {
    const { dialogue, start, row } = inFlight(40, 20);
    tell(dialogue, start, [1, 6]);
    expect(times(dialogue, start, 100).map(([, from]) => from)).to.deep.equal([0]);
    dialogue.acknowledge(start + 6000);
    dialogue.send(ACK, { sack: thousands(start, [0, 1]) });
    expect(quarters(row)).to.equal(0);
    // It has been told of; whatever else comes twice is not the probe's.
    dialogue.send(ACK, { sack: thousands(start, [0, 1]) });
    expect(quarters(row)).to.equal(1);
  });

  it('RFC 8985 §8: whichever is due first wakes the worker: judgement, then probe, then timeout', () => {
    const { dialogue, start } = inFlight(40, 6);
    tell(dialogue, start, [2, 3]);
    expect(dialogue.bench.wait()).to.be.within(9, 11);
    const found = times(dialogue, start, 400);
    expect(found[0]?.[0]).to.be.within(9, 12);
    expect(found.length).to.be.within(3, 4);
    expect(found.map(([, from]) => from).slice(0, 2)).to.deep.equal([0, 0]);
  });
});
