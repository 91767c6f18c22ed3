/** RFC 9293 §3.5, §3.6.1, §3.10.7.3 and §3.10.7.4: what comes in SYN-SENT, in SYN-RECEIVED and in TIME-WAIT. */
import { expect } from 'chai';
import { ACK, FIN, RST, type Segment, SYN } from '../support/guest_frame.ts';
import { Dialogue, pattern } from '../support/tcp_dialogue.ts';
import { ENDS6 } from '../support/workbench.ts';
import { arrivals, bytesOf, farText, sendFin, synReceived, synSent, timeWait } from './states.ts';

const MINUTE = 60_000;

/** The guest's own SYN, with or without ACK of ours. */
function guestSyn(dialogue: Dialogue, flags: number, given: object = {}): Segment[] {
  const answers = dialogue.send(flags, { mss: 1460, windowScale: 0, ...given });
  return answers;
}

/** Data both ways. */
function expectOpen(dialogue: Dialogue): void {
  dialogue.bench.advance(10);
  dialogue.seen();
  dialogue.stream.write(pattern(100));
  expect(bytesOf(dialogue.seen())).to.deep.equal(pattern(100));
  dialogue.acknowledge(dialogue.ack + 100);
  dialogue.sendData(pattern(50));
  expect(farText(dialogue)).to.deep.equal(pattern(50));
}

for (const ends of [undefined, ENDS6]) {
  describe(`RFC 9293 §3.10.7.3: SYN-SENT over IPv${ends === undefined ? 4 : 6}`, () => {
    const called = (options: object = {}): { dialogue: Dialogue; syn: Segment } =>
      synSent({ ...(ends === undefined ? {} : { ends }), ...options });

    it('RFC 9293 §3.5: the host calls: SYN, SYN|ACK, ACK, and data both ways', () => {
      const { dialogue, syn } = called();
      expect(syn).to.deep.include({ flags: SYN, ack: 0, mss: ends === undefined ? 1460 : 1440 });
      const answers = guestSyn(dialogue, SYN | ACK);
      dialogue.seq = (dialogue.seq + 1) | 0;
      expect(answers.map(({ flags, seq, ack }) => [flags, seq, ack])).to.deep.equal([[ACK, dialogue.ack, dialogue.seq]]);
      expectOpen(dialogue);
    });

    it('RFC 9293 §3.10.7.3 MUST-10: both call at once; the same SYN again with the answer, and both are open', () => {
      const { dialogue, syn } = called();
      const answers = guestSyn(dialogue, SYN, { ack: 0 });
      expect(answers).to.have.length(1);
      expect(answers[0]).to.deep.include({ flags: SYN | ACK, seq: syn.seq, ack: (dialogue.seq + 1) | 0 });
      const reply = guestSyn(dialogue, SYN | ACK);
      dialogue.seq = (dialogue.seq + 1) | 0;
      expect(reply.at(-1)).to.deep.include({ seq: dialogue.ack, ack: dialogue.seq });
      expectOpen(dialogue);
    });

    it('RFC 9293 §3.10.7.3 MUST-10: both call at once, and the guest answers by an ACK alone', () => {
      const { dialogue } = called();
      guestSyn(dialogue, SYN, { ack: 0 });
      dialogue.seq = (dialogue.seq + 1) | 0;
      dialogue.send(ACK);
      expectOpen(dialogue);
    });

    it('RFC 9293 §3.10.7.3: an ACK of something else is answered by RST with its number; with RST it is dropped', () => {
      for (const [ack, flags] of [
        [0, ACK],
        [-1, SYN | ACK],
        [1, SYN | ACK],
        [1_000_000, ACK | FIN],
      ] as const) {
        const { dialogue } = called();
        const wrong = (dialogue.ack + (ack === 0 ? -1 : ack)) | 0;
        const answers = dialogue.send(flags, { ack: wrong, mss: (flags & SYN) !== 0 ? 1460 : undefined });
        expect(answers.map((answer) => [answer.flags, answer.seq])).to.deep.equal([[RST, wrong]]);
        expect(dialogue.send(RST | ACK, { ack: wrong })).to.deep.equal([]);
        expect(dialogue.bench.flows()).to.equal(1);
      }
    });

    it('RFC 9293 §3.10.7.3: a RST counts with the ACK of our SYN only; then the far end is reset', () => {
      const { dialogue } = called();
      for (const flags of [RST, RST | SYN]) expect(dialogue.send(flags)).to.deep.equal([]);
      expect(dialogue.bench.flows()).to.equal(1);
      expect(dialogue.send(RST | ACK)).to.deep.equal([]);
      expect(dialogue.stream.farSawReset).to.equal(true);
      dialogue.bench.expectNothingLeft();
    });

    it('RFC 9293 §3.10.7.3: neither SYN nor RST: dropped', () => {
      const { dialogue } = called();
      for (const flags of [0, FIN, ACK, ACK | FIN]) expect(dialogue.send(flags, { payload: pattern(5) })).to.deep.equal([]);
      expect(dialogue.bench.flows()).to.equal(1);
    });

    it('RFC 9293 §3.8.1: the SYN is sent again with the same number and options', () => {
      const { dialogue, syn } = called();
      const again = arrivals(dialogue, 10_000, 100);
      expect(again.map(({ at }) => at)).to.deep.equal([1000, 3000, 7000]);
      for (const { segment } of again) expect({ ...segment, timestamp: undefined }).to.deep.equal({ ...syn, timestamp: undefined });
    });
  });
}

