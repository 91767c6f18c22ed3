/** RFC 6675: loss recovery of a guest that tells by SACK what it lacks. */
import { expect } from 'chai';
import { FLAGS, rows } from '../../worker/flow/row.ts';
import { pipe } from '../../worker/tcp/congestion.ts';
import { CWND, LOST, RECOVERING, SACKED } from '../../worker/tcp/row.ts';
import { ACK, type Segment } from '../support/guest_frame.ts';
import { FLIGHT, LossyGuest, MSS, nothing } from '../support/lossy_guest.ts';
import { type Dialogue, pattern } from '../support/tcp_dialogue.ts';
import { spans, thousands } from './sack.ts';
import { arrivals, distant, established, sendPieces } from './states.ts';
import { bySection, describeTable, differs, takenOver, type Table } from './table.ts';

const TABLE: Table = {
  '§2': differs('only an ACK that tells of something new by SACK is a duplicate', 'three that tell of nothing count as RFC 5681 says'),
  '§3': 'each connection has a scoreboard',
  '§4/1': 'Update: what is acknowledged or SACKed is recorded and counted',
  '§4/2': takenOver('what is SACKed stays in the queue', '§8/3'),
  '§4/3': 'IsLost: more than two segments’ worth is SACKed above',
  '§4/4': differs(
    'IsLost: so it is if three separate ranges are SACKed above',
    'small ones prove nothing at once: a quarter of a round trip does',
  ),
  '§4/5': 'SetPipe: what is neither SACKed nor lost is on its way, and what was sent again',
  '§4/6': differs(
    'SetPipe: what was sent again and is not lost counts twice',
    'nothing but a probe, of one segment, is sent again without being lost',
  ),
  '§4/7': 'NextSeg 1: the lowest hole that is lost and was not sent again',
  '§4/8': 'NextSeg 2: else new data',
  '§4/9': differs('NextSeg 3: else a hole that is not lost yet', 'it is lost, or known not to be, a quarter of a round trip later'),
  '§4/10': differs('NextSeg 4: else, once, the last segment', 'the probe of RFC 8985 §7.3 is sent in its place'),
  '§4/11': 'NextSeg: else nothing',
  '§5/1': 'a recovery begins when the first segment in flight is lost',
  '§5/2': 'before that the first duplicates let new data go',
  '§5/3': '(4.1) RecoveryPoint is the end of what was sent',
  '§5/4': takenOver('(4.2) ssthresh and the window are set to half', '§3.2/3'),
  '§5/5': '(4.3) the first segment in flight is sent again at once',
  '§5/6': '(A) an ACK of all up to RecoveryPoint ends the recovery; no other does',
  '§5/7': '(B) each ACK is recorded, and pipe computed anew',
  '§5/8': '(C) as long as the window has room for a segment the next one goes out, each once',
  '§5.1/1': 'a timeout ends a recovery; none begins before what was in flight then is acknowledged',
  '§5.1/2': 'what is SACKed is made use of after a timeout',
  '§6': 'the retransmission timer starts anew when a recovery begins',
};
describeTable(6675, bySection({ '§2': 1, '§3': 1, '§4': 11, '§5': 8, '§5.1': 2, '§6': 1 }), TABLE);

function inFlight(count: number): { dialogue: Dialogue; start: number; row: number } {
  const dialogue = established({ mss: 1000, sackPermitted: true });
  sendPieces(dialogue, count);
  return { dialogue, start: dialogue.ack, row: dialogue.row() };
}

function tell(dialogue: Dialogue, start: number, ...ranges: [number, number][]): [number, number][] {
  return spans(dialogue.send(ACK, { sack: thousands(start, ...ranges) }), start);
}

const recovering = (row: number): boolean => ((rows[row + FLAGS] as number) & RECOVERING) !== 0;

describe('RFC 6675 §2, §3: what counts', () => {
  it('RFC 6675 §2: three ACKs without SACK have the first segment sent again; one that repeats its blocks tells nothing', () => {
    const plain = inFlight(10);
    expect([1, 2, 3].map(() => plain.dialogue.send(ACK).length)).to.deep.equal([0, 0, 1]);
    const { dialogue, start } = inFlight(10);
    for (let times = 0; times < 5; times++) expect(tell(dialogue, start, [1, 2])).to.deep.equal([]);
  });

  it('RFC 6675 §3: two connections have nothing in common', () => {
    const { dialogue, start, row } = inFlight(10);
    tell(dialogue, start, [1, 2]);
    dialogue.send(ACK, { sourcePort: 50_000, sack: thousands(start, [1, 9]) });
    dialogue.seen();
    expect(rows[row + SACKED]).to.equal(1000);
  });
});

