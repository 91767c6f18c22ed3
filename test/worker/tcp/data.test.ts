/** Bytes both ways, in segments and superframes, old and new, near the end of the sequence space. */
import { expect } from 'chai';
import { rows } from '../../../worker/flow/row.ts';
import { SND_MAX, SND_UNA } from '../../../worker/tcp/row.ts';
import { ACK, PSH, RST, type Segment, SYN } from '../../support/guest_frame.ts';
import { Dialogue, type DialogueOptions, pattern } from '../../support/tcp_dialogue.ts';
import { ENDS6 } from '../../support/workbench.ts';

function established(options: DialogueOptions = {}): Dialogue {
  const dialogue = new Dialogue({ guestIss: 0x7ffffff0, workerIss: -20, ...options });
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

function text(segments: Segment[]): Uint8Array {
  return Uint8Array.from(segments.flatMap(({ payload }) => Array.from(payload)));
}

for (const family of [4, 6] as const) {
  const ends = family === 6 ? { ends: ENDS6 } : {};

  describe(`worker/tcp: data over IPv${family}`, () => {
    it('RFC 9293 §3.4: host to guest across the end of the sequence space, and the queue is emptied as it is acknowledged', () => {
      const dialogue = established(ends);
      let sent = 0;
      for (const length of [1, 10, 30, 1000, 5000]) {
        dialogue.stream.write(pattern(length, sent));
        const segments = dialogue.seen();
        expect(text(segments)).to.deep.equal(pattern(length, sent));
        expect(segments[0]?.seq).to.equal(dialogue.ack);
        expect(segments.at(-1)?.flags).to.equal(ACK | PSH);
        sent += length;
        expect(dialogue.stream.taken, 'nothing is taken before it is acknowledged').to.equal(sent - length);
        dialogue.acknowledge(dialogue.ack + length);
        expect(dialogue.stream.taken).to.equal(sent);
      }
    });

    it('RFC 9293 §3.4: guest to host across the end of the sequence space', () => {
      const dialogue = established(ends);
      let sent = 0;
      for (const length of [1, 10, 30, 1000, 1460]) {
        dialogue.sendData(pattern(length, sent));
        sent += length;
      }
      expect(farText(dialogue)).to.deep.equal(pattern(sent));
    });

    it('a superframe goes out as one, with the guest’s MSS as its segment size', () => {
      const dialogue = established({ ...ends, mss: 1000 });
      dialogue.stream.write(pattern(60_000));
      const segments = dialogue.seen();
      expect(text(segments)).to.deep.equal(pattern(60_000));
      expect(segments.length).to.equal(1);
      expect(segments[0]?.gsoSize).to.equal(1000);
    });

    it('a superframe of the guest is passed on whole', () => {
      const dialogue = established(ends);
      const payload = pattern(30_000);
      dialogue.bench.deliver(dialogue.frame(ACK, { payload, gsoSize: 1448 }));
      dialogue.seq = (dialogue.seq + payload.length) | 0;
      dialogue.bench.advance(5);
      expect(dialogue.seen().at(-1)?.ack).to.equal(dialogue.seq);
      expect(farText(dialogue)).to.deep.equal(payload);
    });
  });
}

describe('worker/tcp: data that was seen before, or is too much', () => {
  it('RFC 9293 §3.10.7.4: takes only the new part of a segment that overlaps', () => {
    const dialogue = established();
    dialogue.sendData(pattern(100));
    dialogue.send(ACK, { seq: (dialogue.seq - 60) | 0, payload: pattern(100, 40) });
    dialogue.seq = (dialogue.seq + 40) | 0;
    expect(farText(dialogue)).to.deep.equal(pattern(140));
    dialogue.sendData(pattern(10, 140));
    expect(farText(dialogue)).to.deep.equal(pattern(150));
  });

  it('RFC 9293 §3.10.7.4: answers an old segment by an ACK, and takes nothing of it', () => {
    const dialogue = established();
    dialogue.sendData(pattern(100));
    dialogue.bench.advance(5);
    dialogue.seen();
    const answers = dialogue.send(ACK, { seq: (dialogue.seq - 100) | 0, payload: pattern(100, 7) });
    expect(answers).to.have.length(1);
    expect(answers[0]).to.deep.include({ flags: ACK, ack: dialogue.seq });
    expect(farText(dialogue)).to.deep.equal(pattern(100));
  });

  it('RFC 9293 §3.10.7.4: takes of a segment only what the window has promised', () => {
    const dialogue = established({ windowScale: -1 });
    const answers = dialogue.sendData(pattern(1));
    dialogue.bench.advance(5);
    const ack = [...answers, ...dialogue.seen()].at(-1);
    const edge = ((ack?.ack ?? 0) + (ack?.window ?? 0)) | 0;
    const room = (edge - dialogue.seq) | 0;
    const most = 60_000;
    for (let sent = 0; sent < room; sent += most) {
      const length = Math.min(most, room - sent + 500);
      dialogue.bench.deliver(dialogue.frame(ACK, { seq: (dialogue.seq + sent) | 0, payload: pattern(length, 1 + sent), gsoSize: 1448 }));
    }
    dialogue.stream.overhead = 0.1;
    for (let again = 0; again < 20; again++) farText(dialogue);
    expect(farText(dialogue).length).to.be.at.most(1 + room);
    expect(farText(dialogue)).to.deep.equal(pattern(farText(dialogue).length));
  });

  it('RFC 9293 §3.10.7.4: a segment right of the window gets an ACK, and neither its ACK nor its window counts', () => {
    const dialogue = established();
    dialogue.stream.write(pattern(100));
    dialogue.seen();
    const far = (dialogue.seq + 20_000_000) | 0;
    const answers = dialogue.send(ACK, { seq: far, ack: (dialogue.ack + 100) | 0, window: 0 });
    expect(answers).to.have.length(1);
    expect(answers[0]).to.deep.include({ flags: ACK, ack: dialogue.seq });
    expect(dialogue.stream.taken).to.equal(0);
    dialogue.stream.write(pattern(50, 100));
    dialogue.acknowledge(dialogue.ack + 100);
    expect(dialogue.bench.counter('tcp_retransmissions')).to.equal(0);
    expect(dialogue.stream.taken).to.equal(100);
  });

  it('RFC 9293 §3.10.7.4: an ACK of what was never sent gets an ACK and is dropped', () => {
    const dialogue = established();
    const answers = dialogue.send(ACK, { ack: (dialogue.ack + 1) | 0, payload: pattern(10) });
    expect(answers[0]).to.deep.include({ flags: ACK, seq: dialogue.ack, ack: dialogue.seq });
    expect(farText(dialogue)).to.have.length(0);
  });

  it('RFC 9293 §3.8.4: a keep-alive probe is answered, with a byte or without', () => {
    const dialogue = established();
    for (const payload of [pattern(0), pattern(1)]) {
      const answers = dialogue.send(ACK, { seq: (dialogue.seq - 1) | 0, payload });
      expect(answers).to.have.length(1);
      expect(answers[0]).to.deep.include({ flags: ACK, seq: dialogue.ack, ack: dialogue.seq });
    }
    expect(farText(dialogue)).to.have.length(0);
  });

  it('data behind a gap is asked for again, once for each segment', () => {
    const dialogue = established();
    for (const at of [1000, 2000, 3000]) {
      const answers = dialogue.send(ACK, { seq: (dialogue.seq + at) | 0, payload: pattern(1000, at) });
      expect(answers).to.have.length(1);
      expect(answers[0]).to.deep.include({ flags: ACK, ack: dialogue.seq });
    }
    expect(dialogue.bench.counter('tcp_out_of_order')).to.equal(3);
  });

  it('events of both kinds in one turn: what the guest and the host said is passed on', () => {
    const dialogue = established();
    dialogue.stream.write(pattern(500));
    dialogue.bench.deliver(dialogue.frame(ACK, { payload: pattern(300) }));
    dialogue.seq = (dialogue.seq + 300) | 0;
    const segments = dialogue.seen();
    expect(text(segments)).to.deep.equal(pattern(500));
    expect(segments.at(-1)?.ack).to.equal(dialogue.seq);
    expect(farText(dialogue)).to.deep.equal(pattern(300));
  });

  it('a stale event of a flow that has ended touches nobody, not even the next flow of its row', () => {
    const dialogue = established();
    const { tap } = dialogue.bench.kernel;
    tap.send(dialogue.frame(RST));
    tap.send(dialogue.frame(SYN, { sourcePort: 1 }));
    dialogue.stream.reset();
    expect(dialogue.seen()).to.deep.equal([]);
    expect(dialogue.bench.counter('stale_events')).to.equal(1);
    expect(dialogue.bench.flows()).to.equal(1);
  });
});

describe('worker/tcp: how much is in flight', () => {
  /** Bytes in flight once a guest with a large window, `distance` µs away, has measured ten round trips. */
  function inFlight(peekOffset: boolean, distance: number): number {
    const dialogue = established({ peekOffset, windowScale: 9 });
    for (let trips = 0; trips < 10; trips++) {
      dialogue.stream.write(pattern(1000));
      dialogue.bench.settle();
      dialogue.bench.kernel.now += distance;
      dialogue.acknowledge(dialogue.ack + 1000);
    }
    dialogue.stream.write(pattern(4_000_000));
    dialogue.bench.settle();
    return ((rows[dialogue.row() + SND_MAX] as number) - (rows[dialogue.row() + SND_UNA] as number)) | 0;
  }

  it('with SO_PEEK_OFF as much as the guest takes', () => {
    expect(inFlight(true, 50)).to.equal(4_000_000);
  });

  it('without it, where each byte in flight is copied for each frame: little for a near guest, more for a distant one', () => {
    expect(inFlight(false, 50)).to.be.within((1 << 18) - 1460, 1 << 18);
    expect(inFlight(false, 20_000)).to.be.within(500_000, 1_280_000);
    expect(inFlight(false, 1_000_000)).to.equal(4_000_000);
  });
});
