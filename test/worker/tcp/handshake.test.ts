/** The three-way handshake, whose second part waits for the far end. */
import { expect } from 'chai';
import { Verb } from '../../../shared/opener.ts';
import { FakeStream } from '../../support/fake_stream.ts';
import { ECONNREFUSED, EMFILE } from '../../support/fake_file.ts';
import { ACK, FIN, RST, SYN } from '../../support/guest_frame.ts';
import { Dialogue, FAR_PORT, GUEST_PORT, pattern } from '../../support/tcp_dialogue.ts';
import { ENDS6 } from '../../support/workbench.ts';

describe('worker/tcp: handshake', () => {
  it('RFC 9293 §3.5: SYN|ACK only after the far end has accepted, with the numbers that belong to it', () => {
    const dialogue = new Dialogue({ guestIss: 7000 });
    expect(dialogue.sendSyn()).to.deep.equal([]);
    const [request] = dialogue.bench.kernel.opener.requests;
    expect(request).to.include({ verb: Verb.TCP_CONNECT, family: 4, sourcePort: 0, destinationPort: FAR_PORT, interface: 0 });
    expect(Array.from(request?.destination ?? [])).to.deep.equal([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 198, 51, 100, 7]);
    dialogue.bench.kernel.opener.answer(0, dialogue.stream);
    expect(dialogue.seen(), 'the connect is under way').to.deep.equal([]);
    dialogue.stream.accept();
    const answers = dialogue.seen();
    expect(answers).to.have.length(1);
    expect(answers[0]).to.deep.include({ sourcePort: FAR_PORT, destinationPort: GUEST_PORT, ack: 7001, flags: SYN | ACK, mss: 1460 });
    expect(answers[0]?.windowScale).to.be.a('number');
    expect(answers[0]?.payload.length).to.equal(0);
  });

  it('speaks IPv6 in the same way', () => {
    const dialogue = new Dialogue({ ends: ENDS6 });
    const synAck = dialogue.establish();
    expect(synAck).to.deep.include({ flags: SYN | ACK, mss: 1440 });
  });

  it('RFC 7323 §2.2: offers no window scale to a guest that offered none', () => {
    const synAck = new Dialogue({ windowScale: -1 }).establish();
    expect(synAck.windowScale).to.equal(undefined);
    expect(synAck.window).to.be.greaterThan(0);
  });

  it('RFC 9293 §3.7.1: takes 536 for a guest that offers no MSS, and never sends more per segment', () => {
    const dialogue = new Dialogue({ mss: -1 });
    dialogue.establish();
    dialogue.stream.write(pattern(2000));
    const [first] = dialogue.seen();
    expect(first?.gsoSize).to.equal(536);
  });

  it('RFC 9293 §3.10.7.3: RST|ACK of the SYN when the far end refuses', () => {
    const dialogue = new Dialogue({ guestIss: -1 });
    dialogue.sendSyn();
    dialogue.bench.kernel.opener.answer(0, dialogue.stream);
    dialogue.bench.settle();
    dialogue.stream.refuse(ECONNREFUSED);
    const answers = dialogue.seen();
    expect(answers).to.have.length(1);
    expect(answers[0]).to.deep.include({ flags: RST | ACK, seq: 0, ack: 0, window: 0 });
    dialogue.bench.expectNothingLeft();
  });

  it('RST when the opener says no', () => {
    const dialogue = new Dialogue();
    dialogue.sendSyn();
    dialogue.bench.kernel.opener.answer(-EMFILE, null);
    expect(dialogue.seen()[0]).to.deep.include({ flags: RST | ACK, seq: 0, ack: 1001 });
    expect(dialogue.bench.counter('opener_refused')).to.equal(1);
    dialogue.bench.expectNothingLeft();
  });

  it('a repeated SYN makes no second flow, and gets the SYN|ACK again once there is one', () => {
    const dialogue = new Dialogue();
    dialogue.sendSyn();
    const again = { seq: 1000, mss: 1460, windowScale: 7 };
    expect(dialogue.send(SYN, again)).to.deep.equal([]);
    expect(dialogue.bench.kernel.opener.requests).to.have.length(1);
    dialogue.bench.kernel.opener.answer(0, dialogue.stream);
    dialogue.bench.settle();
    dialogue.stream.accept();
    const [first] = dialogue.seen();
    const [second] = dialogue.send(SYN, again);
    expect(second).to.deep.equal(first);
    expect(dialogue.bench.flows()).to.equal(1);
  });

  it('RFC 9293 §3.8.1: sends the SYN|ACK again after 1 s, twice as late each time, and gives up', () => {
    const dialogue = new Dialogue();
    dialogue.sendSyn();
    dialogue.bench.kernel.opener.answer(0, dialogue.stream);
    dialogue.bench.settle();
    dialogue.stream.accept();
    const [synAck] = dialogue.seen();
    const times: number[] = [];
    for (let ms = 0; ms < 70_000; ms += 500) {
      dialogue.bench.advance(500);
      for (const segment of dialogue.seen()) {
        if (segment.flags === (SYN | ACK)) {
          expect(segment).to.deep.equal(synAck);
          times.push(Math.ceil((ms + 500) / 1000));
        } else expect(segment.flags).to.equal(RST | ACK);
      }
    }
    expect(times).to.deep.equal([1, 3, 7, 15]);
    expect(dialogue.stream.farSawReset, 'the far end is told').to.equal(true);
    dialogue.bench.expectNothingLeft();
  });

  it('RFC 9293 §3.10.7.4: an ACK of something else gets RST with its number, and establishes nothing', () => {
    const dialogue = new Dialogue();
    dialogue.sendSyn();
    dialogue.bench.kernel.opener.answer(0, dialogue.stream);
    dialogue.bench.settle();
    dialogue.stream.accept();
    const [synAck] = dialogue.seen();
    const wrong = ((synAck?.seq ?? 0) + 2) | 0;
    expect(dialogue.send(ACK, { ack: wrong, payload: pattern(5) })[0]).to.deep.include({ flags: RST, seq: wrong });
    dialogue.stream.read(100);
    expect(dialogue.stream.farReceived.length).to.equal(0);
  });

  it('RFC 9293 §3.10.7.4: an ACK outside the window establishes nothing', () => {
    const dialogue = new Dialogue();
    dialogue.sendSyn();
    dialogue.bench.kernel.opener.answer(0, dialogue.stream);
    dialogue.bench.settle();
    dialogue.stream.accept();
    const [synAck] = dialogue.seen();
    dialogue.stream.write(pattern(10));
    dialogue.bench.settle();
    const answers = dialogue.send(ACK, { ack: ((synAck?.seq ?? 0) + 1) | 0, seq: (dialogue.seq + 1_000_000) | 0 });
    expect(answers).to.have.length(1);
    expect(answers[0]).to.deep.include({ flags: ACK, ack: dialogue.seq });
    dialogue.bench.advance(1001);
    expect(dialogue.seen()).to.deep.equal([synAck]);
  });

  it('a RST that fits ends the attempt, before and after the far end has accepted', () => {
    const early = new Dialogue();
    early.sendSyn();
    early.send(RST, { seq: 5 });
    expect(early.bench.flows(), 'a RST with another number').to.equal(1);
    early.send(RST);
    expect(early.bench.flows()).to.equal(0);
    early.bench.kernel.opener.answer(0, early.stream);
    expect(early.seen(), 'the answer comes too late').to.deep.equal([]);
    expect(early.stream.closed).to.equal(true);
    early.bench.expectNothingLeft();

    const late = new Dialogue();
    late.sendSyn();
    late.bench.kernel.opener.answer(0, late.stream);
    late.bench.settle();
    late.stream.accept();
    late.seen();
    late.send(RST);
    expect(late.stream.farSawReset).to.equal(true);
    late.bench.expectNothingLeft();
  });

  it('an answer for an earlier flow of the same row is recognised and its socket closed', () => {
    const dialogue = new Dialogue();
    dialogue.sendSyn();
    const [request] = dialogue.bench.kernel.opener.requests;
    dialogue.send(RST);
    dialogue.seq = 5000;
    dialogue.sendSyn();
    dialogue.bench.kernel.opener.answer(0, dialogue.stream, request);
    expect(dialogue.seen()).to.deep.equal([]);
    expect(dialogue.stream.closed).to.equal(true);
    const second = new FakeStream();
    dialogue.bench.kernel.opener.answer(0, second, dialogue.bench.kernel.opener.requests[1]);
    dialogue.bench.settle();
    second.accept();
    expect(dialogue.seen()[0]).to.deep.include({ flags: SYN | ACK, ack: 5001 });
  });

  it('port 0 of either end is answered by nothing', () => {
    const dialogue = new Dialogue();
    expect(dialogue.send(SYN, { sourcePort: 0 })).to.deep.equal([]);
    expect(dialogue.send(SYN, { destinationPort: 0 })).to.deep.equal([]);
    expect(dialogue.bench.flows()).to.equal(0);
  });

  it('RFC 6528 §3: initial sequence numbers differ by flow and move with the clock', () => {
    const first = new Dialogue({ clock: 1_000_000_000 }).establish().seq;
    const same = new Dialogue({ clock: 1_000_000_000 }).establish().seq;
    const later = new Dialogue({ clock: 1_000_000_400 }).establish().seq;
    const otherKey = new Dialogue({ clock: 1_000_000_000, hashKey: [1, 2] }).establish().seq;
    expect(same).to.equal(first);
    expect((later - first) | 0).to.equal(100);
    expect(otherKey).not.to.equal(first);
  });

  it('RFC 9293 §3.10.7.1: a segment without a connection gets RST, a RST gets nothing', () => {
    const dialogue = new Dialogue();
    expect(dialogue.send(ACK, { seq: 9, ack: 77 })).to.have.length(1);
    expect(dialogue.send(ACK, { seq: 9, ack: 77 })[0]).to.deep.include({ flags: RST, seq: 77 });
    expect(dialogue.send(FIN, { seq: -1, payload: pattern(3) })[0]).to.deep.include({ flags: RST | ACK, seq: 0, ack: 3 });
    expect(dialogue.send(RST, { seq: 9 })).to.deep.equal([]);
    expect(dialogue.send(SYN | ACK, { ack: 5 })[0]).to.deep.include({ flags: RST, seq: 5 });
  });
});
