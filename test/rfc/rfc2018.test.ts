/** RFC 2018: selective acknowledgments, of the guest's data and of what goes to it. */
import { expect } from 'chai';
import { BUFFER_BLOCK_COUNT } from '../../worker/link/arena.ts';
import { rows } from '../../worker/flow/row.ts';
import { SACKED } from '../../worker/tcp/row.ts';
import { ACK, FIN, type Segment, SYN } from '../support/guest_frame.ts';
import { type Dialogue, type DialogueOptions, pattern } from '../support/tcp_dialogue.ts';
import { blocks, piece, spans, thousands } from './sack.ts';
import { arrivals, established, farText, hostFin, sendFin, sendPieces, synReceived, synSent } from './states.ts';
import { bySection, describeTable, differs, type Table } from './table.ts';

const TABLE: Table = {
  '§2/1': 'SACK-permitted may be sent in a SYN',
  '§2/2': 'and in no other segment',
  '§3/1': 'a block is a range that has come, without its neighbours, from its first number to the one behind its last',
  '§3/2': 'as many blocks as the options have room for: four, three beside timestamps',
  '§4/1': 'none to a guest that has not permitted it',
  '§4/2': differs('every ACK that does not acknowledge all that is there has them', 'one with data has no room: an ACK alone follows it'),
  '§4/3': 'each segment that comes is answered by one',
  '§4/4': 'the first block has the segment that is answered, unless that moved the ACK',
  '§4/5': 'as many other blocks as fit',
  '§4/6': 'of those the ones that were told of last, none twice',
  '§5/1': 'what the guest tells of is recorded',
  '§5/2': 'and not sent again; what it lacks below that is',
  '§5/3': differs(
    'after a timeout all that is forgotten',
    'after the second in a row: RFC 6675 §5.1, since a guest that drops data is found out',
  ),
  '§5/4': 'after a timeout the segment at the left edge is sent again',
  '§5.1/1': 'one ACK of one segment out of order begins no recovery',
  '§5.1/2': differs('a few segments for each ACK in a recovery', 'all that is lost, where that is little; else in proportion: RFC 6937'),
  '§5.1/3': 'timeouts remain for what SACK does not repair',
  '§8/1': differs(
    'the first block tells of the newest segment even if that is dropped',
    'what found no room is not told of, and comes again',
  ),
  '§8/2': 'no block tells of what is not there',
  '§8/3': 'nothing is given up before its cumulative acknowledgment',
  '§8/4': 'a guest that drops what it has told of gets it again',
};
describeTable(2018, bySection({ '§2': 2, '§3': 2, '§4': 6, '§5': 4, '§5.1': 3, '§8': 4 }), TABLE);

function permitted(options: DialogueOptions = {}): Dialogue {
  return established({ sackPermitted: true, ...options });
}

/** The host's stream on its way to a guest that permits SACK: `count` segments of 1000 bytes. */
function inFlight(count: number, options: DialogueOptions = {}): { dialogue: Dialogue; start: number } {
  const dialogue = permitted({ mss: 1000, ...options });
  sendPieces(dialogue, count);
  return { dialogue, start: dialogue.ack };
}

describe('RFC 2018 §2: SACK-permitted', () => {
  it('RFC 2018 §2/1: our SYN offers it, our SYN|ACK to a guest that does', () => {
    expect(synSent().syn.sackPermitted).to.equal(true);
    expect(synReceived({ sackPermitted: true }).synAck.sackPermitted).to.equal(true);
    expect(synReceived({ sackPermitted: false }).synAck.sackPermitted).to.not.equal(true);
  });

  it('RFC 2018 §2/2: data, ACKs, a FIN and a RST have none', () => {
    const dialogue = permitted();
    const seen = [...sendPieces(dialogue, 3), ...piece(dialogue, 1000, 2000), ...arrivals(dialogue, 1000).map(({ segment }) => segment)];
    dialogue.acknowledge(dialogue.ack + 3000);
    seen.push(...sendFin(dialogue), hostFin(dialogue), ...dialogue.send(ACK, { sourcePort: 9 }), ...dialogue.send(SYN));
    expect(seen.length).to.be.above(8);
    for (const { sackPermitted } of seen) expect(sackPermitted).to.not.equal(true);
  });
});