describe('RFC 6675 §4: the scoreboard', () => {
  it('RFC 6675 §4/1: bytes SACKed are counted once, and no more when they are acknowledged', () => {
    const { dialogue, start, row } = inFlight(20);
    const counts: number[] = [];
    for (const ranges of [
      [[1, 2]],
      [[1, 3]],
      [
        [1, 3],
        [5, 6],
      ],
      [[2, 6]],
      [[2, 6]],
    ] as [number, number][][]) {
      tell(dialogue, start, ...ranges);
      counts.push(rows[row + SACKED] as number);
    }
    expect(counts).to.deep.equal([1000, 2000, 3000, 5000, 5000]);
    dialogue.acknowledge(start + 6000);
    expect(rows[row + SACKED]).to.equal(0);
  });

  it('RFC 6675 §4/3, §5/1, §5/5: two segments above prove nothing, a byte more does', () => {
    const { dialogue, start, row } = inFlight(10);
    const upTo = (end: number): Segment[] => dialogue.send(ACK, { sack: [{ left: (start + 1000) | 0, right: (start + end) | 0 }] });
    expect([upTo(2000), upTo(3000)]).to.deep.equal([[], []]);
    expect(recovering(row)).to.equal(false);
    expect(spans(upTo(3001), start)).to.deep.equal([[0, 1000]]);
    expect(recovering(row)).to.equal(true);
  });

  it('RFC 6675 §4/4: three small ranges above have it sent again a quarter of a round trip later', () => {
    const dialogue = distant(40);
    sendPieces(dialogue, 1);
    sendPieces(dialogue, 8, 100, 1000);
    const start = dialogue.ack;
    const small = (at: number): { left: number; right: number } => ({ left: (start + 1000 + at) | 0, right: (start + 1100 + at) | 0 });
    expect(dialogue.send(ACK, { sack: [small(500), small(300), small(100)] })).to.deep.equal([]);
    const [first] = arrivals(dialogue, 30);
    expect(first?.at).to.be.within(10, 11);
    expect(first?.segment.seq).to.equal(start);
  });

  it('RFC 6675 §4/5, §5/7: pipe is what was sent, less what is SACKed or lost, and what was sent again of that', () => {
    const { dialogue, start, row } = inFlight(20);
    expect(pipe(row)).to.equal(20_000);
    tell(dialogue, start, [1, 3]);
    expect(pipe(row)).to.equal(18_000);
    // Lost, and sent again at once.
    tell(dialogue, start, [1, 5]);
    expect([pipe(row), rows[row + LOST]]).to.deep.equal([16_000, 0]);
    dialogue.window = 1000;
    dialogue.send(ACK, { sack: thousands(start, [8, 12]) });
    expect([pipe(row), rows[row + LOST]]).to.deep.equal([9000, 3000]);
  });

  it('RFC 6675 §4/6: a probe that was not lost counts once', () => {
    const dialogue = distant(20);
    sendPieces(dialogue, 5);
    expect(arrivals(dialogue, 60)).to.have.length(1);
    expect(pipe(dialogue.row())).to.equal(5000);
  });

  it('RFC 6675 §4/7, §4/11: holes that are lost go out from the lowest on; one above which too little is SACKED does not, nor what is above all', () => {
    const { dialogue, start } = inFlight(60);
    expect(tell(dialogue, start, [9, 11], [5, 6], [2, 4])).to.deep.equal([
      [0, 2000],
      [4000, 1000],
    ]);
    expect(tell(dialogue, start, [9, 12])).to.deep.equal([[6000, 3000]]);
    expect(tell(dialogue, start, [9, 13])).to.deep.equal([]);
  });

  it('RFC 6675 §4/8: what is lost goes out before new data, as far as the window has room', () => {
    const { dialogue, start } = inFlight(20);
    dialogue.bench.deliver(dialogue.frame(ACK, { sack: thousands(start, [3, 8]) }));
    dialogue.stream.write(pattern(4000, 20_000));
    const sent = spans(dialogue.seen(), start);
    expect(sent[0]).to.deep.equal([0, 3000]);
    expect(sent.slice(1).every(([from]) => from >= 20_000)).to.equal(true);
    expect(sent.length).to.be.above(1);
  });

  it('RFC 6675 §4/9: a hole that is not lost yet waits for its time', () => {
    const dialogue = distant(40);
    sendPieces(dialogue, 5);
    const start = dialogue.ack;
    expect(tell(dialogue, start, [1, 2])).to.deep.equal([]);
    dialogue.bench.advance(8);
    expect(dialogue.seen()).to.deep.equal([]);
    dialogue.bench.advance(3);
    expect(spans(dialogue.seen(), start)).to.deep.equal([[0, 1000]]);
  });

  it('RFC 6675 §4/10: the end of a flight that is lost as well is asked about after two round trips, once', () => {
    const dialogue = distant(40);
    sendPieces(dialogue, 10);
    const start = dialogue.ack;
    expect(tell(dialogue, start, [1, 5])).to.deep.equal([[0, 1000]]);
    dialogue.bench.advance(40);
    dialogue.acknowledge(start + 5000);
    const found = arrivals(dialogue, 150).map(({ at, segment }) => [at >= 75 && at <= 85, (segment.seq - start) | 0]);
    expect(found).to.deep.equal([[true, 9000]]);
  });
});

