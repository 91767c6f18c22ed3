/** RFC 5682: timeouts that were in vain, found by SACK (its §3) or by timestamps (RFC 3522), and what is undone then. */
import { expect } from 'chai';
import { coldRows, FLAGS, rows } from '../../worker/flow/row.ts';
import { CWND, RECOVERING, SSTHRESH } from '../../worker/tcp/row.ts';
import { ACK, type Segment } from '../support/guest_frame.ts';
import { type Dialogue, pattern } from '../support/tcp_dialogue.ts';
import { spans, thousands } from './sack.ts';
import { arrivals, established, sendPieces } from './states.ts';
import { bySection, describeTable, differs, type Table } from './table.ts';

const EIFEL = 'timestamps tell by one ACK whether the original came (RFC 3522); a guest with neither these nor SACK is taken at its word';

const TABLE: Table = {
  '§2.1/1': 'a timeout has the first segment sent again, and only that',
  '§2.1/2': differs('an ACK of a part has two new segments sent instead of old ones', EIFEL),
  '§2.1/3': differs('an ACK of more then shows that the timeout was in vain', EIFEL),
  '§3.1/1': 'with SACK: an ACK, cumulative or not, of what was not sent again shows it',
  '§3.1/2': 'one of what was sent again alone does not',
  '§3.1/3': differs('not where a recovery was under way', 'there as well; what that had cut stays cut'),
  '§4/1': 'then nothing more is sent again for that timeout',
  '§4/2': 'window and threshold are as before',
};
describeTable(5682, bySection({ '§2.1': 3, '§3.1': 3, '§4': 2 }), TABLE);

/** `count` segments in flight, of which nothing was heard until the timer expired. */
function timedOut(
  count: number,
  options: { sackPermitted?: boolean; timestamps?: boolean; length?: number },
): { dialogue: Dialogue; start: number; again: Segment[] } {
  const { length = 1000, ...rest } = options;
  const dialogue = established({ mss: 1000, ...rest });
  sendPieces(dialogue, count, length);
  const start = dialogue.ack;
  const echo = dialogue.timestampEcho;
  const again = arrivals(dialogue, 205)
    .filter(({ at }) => at >= 195)
    .map(({ segment }) => segment);
  // The guest has not got what went out last.
  dialogue.timestampEcho = echo;
  return { dialogue, start, again };
}

/** The two windows, and whether a recovery is under way. */
function state(dialogue: Dialogue): [number, number, boolean] {
  const row = dialogue.row();
  return [rows[row + CWND] as number, coldRows[row + SSTHRESH] as number, ((rows[row + FLAGS] as number) & RECOVERING) !== 0];
}

describe('RFC 5682 §2.1: without SACK', () => {
  it('RFC 5682 §2.1/1: a timeout has the first segment sent again', () => {
    for (const sackPermitted of [true, false]) {
      const { start, again } = timedOut(8, { sackPermitted });
      expect(spans(again, start)).to.deep.equal([[0, 1000]]);
    }
  });

  it('RFC 5682 §2.1/2, §2.1/3: a guest without SACK and timestamps: slow start over what is not acknowledged', () => {
    const { dialogue, start } = timedOut(8, {});
    expect(spans(dialogue.acknowledge(start + 1000), start)).to.deep.equal([[1000, 2000]]);
    expect(spans(dialogue.acknowledge(start + 2000), start)).to.deep.equal([[3000, 2000]]);
    expect(state(dialogue)).to.deep.equal([3000, 5600, true]);
    const { dialogue: other, start: first } = timedOut(8, {});
    expect(spans(other.acknowledge(first + 2000), first)[0]?.[0]).to.equal(2000);
    expect(state(other)[2]).to.equal(true);
  });

  it('RFC 5682 §2.1/2: with timestamps: an echo of the original, and all is as before', () => {
    const { dialogue, start } = timedOut(8, { timestamps: true, length: 988 });
    expect(spans(dialogue.acknowledge(start + 988), start)).to.deep.equal([]);
    expect(state(dialogue)).to.deep.equal([0, 0, false]);
  });

  it('RFC 5682 §2.1/3: one of the repetition, and it goes on', () => {
    const { dialogue, start } = timedOut(8, { timestamps: true, length: 988 });
    dialogue.timestampEcho = (dialogue.timestampEcho + 205) | 0;
    expect(spans(dialogue.acknowledge(start + 988), start)).to.deep.equal([[988, 2 * 988]]);
    expect(state(dialogue)[2]).to.equal(true);
  });
});

