/** How much is in flight after losses (tcp/congestion.ts; RFC 5681 §3.1, RFC 6937). */
import { expect } from 'chai';
import { coldRows, FLAGS, rows } from '../../../worker/flow/row.ts';
import { pipe } from '../../../worker/tcp/congestion.ts';
import { CONGESTED, LOSSY, RECOVERING, SSTHRESH } from '../../../worker/tcp/row.ts';
import { FLIGHT, LossyGuest, MSS, nothing, payloadBytes } from '../../support/lossy_guest.ts';

describe('worker/tcp: congestion window', () => {
  it('there is none until something is lost, and a loss alone takes nothing of the flight', () => {
    const guest = new LossyGuest();
    let sent = guest.settle();
    expect([guest.window, guest.outstanding]).to.deep.equal([0, FLIGHT * MSS]);
    const before = guest.dialogue.bench.counter('tcp_retransmissions');
    const lost = guest.first + 5;
    sent = guest.trip(sent, (number) => number === lost);
    // The guest's window stands still at the hole; nothing else holds the flow back.
    expect(guest.window).to.equal(FLIGHT * MSS);
    for (let trips = 0; trips < 3; trips++) sent = guest.trip(sent, nothing);
    expect([guest.window, guest.outstanding]).to.deep.equal([0, FLIGHT * MSS]);
    expect((rows[guest.row + FLAGS] as number) & LOSSY).to.equal(0);
    expect(guest.dialogue.bench.counter('tcp_retransmissions') - before).to.equal(1);
  });

  it('a quarter of a flight lost: 0.7 of it is left, and RFC 6937 sends no faster than that while it recovers', () => {
    const guest = new LossyGuest();
    const sent = guest.settle();
    let recovering = guest.trip(sent, (number) => number % 4 === 3);
    expect(coldRows[guest.row + SSTHRESH]).to.equal(0.7 * FLIGHT * MSS);
    expect(pipe(guest.row)).to.be.at.most(0.7 * FLIGHT * MSS + 2 * MSS);
    expect(payloadBytes(recovering)).to.be.at.most(0.7 * FLIGHT * MSS + 2 * MSS);
    while (((rows[guest.row + FLAGS] as number) & RECOVERING) !== 0) {
      recovering = guest.trip(recovering, nothing);
      expect(pipe(guest.row)).to.be.at.most(0.8 * FLIGHT * MSS);
    }
    expect(coldRows[guest.row + CONGESTED]).to.equal(FLIGHT * MSS);
  });

  it('grows again, by an eighth of what is delivered at most where it was too large, until it bounds nothing', () => {
    const guest = new LossyGuest();
    let sent = guest.settle();
    sent = guest.trip(sent, (number) => number % 4 === 3);
    sent = guest.trip(sent, nothing);
    sent = guest.trip(sent, nothing);
    const windows: number[] = [];
    for (let trips = 0; trips < 12 && guest.window !== 0; trips++) {
      windows.push(guest.window);
      sent = guest.trip(sent, nothing);
    }
    expect(windows[0]).to.be.within(0.65 * FLIGHT * MSS, 0.85 * FLIGHT * MSS);
    for (let trip = 1; trip < windows.length; trip++) {
      const [before, after] = [windows[trip - 1] as number, windows[trip] as number];
      // RFC 5681 §3.1: a segment in a round trip, at least.
      expect(after - before).to.be.within(0.9 * MSS, before / 4);
    }
    expect(guest.window).to.equal(0);
  });

  it('nothing stops, however much is lost: half of all for a while', () => {
    const guest = new LossyGuest();
    let sent = guest.dialogue.seen();
    let luck = 12_345;
    for (let trips = 0; trips < 60; trips++) {
      sent = guest.trip(sent, () => {
        luck = (Math.imul(luck, 1_664_525) + 1_013_904_223) | 0;
        return ((luck >>> 16) & 1) === 0;
      });
    }
    const progress = (guest.dialogue.ack - guest.start) | 0;
    for (let trips = 0; trips < 60; trips++) sent = guest.trip(sent, nothing);
    expect(((guest.dialogue.ack - guest.start) | 0) - progress).to.be.greaterThan(10 * FLIGHT * MSS);
  });

  it('RFC 5681 §3.1: a timeout leaves one segment, then slow start', () => {
    const guest = new LossyGuest();
    guest.settle();
    guest.dialogue.bench.advance(25);
    guest.dialogue.seen();
    guest.dialogue.bench.advance(180);
    let sent = guest.dialogue.seen();
    expect(payloadBytes(sent)).to.equal(MSS);
    expect(guest.window).to.equal(MSS);
    expect(coldRows[guest.row + SSTHRESH]).to.equal(0.7 * FLIGHT * MSS);
    const windows: number[] = [];
    for (let trips = 0; trips < 4; trips++) {
      sent = guest.trip(sent, nothing);
      windows.push(guest.window);
    }
    expect(windows).to.deep.equal([2 * MSS, 4 * MSS, 8 * MSS, 16 * MSS]);
  });
});