describe('RFC 9293 §3.10.7.4: SYN-RECEIVED', () => {
  it('RFC 9293 §3.10.7.4 MUST-11: of one that the host began, a RST resets the far end', () => {
    const { dialogue } = synSent();
    guestSyn(dialogue, SYN, { ack: 0 });
    dialogue.seq = (dialogue.seq + 1) | 0;
    expect(dialogue.send(RST)).to.deep.equal([]);
    expect(dialogue.stream.farSawReset).to.equal(true);
    dialogue.bench.expectNothingLeft();
  });

  it('RFC 9293 §3.10.7.4: an ACK of something else gets RST with its number, and establishes nothing', () => {
    const { dialogue } = synReceived();
    for (const wrong of [-1, 1, 1_000_000]) {
      const ack = (dialogue.ack + wrong) | 0;
      expect(dialogue.send(ACK, { ack, payload: pattern(5) }).map(({ flags, seq }) => [flags, seq])).to.deep.equal([[RST, ack]]);
    }
    expect(farText(dialogue)).to.have.length(0);
  });

  it('RFC 9293 §3.10.7.4: the SYN again gets the SYN|ACK again; another SYN is challenged', () => {
    const { dialogue, synAck } = synReceived();
    const again = dialogue.send(SYN, { seq: (dialogue.seq - 1) | 0, mss: 1460, windowScale: 7 });
    expect(again.map(({ flags, seq, ack }) => [flags, seq, ack])).to.deep.equal([[SYN | ACK, synAck.seq, synAck.ack]]);
    const other = dialogue.send(SYN, { seq: (dialogue.seq + 500) | 0, mss: 1460 });
    expect(other.map(({ flags, ack }) => [flags, ack])).to.deep.equal([[ACK, dialogue.seq]]);
  });

  it('RFC 9293 §3.10.7.4: a RST within the window is challenged, one outside is dropped', () => {
    const { dialogue } = synReceived();
    expect(dialogue.send(RST, { seq: (dialogue.seq + 100) | 0 }).map(({ ack }) => ack)).to.deep.equal([dialogue.seq]);
    expect(dialogue.send(RST, { seq: (dialogue.seq - 100) | 0 })).to.deep.equal([]);
    expect(dialogue.bench.flows()).to.equal(1);
  });

  it('RFC 9293 §3.10.7.4: data that comes with a SYN is not acknowledged, and taken when it comes again', () => {
    const dialogue = new Dialogue({ windowScale: 0 });
    dialogue.send(SYN, { mss: 1460, windowScale: 0, payload: pattern(50) });
    dialogue.seq = (dialogue.seq + 1) | 0;
    dialogue.bench.kernel.opener.answer(0, dialogue.stream);
    dialogue.bench.settle();
    dialogue.stream.accept();
    const [synAck] = dialogue.seen();
    expect(synAck?.ack).to.equal(dialogue.seq);
    dialogue.ack = ((synAck?.seq ?? 0) + 1) | 0;
    dialogue.sendData(pattern(50));
    expect(farText(dialogue)).to.deep.equal(pattern(50));
  });

  it('RFC 9293 §3.10.7.4: the segment that establishes brings its window, scaled, and its numbers', () => {
    const { dialogue } = synReceived({ windowScale: 2, window: 100, mss: 1000 });
    dialogue.send(ACK, { window: 500 });
    dialogue.stream.write(pattern(10_000));
    expect(bytesOf(dialogue.seen()).length).to.equal(2000);
    const { dialogue: called } = synSent();
    guestSyn(called, SYN | ACK, { window: 700, windowScale: 2 });
    called.stream.write(pattern(10_000));
    expect(bytesOf(called.seen()).length, 'that of a SYN is not scaled').to.equal(700);
  });

  it('RFC 9293 §3.10.7.4: a segment outside of the window is challenged, one without ACK dropped; neither establishes', () => {
    const { dialogue } = synReceived();
    expect(dialogue.send(0, { payload: pattern(5) })).to.deep.equal([]);
    const outside = dialogue.send(ACK, { seq: (dialogue.seq + 1_000_000) | 0 });
    expect(outside.map(({ flags, ack }) => [flags, ack])).to.deep.equal([[ACK, dialogue.seq]]);
    dialogue.stream.write(pattern(10));
    expect(dialogue.seen()).to.deep.equal([]);
    expect(bytesOf(dialogue.send(ACK))).to.deep.equal(pattern(10));
  });

  it('RFC 9293 §3.10.7.4: the host closes before the guest has answered: the FIN follows the handshake', () => {
    const { dialogue } = synReceived();
    dialogue.stream.write(pattern(10));
    dialogue.stream.end();
    expect(dialogue.seen()).to.deep.equal([]);
    const answers = dialogue.send(ACK);
    expect(bytesOf(answers)).to.deep.equal(pattern(10));
    expect((answers.at(-1)?.flags ?? 0) & FIN).to.equal(FIN);
  });
});

