/** Resets either way, and segments that would like to be one (RFC 9293 §3.10.7.4, RFC 5961). */
import { expect } from 'chai';
import { EAGAIN, ECONNRESET, EPIPE, EPOLLERR, EPOLLOUT } from '../../support/fake_file.ts';
import { ACK, FIN, RST, SYN } from '../../support/guest_frame.ts';
import { Dialogue, pattern } from '../../support/tcp_dialogue.ts';

function established(): Dialogue {
  const dialogue = new Dialogue({ guestIss: 0x7fffffff });
  dialogue.establish();
  return dialogue;
}

describe('worker/tcp: reset', () => {
  it('RFC 5961 §3.2: a RST with exactly the next number ends the connection and resets the far end', () => {
    const dialogue = established();
    expect(dialogue.send(RST)).to.deep.equal([]);
    expect(dialogue.stream.farSawReset).to.equal(true);
    dialogue.bench.expectNothingLeft();
  });

  it('RFC 5961 §3.2: a RST elsewhere in the window gets a challenge ACK', () => {
    const dialogue = established();
    for (const ahead of [1, 1000, 65_000]) {
      const answers = dialogue.send(RST, { seq: (dialogue.seq + ahead) | 0 });
      expect(answers, `${ahead} ahead`).to.have.length(1);
      expect(answers[0]).to.deep.include({ flags: ACK, seq: dialogue.ack, ack: dialogue.seq });
    }
    expect(dialogue.bench.flows()).to.equal(1);
  });

  it('RFC 5961 §3.2: a RST outside the window is dropped without a word', () => {
    const dialogue = established();
    for (const away of [-1, -70_000, 20_000_000, 0x7fffffff])
      expect(dialogue.send(RST, { seq: (dialogue.seq + away) | 0 })).to.deep.equal([]);
    expect(dialogue.bench.flows()).to.equal(1);
  });

  it('RFC 5961 §4.2: a SYN on a connection gets a challenge ACK, whatever its number', () => {
    const dialogue = established();
    for (const away of [0, -1, 500, -0x70000000]) {
      const answers = dialogue.send(SYN, { seq: (dialogue.seq + away) | 0 });
      expect(answers[0]).to.deep.include({ flags: ACK, seq: dialogue.ack, ack: dialogue.seq });
    }
    expect(dialogue.bench.flows()).to.equal(1);
  });

  it('a guest that has forgotten the connection gets rid of it: SYN, challenge ACK, RST, SYN', () => {
    const dialogue = established();
    const [challenge] = dialogue.send(SYN, { seq: 5 });
    dialogue.send(RST, { seq: challenge?.ack ?? 0 });
    expect(dialogue.bench.flows()).to.equal(0);
    dialogue.send(SYN, { seq: 5 });
    expect(dialogue.bench.flows()).to.equal(1);
    expect(dialogue.bench.kernel.opener.requests).to.have.length(1);
  });

  it('RFC 9293 §3.10.7.4: the far end resets: RST with the next number', () => {
    const dialogue = established();
    dialogue.stream.write(pattern(100));
    dialogue.seen();
    dialogue.stream.reset();
    const answers = dialogue.seen();
    expect(answers).to.have.length(1);
    expect(answers[0]).to.deep.include({ flags: RST | ACK, seq: (dialogue.ack + 100) | 0, ack: dialogue.seq });
    dialogue.bench.expectNothingLeft();
  });

  it('the far end resets while the guest sends: one RST, and RST for what comes later', () => {
    const dialogue = established();
    dialogue.stream.reset();
    dialogue.bench.kernel.tap.send(dialogue.frame(ACK, { payload: pattern(10) }));
    const answers = dialogue.seen();
    expect(answers.filter(({ flags }) => (flags & RST) !== 0).length).to.be.greaterThan(0);
    expect(dialogue.send(ACK, { payload: pattern(5) })[0]?.flags).to.equal(RST);
    dialogue.bench.expectNothingLeft();
  });

  it('a send that the kernel refuses for good ends the connection', () => {
    const dialogue = established();
    dialogue.stream.send = () => -EPIPE;
    const answers = dialogue.sendData(pattern(10));
    expect(answers[0]).to.deep.include({ flags: RST | ACK });
    expect(dialogue.stream.farSawReset).to.equal(true);
    dialogue.bench.expectNothingLeft();
  });

  it('a peek that fails ends the connection', () => {
    const dialogue = established();
    dialogue.stream.peek = () => -ECONNRESET;
    dialogue.stream.write(pattern(10));
    expect(dialogue.seen()[0]).to.deep.include({ flags: RST | ACK });
    expect(dialogue.stream.farSawReset).to.equal(true);
    dialogue.bench.expectNothingLeft();
  });

  /** Both ends have been told. */
  function expectBothTold(dialogue: Dialogue): void {
    expect(dialogue.seen().at(-1)).to.deep.include({ flags: RST | ACK });
    expect(dialogue.stream.farSawReset).to.equal(true);
    dialogue.bench.expectNothingLeft();
  }

  it('a queue that has lost what the guest acknowledges ends the connection both ways', () => {
    const dialogue = established();
    dialogue.stream.write(pattern(10));
    dialogue.seen();
    dialogue.bench.kernel.discard = () => -ECONNRESET;
    dialogue.bench.deliver(dialogue.frame(ACK, { ack: (dialogue.ack + 10) | 0 }));
    expectBothTold(dialogue);
  });

  it('a peek that fails when something is sent again ends the connection both ways', () => {
    const dialogue = established();
    dialogue.stream.write(pattern(10));
    dialogue.seen();
    dialogue.stream.peek = () => -ECONNRESET;
    dialogue.bench.advance(1000);
    expectBothTold(dialogue);
  });

  it('a send that is refused for good to bytes that waited ends the connection both ways', () => {
    const dialogue = established();
    dialogue.stream.send = () => -EAGAIN;
    dialogue.sendData(pattern(10));
    dialogue.stream.send = () => -EPIPE;
    dialogue.stream.wake(EPOLLOUT);
    dialogue.bench.settle();
    expectBothTold(dialogue);
  });

  it('an error that the watchdog meets ends the connection both ways', () => {
    const dialogue = established();
    dialogue.stream.peek = () => -ECONNRESET;
    dialogue.bench.advance(5000);
    expectBothTold(dialogue);
  });

  it('an error that is none (SO_ERROR 0) ends nothing', () => {
    const dialogue = established();
    const { poll } = dialogue.stream;
    dialogue.stream.poll = () => EPOLLERR;
    dialogue.stream.wake(EPOLLERR);
    dialogue.bench.turn();
    dialogue.stream.poll = poll;
    expect(dialogue.bench.flows()).to.equal(1);
  });

  it('a segment without ACK is dropped', () => {
    const dialogue = established();
    expect(dialogue.send(0, { payload: pattern(10) })).to.deep.equal([]);
    expect(dialogue.send(FIN, { payload: pattern(10) })).to.deep.equal([]);
    dialogue.stream.read(100);
    expect(dialogue.stream.farReceived.length).to.equal(0);
  });
});
