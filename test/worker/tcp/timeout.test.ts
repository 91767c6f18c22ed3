/** How long a connection may stay as it is: each limit, what is told when it is reached, and what 0 means. */
import { expect } from 'chai';
import { addressFromBytes } from '../../../shared/addresses.ts';
import { MessageId, TcpLimit } from '../../../shared/messages.ts';
import { ACK, FIN, RST, SYN } from '../../support/guest_frame.ts';
import { Dialogue, type DialogueOptions, FAR_PORT, GUEST_PORT, pattern } from '../../support/tcp_dialogue.ts';
import type { Ends } from '../../support/guest_frame.ts';
import { ENDS6 } from '../../support/workbench.ts';

const DAY = 24 * 3_600_000;

function established(options: DialogueOptions = {}): Dialogue {
  const dialogue = new Dialogue({ guestIss: -2, workerIss: 0x7ffffff0, ...options });
  dialogue.establish();
  return dialogue;
}

/** The values of the one line that was said of a connection that a limit has ended. */
function toldOf(limit: number, ends: Ends): number[] {
  const far = addressFromBytes(ends.far);
  const view = new DataView(far.buffer, far.byteOffset);
  return [limit, (GUEST_PORT << 16) | FAR_PORT, ...[0, 4, 8, 12].map((at) => view.getInt32(at))];
}

/** Both ends were reset, one line says why, and nothing is left. */
function expectExpired(dialogue: Dialogue, limit: number): void {
  const resets = dialogue.seen().filter(({ flags }) => (flags & RST) !== 0);
  expect(resets, 'resets to the guest').to.have.length(1);
  expect(resets[0]).to.include({ flags: RST | ACK, ack: dialogue.seq });
  expect(dialogue.stream.farSawReset, 'a reset to the far end').to.equal(true);
  expect(dialogue.bench.counter('tcp_expired')).to.equal(1);
  dialogue.bench.turn();
  expect(dialogue.bench.kernel.channel.logged(MessageId.TCP_EXPIRED)).to.deep.equal([toldOf(limit, dialogue.ends)]);
  dialogue.bench.expectNothingLeft();
}

describe('worker/tcp: how long a connection may stay as it is', () => {
  for (const options of [{}, { ends: ENDS6 }]) {
    it(`idle: reset both ways after as long as it may carry nothing${options.ends ? ', IPv6' : ''}`, () => {
      const dialogue = established({ ...options, timeouts: { idle: 1000 } });
      dialogue.bench.advance(900);
      dialogue.sendData(pattern(10));
      dialogue.bench.advance(990);
      expect(dialogue.bench.flows(), 'data begins the time anew').to.equal(1);
      dialogue.bench.advance(20);
      expectExpired(dialogue, TcpLimit.IDLE);
    });
  }

  it('data of the far end counts as well', () => {
    const dialogue = established({ timeouts: { idle: 1000 } });
    dialogue.bench.advance(900);
    dialogue.stream.write(pattern(10));
    const [data] = dialogue.seen();
    dialogue.acknowledge((data as { seq: number }).seq + 10);
    dialogue.bench.advance(990);
    expect(dialogue.bench.flows()).to.equal(1);
    dialogue.bench.advance(20);
    expectExpired(dialogue, TcpLimit.IDLE);
  });

  it('half-closed by the guest: a limit of its own', () => {
    const dialogue = established({ timeouts: { idle: 500, halfClosed: 2000 } });
    dialogue.send(ACK | FIN);
    dialogue.seq = (dialogue.seq + 1) | 0;
    dialogue.bench.advance(1900);
    expect(dialogue.bench.flows()).to.equal(1);
    dialogue.bench.advance(200);
    expectExpired(dialogue, TcpLimit.HALF_CLOSED);
  });

  it('half-closed by the far end: the same', () => {
    const dialogue = established({ timeouts: { idle: 0, halfClosed: 2000 } });
    dialogue.stream.end();
    const [fin] = dialogue.seen();
    dialogue.acknowledge((fin as { seq: number }).seq + 1);
    dialogue.bench.advance(1900);
    expect(dialogue.bench.flows()).to.equal(1);
    dialogue.bench.advance(200);
    expectExpired(dialogue, TcpLimit.HALF_CLOSED);
  });

  it('a handshake that the guest leaves unfinished', () => {
    const dialogue = new Dialogue({ timeouts: { handshake: 2500 } });
    dialogue.sendSyn();
    dialogue.bench.kernel.opener.answer(0, dialogue.stream);
    dialogue.bench.settle();
    dialogue.stream.accept();
    dialogue.bench.advance(2400);
    expect(dialogue.seen().filter(({ flags }) => flags === (SYN | ACK))).to.have.length(2);
    dialogue.bench.advance(200);
    expectExpired(dialogue, TcpLimit.HANDSHAKE);
  });

  it('0 is for ever, longer than the clock can tell, and wakes the loop some times a day', () => {
    const dialogue = established({ timeouts: { idle: 0 } });
    const before = dialogue.bench.counter('wakeups');
    for (let days = 0; days < 60; days += 5) {
      dialogue.bench.advance(5 * DAY);
      expect(dialogue.bench.flows(), `after ${days + 5} days`).to.equal(1);
    }
    expect(dialogue.bench.counter('wakeups') - before).to.be.lessThan(60 * 24);
    expect(dialogue.seen()).to.deep.equal([]);
    dialogue.stream.write(pattern(5));
    expect(dialogue.seen()).to.have.length(1);
  });

  it('keep-alive: a silent guest is asked, and one that answers is kept', () => {
    const dialogue = established({ timeouts: { keepAlive: 1000 } });
    for (let asked = 0; asked < 30; asked++) {
      dialogue.bench.advance(1000);
      const probes = dialogue.seen();
      expect(probes).to.have.length(1);
      expect(probes[0]).to.deep.include({ seq: (dialogue.ack - 1) | 0, ack: dialogue.seq, flags: ACK, payload: new Uint8Array(0) });
      dialogue.send(ACK);
    }
    expect(dialogue.bench.flows()).to.equal(1);
  });

  it('keep-alive: one that never answers is given up after nine intervals', () => {
    const dialogue = established({ timeouts: { keepAlive: 1000 } });
    dialogue.bench.advance(8900);
    expect(dialogue.seen().length).to.be.within(7, 9);
    dialogue.bench.advance(1200);
    expectExpired(dialogue, TcpLimit.KEEPALIVE);
  });

  it('many that end together bring a few lines', () => {
    const dialogue = established({ timeouts: { idle: 60_000 }, flows: 200, descriptors: 200 });
    const { bench } = dialogue;
    for (let port = 1; port <= 50; port++) bench.deliver(dialogue.frame(SYN, { sourcePort: port, seq: 5, ack: 0 }));
    bench.advance(DAY);
    expect(bench.counter('tcp_expired')).to.equal(51);
    expect(bench.kernel.channel.logged(MessageId.TCP_EXPIRED).length).to.be.within(5, 10);
  });
});
