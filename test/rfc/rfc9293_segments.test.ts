/** RFC 9293 §3.10.7.4: what a segment of an open connection does, step by step, and §3.9.2.2: what an ICMP message does. */
import { expect } from 'chai';
import { rows } from '../../worker/flow/row.ts';
import { RCV_EDGE, RCV_NXT, SACKED, SND_MAX, SND_UNA, SND_WND } from '../../worker/tcp/row.ts';
import { ACK, buildError, type Ends, FIN, RST, type Segment, SYN } from '../support/guest_frame.ts';
import { type Dialogue, FAR_PORT, GUEST_PORT, pattern } from '../support/tcp_dialogue.ts';
import { ENDS4, ENDS6 } from '../support/workbench.ts';
import { bytesOf, established, farText, fillWindow, sendFin } from './states.ts';

/** Bytes of the window that is promised to the guest. */
function room(dialogue: Dialogue): number {
  const row = dialogue.row();
  return ((rows[row + RCV_EDGE] as number) - (rows[row + RCV_NXT] as number)) | 0;
}

function seqAt(dialogue: Dialogue, ahead: number): number {
  return (dialogue.seq + ahead) | 0;
}

/** An answer that tells where we are: the one thing that an unacceptable segment gets. */
function expectAck(answers: Segment[], dialogue: Dialogue, what: string): void {
  expect(answers, what).to.have.length(1);
  expect(answers[0], what).to.deep.include({ flags: ACK, ack: dialogue.seq });
  expect(answers[0]?.payload.length).to.equal(0);
}

