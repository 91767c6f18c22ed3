/** RFC 2883: SACK of what has come twice, from the guest and to it. */
import { expect } from 'chai';
import { rows } from '../../worker/flow/row.ts';
import { REORDERING, SACKED } from '../../worker/tcp/row.ts';
import { ACK, type Segment } from '../support/guest_frame.ts';
import { type Dialogue, type DialogueOptions, pattern } from '../support/tcp_dialogue.ts';
import { blocks, piece, spans, thousands } from './sack.ts';
import { arrivals, established, farText, sendPieces } from './states.ts';
import { bySection, describeTable, differs, type Table } from './table.ts';

const TABLE: Table = {
  '§4/1': 'a block tells of what has come twice with the segment that is answered, and comes first',
  '§4/2': 'it is told of once',
  '§4/3': 'its edges are those of the bytes that were there before',
  '§4/4': 'if they lie in a range behind a gap, the second block is that range',
  '§4/5': 'other blocks follow, as in RFC 2018',
  '§4/6': 'of a guest: what lies below its ACK, or within its second block, is told of as twice',
  '§4/7': 'and is no range of what it has',
  '§4.2/1': 'a segment that is new in part tells of the other part',
  '§4.2/2': 'of two pieces that came twice the first is told of',
  '§4.3': differs('what PAWS drops may be told of', 'it is not: its numbers may be those of 2³² bytes ago; the ACK says where we are'),
  '§5': 'who sees that it has sent something twice in vain may adapt to that',
};
describeTable(2883, bySection({ '§4': 7, '§4.2': 2, '§4.3': 1, '§5': 1 }), TABLE);

function permitted(options: DialogueOptions = {}): Dialogue {
  return established({ sackPermitted: true, ...options });
}

/** The blocks of the last answer to the bytes from `from` up to `to`. */
function told(dialogue: Dialogue, from: number, to: number): [number, number][] {
  return blocks(dialogue, piece(dialogue, from, to).at(-1));
}

describe('RFC 2883 §4: what came twice from the guest', () => {
  for (const guestIss of [1000, -1500, 0x7fffffff - 1500]) {
    it(`RFC 2883 §4/1, §4/3: all of a segment that was acknowledged before (from ${guestIss} on)`, () => {
      const dialogue = permitted({ guestIss });
      dialogue.sendData(pattern(3000));
      for (const [from, to] of [
        [-3000, 0],
        [-2000, -1000],
        [-1, 0],
      ] as const)
        expect(told(dialogue, from, to)).to.deep.equal([[from, to]]);
    });
  }

  it('RFC 2883 §4/2: the next ACK does not repeat it', () => {
    const dialogue = permitted();
    dialogue.sendData(pattern(1000));
    piece(dialogue, -1000, 0);
    expect(told(dialogue, 2000, 3000)).to.deep.equal([[2000, 3000]]);
    expect(told(dialogue, -500, 0)).to.deep.equal([
      [-500, 0],
      [2000, 3000],
    ]);
    expect(told(dialogue, 0, 500)).to.deep.equal([[2000, 3000]]);
  });

  it('RFC 2883 §4/4, §4/5: within a range: then the range, then the others, the most recent first', () => {
    const dialogue = permitted();
    for (const from of [1000, 3000, 5000]) piece(dialogue, from, from + 1000);
    expect(told(dialogue, 3200, 3400)).to.deep.equal([
      [3200, 3400],
      [3000, 4000],
      [5000, 6000],
      [1000, 2000],
    ]);
    expect(told(dialogue, 1000, 2000).slice(0, 3)).to.deep.equal([
      [1000, 2000],
      [1000, 2000],
      [3000, 4000],
    ]);
  });

  it('RFC 2883 §4.2/1: below the ACK, within a range and at its end: the part that was there', () => {
    const dialogue = permitted();
    dialogue.sendData(pattern(1000));
    expect(told(dialogue, -400, 600)).to.deep.equal([[-400, 0]]);
    expect(told(dialogue, 2000, 3000)).to.deep.equal([[2000, 3000]]);
    expect(told(dialogue, 2500, 3500)).to.deep.equal([
      [2500, 3000],
      [2000, 3500],
    ]);
    expect(told(dialogue, 1800, 2100)).to.deep.equal([
      [2000, 2100],
      [1800, 3500],
    ]);
  });

  it('RFC 2883 §4.2/2: over two ranges: the first of both', () => {
    const dialogue = permitted();
    for (const from of [1000, 3000]) piece(dialogue, from, from + 1000);
    expect(told(dialogue, 500, 5000)).to.deep.equal([
      [1000, 2000],
      [500, 5000],
    ]);
    expect(told(dialogue, 0, 600)[0]).to.deep.equal([500, 600]);
    expect(farText(dialogue)).to.deep.equal(pattern(5000));
  });

  it('RFC 2883 §4.2/2, RFC 5681 §4.2/5: below the ACK and within a range: one ACK, and the first of both', () => {
    const dialogue = permitted();
    dialogue.sendData(pattern(1000));
    piece(dialogue, 1000, 2000);
    const answers = piece(dialogue, -400, 1500);
    expect(answers.map(({ ack }) => (ack - dialogue.seq) | 0)).to.deep.equal([2000]);
    expect(blocks(dialogue, answers[0])).to.deep.equal([[-400, 0]]);
  });

  it('RFC 2883 §4.3: a late copy is acknowledged, and not told of', () => {
    const dialogue = permitted({ timestamps: true });
    dialogue.sendData(pattern(1000));
    dialogue.bench.advance(10);
    dialogue.sendData(pattern(1000, 1000));
    const old = { value: (dialogue.timestampNow() - 5000) | 0, echo: dialogue.timestampEcho };
    const answers = dialogue.send(ACK, { seq: (dialogue.seq - 1000) | 0, payload: pattern(1000, 1000), timestamp: old });
    expect(answers.map(({ ack, sack }) => [ack, sack])).to.deep.equal([[dialogue.seq, undefined]]);
  });
});

