/** Windows both ways: what is promised, what is kept, and how a closed one opens again. */
import { expect } from 'chai';
import { rows } from '../../../worker/flow/row.ts';
import { SRTT } from '../../../worker/tcp/row.ts';
import { EAGAIN, EIO, ENOBUFS } from '../../support/fake_file.ts';
import { ACK, FIN, type Segment } from '../../support/guest_frame.ts';
import { Dialogue, type DialogueOptions, pattern } from '../../support/tcp_dialogue.ts';

function established(options: DialogueOptions = {}): Dialogue {
  const dialogue = new Dialogue({ windowScale: 0, ...options });
  dialogue.establish();
  return dialogue;
}

function farText(dialogue: Dialogue): Uint8Array {
  do {
    dialogue.stream.read(1 << 20);
    dialogue.bench.settle();
  } while (dialogue.stream.outgoing.length > 0);
  dialogue.stream.read(0);
  return dialogue.stream.farReceived.peek(0, 1 << 20);
}

const SHIFT = 8;
const edgeOf = (segment: Segment): number => (segment.ack + (segment.window << SHIFT)) | 0;

/** The guest fills the socket until its window is closed; returns the bytes that were sent. */
function fill(dialogue: Dialogue): number {
  let sent = 0;
  let edge = edgeOf(dialogue.send(ACK, { seq: (dialogue.seq - 1) | 0 })[0] as Segment);
  for (;;) {
    const room = (edge - dialogue.seq) | 0;
    if (room <= 0) return sent;
    const length = Math.min(room, 1400);
    for (const answer of dialogue.sendData(pattern(length, sent))) if (((edgeOf(answer) - edge) | 0) > 0) edge = edgeOf(answer);
    sent += length;
    dialogue.bench.advance(3);
    for (const answer of dialogue.seen()) if (((edgeOf(answer) - edge) | 0) > 0) edge = edgeOf(answer);
  }
}

