/** The net below the invariants: a flow that was broken by hand goes on, and is counted; nobody is woken for it otherwise. */
import { expect } from 'chai';
import { FLAGS, rows } from '../../worker/flow/row.ts';
import { stopTimer } from '../../worker/flow/timers.ts';
import { HOST_READABLE, RETRANSMIT } from '../../worker/tcp/row.ts';
import { Dialogue, pattern } from '../support/tcp_dialogue.ts';

function established(): Dialogue {
  const dialogue = new Dialogue();
  dialogue.establish();
  return dialogue;
}

describe('worker/watchdog', () => {
  it('arms a retransmission that nobody armed', () => {
    const dialogue = established();
    dialogue.stream.write(pattern(100));
    dialogue.seen();
    (rows[dialogue.row() + FLAGS] as number) &= ~RETRANSMIT;
    dialogue.bench.advance(5000);
    expect(dialogue.seen()[0]?.payload).to.deep.equal(pattern(100));
    expect(dialogue.bench.counter('tcp_stalls_repaired')).to.equal(1);
  });

  it('links a timer that is not linked', () => {
    const dialogue = established();
    dialogue.stream.write(pattern(100));
    dialogue.seen();
    stopTimer(0);
    dialogue.bench.advance(5000);
    expect(dialogue.seen()[0]?.payload).to.deep.equal(pattern(100));
    expect(dialogue.bench.counter('tcp_stalls_repaired')).to.equal(1);
  });

  it('brings back an event that was lost', () => {
    const dialogue = established();
    dialogue.stream.write(pattern(50));
    dialogue.bench.settle();
    dialogue.acknowledge(dialogue.ack + 50);
    // What the far end writes now makes no event.
    dialogue.stream.incoming.push(pattern(70, 50));
    expect((rows[dialogue.row() + FLAGS] as number) & HOST_READABLE).to.equal(0);
    dialogue.bench.advance(5000);
    expect(dialogue.seen()[0]?.payload).to.deep.equal(pattern(70, 50));
    expect(dialogue.bench.counter('tcp_stalls_repaired')).to.equal(1);
  });

  it('repairs nothing of a flow that is well, and lets an idle worker sleep', () => {
    const dialogue = established();
    dialogue.stream.write(pattern(5000));
    dialogue.acknowledge(dialogue.seen().reduce((_, { seq, payload }) => (seq + payload.length) | 0, dialogue.ack));
    dialogue.bench.advance(10_000);
    expect(dialogue.bench.wait(), 'until the idle limit').to.be.greaterThan(60_000);
    expect(dialogue.bench.counter('tcp_stalls_repaired')).to.equal(0);
  });
});