describe('RFC 2018 §3, §4: what the guest is told', () => {
  it('RFC 2018 §3/1: a block begins with its first byte and ends behind its last, or behind the FIN there; neighbours are one', () => {
    const dialogue = permitted({ guestIss: -1500 });
    expect(blocks(dialogue, piece(dialogue, 1000, 1001)[0])).to.deep.equal([[1000, 1001]]);
    expect(blocks(dialogue, piece(dialogue, 1001, 2000)[0])).to.deep.equal([[1000, 2000]]);
    expect(blocks(dialogue, piece(dialogue, 900, 1000)[0])).to.deep.equal([[900, 2000]]);
    expect(blocks(dialogue, piece(dialogue, 3000, 4000, ACK | FIN)[0])[0]).to.deep.equal([3000, 4001]);
  });

  it('RFC 2018 §3/2, §4/5: up to four blocks, three beside timestamps', () => {
    for (const [timestamps, most] of [
      [false, 4],
      [true, 3],
    ] as const) {
      const dialogue = permitted({ timestamps });
      for (let range = 1; range <= 6; range++)
        expect(blocks(dialogue, piece(dialogue, 1000 * range, 1000 * range + 500)[0])).to.have.length(Math.min(range, most));
    }
  });

  it('RFC 2018 §4/1: a guest that has not permitted it is told of nothing', () => {
    const dialogue = established();
    for (const from of [1000, 3000, 1000, 0]) for (const { sack } of piece(dialogue, from, from + 500)) expect(sack).to.equal(undefined);
  });

  it('RFC 2018 §4/2: data in the other direction has no blocks, and the ACK alone behind it has', () => {
    const dialogue = permitted();
    for (const from of [1000, 3000]) piece(dialogue, from, from + 1000);
    dialogue.stream.write(pattern(5000));
    const answers = piece(dialogue, 0, 1000);
    const [data, alone] = [answers.filter(({ payload }) => payload.length > 0), answers.filter(({ payload }) => payload.length === 0)];
    expect([data.length, alone.length].map((count) => count > 0)).to.deep.equal([true, true]);
    for (const { sack } of data) expect(sack).to.equal(undefined);
    expect(blocks(dialogue, alone.at(-1))).to.deep.equal([[3000, 4000]]);
  });

  it('RFC 2018 §4/3: as many ACKs as segments, each with blocks', () => {
    const dialogue = permitted();
    const frames = [5, 1, 3].map((at) => dialogue.frame(ACK, { seq: (dialogue.seq + 1000 * at) | 0, payload: pattern(500, 1000 * at) }));
    dialogue.bench.deliver(...frames);
    expect(dialogue.seen().map((segment) => blocks(dialogue, segment).length)).to.deep.equal([1, 2, 3]);
  });

  it('RFC 2018 §4/4, §4/6: first the range of the segment that is answered, then those that were first before, each for three times', () => {
    const dialogue = permitted();
    const order = [4, 9, 2, 7, 4, 11, 6];
    const last: number[] = [];
    for (const at of order) {
      const grown = last.includes(at) ? 300 : 0;
      const told = blocks(dialogue, piece(dialogue, 1000 * at + grown, 1000 * at + 300 + grown)[0]).map(([left]) => left / 1000);
      last.splice(0, last.length, at, ...last.filter((other) => other !== at));
      expect(told).to.deep.equal(last.slice(0, 4));
    }
  });

  it('RFC 2018 §4/4: one that moves the ACK is not told of; what is behind the next gap is', () => {
    const dialogue = permitted();
    for (const from of [1000, 3000, 5000]) piece(dialogue, from, from + 1000);
    const [answer] = piece(dialogue, 0, 1000);
    expect(answer?.ack).to.equal((dialogue.seq + 2000) | 0);
    expect(blocks(dialogue, answer)).to.deep.equal([
      [5000, 6000],
      [3000, 4000],
    ]);
  });

  it('RFC 2018 §8/1, §8/2: what found no room is not told of, then or later; what was told of is there', () => {
    const dialogue = permitted({ flows: 2 * BUFFER_BLOCK_COUNT });
    expect(blocks(dialogue, piece(dialogue, 1000, 2000)[0])).to.deep.equal([[1000, 2000]]);
    dialogue.bench.exhaustReceiveBuffers();
    expect(blocks(dialogue, piece(dialogue, 60_000, 61_000)[0])).to.deep.equal([[1000, 2000]]);
    dialogue.bench.returnReceiveBuffers();
    expect(blocks(dialogue, piece(dialogue, 3000, 4000)[0])).to.deep.equal([
      [3000, 4000],
      [1000, 2000],
    ]);
    for (const from of [0, 2000]) piece(dialogue, from, from + 1000);
    expect(farText(dialogue)).to.deep.equal(pattern(4000));
  });
});

