/** What the guest is told of data that came out of order, or twice. */
import { expect } from 'chai';
import { FLAGS, rows } from '../../../worker/flow/row.ts';
import { SACK_PERMITTED } from '../../../worker/tcp/row.ts';
import { ACK, FIN, PSH, type Segment } from '../../support/guest_frame.ts';
import { Dialogue, type DialogueOptions, pattern } from '../../support/tcp_dialogue.ts';
import { ENDS6 } from '../../support/workbench.ts';

function established(options: DialogueOptions = {}): Dialogue {
  const dialogue = new Dialogue({ sackPermitted: true, ...options });
  dialogue.establish();
  rows[dialogue.row() + FLAGS]! |= SACK_PERMITTED;
  return dialogue;
}

/** Bytes of the guest's stream from `from` up to `to`; the worker's answers. */
function piece(dialogue: Dialogue, from: number, to: number, flags = ACK): Segment[] {
  return dialogue.send(flags, { seq: (dialogue.seq + from) | 0, payload: pattern(to - from, from) });
}

/** The blocks of a segment, counted from where the guest's stream stands. */
function blocks(dialogue: Dialogue, segment: Segment | undefined): number[][] {
  return (segment?.sack ?? []).map(({ left, right }) => [(left - dialogue.seq) | 0, (right - dialogue.seq) | 0]);
}

for (const guestIss of [1000, -1500, 0x7fffffff - 1500]) {
  describe(`worker/tcp: SACK to the guest, from ${guestIss} on`, () => {
    it('RFC 2018 §4: the range of the segment that is answered comes first, then the most recent', () => {
      const dialogue = established({ guestIss });
      const told = (from: number, to: number): number[][] => blocks(dialogue, piece(dialogue, from, to).at(-1));
      expect(told(1000, 1100)).to.deep.equal([[1000, 1100]]);
      expect(told(3000, 3100)).to.deep.equal([
        [3000, 3100],
        [1000, 1100],
      ]);
      expect(told(2000, 2100)).to.deep.equal([
        [2000, 2100],
        [3000, 3100],
        [1000, 1100],
      ]);
      expect(told(5000, 5100)).to.deep.equal([
        [5000, 5100],
        [2000, 2100],
        [3000, 3100],
        [1000, 1100],
      ]);
      expect(told(3100, 3200)).to.deep.equal([
        [3000, 3200],
        [5000, 5100],
        [2000, 2100],
        [1000, 1100],
      ]);
      expect(told(4000, 4100), 'no more than fit').to.deep.equal([
        [4000, 4100],
        [3000, 3200],
        [5000, 5100],
        [2000, 2100],
      ]);
      expect(told(2100, 3000), 'joined').to.deep.equal([
        [2000, 3200],
        [4000, 4100],
        [5000, 5100],
        [1000, 1100],
      ]);
    });

    it('RFC 2018 §4: a gap that is filled in part: the ACK goes on, and the rest is told again', () => {
      const dialogue = established({ guestIss });
      for (const from of [1000, 3000]) piece(dialogue, from, from + 1000);
      const answer = piece(dialogue, 0, 1000).at(-1);
      expect(answer?.ack).to.equal((dialogue.seq + 2000) | 0);
      expect(blocks(dialogue, answer)).to.deep.equal([[3000, 4000]]);
      const last = piece(dialogue, 2000, 3000).at(-1);
      expect(last?.ack).to.equal((dialogue.seq + 4000) | 0);
      expect(last?.sack).to.equal(undefined);
    });

    it('RFC 2883 §4: what came twice comes first, once', () => {
      const dialogue = established({ guestIss });
      piece(dialogue, 0, 1000);
      expect(blocks(dialogue, piece(dialogue, 0, 400).at(-1)), 'acknowledged before').to.deep.equal([[0, 400]]);
      expect(blocks(dialogue, piece(dialogue, 500, 1500).at(-1)), 'in part').to.deep.equal([[500, 1000]]);
      expect(blocks(dialogue, piece(dialogue, 3000, 4000).at(-1)), 'not again').to.deep.equal([[3000, 4000]]);
      expect(blocks(dialogue, piece(dialogue, 3200, 3400).at(-1)), 'in a range').to.deep.equal([
        [3200, 3400],
        [3000, 4000],
      ]);
      expect(blocks(dialogue, piece(dialogue, 3900, 5000).at(-1))).to.deep.equal([
        [3900, 4000],
        [3000, 5000],
      ]);
      expect(blocks(dialogue, piece(dialogue, 1500, 3300).at(-1)), 'with what fills the gap').to.deep.equal([[3000, 3300]]);
    });
  });
}

describe('worker/tcp: SACK to the guest', () => {
  for (const [timestamps, most] of [
    [true, 3],
    [false, 4],
  ] as const) {
    for (const ends of [undefined, ENDS6]) {
      it(`RFC 2018 §3: ${most} blocks ${timestamps ? 'beside' : 'without'} timestamps, IPv${ends === undefined ? 4 : 6}`, () => {
        const dialogue = established({ timestamps, ...(ends === undefined ? {} : { ends }) });
        let answers: Segment[] = [];
        for (let at = 0; at < 6; at++) answers = piece(dialogue, 1000 + 2000 * at, 2000 + 2000 * at);
        expect(answers.at(-1)?.sack).to.have.length(most);
        expect(answers.at(-1)?.timestamp !== undefined).to.equal(timestamps);
        expect(blocks(dialogue, piece(dialogue, 1500, 1600).at(-1))).to.have.length(most);
      });
    }
  }

  it('a FIN that came early is told of with the data before it', () => {
    const dialogue = established();
    expect(blocks(dialogue, piece(dialogue, 1000, 1500, ACK | FIN).at(-1))).to.deep.equal([[1000, 1501]]);
  });

  it('a segment with data has no room for it: the ACK that is owed follows alone', () => {
    const dialogue = established();
    piece(dialogue, 1000, 2000);
    piece(dialogue, 3000, 4000);
    dialogue.stream.write(pattern(50_000));
    dialogue.bench.kernel.tap.send(dialogue.frame(ACK, { seq: dialogue.seq, payload: pattern(1000) }));
    const answers = dialogue.seen();
    expect(answers.filter(({ payload }) => payload.length > 0).every(({ sack }) => sack === undefined)).to.equal(true);
    expect(answers.some(({ payload, flags }) => payload.length > 0 && (flags & PSH) !== 0)).to.equal(true);
    const alone = answers.filter(({ payload }) => payload.length === 0);
    expect(blocks(dialogue, alone.at(-1))).to.deep.equal([[3000, 4000]]);
  });

  it('a guest that does not permit it gets none', () => {
    const dialogue = new Dialogue({ sackPermitted: false });
    dialogue.establish();
    expect(piece(dialogue, 1000, 2000)[0]?.sack).to.equal(undefined);
    expect(piece(dialogue, 1000, 2000)[0]?.sack).to.equal(undefined);
  });
});
