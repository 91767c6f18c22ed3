/** RFC 5961: blind attackers, who guess numbers and see nothing. */
import { expect } from 'chai';
import fc from 'fast-check';
import { rows } from '../../worker/flow/row.ts';
import { RCV_EDGE, RCV_NXT, SND_UNA } from '../../worker/tcp/row.ts';
import { ACK, RST, type Segment, SYN } from '../support/guest_frame.ts';
import { type Dialogue, pattern } from '../support/tcp_dialogue.ts';
import { bytesOf, established, farText, timeWait } from './states.ts';
import { bySection, describeTable, type Table } from './table.ts';

const TABLE: Table = {
  '§3.2/1': 'a RST outside of the window is dropped silently',
  '§3.2/2': 'a RST at exactly RCV.NXT resets',
  '§3.2/3': 'a RST elsewhere in the window gets a challenge ACK',
  '§3.2/4': 'and nothing else is done with it',
  '§4.2/1': 'a SYN gets a challenge ACK, whatever its number',
  '§4.2/2': 'and nothing else is done with it',
  '§5.2/1': 'an ACK counts from SND.UNA − MAX.SND.WND to what was sent; another gets an ACK and is dropped',
  '§5.2/2': 'MAX.SND.WND is the largest window the guest has announced',
  '§7': 'challenge ACKs are rationed',
};
describeTable(5961, bySection({ '§3.2': 4, '§4.2': 2, '§5.2': 2, '§7': 1 }), TABLE);

const INTERVAL = 5000;
const MOST = 10;

function room(dialogue: Dialogue): number {
  return ((rows[dialogue.row() + RCV_EDGE] as number) - (rows[dialogue.row() + RCV_NXT] as number)) | 0;
}

function expectChallenge(answers: Segment[], dialogue: Dialogue, what: string): void {
  expect(
    answers.map(({ flags, seq, ack }) => [flags, seq, ack]),
    what,
  ).to.deep.equal([[ACK, dialogue.ack, dialogue.seq]]);
}

describe('RFC 5961 §3, §4: resets by RST and SYN', () => {
  it('RFC 5961 §3.2/1: outside of the window: silence', () => {
    const dialogue = established();
    const edge = room(dialogue);
    for (const ahead of [-1, -2, -65_536, edge + 1, edge + 1_000_000, 0x7fffffff, -0x80000000]) {
      expect(dialogue.send(RST, { seq: (dialogue.seq + ahead) | 0 }), `${ahead} ahead`).to.deep.equal([]);
      expect(dialogue.send(RST | ACK, { seq: (dialogue.seq + ahead) | 0 }), `${ahead} ahead, with ACK`).to.deep.equal([]);
    }
    expect(dialogue.bench.flows()).to.equal(1);
  });

  it('RFC 5961 §3.2/2: exactly at RCV.NXT: the end, whatever its ACK is', () => {
    for (const given of [{}, { ack: 0x12345678 }, { payload: pattern(20) }]) {
      const dialogue = established();
      expect(dialogue.send(RST | ACK, given)).to.deep.equal([]);
      expect(dialogue.bench.flows()).to.equal(0);
      expect(dialogue.stream.farSawReset).to.equal(true);
    }
  });

  it('RFC 5961 §3.2/3, §3.2/4: elsewhere in the window: a challenge, and what is in it is not looked at', () => {
    const dialogue = established();
    dialogue.stream.write(pattern(100));
    dialogue.seen();
    const start = dialogue.ack;
    for (const ahead of [1, 2, 1460, room(dialogue) - 1]) {
      const answers = dialogue.send(RST | ACK, {
        seq: (dialogue.seq + ahead) | 0,
        ack: (start + 100) | 0,
        payload: pattern(10),
        window: 0,
      });
      expect(answers.map(({ flags, ack }) => [flags, ack])).to.deep.equal([[ACK, dialogue.seq]]);
    }
    expect([dialogue.stream.taken, dialogue.bench.flows(), farText(dialogue).length]).to.deep.equal([0, 1, 0]);
    dialogue.acknowledge(start + 100);
    dialogue.stream.write(pattern(10));
    expect(bytesOf(dialogue.seen()), 'the window is what it was').to.deep.equal(pattern(10));
  });

  it('RFC 5961 §3.2/3: the guest that has really reset answers by a RST that fits', () => {
    const dialogue = established();
    const [challenge] = dialogue.send(RST, { seq: (dialogue.seq + 100) | 0 });
    dialogue.send(RST, { seq: challenge?.ack ?? 0 });
    expect(dialogue.bench.flows()).to.equal(0);
  });

  it('RFC 5961 §4.2/1, §4.2/2: a SYN gets a challenge wherever it is, and what is in it is not looked at', () => {
    fc.assert(
      fc.property(fc.integer({ min: -0x80000000, max: 0x7fffffff }), fc.constantFrom(SYN, SYN | ACK), (ahead, flags) => {
        const dialogue = established();
        const answers = dialogue.send(flags, {
          seq: (dialogue.seq + ahead) | 0,
          payload: pattern(10),
          window: 0,
          mss: 100,
          windowScale: 9,
        });
        expectChallenge(answers, dialogue, `${ahead} ahead`);
        dialogue.stream.write(pattern(3000));
        const sent = dialogue.seen();
        expect([bytesOf(sent).length, sent[0]?.gsoSize]).to.deep.equal([3000, 1460]);
        expect(farText(dialogue)).to.have.length(0);
      }),
      { numRuns: 30 },
    );
  });

  it('RFC 5961 §4.2/1: a guest that has restarted gets rid of the old connection: SYN, challenge, RST, SYN', () => {
    const dialogue = established();
    const [challenge] = dialogue.send(SYN, { seq: 5, mss: 1460 });
    dialogue.send(RST, { seq: challenge?.ack ?? 0 });
    expect(dialogue.stream.farSawReset).to.equal(true);
    dialogue.send(SYN, { seq: 5, mss: 1460 });
    expect(dialogue.bench.kernel.opener.requests).to.have.length(1);
  });
});