describe('RFC 2018 §5, §8: what the guest tells', () => {
  it('RFC 2018 §5/1, §5/2: only the holes below what it has are sent again, whatever is told, and how often', () => {
    const { dialogue, start } = inFlight(20, { workerIss: -10_000 });
    const sent: [number, number][] = [];
    const told: [number, number][][] = [[[2, 5]], [[6, 9], [2, 5]], [[10, 11], [6, 9]], [[12, 18], [10, 11], [2, 5]], [[12, 18]]]; // biome-ignore format: one line for each ACK
    for (const ranges of told) sent.push(...spans(dialogue.send(ACK, { sack: thousands(start, ...ranges) }), start));
    const bytes = sent.flatMap(([from, length]) => Array.from({ length: length / 1000 }, (_, index) => from / 1000 + index));
    expect(bytes.sort((a, b) => a - b)).to.deep.equal([0, 1, 5, 9, 11]);
    expect(dialogue.bench.counter('tcp_retransmissions')).to.equal(sent.length);
  });

  it('RFC 2018 §5/3, §5/4: a timeout has the left edge sent again, then what is not SACKed; the second in a row has it all', () => {
    for (const timeouts of [1, 2]) {
      const { dialogue, start } = inFlight(10);
      dialogue.send(ACK, { sack: thousands(start, [4, 8]) });
      const found = arrivals(dialogue, timeouts === 1 ? 205 : 620).map(({ segment }) => segment);
      expect(spans(found, start).at(-1)).to.deep.equal([0, 1000]);
      expect(rows[dialogue.row() + SACKED]).to.equal(timeouts === 1 ? 4000 : 0);
      const later: Segment[] = [];
      for (const ack of timeouts === 1 ? [1, 2, 3, 8, 9, 10] : [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
        later.push(...dialogue.acknowledge(start + ack * 1000));
      const covered = spans(later, start).some(([from, length]) => from < 8000 && from + length > 4000);
      expect(covered, `${timeouts} timeouts`).to.equal(timeouts === 2);
    }
  });

  it('RFC 2018 §5.1/1: one segment out of order has nothing sent again at once', () => {
    const { dialogue, start } = inFlight(10);
    expect(dialogue.send(ACK, { sack: thousands(start, [1, 2]) })).to.deep.equal([]);
    expect(dialogue.acknowledge(start + 2000)).to.deep.equal([]);
    expect(arrivals(dialogue, 5)).to.deep.equal([]);
  });

  it('RFC 2018 §5.1/2: few holes are filled at once; where much is lost, no more goes out for an ACK than it says has come, and one', () => {
    const few = inFlight(40);
    expect(spans(few.dialogue.send(ACK, { sack: thousands(few.start, [4, 40]) }), few.start)).to.deep.equal([[0, 4000]]);
    const { dialogue, start } = inFlight(40);
    for (let behind = 33; behind <= 40; behind++) {
      const again = spans(dialogue.send(ACK, { sack: thousands(start, [30, behind]) }), start);
      expect(again.reduce((sum, [, length]) => sum + length, 0)).to.be.at.most(behind === 33 ? 4000 : 2000);
    }
  });

  it('RFC 2018 §5.1/3: when what is sent again is lost each time, timeouts go on, up to what comes in the end', () => {
    const { dialogue, start } = inFlight(6);
    dialogue.send(ACK, { sack: thousands(start, [1, 6]) });
    const found = arrivals(dialogue, 3000).filter(({ segment }) => segment.seq === start);
    expect(found.length).to.be.above(3);
    expect(dialogue.acknowledge(start + 6000)).to.deep.equal([]);
    expect(arrivals(dialogue, 3000, 10)).to.deep.equal([]);
  });

  it('RFC 2018 §8/3: nothing is taken from the host’s queue before it is acknowledged in full', () => {
    const { dialogue, start } = inFlight(6);
    dialogue.send(ACK, { sack: thousands(start, [1, 6]) });
    expect(dialogue.stream.taken).to.equal(0);
    dialogue.acknowledge(start + 1000);
    expect(dialogue.stream.taken).to.equal(1000);
  });

  it('RFC 2018 §8/4: what it told of and dropped it gets again, in full', () => {
    const { dialogue, start } = inFlight(6);
    dialogue.send(ACK, { sack: thousands(start, [2, 6]) });
    const bytes = new Uint8Array(6000);
    let answers = dialogue.acknowledge(start + 2000);
    expect(answers[0]?.seq, 'at once').to.equal((start + 2000) | 0);
    for (let round = 0; round < 4000 && dialogue.ack !== ((start + 6000) | 0); round++) {
      for (const { seq, payload } of answers) {
        if (seq !== dialogue.ack) continue;
        bytes.set(payload, (seq - start) | 0);
        dialogue.ack = (seq + payload.length) | 0;
      }
      if (answers.length === 0) dialogue.bench.advance(1);
      answers = answers.length === 0 ? dialogue.seen() : dialogue.send(ACK);
    }
    expect(bytes.subarray(2000)).to.deep.equal(pattern(4000, 2000));
  });
});