describe('worker/tcp: the window announced to the guest', () => {
  it('closes as the socket fills, without a partial send, and opens when the far end reads', () => {
    const dialogue = established();
    dialogue.stream.sendBuffer = 400_000;
    const sent = fill(dialogue);
    expect(sent).to.be.greaterThan(100_000);
    expect(dialogue.bench.counter('tcp_partial_sends')).to.equal(0);
    expect(dialogue.bench.counter('tcp_zero_windows')).to.be.greaterThan(0);
    dialogue.stream.read(1 << 20);
    const [update] = dialogue.seen();
    expect(update).to.deep.include({ flags: ACK, ack: dialogue.seq });
    expect((edgeOf(update as Segment) - dialogue.seq) | 0).to.be.greaterThan(50_000);
    expect(dialogue.stream.farReceived.peek(0, sent)).to.deep.equal(pattern(sent));
  });

  it('RFC 9293 §3.8.6.1: one that holds no segment is looked at anew for each probe', () => {
    const dialogue = established();
    dialogue.stream.sendBuffer = 24_000;
    dialogue.stream.overhead = 0.25;
    dialogue.sendData(pattern(60_000).slice(0, 32_000));
    dialogue.sendData(pattern(33_000, 32_000));
    dialogue.bench.advance(5);
    dialogue.seen();
    const probe = (): number => edgeOf(dialogue.send(ACK, { seq: (dialogue.seq - 1) | 0 })[0] as Segment) - dialogue.seq;
    expect(probe()).to.be.within(1, 4095);
    dialogue.stream.read(1 << 20);
    expect(dialogue.seen(), 'the socket was never too full for an event').to.deep.equal([]);
    expect(probe()).to.be.greaterThan(8000);
  });

  it('room that is used up in the turn in which it was told of is waited for again', () => {
    const dialogue = established({ windowScale: 7 });
    dialogue.stream.sendBuffer = 400_000;
    fill(dialogue);
    // The far end reads so much that the socket wakes the worker, and the guest's probe finds room in the same turn.
    dialogue.stream.read(dialogue.stream.outgoing.length - 130_000);
    dialogue.bench.kernel.tap.send(dialogue.frame(ACK, { payload: pattern(60_000), gsoSize: 1400 }));
    dialogue.bench.settle();
    dialogue.seen();
    dialogue.stream.read(1 << 20);
    dialogue.bench.settle();
    const updates = dialogue.seen();
    expect(updates.length, 'an update when the far end has read').to.be.greaterThan(0);
  });

  it('RFC 9293 §3.8.6.2.1: its right edge never moves left by more than the scale can’t express', () => {
    const dialogue = established();
    dialogue.stream.sendBuffer = 30_000;
    let edge: number | null = null;
    for (let at = 0; at < 200; at++) {
      for (const answer of dialogue.sendData(pattern(1 + (at % 97), at))) {
        if (edge !== null) expect((edge - edgeOf(answer)) | 0).to.be.lessThan(1 << SHIFT);
        if (edge === null || ((edgeOf(answer) - edge) | 0) > 0) edge = edgeOf(answer);
      }
    }
  });

  it('RFC 9293 §3.8.6.1: a probe of the guest is answered, with the window as it is', () => {
    const dialogue = established();
    dialogue.stream.sendBuffer = 60_000;
    const sent = fill(dialogue);
    const [closed] = dialogue.send(ACK, { payload: pattern(1, sent) });
    expect(closed).to.deep.include({ flags: ACK, window: 0 });
    dialogue.seq = closed?.ack as number;
    const [again] = dialogue.send(ACK, { seq: (dialogue.seq - 1) | 0 });
    expect(again).to.deep.include({ flags: ACK, ack: dialogue.seq, window: 0 });
  });

  it('what was promised and not taken by the socket waits, in order, and passed on when there is room', () => {
    const dialogue = established();
    dialogue.stream.sendLimits.push(10, 0, 0);
    const answers = [...dialogue.sendData(pattern(1000)), ...dialogue.sendData(pattern(1000, 1000))];
    dialogue.bench.advance(5);
    expect([...answers, ...dialogue.seen()].at(-1)).to.deep.include({ ack: dialogue.seq });
    expect(dialogue.bench.counter('tcp_partial_sends')).to.be.greaterThan(0);
    dialogue.stream.sendLimits.length = 0;
    expect(farText(dialogue)).to.deep.equal(pattern(2000));
    expect(dialogue.bench.counter('tcp_resets_sent')).to.equal(0);
  });

  it('no room is told of while bytes wait for the socket', () => {
    const dialogue = established();
    const before = dialogue.send(ACK, { seq: (dialogue.seq - 1) | 0 })[0] as Segment;
    dialogue.stream.sendLimits.push(...new Array(200).fill(0));
    const answers = dialogue.sendData(pattern(60_000).slice(0, 1400));
    for (let at = 1; at < 40; at++) answers.push(...dialogue.sendData(pattern(1400, 1400 * at)));
    // A kernel under pressure takes something into an empty queue.
    expect(dialogue.stream.outgoing.length).to.equal(1);
    for (const answer of answers) expect((edgeOf(answer) - edgeOf(before)) | 0).to.be.lessThan(1 << SHIFT);
  });

  it('bytes for which there is no room anywhere are not acknowledged: the guest sends them again', () => {
    const dialogue = established({ flows: 1100, guestIss: 16_384 * 5 - 1 });
    dialogue.stream.sendBuffer = 0;
    dialogue.sendData(pattern(100));
    dialogue.bench.exhaustReceiveBuffers();
    let taken = 0;
    for (let at = 100; at < 20_000; at += 100)
      taken = Math.max(taken, ...dialogue.sendData(pattern(100, at)).map(({ ack }) => (ack - 16_384 * 5) | 0));
    expect(taken, 'what fits into the block that is there').to.equal(16_384);
    dialogue.bench.returnReceiveBuffers();
    dialogue.stream.sendBuffer = 1 << 20;
    expect(farText(dialogue)).to.deep.equal(pattern(16_384));
    dialogue.seq = 16_384 * 6;
    dialogue.sendData(pattern(600, 16_384));
    expect(farText(dialogue)).to.deep.equal(pattern(16_984));
  });
});