describe('RFC 9293 §3.10.7.4: first, the sequence number', () => {
  it('RFC 9293 §3.10.7.4: no data, window open: from RCV.NXT on and left of the edge it is acceptable', () => {
    for (const [ahead, taken] of [
      [0, true],
      [1, true],
      [-1, false],
      [20_000_000, false],
      [-20_000_000, false],
    ] as const) {
      const dialogue = established();
      dialogue.stream.write(pattern(100));
      dialogue.seen();
      const answers = dialogue.send(ACK, { seq: seqAt(dialogue, ahead), window: 1234 });
      if (!taken) expectAck(answers, dialogue, `${ahead} ahead`);
      expect(rows[dialogue.row() + SND_WND], `${ahead} ahead`).to.equal(taken ? 1234 : 65_535);
    }
  });

  it('RFC 9293 §3.10.7.4: no data, window open: the last number inside is acceptable, what is right of the edge is not', () => {
    const edge = room(established());
    for (const [ahead, taken] of [
      [edge - 1, true],
      // Not in the window by the letter, but where a guest stands that has filled it: kernels take it as well.
      [edge, true],
      [edge + 1, false],
    ] as const) {
      const dialogue = established();
      dialogue.send(ACK, { seq: seqAt(dialogue, ahead), window: 1234 });
      expect(rows[dialogue.row() + SND_WND], `${ahead} ahead`).to.equal(taken ? 1234 : 65_535);
    }
  });

  it('RFC 9293 §3.10.7.4: data, window open: taken from RCV.NXT to the edge, whatever overlaps', () => {
    const cases: [string, number, number, number][] = [
      ['as expected', 0, 100, 100],
      ['one old byte before it', -1, 100, 99],
      ['one new byte behind old ones', -99, 100, 1],
      ['all of it old, touching', -100, 100, 0],
      ['all of it old', -500, 100, 0],
    ];
    for (const [what, ahead, length, taken] of cases) {
      const dialogue = established();
      dialogue.sendData(pattern(1000));
      dialogue.bench.advance(5);
      dialogue.seen();
      const answers = dialogue.send(ACK, { seq: seqAt(dialogue, ahead), payload: pattern(length, 1000 + ahead) });
      dialogue.seq = (dialogue.seq + taken) | 0;
      dialogue.bench.advance(5);
      expect([...answers, ...dialogue.seen()].at(-1)?.ack, what).to.equal(dialogue.seq);
      expect(farText(dialogue), what).to.deep.equal(pattern(1000 + taken));
    }
  });

  it('RFC 9293 §3.10.7.4: data that begins right of the edge is dropped and answered', () => {
    const dialogue = established();
    const answers = dialogue.send(ACK, { seq: seqAt(dialogue, room(dialogue) + 1), payload: pattern(10) });
    expectAck(answers, dialogue, 'right of the edge');
    farText(dialogue);
    expect(dialogue.stream.farReceived.length).to.equal(0);
  });

  it('RFC 9293 §3.10.7.4: what is right of the edge is cut off, its FIN with it', () => {
    const dialogue = established({ windowScale: -1 });
    const most = room(dialogue);
    for (let at = 0; at < most - 1000; at += 1000) dialogue.send(ACK, { seq: seqAt(dialogue, at), payload: pattern(1000, at) });
    const edge = rows[dialogue.row() + RCV_EDGE] as number;
    const next = rows[dialogue.row() + RCV_NXT] as number;
    const left = (edge - next) | 0;
    dialogue.send(ACK | FIN, { seq: next, payload: pattern(left + 1, (next - dialogue.seq) | 0), gsoSize: 1400 });
    dialogue.bench.advance(5);
    expect(dialogue.seen().at(-1)?.ack ?? edge).to.equal(edge);
    farText(dialogue);
    expect(dialogue.stream.farSawEnd).to.equal(false);
    expect(farText(dialogue)).to.deep.equal(pattern((edge - dialogue.seq) | 0));
  });

  it('RFC 9293 §3.10.7.4: window closed: data is answered, and not taken; an empty segment at RCV.NXT is acceptable', () => {
    const dialogue = established();
    dialogue.stream.sendBuffer = 300_000;
    const sent = fillWindow(dialogue);
    expect(room(dialogue)).to.equal(0);
    for (const payload of [pattern(1, sent), pattern(1000, sent)]) expectAck(dialogue.send(ACK, { payload }), dialogue, 'closed');
    dialogue.send(ACK, { window: 4321 });
    expect(rows[dialogue.row() + SND_WND]).to.equal(4321);
    expect(farText(dialogue)).to.deep.equal(pattern(sent));
  });

  it('RFC 9293 §3.10.7.4: window closed: the ACKs of a guest that has probed it with a byte count, and no other beyond it', () => {
    const dialogue = established({ sackPermitted: true });
    dialogue.stream.sendBuffer = 300_000;
    const sent = fillWindow(dialogue);
    expectAck(dialogue.send(ACK, { payload: pattern(1, sent) }), dialogue, 'the probe');
    dialogue.stream.write(pattern(300));
    dialogue.seen();
    const ack = (dialogue.ack + 100) | 0;
    for (const ahead of [2, 1000]) {
      expectAck(dialogue.send(ACK, { seq: seqAt(dialogue, ahead), ack, window: 4321 }), dialogue, `${ahead} ahead`);
      expect(dialogue.stream.taken).to.equal(0);
    }
    const sack = [{ left: (ack + 100) | 0, right: (ack + 200) | 0 }];
    const answers = dialogue.send(ACK, { seq: seqAt(dialogue, 1), ack, window: 4321, sack });
    // What its SACK tells to be missing may come as an answer; an ACK would be one more of two that never end.
    expect(answers.filter(({ payload }) => payload.length === 0)).to.deep.equal([]);
    expect(dialogue.stream.taken).to.equal(100);
    expect(rows[dialogue.row() + SACKED]).to.equal(100);
    expect(rows[dialogue.row() + SND_WND]).to.equal(4321);
  });

  it('RFC 9293 §3.10.7.4: an unacceptable RST is dropped without an answer', () => {
    const dialogue = established();
    for (const ahead of [-1, -100_000, room(dialogue) + 1, 0x7fffffff])
      expect(dialogue.send(RST, { seq: seqAt(dialogue, ahead) }), `${ahead} ahead`).to.deep.equal([]);
    expect(dialogue.bench.flows()).to.equal(1);
  });
});