describe('RFC 5961 §5: data', () => {
  it('RFC 5961 §5.2/1, §5.2/2: an ACK counts if it is at most MAX.SND.WND old and was sent', () => {
    const windows = [500, 3000, 1000];
    const dialogue = established({ window: windows[0] as number });
    for (const window of windows) {
      dialogue.window = window;
      dialogue.send(ACK);
    }
    dialogue.stream.write(pattern(1000));
    dialogue.seen();
    const start = dialogue.ack;
    dialogue.acknowledge(start + 500);
    let next = 0;
    for (const [behind, taken] of [
      [0, true],
      [1, true],
      [2999, true],
      [3000, true],
      [3001, false],
      [70_000, false],
      [0x7fffffff, false],
      [-500, true],
      [-501, false],
      [-1_000_000, false],
    ] as const) {
      // Each connection has its ration of challenges: this takes one at a time.
      dialogue.bench.advance(INTERVAL + 100);
      dialogue.seen();
      const ack = (start + 500 - behind) | 0;
      const answers = dialogue.send(ACK, { seq: (dialogue.seq + next) | 0, ack, payload: pattern(10, next) });
      if (taken) next += 10;
      else
        expect(answers.filter(({ payload }) => payload.length === 0).map((answer) => answer.ack)).to.deep.equal([
          (dialogue.seq + next) | 0,
        ]);
      expect(farText(dialogue), `${behind} behind`).to.deep.equal(pattern(next));
    }
    expect(rows[dialogue.row() + SND_UNA]).to.equal((start + 1000) | 0);
  });
});

describe('RFC 5961 §7: the ration', () => {
  const STORMS: Record<string, (dialogue: Dialogue, index: number) => Segment[]> = {
    RST: (dialogue, index) => dialogue.send(RST, { seq: (dialogue.seq + 1 + index) | 0 }),
    SYN: (dialogue, index) => dialogue.send(SYN, { seq: index, mss: 1460 }),
    ACK: (dialogue, index) => dialogue.send(ACK, { ack: (dialogue.ack + 1_000_000 + index) | 0 }),
  };

  for (const [name, storm] of Object.entries(STORMS)) {
    it(`RFC 5961 §7: a storm of ${name} has ten challenges in five seconds, and then again`, () => {
      const dialogue = established();
      for (let round = 0; round < 3; round++) {
        let answers = 0;
        for (let index = 0; index < 1000; index++) answers += storm(dialogue, index).length;
        expect(answers, `round ${round}`).to.equal(MOST);
        dialogue.bench.advance(INTERVAL);
        dialogue.seen();
      }
      dialogue.sendData(pattern(10));
      dialogue.bench.advance(10);
      expect(dialogue.seen().at(-1)?.ack, 'data is acknowledged all the same').to.equal(dialogue.seq);
    });
  }

  it('RFC 5961 §7: one connection’s storm tells nothing about another', () => {
    const dialogue = established();
    const other = 40_001;
    dialogue.send(SYN, { sourcePort: other, mss: 1460, seq: 1 });
    for (let index = 0; index < 100; index++) dialogue.send(SYN, { seq: index, mss: 1460 });
    dialogue.bench.deliver(dialogue.frame(RST, { sourcePort: other, seq: 2 }));
    expect(dialogue.bench.flows(), 'the other is reset as ever').to.equal(1);
  });

  it('RFC 5961 §7: two that answer each other’s ACKs for ever are stopped', () => {
    for (const begin of [established, timeWait]) {
      const dialogue = begin();
      let answers = 1;
      for (let round = 0; round < 1000 && answers > 0; round++)
        answers = dialogue.send(ACK, { seq: (dialogue.seq + 100_000_000) | 0, ack: (dialogue.ack + 100_000_000) | 0 }).length;
      expect(answers).to.equal(0);
    }
  });
});