describe('worker/tcp: the window of the guest', () => {
  it('is never exceeded, and what did not fit follows when it moves', () => {
    const dialogue = established({ window: 1000 });
    dialogue.stream.write(pattern(2500));
    const sizes = (segments: Segment[]): number => segments.reduce((sum, { payload }) => sum + payload.length, 0);
    expect(sizes(dialogue.seen())).to.equal(1000);
    expect(sizes(dialogue.acknowledge(dialogue.ack + 1000))).to.equal(1000);
    expect(sizes(dialogue.acknowledge(dialogue.ack + 1000))).to.equal(500);
  });

  it('RFC 7323 §2.3: is scaled, but not that of the SYN', () => {
    const dialogue = new Dialogue({ windowScale: 4, window: 100, mss: 800 });
    dialogue.establish();
    dialogue.stream.write(pattern(5000));
    expect(dialogue.seen().reduce((sum, { payload }) => sum + payload.length, 0)).to.equal(1600);
  });

  for (const peekOffset of [true, false]) {
    it(`may be larger than can be in flight ${peekOffset ? 'with' : 'without'} SO_PEEK_OFF`, () => {
      const dialogue = established({ windowScale: 14, peekOffset });
      // So far away that there is no other bound.
      rows[dialogue.row() + SRTT] = 1_000_000;
      dialogue.stream.write(new Uint8Array(17 << 20));
      const sent = dialogue.seen().reduce((sum, { payload }) => sum + payload.length, 0);
      expect(sent).to.equal((1 << 24) - ((1 << 24) % 1460));
      expect(dialogue.acknowledge(dialogue.ack + sent).reduce((sum, { payload }) => sum + payload.length, 0)).to.equal((17 << 20) - sent);
    });
  }

  it('RFC 9293 §3.8.6.1: a closed window is probed, ever more rarely, and never given up while it is answered', () => {
    const dialogue = established();
    dialogue.window = 0;
    dialogue.send(ACK);
    dialogue.stream.write(pattern(10));
    expect(dialogue.seen()).to.deep.equal([]);
    let probes = 0;
    const hours = 3;
    for (let second = 0; second < hours * 3600; second += 5) {
      dialogue.bench.advance(5000);
      for (const probe of dialogue.seen()) {
        expect(probe, `after ${second} s`).to.deep.include({ flags: ACK, seq: (dialogue.ack - 1) | 0 });
        expect(probe.payload.length).to.equal(0);
        probes++;
        dialogue.send(ACK);
      }
    }
    expect(probes).to.be.greaterThan(20);
    expect(probes).to.be.lessThan(hours * 60);
    dialogue.window = 5000;
    expect(dialogue.send(ACK)[0]?.payload).to.deep.equal(pattern(10));
  });

  it('RFC 9293 §3.8.6.1: a window that closes over what is in flight is probed, too', () => {
    const dialogue = established();
    dialogue.stream.write(pattern(3000));
    dialogue.seen();
    dialogue.window = 0;
    dialogue.acknowledge(dialogue.ack + 1000);
    dialogue.bench.advance(5000);
    const probes = dialogue.seen();
    expect(probes.length).to.be.greaterThan(0);
    for (const probe of probes) expect(probe).to.deep.include({ flags: ACK, seq: (dialogue.ack - 1) | 0 });
  });

  it('RFC 9293 §3.8.6.2.1: a sliver of it is left alone while something is in flight', () => {
    const dialogue = established({ window: 1500, mss: 1000 });
    dialogue.stream.write(pattern(1000));
    dialogue.seen();
    dialogue.stream.write(pattern(1000, 1000));
    expect(dialogue.seen()).to.deep.equal([]);
    expect(dialogue.acknowledge(dialogue.ack + 1000)[0]?.payload).to.deep.equal(pattern(1000, 1000));
  });

  it('a guest that answers no probe is given up, and the far end is told', () => {
    const dialogue = established();
    dialogue.window = 0;
    dialogue.send(ACK);
    dialogue.stream.write(pattern(10));
    dialogue.bench.advance(3_600_000);
    expect(dialogue.stream.farSawReset).to.equal(true);
    dialogue.bench.expectNothingLeft();
  });

  it('RFC 9293 §3.10.7.4: an older segment does not change it', () => {
    const dialogue = established();
    dialogue.sendData(pattern(100));
    dialogue.sendData(pattern(100, 100));
    const old = { seq: (dialogue.seq - 200) | 0, payload: pattern(100), window: 0 };
    dialogue.send(ACK, old);
    dialogue.stream.write(pattern(500));
    expect(dialogue.seen()[0]?.payload.length).to.equal(500);
  });

  it('comes with every ACK of something new, also when the data beside it is older and sent again', () => {
    const dialogue = established({ window: 1000 });
    dialogue.stream.write(pattern(1000));
    dialogue.seen();
    dialogue.send(ACK, { seq: (dialogue.seq + 500) | 0, payload: pattern(500, 500) });
    dialogue.stream.write(pattern(1000, 1000));
    const answers = dialogue.send(ACK, { payload: pattern(500), ack: (dialogue.ack + 1000) | 0, window: 0 });
    expect(answers.reduce((sum, { payload }) => sum + payload.length, 0)).to.equal(0);
  });

  it('RFC 9293 §3.8.6: a window that shrinks stops the flow, and loses nothing', () => {
    const dialogue = established({ window: 3000 });
    dialogue.stream.write(pattern(3000));
    dialogue.seen();
    dialogue.window = 100;
    dialogue.acknowledge(dialogue.ack + 1000);
    dialogue.window = 5000;
    dialogue.send(ACK);
    dialogue.bench.advance(3000);
    const again = dialogue.seen().find(({ seq, payload }) => seq === dialogue.ack && payload.length > 0);
    const [rest] = dialogue.acknowledge(dialogue.ack + (again?.payload.length ?? 0));
    expect([...(again?.payload ?? []), ...(rest?.payload ?? [])]).to.deep.equal([...pattern(2000, 1000)]);
  });

  it('a FIN that was lost at a closed window is sent once it opens', () => {
    const dialogue = established();
    dialogue.window = 0;
    dialogue.send(ACK);
    dialogue.stream.end();
    dialogue.seen();
    dialogue.bench.advance(10_000);
    for (const _ of dialogue.seen()) dialogue.send(ACK);
    dialogue.window = 1000;
    dialogue.send(ACK);
    dialogue.bench.advance(20_000);
    expect(dialogue.seen().some(({ flags, seq }) => (flags & FIN) !== 0 && seq === dialogue.ack)).to.equal(true);
  });
});