describe('RFC 9293 §3.10.7.4: second to fourth, RST and SYN', () => {
  it('RFC 9293 §3.10.7.4 MAY-12: only a RST at exactly RCV.NXT resets; one elsewhere in the window is challenged', () => {
    const challenged = established();
    for (const ahead of [1, 1000, room(challenged) - 1])
      expectAck(challenged.send(RST, { seq: seqAt(challenged, ahead) }), challenged, `${ahead} ahead`);
    expect(challenged.bench.flows()).to.equal(1);
    expect(challenged.send(RST)).to.deep.equal([]);
    expect(challenged.bench.flows()).to.equal(0);
  });

  it('RFC 9293 §3.10.7.4: a SYN is challenged wherever it is, and changes nothing', () => {
    for (const ahead of [-1, 0, 1, 1000, -0x70000000, 0x70000000]) {
      const dialogue = established();
      expectAck(dialogue.send(SYN, { seq: seqAt(dialogue, ahead), mss: 600 }), dialogue, `${ahead} ahead`);
      dialogue.stream.write(pattern(10));
      expect(dialogue.seen()[0]).to.deep.include({ seq: dialogue.ack, ack: dialogue.seq });
    }
  });
});

describe('RFC 9293 §3.10.7.4: fifth, the ACK', () => {
  it('RFC 9293 §3.10.7.4: without ACK the segment is dropped', () => {
    const dialogue = established();
    for (const flags of [0, FIN]) expect(dialogue.send(flags, { payload: pattern(10) })).to.deep.equal([]);
    expect(farText(dialogue)).to.have.length(0);
  });

  it('RFC 9293 §3.10.7.4: SND.UNA < SEG.ACK ≤ SND.NXT is new; what is older changes nothing; what was never sent is answered', () => {
    const dialogue = established();
    dialogue.stream.write(pattern(1000));
    dialogue.seen();
    const start = dialogue.ack;
    const at = (field: number): number => (rows[dialogue.row() + field] as number) | 0;
    dialogue.send(ACK, { ack: (start - 1) | 0 });
    expect([dialogue.stream.taken, (at(SND_UNA) - start) | 0]).to.deep.equal([0, 0]);
    dialogue.send(ACK, { ack: (start + 1) | 0 });
    expect(dialogue.stream.taken).to.equal(1);
    expectAck(dialogue.send(ACK, { ack: (start + 1001) | 0, payload: pattern(5) }), dialogue, 'never sent');
    expect([dialogue.stream.taken, (at(SND_MAX) - start) | 0]).to.deep.equal([1, 1000]);
    expect(farText(dialogue), 'its data is dropped as well').to.have.length(0);
    dialogue.send(ACK, { ack: (start + 1000) | 0 });
    expect(dialogue.stream.taken).to.equal(1000);
  });

  it('RFC 9293 §3.10.7.4: the window is that of the newest segment, by SND.WL1 and SND.WL2', () => {
    const dialogue = established();
    const windowNow = (): number => rows[dialogue.row() + SND_WND] as number;
    dialogue.sendData(pattern(100));
    dialogue.stream.write(pattern(100));
    dialogue.seen();
    dialogue.acknowledge(dialogue.ack + 50);
    dialogue.send(ACK, { seq: seqAt(dialogue, -50), payload: pattern(50, 50), window: 111 });
    expect(windowNow(), 'an older sequence number').to.equal(65_535);
    dialogue.send(ACK, { ack: (dialogue.ack - 10) | 0, window: 222 });
    expect(windowNow(), 'an older acknowledgement').to.equal(65_535);
    dialogue.send(ACK, { window: 333 });
    expect(windowNow(), 'the same numbers').to.equal(333);
    dialogue.send(ACK, { ack: (dialogue.ack + 1) | 0, window: 444 });
    expect(windowNow(), 'a newer acknowledgement').to.equal(444);
  });

  it('RFC 9293 §3.10.7.4: an ACK of our FIN is counted once, and not as a byte', () => {
    const dialogue = established();
    dialogue.stream.write(pattern(10));
    dialogue.stream.end();
    dialogue.seen();
    dialogue.acknowledge(dialogue.ack + 11);
    expect(dialogue.stream.taken).to.equal(10);
    dialogue.send(ACK);
    expect(dialogue.bench.flows(), 'the guest’s side is open').to.equal(1);
  });
});