describe('RFC 2883 §4, §5: what came twice to the guest', () => {
  function inFlight(count: number): { dialogue: Dialogue; start: number } {
    const dialogue = permitted({ mss: 1000 });
    sendPieces(dialogue, count);
    return { dialogue, start: dialogue.ack };
  }

  const learned = (dialogue: Dialogue): number => (rows[dialogue.row() + REORDERING] as number) & 0xff;

  it('RFC 2883 §4/6, §4/7: below its ACK, or within its second block: no range, and nothing is sent for it', () => {
    const { dialogue, start } = inFlight(20);
    dialogue.acknowledge(start + 4000);
    expect(dialogue.send(ACK, { sack: thousands(start, [2, 3]) })).to.deep.equal([]);
    expect(rows[dialogue.row() + SACKED]).to.equal(0);
    expect(dialogue.send(ACK, { sack: thousands(start, [6, 7], [5, 8]) })).to.have.length(1);
    expect(rows[dialogue.row() + SACKED]).to.equal(3000);
    expect(dialogue.send(ACK, { sack: thousands(start, [10, 11], [5, 8]) })).to.have.length(1);
    expect(rows[dialogue.row() + SACKED]).to.equal(4000);
  });

  it('RFC 2883 §5: what was sent again in vain makes the next hole wait; what the network doubled does not', () => {
    const next = (sack: boolean): Segment[] => {
      const { dialogue, start } = inFlight(20);
      const again = sack ? dialogue.send(ACK, { sack: thousands(start, [1, 5]) }) : [];
      expect(spans(again, start)).to.deep.equal(sack ? [[0, 1000]] : []);
      dialogue.acknowledge(start + 5000);
      dialogue.send(ACK, { sack: thousands(start, [0, 1]) });
      expect(learned(dialogue)).to.equal(sack ? 1 : 0);
      return dialogue.send(ACK, { sack: thousands(start, [6, 12]) });
    };
    expect(next(true)).to.deep.equal([]);
    expect(next(false)).to.have.length(1);
  });

  it('RFC 2883 §4/6, §5: the same where it lies within a range', () => {
    const { dialogue, start } = inFlight(20);
    expect(dialogue.send(ACK, { sack: thousands(start, [7, 12], [1, 6]) })).to.have.length(2);
    dialogue.send(ACK, { sack: thousands(start, [6, 7], [1, 12]) });
    expect(learned(dialogue)).to.equal(1);
  });

  it('RFC 2883 §5: it is sent all the same, a moment later', () => {
    const { dialogue, start } = inFlight(20);
    dialogue.send(ACK, { sack: thousands(start, [1, 5]) });
    dialogue.acknowledge(start + 5000);
    dialogue.send(ACK, { sack: thousands(start, [0, 1]) });
    dialogue.send(ACK, { sack: thousands(start, [6, 12]) });
    const found = arrivals(dialogue, 20).map(({ segment }) => segment);
    expect(spans(found, start)[0]).to.deep.equal([5000, 1000]);
  });
});
