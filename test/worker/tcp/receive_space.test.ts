/** The window for a guest far away. */
import { expect } from 'chai';
import { ACK } from '../../support/guest_frame.ts';
import { Dialogue, pattern } from '../../support/tcp_dialogue.ts';

const ROUND_TRIP = 100;

/** What arrives at once. */
const PIECE = 8000;

/** The far end reads everything that it can get. */
function drain(dialogue: Dialogue): void {
  do {
    dialogue.stream.read(1 << 20);
    dialogue.bench.settle();
  } while (dialogue.stream.outgoing.length > 0);
}

/** A guest whose SYN and ACK take `delay` ms there and back. */
function established(delay: number): Dialogue {
  const dialogue = new Dialogue({ mss: 1460, windowScale: 7 });
  dialogue.stream.sendBuffer = 87_040;
  dialogue.sendSyn();
  dialogue.bench.kernel.opener.answer(0, dialogue.stream);
  dialogue.bench.settle();
  dialogue.stream.accept();
  const [synAck] = dialogue.seen();
  dialogue.ack = ((synAck?.seq ?? 0) + 1) | 0;
  dialogue.bench.advance(delay);
  dialogue.send(ACK);
  return dialogue;
}

/** The guest fills the window in each of `trips` round trips, and the socket empties at once; the windows it is told of. */
function fill(dialogue: Dialogue, trips: number, delay: number): number[] {
  const windows: number[] = [];
  let window = 60_000;
  for (let trip = 0; trip < trips; trip++) {
    for (let left = window; left > 0; left -= PIECE) {
      const answers = dialogue.sendData(pattern(Math.min(left, PIECE)));
      drain(dialogue);
      window = (answers.at(-1)?.window ?? window >> 8) << 8;
    }
    windows.push(window);
    dialogue.bench.advance(delay);
  }
  return windows;
}

describe('worker/tcp: the window for a guest far away', () => {
  it('grows with what the guest sends in a round trip, beyond the room of a socket that keeps up', () => {
    const windows = fill(established(ROUND_TRIP), 6, ROUND_TRIP);
    expect(windows.at(-1)).to.be.greaterThan(1_000_000);
    expect(Math.max(...windows)).to.be.at.most(6 << 20);
  });

  it('stays with the socket for a guest that is near', () => {
    expect(Math.max(...fill(established(1), 6, 1))).to.be.at.most(87_040);
  });

  it('falls back to the room of the socket when that was not enough', () => {
    const dialogue = established(ROUND_TRIP);
    fill(dialogue, 4, ROUND_TRIP);
    const before = dialogue.stream.farReceived.length;
    // Nobody reads: the socket fills up, and what was promised beyond it waits with us.
    for (let pieces = 0; pieces < 20; pieces++) dialogue.sendData(pattern(PIECE));
    expect(dialogue.bench.counter('tcp_partial_sends')).to.be.greaterThan(0);
    drain(dialogue);
    expect(dialogue.stream.farReceived.length - before, 'nothing is lost').to.equal(20 * PIECE);
    const [answer] = dialogue.sendData(pattern(PIECE));
    expect((answer?.window ?? 0) << 8).to.be.lessThan(1_000_000);
  });
});