describe('worker/tcp: the tap refuses', () => {
  for (const [name, errno] of Object.entries({ EAGAIN, ENOBUFS, EIO })) {
    it(`${name} for any one frame: nothing is lost, nothing is left`, () => {
      for (let refused = 0; refused < 12; refused++) {
        const dialogue = new Dialogue({ window: 4000, windowScale: 0 });
        let frames = 0;
        let counted = 0;
        dialogue.bench.kernel.tap.refuse = () => (frames++ === refused ? (counted++, errno) : 0);
        transferBothWays(dialogue);
        expect(dialogue.bench.counter('tap_write_refused')).to.equal(counted);
        dialogue.bench.expectNothingLeft();
      }
    });
  }
});

/** A guest that acknowledges all it gets, in order, and sends again what is not acknowledged. */
function transferBothWays(dialogue: Dialogue): void {
  dialogue.sendSyn();
  dialogue.bench.kernel.opener.answer(0, dialogue.stream);
  dialogue.bench.settle();
  dialogue.stream.accept();
  dialogue.bench.advance(1500);
  const [synAck] = dialogue.seen();
  dialogue.ack = ((synAck?.seq ?? 0) + 1) | 0;
  const first = dialogue.ack;
  dialogue.stream.write(pattern(9000));
  dialogue.stream.end();
  let ended = false;
  let acked = dialogue.seq;
  const start = dialogue.seq;
  let answers: Segment[] = [];
  for (let round = 0; round < 200 && !(ended && ((acked - start) | 0) === 2001); round++) {
    const payload = pattern(2000).subarray((acked - start) | 0);
    dialogue.bench.deliver(dialogue.frame(ACK | FIN, { seq: acked, payload: payload.slice(), gsoSize: payload.length > 1400 ? 1400 : 0 }));
    dialogue.bench.advance(300);
    for (const segment of [...answers, ...dialogue.seen()]) {
      if (((segment.ack - acked) | 0) > 0) acked = segment.ack;
      if (segment.seq !== dialogue.ack || ended) continue;
      expect(segment.payload).to.deep.equal(pattern(segment.payload.length, (dialogue.ack - first) | 0));
      dialogue.ack = (dialogue.ack + segment.payload.length) | 0;
      if ((segment.flags & FIN) !== 0) {
        ended = true;
        dialogue.ack = (dialogue.ack + 1) | 0;
      }
    }
    dialogue.seq = acked;
    answers = dialogue.send(ACK);
  }
  expect((dialogue.ack - first) | 0).to.equal(9001);
  dialogue.stream.read(1 << 20);
  expect(dialogue.stream.farReceived.peek(0, 3000)).to.deep.equal(pattern(2000));
}
