/** What the guest tells of by SACK, against a set of numbers kept the slow way (RFC 2018 §5, RFC 2883). */
import { expect } from 'chai';
import fc from 'fast-check';
import { coldRows, FLAGS, ROW, rows } from '../../../worker/flow/row.ts';
import { HIGH_SACKED, LOST, RECOVERING, SACK_FIRST, SACKED, SND_MAX, SND_UNA } from '../../../worker/tcp/row.ts';
import { blocksSacked, left, next, RANGES, right } from '../../../worker/tcp/scoreboard.ts';
import { ACK, type SackBlock } from '../../support/guest_frame.ts';
import { SequenceSet } from '../../support/sequence_set.ts';
import { Dialogue, pattern } from '../../support/tcp_dialogue.ts';

const FLIGHT = 60_000;

function inFlight(workerIss: number): Dialogue {
  const dialogue = new Dialogue({ workerIss, windowScale: 0, mss: 1000, mtu: 1500, sackPermitted: true });
  dialogue.establish();
  dialogue.stream.write(pattern(FLIGHT));
  dialogue.seen();
  return dialogue;
}

function board(row: number): SackBlock[] {
  const blocks: SackBlock[] = [];
  for (let entry = rows[row + SACK_FIRST] as number; entry !== 0; entry = next[entry] as number)
    blocks.push({ left: left[entry] as number, right: right[entry] as number });
  return blocks;
}

/** Blocks of an ACK, as distances from the first number in flight. */
const block = fc.record({ from: fc.integer({ min: 1, max: FLIGHT - 1 }), length: fc.integer({ min: 1, max: 20_000 }) });
const news = fc.record({
  advance: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat({ max: 9000 })),
  blocks: fc.array(block, { maxLength: 3 }),
});
const iss = fc.constantFrom(-FLIGHT / 2, 0, 0x7fffffff - FLIGHT / 2, 12_345);

describe('worker/tcp: scoreboard', () => {
  it('holds what the guest has told of, and not what is acknowledged, wherever the numbers are', () => {
    const property = fc.property(iss, fc.array(news, { maxLength: 25 }), (workerIss, told) => {
      const dialogue = inFlight(workerIss);
      const row = dialogue.row();
      const start = dialogue.ack;
      const known = new SequenceSet();
      for (const { advance, blocks } of told) {
        // An honest guest acknowledges all that it has in order.
        const ack = known.endFrom((start + Math.min(((dialogue.ack - start) | 0) + advance, FLIGHT)) | 0);
        dialogue.ack = ack;
        known.dropBelow(ack);
        const sack = blocks
          .map(({ from, length }) => ({ left: (start + from) | 0, right: (start + Math.min(from + length, FLIGHT)) | 0 }))
          .filter((one) => ((one.left - ack) | 0) > 0);
        for (const one of sack) known.add(one.left, one.right);
        dialogue.send(ACK, { sack });
        if (ack === ((start + FLIGHT) | 0)) break;
        // The first block may look like a duplicate of the second, and is told of by that (RFC 2883 §4).
        const expected = known.ranges.map((range) => ({ left: range.left, right: range.right }));
        expect(board(row)).to.deep.equal(expected);
        expect(rows[row + SACKED]).to.equal(expected.reduce((sum, one) => sum + ((one.right - one.left) | 0), 0));
        const last = expected.at(-1);
        if (last !== undefined) expect(coldRows[row + HIGH_SACKED]).to.equal(last.right);
      }
      dialogue.acknowledge((start + FLIGHT) | 0);
      expect(blocksSacked).to.equal(0);
    });
    fc.assert(property, { numRuns: 300 });
  });

  it('takes nothing from blocks that can’t be true', () => {
    const dialogue = inFlight(-20_000);
    const row = dialogue.row();
    const [una, max] = [rows[row + SND_UNA] as number, rows[row + SND_MAX] as number];
    const lies: SackBlock[][] = [
      [{ left: (una + 5000) | 0, right: (max + 1) | 0 }],
      [{ left: (una + 5000) | 0, right: (una + 5000) | 0 }],
      [{ left: (una + 5000) | 0, right: (una + 4000) | 0 }],
      [{ left: una, right: (una + 3000) | 0 }],
      [{ left: (una - 3000) | 0, right: (una + 3000) | 0 }],
      [{ left: (una + 0x7fffffff) | 0, right: (una - 5) | 0 }],
    ];
    for (const sack of lies) for (let times = 0; times < 4; times++) expect(dialogue.send(ACK, { sack })).to.deep.equal([]);
    expect(board(row)).to.deep.equal([]);
    expect([rows[row + SACKED], rows[row + LOST], (rows[row + FLAGS] as number) & RECOVERING]).to.deep.equal([0, 0, 0]);
  });

  it('RFC 2883 §4: a block that tells of a duplicate is no range', () => {
    const dialogue = inFlight(0x7fffffff - 2000);
    const row = dialogue.row();
    dialogue.acknowledge(dialogue.ack + 3000);
    const { ack } = dialogue;
    dialogue.send(ACK, { sack: [{ left: (ack - 1000) | 0, right: ack }] });
    expect(board(row)).to.deep.equal([]);
    const range = { left: (ack + 1000) | 0, right: (ack + 3000) | 0 };
    dialogue.send(ACK, { sack: [{ left: (ack + 1500) | 0, right: (ack + 2000) | 0 }, range] });
    expect(board(row)).to.deep.equal([range]);
  });

  it('RFC 2018 §8: a guest that acknowledges less than it has told of has dropped it: all is forgotten', () => {
    for (const [from, ack] of [
      [2000, 2000],
      [2000, 2500],
    ] as const) {
      const dialogue = inFlight(-1000);
      const row = dialogue.row();
      const start = dialogue.ack;
      dialogue.send(ACK, { sack: [{ left: (start + from) | 0, right: (start + 9000) | 0 }] });
      const again = dialogue.acknowledge(start + ack);
      expect(board(row)).to.deep.equal([]);
      expect(again.filter(({ payload }) => payload.length > 0)[0]?.seq).to.equal((start + ack) | 0);
    }
  });

  it('an exhausted pool forgets the newest, and harms nobody', () => {
    const dialogue = new Dialogue({ windowScale: 8, mss: 1000, mtu: 1500, sackPermitted: true, window: 65_535 });
    dialogue.establish();
    dialogue.send(ACK);
    dialogue.stream.write(pattern(RANGES * 2 + 5000));
    dialogue.seen();
    const start = dialogue.ack;
    for (let at = 1; at < RANGES * 2 + 300; at += 6) {
      const sack = [at, at + 2, at + 4].map((from) => ({ left: (start + from) | 0, right: (start + from + 1) | 0 }));
      dialogue.bench.deliver(dialogue.frame(ACK, { sack }));
    }
    dialogue.seen();
    expect(blocksSacked).to.equal(RANGES);
    dialogue.acknowledge(start + RANGES * 2 + 5000);
    expect(blocksSacked).to.equal(0);
    expect(rows[(dialogue.row() / ROW) * ROW + SACKED]).to.equal(0);
  }).timeout(20_000);
});