describe('RFC 9293 §3.10.7.4: seventh and eighth, data and FIN', () => {
  it('RFC 9293 §3.10.7.4: every byte is delivered once, in order, and acknowledged as far as it was taken', () => {
    const dialogue = established();
    for (const [ahead, length] of [
      [0, 500],
      [-500, 700],
      [-100, 300],
      [-900, 900],
      [0, 1],
    ] as const) {
      const done = ((rows[dialogue.row() + RCV_NXT] as number) - 1001) | 0;
      dialogue.send(ACK, { seq: (1001 + done + ahead) | 0, payload: pattern(length, done + ahead) });
    }
    dialogue.bench.advance(5);
    const done = ((rows[dialogue.row() + RCV_NXT] as number) - 1001) | 0;
    expect(done).to.equal(901);
    expect(dialogue.seen().at(-1)?.ack ?? 1902).to.equal(1902);
    expect(farText(dialogue)).to.deep.equal(pattern(901));
  });

  it('RFC 9293 §3.10.7.4: a FIN takes one number, after its data; its repetition is acknowledged again', () => {
    const dialogue = established();
    sendFin(dialogue, pattern(10));
    dialogue.bench.advance(5);
    expect(dialogue.seen().at(-1)).to.deep.include({ flags: ACK, ack: 1012 });
    expect(farText(dialogue)).to.deep.equal(pattern(10));
    expect(dialogue.stream.farSawEnd).to.equal(true);
    expectAck(dialogue.send(ACK | FIN, { seq: seqAt(dialogue, -11), payload: pattern(10) }), dialogue, 'again');
    expectAck(dialogue.send(ACK | FIN, { seq: seqAt(dialogue, -1) }), dialogue, 'again, alone');
  });

  it('RFC 9293 §3.10.7.4: data behind the FIN is nothing', () => {
    const dialogue = established();
    sendFin(dialogue, pattern(10));
    dialogue.send(ACK, { payload: pattern(10, 10) });
    expect(farText(dialogue)).to.deep.equal(pattern(10));
    dialogue.stream.write(pattern(500));
    expect(bytesOf(dialogue.seen())).to.deep.equal(pattern(500));
  });
});

/** An ICMP error of the guest about the segment that begins at `seq`. */
function icmpError(ends: Ends, type: number, code: number, seq: number): Uint8Array {
  return buildError(ends, type, code, 0, 6, [FAR_PORT, GUEST_PORT, seq]);
}

describe('RFC 9293 §3.9.2.2: ICMP messages of the guest', () => {
  const SOFT: [string, Ends, number, number][] = [
    ['MUST-55', ENDS4, 4, 0],
    ['MUST-56', ENDS4, 3, 0],
    ['MUST-56', ENDS4, 3, 1],
    ['MUST-56', ENDS4, 3, 5],
    ['MUST-56', ENDS4, 11, 0],
    ['MUST-56', ENDS4, 11, 1],
    ['MUST-56', ENDS4, 12, 0],
    ['SHLD-26', ENDS4, 3, 2],
    ['SHLD-26', ENDS4, 3, 3],
    ['MUST-56', ENDS6, 1, 0],
    ['MUST-56', ENDS6, 1, 3],
    ['MUST-56', ENDS6, 3, 0],
    ['MUST-56', ENDS6, 4, 1],
    ['SHLD-26', ENDS6, 1, 4],
  ];

  it('RFC 9293 §3.9.2.2 MUST-54, MUST-55, MUST-56, SHLD-26: none ends or slows a connection, and none is answered', () => {
    for (const [rule, ends, type, code] of SOFT) {
      const dialogue = established({ ends });
      dialogue.stream.write(pattern(100));
      dialogue.seen();
      dialogue.bench.deliver(icmpError(ends, type, code, dialogue.ack));
      expect(dialogue.seen(), `${rule}: ${type}/${code}`).to.deep.equal([]);
      expect(dialogue.bench.flows()).to.equal(1);
      dialogue.acknowledge(dialogue.ack + 100);
      dialogue.stream.write(pattern(100, 100));
      expect(bytesOf(dialogue.seen())).to.deep.equal(pattern(100, 100));
    }
  });

  it('RFC 9293 §3.9.2.2: nor does one about a connection that nobody has', () => {
    const dialogue = established();
    dialogue.bench.deliver(icmpError({ ...ENDS4, far: Uint8Array.from([198, 51, 100, 9]) }, 3, 3, 1));
    expect(dialogue.seen()).to.deep.equal([]);
    expect(dialogue.bench.flows()).to.equal(1);
  });
});