describe('RFC 9293 §3.6.1: TIME-WAIT', () => {
  it('RFC 9293 §3.6.1 MUST-13: lasts two MSL, of half a minute as kernels have it, and costs no socket', () => {
    const dialogue = timeWait();
    expect(dialogue.bench.kernel.openFlows()).to.equal(0);
    dialogue.bench.advance(59_000);
    expect(dialogue.send(FIN | ACK, { seq: (dialogue.seq - 1) | 0 })[0]).to.deep.include({
      flags: ACK,
      seq: dialogue.ack,
      ack: dialogue.seq,
    });
    dialogue.bench.advance(59_000);
    expect(dialogue.bench.flows(), 'a FIN begins it anew').to.equal(1);
    dialogue.bench.advance(1001);
    dialogue.bench.expectNothingLeft();
  });

  it('RFC 9293 §3.10.7.4: a guest that closed first has it, not we', () => {
    const { dialogue } = synReceived();
    dialogue.send(ACK);
    sendFin(dialogue);
    dialogue.stream.end();
    dialogue.bench.advance(10);
    dialogue.seen();
    dialogue.acknowledge(dialogue.ack + 1);
    dialogue.bench.expectNothingLeft();
  });

  it('RFC 9293 §3.6.1 MAY-2: a SYN with a higher number begins a new connection, one that may be old does not', () => {
    for (const ahead of [0, -1, -1000, -0x70000000]) {
      const dialogue = timeWait();
      const answers = dialogue.send(SYN, { seq: (dialogue.seq + ahead) | 0, mss: 1460 });
      expect(
        answers.map(({ flags, ack }) => [flags, ack]),
        `${ahead} ahead`,
      ).to.deep.equal([[ACK, dialogue.seq]]);
      expect(dialogue.bench.kernel.opener.requests).to.have.length(0);
    }
    for (const ahead of [1, 1000, 0x70000000]) {
      const dialogue = timeWait();
      expect(dialogue.send(SYN, { seq: (dialogue.seq + ahead) | 0, mss: 1460 })).to.deep.equal([]);
      expect(dialogue.bench.kernel.opener.requests, `${ahead} ahead`).to.have.length(1);
      expect(dialogue.bench.flows()).to.equal(1);
    }
  });

  it('RFC 9293 §3.6.1 SHLD-4: with timestamps a newer one is enough, whatever the number', () => {
    for (const [later, opens] of [
      [1, true],
      [0, false],
      [-5, false],
    ] as const) {
      const dialogue = timeWait({ timestamps: true });
      const newest = dialogue.timestampNow();
      dialogue.send(SYN, { seq: (dialogue.seq - 5000) | 0, mss: 1460, timestamp: { value: (newest - 10 + later) | 0, echo: 0 } });
      expect(dialogue.bench.kernel.opener.requests, `${later} later`).to.have.length(opens ? 1 : 0);
    }
  });

  it('RFC 9293 §3.10.7.4: data and a FIN are answered however often they come, what carries nothing is not', () => {
    const dialogue = timeWait();
    const many = 30;
    const answered = (given: Partial<Segment>, flags = ACK): number => {
      let count = 0;
      for (let times = 0; times < many; times++) count += dialogue.send(flags, given).length;
      return count;
    };
    expect(answered({})).to.equal(10);
    expect(answered({ seq: (dialogue.seq - 11) | 0, payload: pattern(10) })).to.equal(many);
    expect(answered({ seq: (dialogue.seq - 1) | 0 }, ACK | FIN)).to.equal(many);
  });

  it('RFC 9293 §3.10.7.4: data and a RST change nothing in it', () => {
    const dialogue = timeWait();
    dialogue.send(ACK, { payload: pattern(10) });
    dialogue.send(RST);
    dialogue.bench.advance(10);
    expect(dialogue.bench.flows()).to.equal(1);
    dialogue.bench.advance(MINUTE);
    dialogue.bench.expectNothingLeft();
  });
});