describe('RFC 5682 §3.1, §4: with SACK', () => {
  it('RFC 5682 §3.1/1, §4/1, §4/2: a cumulative ACK of more than was sent again: all is as before, and new data goes out', () => {
    const { dialogue, start } = timedOut(8, { sackPermitted: true });
    dialogue.stream.write(pattern(3000, 8000));
    expect(dialogue.seen()).to.deep.equal([]);
    expect(state(dialogue)).to.deep.equal([1000, 5600, true]);
    expect(spans(dialogue.acknowledge(start + 2000), start)).to.deep.equal([[8000, 3000]]);
    expect(state(dialogue)).to.deep.equal([0, 0, false]);
    for (let ack = 3; ack <= 11; ack++) expect(spans(dialogue.acknowledge(start + ack * 1000), start)).to.deep.equal([]);
  });

  it('RFC 5682 §3.1/1: a SACK of it', () => {
    const { dialogue, start } = timedOut(8, { sackPermitted: true });
    expect(spans(dialogue.send(ACK, { sack: thousands(start, [2, 3]) }), start)).to.deep.equal([]);
    expect(state(dialogue).slice(0, 2)).to.deep.equal([0, 0]);
  });

  it('RFC 5682 §3.1/2: an ACK of what was sent again proves nothing', () => {
    const { dialogue, start } = timedOut(8, { sackPermitted: true });
    expect(spans(dialogue.acknowledge(start + 1000), start)).to.deep.equal([[1000, 2000]]);
    expect(spans(dialogue.acknowledge(start + 2000), start)).to.deep.equal([[3000, 2000]]);
    expect(state(dialogue)).to.deep.equal([3000, 5600, true]);
  });

  it('RFC 5682 §3.1/3: in the middle of a recovery: what was SACKed before proves nothing, and what comes late does', () => {
    const dialogue = established({ mss: 1000, sackPermitted: true });
    sendPieces(dialogue, 40);
    const start = dialogue.ack;
    expect(spans(dialogue.send(ACK, { sack: thousands(start, [1, 10]) }), start)).to.deep.equal([[0, 1000]]);
    expect(arrivals(dialogue, 205).at(-1)?.segment.seq).to.equal(start);
    expect(spans(dialogue.acknowledge(start + 10_000), start)).to.deep.equal([[10_000, 2000]]);
    expect(state(dialogue)[2]).to.equal(true);
    expect(spans(dialogue.send(ACK, { sack: thousands(start, [15, 16]) }), start)).to.deep.equal([]);
    expect(state(dialogue)[0]).to.equal(0);
  });

  it('RFC 5682 §3.1/3: a window that the recovery had cut stays cut', () => {
    const dialogue = established({ mss: 1000, sackPermitted: true });
    sendPieces(dialogue, 16);
    const start = dialogue.ack;
    dialogue.send(ACK, { sack: thousands(start, [13, 16], [9, 12], [1, 4]) });
    expect(state(dialogue)[1]).to.equal(11_200);
    expect(arrivals(dialogue, 205).at(-1)?.segment.seq).to.equal(start);
    expect(state(dialogue)[0]).to.equal(1000);
    dialogue.send(ACK, { sack: thousands(start, [12, 16]) });
    const [window, threshold] = state(dialogue);
    expect([window > 0 && window <= 11_200, threshold]).to.deep.equal([true, 11_200]);
  });

  it('RFC 5682 §4/2: the next loss finds what there was before: a whole flight goes out', () => {
    const { dialogue, start } = timedOut(8, { sackPermitted: true });
    dialogue.acknowledge(start + 8000);
    sendPieces(dialogue, 30, 1000, 8000);
    expect(state(dialogue)[0]).to.equal(0);
  });
});
