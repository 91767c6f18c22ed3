/** RFC 6582: NewReno, the loss recovery of a guest without SACK. */
import { expect } from 'chai';
import { FLAGS, rows } from '../../worker/flow/row.ts';
import { pipe } from '../../worker/tcp/congestion.ts';
import { CWND, LOST, RECOVERING } from '../../worker/tcp/row.ts';
import { ACK } from '../support/guest_frame.ts';
import { FLIGHT, LossyGuest, MSS, nothing } from '../support/lossy_guest.ts';
import { type Dialogue, pattern } from '../support/tcp_dialogue.ts';
import { spans } from './sack.ts';
import { arrivals, established, sendPieces } from './states.ts';
import { absent, bySection, describeTable, takenOver, type Table } from './table.ts';

const TABLE: Table = {
  '§3.2/1': 'the third duplicate begins a recovery if its ACK covers more than the last one’s end',
  '§3.2/2': 'else nothing is sent again, and nothing is cut',
  '§3.2/3': 'an ACK of all that was in flight when it began ends the recovery',
  '§3.2/4': 'an ACK of a part has the first segment behind it sent again, at once',
  '§3.2/5': 'as much as that acknowledges has left the network, and the segment sent again has entered it',
  '§3.2/6': 'an ACK of a part starts the timer anew',
  '§3.2/7': 'a timeout ends the recovery, and is remembered as the end of the next',
  '§4': absent(
    'echoes of what a timeout sent again may be told from a loss',
    'a MAY; a loss among them is found by ACKs of a part, in slow start',
  ),
  '§5': takenOver('a receiver acknowledges what is out of order at once', '§4.2/3'),
};
describeTable(6582, bySection({ '§3.2': 7, '§4': 1, '§5': 1 }), TABLE);

function inFlight(count: number): { dialogue: Dialogue; start: number; row: number } {
  const dialogue = established({ mss: 1000 });
  sendPieces(dialogue, count);
  return { dialogue, start: dialogue.ack, row: dialogue.row() };
}

function duplicates(dialogue: Dialogue, start: number, count: number): [number, number][] {
  return Array.from({ length: count }, () => spans(dialogue.send(ACK), start)).flat();
}

function acknowledge(dialogue: Dialogue, start: number, ack: number): [number, number][] {
  return spans(dialogue.acknowledge(start + ack), start);
}

const recovering = (row: number): boolean => ((rows[row + FLAGS] as number) & RECOVERING) !== 0;

describe('RFC 6582 §3.2: NewReno', () => {
  it('RFC 6582 §3.2/1, §3.2/4: three duplicates, then the next hole with each ACK of a part, and only that', () => {
    const { dialogue, start } = inFlight(12);
    expect(duplicates(dialogue, start, 7)).to.deep.equal([[0, 1000]]);
    expect(acknowledge(dialogue, start, 3000)).to.deep.equal([[3000, 1000]]);
    expect(acknowledge(dialogue, start, 4000)).to.deep.equal([[4000, 1000]]);
    expect(acknowledge(dialogue, start, 9000)).to.deep.equal([[9000, 1000]]);
    expect(acknowledge(dialogue, start, 12_000)).to.deep.equal([]);
    expect(dialogue.bench.counter('tcp_retransmissions')).to.equal(4);
  });

  it('RFC 6582 §3.2/2: duplicates that the recovery itself has caused begin no other', () => {
    const { dialogue, start, row } = inFlight(10);
    duplicates(dialogue, start, 3);
    dialogue.stream.write(pattern(3000, 10_000));
    dialogue.seen();
    // What was sent again was not missing: the guest answers each by an ACK of what it has.
    acknowledge(dialogue, start, 10_000);
    const cut = rows[row + CWND];
    expect(duplicates(dialogue, start, 5)).to.deep.equal([]);
    expect(rows[row + CWND]).to.equal(cut);
    acknowledge(dialogue, start, 13_000);
    sendPieces(dialogue, 5, 1000, 13_000);
    expect(duplicates(dialogue, start, 3)).to.deep.equal([[13_000, 1000]]);
  });

  it('RFC 6582 §3.2/3: the ACK of all ends it', () => {
    const { dialogue, start, row } = inFlight(10);
    duplicates(dialogue, start, 3);
    for (const ack of [1000, 6000, 9000]) {
      acknowledge(dialogue, start, ack);
      expect(recovering(row), `${ack}`).to.equal(true);
    }
    acknowledge(dialogue, start, 10_000);
    expect(recovering(row)).to.equal(false);
  });

  it('RFC 6582 §3.2/5: pipe falls by what an ACK of a part acknowledges, and the repetition is in it', () => {
    const { dialogue, start, row } = inFlight(20);
    duplicates(dialogue, start, 6);
    // Six have come, one was sent again in the place of one that was lost.
    expect(pipe(row)).to.equal(14_000);
    // Three more of those six are acknowledged by this, and the first; the segment behind it is lost, and sent again.
    acknowledge(dialogue, start, 4000);
    expect(pipe(row)).to.equal(13_000);
  });

  it('RFC 6582 §3.2/5: many holes are filled one in a round trip, and new data goes out in between', () => {
    const guest = new LossyGuest({ sack: false, window: 65_000 });
    const flight = guest.settle();
    const first = guest.first;
    const lost = new Set([first + 2, first + 9, first + 10, first + 30]);
    let sent = guest.trip(flight, (segment) => lost.has(segment));
    let trips = 1;
    for (; recovering(guest.row) || trips === 1; trips++) {
      expect(pipe(guest.row)).to.be.at.most(guest.window + MSS);
      sent = guest.trip(sent, nothing);
    }
    expect(trips).to.be.within(lost.size, lost.size + 3);
    expect(guest.first).to.be.at.least(first + FLIGHT);
    expect(sent.length).to.be.above(0);
  });

  it('RFC 6582 §3.2/6: the timer runs from the last ACK of a part: many holes need no timeout', () => {
    const { dialogue, start } = inFlight(30);
    duplicates(dialogue, start, 3);
    for (let ack = 1; ack <= 10; ack++) {
      dialogue.bench.advance(150);
      expect(dialogue.seen().filter(({ seq }) => seq === ((start + ack * 1000) | 0))).to.deep.equal([]);
      expect(acknowledge(dialogue, start, ack * 1000).filter(([from]) => from === ack * 1000)).to.have.length(1);
    }
    const [first] = arrivals(dialogue, 250).filter(({ segment }) => segment.seq === dialogue.ack);
    expect(first?.at).to.be.within(190, 201);
  });

  it('RFC 6582 §3.2/7: duplicates after a timeout begin no recovery until more than was in flight then is acknowledged', () => {
    const { dialogue, start, row } = inFlight(8);
    duplicates(dialogue, start, 3);
    dialogue.bench.advance(250);
    dialogue.seen();
    expect([rows[row + CWND], rows[row + LOST]], 'all but the first, which has gone out').to.deep.equal([1000, 7000]);
    expect(duplicates(dialogue, start, 5).filter(([from]) => from === 0)).to.deep.equal([]);
    acknowledge(dialogue, start, 8000);
    sendPieces(dialogue, 4, 1000, 8000);
    expect(duplicates(dialogue, start, 3)).to.deep.equal([[8000, 1000]]);
  });
});
