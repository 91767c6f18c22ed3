/** How much is in flight after losses (tcp/congestion.ts; RFC 5681 §3.1, RFC 6937). */
import { expect } from 'chai';
import { FLAGS, rows } from '../../../worker/flow/row.ts';
import { pipe } from '../../../worker/tcp/congestion.ts';
import { CONGESTED, CWND, LOSSY, RECOVERING, SND_MAX, SND_UNA, SSTHRESH } from '../../../worker/tcp/row.ts';
import { ACK, type Segment } from '../../support/guest_frame.ts';
import { Dialogue, pattern } from '../../support/tcp_dialogue.ts';

const MSS = 1000;
/** Segments in flight: all that the window allows. */
const FLIGHT = 60;

const nothing = (): boolean => false;

/** A guest that is 10 ms away, has a host that always has more to say, and loses what a test tells. */
class LossyGuest {
  readonly dialogue = new Dialogue({ windowScale: 0, mss: MSS, mtu: 1500, sackPermitted: true, timestamps: false, window: FLIGHT * MSS });
  readonly row: number;
  readonly start: number;
  /** Segments that have come, by their number from the start of the stream. */
  readonly #have = new Set<number>();
  #written = 0;

  constructor() {
    this.dialogue.establish();
    this.row = this.dialogue.row();
    this.start = this.dialogue.ack;
    this.write();
  }

  write(): void {
    const wanted = ((this.dialogue.ack - this.start) | 0) + 3 * FLIGHT * MSS;
    this.dialogue.stream.write(pattern(wanted - this.#written, this.#written));
    this.#written = wanted;
  }

  /** One round trip: what was sent comes, but for what `lost` says, and is acknowledged segment by segment. Returns what went out in turn. */
  trip(sent: readonly Segment[], lost: (segment: number) => boolean): Segment[] {
    this.dialogue.bench.advance(10);
    const next: Segment[] = [...this.dialogue.seen()];
    for (const { seq, payload } of sent) {
      for (let at = 0; at < payload.length; at += MSS) {
        const number = Math.floor(((seq + at - this.start) | 0) / MSS);
        if (lost(number)) continue;
        this.#have.add(number);
        next.push(...this.#acknowledge(number));
      }
    }
    this.write();
    next.push(...this.dialogue.seen());
    return next.filter(({ payload }) => payload.length > 0);
  }

  #acknowledge(newest: number): Segment[] {
    let ack = Math.floor(((this.dialogue.ack - this.start) | 0) / MSS);
    while (this.#have.delete(ack)) ack++;
    this.dialogue.ack = (this.start + ack * MSS) | 0;
    if (newest < ack) return this.dialogue.send(ACK);
    let [left, right] = [newest, newest + 1];
    while (this.#have.has(left - 1)) left--;
    while (this.#have.has(right)) right++;
    return this.dialogue.send(ACK, { sack: [{ left: (this.start + left * MSS) | 0, right: (this.start + right * MSS) | 0 }] });
  }

  /** Goes on until the worker knows the round trip; returns what is on its way then. */
  settle(): Segment[] {
    let sent = this.dialogue.seen();
    for (let trips = 0; trips < 40; trips++) sent = this.trip(sent, nothing);
    return sent;
  }

  get window(): number {
    return rows[this.row + CWND] as number;
  }

  /** Bytes sent and neither acknowledged nor told of. */
  get outstanding(): number {
    return ((rows[this.row + SND_MAX] as number) - (rows[this.row + SND_UNA] as number)) | 0;
  }
}

function bytesOf(segments: readonly Segment[]): number {
  return segments.reduce((sum, { payload }) => sum + payload.length, 0);
}

describe('worker/tcp: congestion window', () => {
  it('there is none until something is lost, and a loss alone takes nothing of the flight', () => {
    const guest = new LossyGuest();
    let sent = guest.settle();
    expect([guest.window, guest.outstanding]).to.deep.equal([0, FLIGHT * MSS]);
    const before = guest.dialogue.bench.counter('tcp_retransmissions');
    const lost = Math.floor(((guest.dialogue.ack - guest.start) | 0) / MSS) + 5;
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
    expect(rows[guest.row + SSTHRESH]).to.equal(0.7 * FLIGHT * MSS);
    expect(pipe(guest.row)).to.be.at.most(0.7 * FLIGHT * MSS + 2 * MSS);
    expect(bytesOf(recovering)).to.be.at.most(0.7 * FLIGHT * MSS + 2 * MSS);
    while (((rows[guest.row + FLAGS] as number) & RECOVERING) !== 0) {
      recovering = guest.trip(recovering, nothing);
      expect(pipe(guest.row)).to.be.at.most(0.8 * FLIGHT * MSS);
    }
    expect(rows[guest.row + CONGESTED]).to.equal(FLIGHT * MSS);
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
    expect(bytesOf(sent)).to.equal(MSS);
    expect(guest.window).to.equal(MSS);
    expect(rows[guest.row + SSTHRESH]).to.equal(0.7 * FLIGHT * MSS);
    const windows: number[] = [];
    for (let trips = 0; trips < 4; trips++) {
      sent = guest.trip(sent, nothing);
      windows.push(guest.window);
    }
    expect(windows).to.deep.equal([2 * MSS, 4 * MSS, 8 * MSS, 16 * MSS]);
  });
});