describe('RFC 6675 §5: recovery', () => {
  it('RFC 6675 §5/2: the first duplicates let new data go where there is a window', () => {
    const guest = new LossyGuest({ window: 65_000 });
    let sent = guest.trip(guest.settle(), (segment) => segment % 4 === 3);
    while (recovering(guest.row)) sent = guest.trip(sent, nothing);
    const { dialogue } = guest;
    const end = (dialogue.ack + guest.outstanding) | 0;
    const [first] = dialogue.send(ACK, { sack: thousands(dialogue.ack, [1, 2]) });
    expect(first).to.deep.include({ seq: end });
    expect(first?.payload).to.have.length(MSS);
    expect(recovering(guest.row)).to.equal(false);
  });

  it('RFC 6675 §5/3, §5/6: it ends with the ACK of all that was in flight when it began, and not of less', () => {
    const { dialogue, start, row } = inFlight(10);
    tell(dialogue, start, [1, 5]);
    sendPieces(dialogue, 4, 1000, 10_000);
    for (const ack of [1000, 5000, 9999]) {
      dialogue.acknowledge(start + ack);
      expect(recovering(row), `${ack}`).to.equal(true);
    }
    dialogue.acknowledge(start + 10_000);
    expect(recovering(row)).to.equal(false);
  });

  it('RFC 6675 §5/8: nothing is sent twice for the same loss, and the window is never exceeded', () => {
    const guest = new LossyGuest();
    let sent = guest.settle();
    const first = guest.first;
    const before = guest.dialogue.bench.counter('tcp_retransmissions');
    const again = new Map<number, number>();
    sent = guest.trip(sent, (segment) => segment % 6 === 1);
    while (recovering(guest.row)) {
      for (const { seq, payload } of sent)
        for (let at = 0; at < payload.length; at += MSS) {
          const number = ((seq + at - guest.start) | 0) / MSS;
          if (number < first + FLIGHT) again.set(number, (again.get(number) ?? 0) + 1);
        }
      expect(pipe(guest.row)).to.be.at.most((rows[guest.row + CWND] as number) + MSS);
      sent = guest.trip(sent, nothing);
    }
    expect([...again.keys()].every((number) => number % 6 === 1)).to.equal(true);
    expect([...again.values()].every((times) => times === 1)).to.equal(true);
    expect(again.size).to.equal(FLIGHT / 6);
    expect(guest.dialogue.bench.counter('tcp_retransmissions') - before).to.be.at.most(FLIGHT / 6);
  });

  it('RFC 6675 §5.1/1: duplicates of what a timeout has sent again begin no other recovery, and cut nothing again', () => {
    const { dialogue, start, row } = inFlight(10);
    tell(dialogue, start, [1, 5]);
    dialogue.bench.advance(250);
    dialogue.seen();
    for (let times = 0; times < 4; times++) expect(tell(dialogue, start, [1, 5])).to.deep.equal([]);
    expect(rows[row + CWND]).to.equal(1000);
    for (const ack of [5000, 6000, 7000, 8000, 9000]) {
      dialogue.acknowledge(start + ack);
      expect(recovering(row)).to.equal(true);
    }
    dialogue.acknowledge(start + 10_000);
    expect(recovering(row)).to.equal(false);
  });

  it('RFC 6675 §5.1/2: what was SACKed before a timeout is not sent again, and all else is', () => {
    const { dialogue, start } = inFlight(12);
    tell(dialogue, start, [8, 9], [3, 5]);
    const sent = spans(
      arrivals(dialogue, 205).map(({ segment }) => segment),
      start,
    ).slice(-1);
    for (const ack of [1, 2, 5, 6, 7, 9, 10, 11]) sent.push(...spans(dialogue.acknowledge(start + ack * 1000), start));
    const numbers = sent.flatMap(([from, length]) => Array.from({ length: length / 1000 }, (_, index) => from / 1000 + index));
    expect([...new Set(numbers)]).to.deep.equal([0, 1, 2, 5, 6, 7, 9, 10, 11]);
  });

  it('RFC 6675 §6: the timer starts anew with what is sent again first', () => {
    const { dialogue, start } = inFlight(10);
    dialogue.bench.advance(60);
    dialogue.seen();
    expect(tell(dialogue, start, [1, 5])).to.deep.equal([[0, 1000]]);
    const found = arrivals(dialogue, 250).filter(({ segment }) => segment.seq === start);
    expect(found.at(-1)?.at).to.be.within(199, 201);
  });
});
