/** The net below the invariants: a flow that was broken by hand goes on, and is counted; nobody is woken for it otherwise. */
import { expect } from 'chai';
import { FLAGS, KIND, ROW, rows, SPLICE } from '../../worker/flow/row.ts';
import { stopTimer } from '../../worker/flow/timers.ts';
import { LEADER, READABLE } from '../../worker/splice/row.ts';
import { ACK_NOW, ACKED, HOST_READABLE, RETRANSMIT, WINDOW_SMALL } from '../../worker/tcp/row.ts';
import { MessageId, Stall } from '../../shared/messages.ts';
import { ACK, buildDatagram, FIN, SYN } from '../support/guest_frame.ts';
import { Dialogue, FAR_PORT, GUEST_PORT, pattern } from '../support/tcp_dialogue.ts';
import { SplicedPair } from '../support/spliced_pair.ts';
import { ENDS4, Workbench } from '../support/workbench.ts';

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

  it('tells of it in one line', () => {
    const dialogue = established();
    for (let time = 0; time < 2; time++) {
      dialogue.sendData(pattern(10));
      stopTimer(0);
      dialogue.bench.advance(3000);
    }
    expect(dialogue.bench.counter('tcp_stalls_repaired')).to.equal(2);
    const ports = (GUEST_PORT << 16) | FAR_PORT;
    expect(dialogue.bench.kernel.channel.logged(MessageId.STALL_REPAIRED)).to.deep.equal([[Stall.TIMER, ports, 1]]);
  });

  it('sends an ACK that nobody owes any more, and one that was forgotten in its list', () => {
    for (const forget of [
      (row: number) => {
        (rows[row + ACKED] as number) -= 5;
      },
      (row: number) => {
        (rows[row + FLAGS] as number) |= ACK_NOW;
      },
    ]) {
      const dialogue = established();
      dialogue.sendData(pattern(10));
      dialogue.bench.advance(10);
      dialogue.seen();
      forget(dialogue.row());
      dialogue.bench.advance(5000);
      expect(dialogue.seen().map(({ ack, flags }) => [ack, flags])).to.deep.equal([[dialogue.seq, ACK]]);
      expect(dialogue.bench.counter('tcp_stalls_repaired')).to.equal(1);
    }
  });

  it('sends what is known to be there and was left', () => {
    const dialogue = established();
    dialogue.stream.incoming.push(pattern(70));
    (rows[dialogue.row() + FLAGS] as number) |= HOST_READABLE;
    dialogue.bench.advance(1500);
    expect(dialogue.seen()[0]?.payload).to.deep.equal(pattern(70));
    expect(dialogue.bench.counter('tcp_stalls_repaired')).to.equal(1);
  });

  for (const peekOffset of [true, false]) {
    it(`brings back the end of a stream that was not told, ${peekOffset ? 'with' : 'without'} SO_PEEK_OFF`, () => {
      const dialogue = new Dialogue({ peekOffset });
      dialogue.establish();
      dialogue.stream.wake = () => {};
      dialogue.stream.end();
      dialogue.bench.advance(5000);
      expect(dialogue.seen()[0]).to.include({ flags: FIN | ACK });
      expect(dialogue.bench.counter('tcp_stalls_repaired')).to.equal(1);
    });
  }

  it('brings back an answer to a connect that was not told', () => {
    const dialogue = new Dialogue();
    dialogue.sendSyn();
    dialogue.bench.kernel.opener.answer(0, dialogue.stream);
    dialogue.bench.settle();
    dialogue.stream.wake = () => {};
    dialogue.stream.accept();
    dialogue.bench.advance(5000);
    expect(dialogue.seen()[0]).to.include({ flags: SYN | ACK });
  });

  it('brings back room that was not told', () => {
    const dialogue = established();
    const isSmall = (): boolean => ((rows[dialogue.row() + FLAGS] as number) & WINDOW_SMALL) !== 0;
    for (let segments = 0; segments < 100 && !isSmall(); segments++) dialogue.sendData(pattern(1460));
    expect(isSmall(), 'the window is small').to.equal(true);
    dialogue.stream.wake = () => {};
    dialogue.stream.read(1 << 20);
    dialogue.bench.advance(5000);
    expect(isSmall()).to.equal(false);
    expect(dialogue.seen().length, 'the guest is told').to.be.above(0);
    expect(dialogue.bench.counter('tcp_stalls_repaired')).to.equal(1);
  });

  it('an event that is only under way is none that was lost', () => {
    const dialogue = established();
    dialogue.stream.write(pattern(50));
    dialogue.bench.settle();
    dialogue.acknowledge(dialogue.ack + 50);
    const { kernel } = dialogue.bench;
    // Each look finds bytes that have come since the turn's wait, with their event.
    const receive = kernel.receive.bind(kernel);
    let late = 0;
    kernel.receive = (fd, offset, length, flags) => {
      if (length === 1 && late++ === 0) dialogue.stream.write(pattern(70, 50));
      return receive(fd, offset, length, flags);
    };
    dialogue.bench.advance(5000);
    expect(late, 'the flow was looked at').to.be.above(0);
    expect(dialogue.seen()[0]?.payload).to.deep.equal(pattern(70, 50));
    expect(dialogue.bench.counter('tcp_stalls_repaired')).to.equal(0);
  });

  it('looks at a quiet flow once, however much others do', () => {
    const dialogue = established();
    dialogue.bench.advance(3000);
    dialogue.bench.kernel.calls.clear();
    for (let second = 0; second < 20; second++) {
      dialogue.bench.deliver(buildDatagram(ENDS4, 7, 8, pattern(1)));
      dialogue.bench.advance(1000);
    }
    expect(dialogue.bench.kernel.calls.get('receive') ?? 0).to.equal(0);
  });

  it('walks a large table in slices, and sees all of it', () => {
    const flows = 700;
    const dialogue = new Dialogue({ flows, descriptors: flows });
    for (let port = 1; port <= flows; port++) dialogue.bench.deliver(dialogue.frame(SYN, { sourcePort: port, ack: 0 }));
    expect(dialogue.bench.flows()).to.equal(flows);
    stopTimer(flows - 1);
    stopTimer(0);
    dialogue.bench.advance(3000);
    expect(dialogue.bench.counter('tcp_stalls_repaired')).to.equal(2);
  });

  it('repairs nothing of a flow that is well, and lets an idle worker sleep', () => {
    const dialogue = established();
    dialogue.stream.write(pattern(5000));
    dialogue.acknowledge(dialogue.seen().reduce((_, { seq, payload }) => (seq + payload.length) | 0, dialogue.ack));
    dialogue.bench.advance(10_000);
    expect(dialogue.bench.wait(), 'until the idle limit').to.be.greaterThan(60_000);
    expect(dialogue.bench.counter('tcp_stalls_repaired')).to.equal(0);
  });

  it('sets a spliced connection going that has something to read and no turn', () => {
    const bench = new Workbench();
    const { came, made } = new SplicedPair(bench).answer();
    made.accept();
    bench.settle();
    came.write(pattern(10));
    bench.settle();
    // What comes now makes no event.
    came.incoming.push(pattern(20, 10));
    const leader = rows.findIndex((_, at) => at % ROW === 0 && rows[at + KIND] === SPLICE && rows[at + LEADER] === at / ROW);
    (rows[leader + FLAGS] as number) |= READABLE;
    bench.advance(5000);
    made.read(1000);
    expect(made.farReceived.length).to.equal(30);
    expect(bench.counter('tcp_stalls_repaired')).to.equal(1);
  });
});
