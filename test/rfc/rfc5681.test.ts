/** RFC 5681: how much is sent after a loss, and when a receiver answers. */
import { expect } from 'chai';
import { coldRows, FLAGS, rows } from '../../worker/flow/row.ts';
import { pipe } from '../../worker/tcp/congestion.ts';
import { CWND, RECOVERING, SSTHRESH } from '../../worker/tcp/row.ts';
import { ACK, FIN, type Segment } from '../support/guest_frame.ts';
import { FLIGHT, LossyGuest, MSS, nothing, payloadBytes } from '../support/lossy_guest.ts';
import { pattern } from '../support/tcp_dialogue.ts';
import { arrivals, bytesOf, established, farText, sendPieces, synReceived } from './states.ts';
import { bySection, describeTable, differs, type Table } from './table.ts';

const LOCAL = 'the link to the guest has no rate, its queue is bounded, and the far kernel has a window for the network: DECISIONS.md';

const TABLE: Table = {
  '§3.1/1': differs('the first window is of a few segments', LOCAL),
  '§3.1/2': 'below ssthresh the window grows by what is acknowledged',
  '§3.1/3': differs(
    'by one segment for an ACK, at most',
    'a guest’s ACK stands for a whole frame of segments; counted by bytes, as RFC 3465',
  ),
  '§3.1/4': differs(
    'above it by a segment in a round trip, at most',
    'at least by that; by an eighth where it had been larger, a 64th beyond',
  ),
  '§3.1/5': differs('a timeout sets ssthresh to half of what was in flight', 'to 0.7 of it (RFC 9438 §4.6), and to two segments at least'),
  '§3.1/6': 'another timeout for the same segment leaves ssthresh as it is',
  '§3.1/7': 'after a timeout one segment is sent',
  '§3.1/8': 'no more is in flight than the smaller of the two windows',
  '§3.1/9': differs('after a SYN that was sent twice one segment is sent', LOCAL),
  '§3.2/1': 'the third duplicate ACK has the first segment sent again',
  '§3.2/2': 'only what RFC 5681 §2 calls a duplicate counts',
  '§3.2/3': differs('ssthresh is set to half, and the window with it', `only where an eighth of the flight is lost, and to 0.7: ${LOCAL}`),
  '§3.2/4': 'the first two duplicates have new data sent',
  '§3.2/5': 'each further one as well',
  '§3.2/6': 'what ends the recovery leaves ssthresh as the window',
  '§4.1': differs(
    'after an idle time the window begins anew',
    'the far kernel’s does, and no more reaches the socket than that lets through',
  ),
  '§4.2/1': 'an ACK is delayed by less than half a second',
  '§4.2/2': 'at least every second full segment is acknowledged',
  '§4.2/3': 'a segment out of order is answered at once',
  '§4.2/4': 'one that fills a gap, or a part of it, as well',
  '§4.2/5': 'no more than one ACK for a segment, but for windows',
  '§4.3/1': 'losses in successive windows reduce it each time',
  '§4.3/2': differs(
    'so does the loss of what was sent again',
    'RFC 6937: once in a recovery; it is slower the less comes through, and a timeout leaves one segment',
  ),
};
describeTable(5681, bySection({ '§3.1': 9, '§3.2': 6, '§4.1': 1, '§4.2': 5, '§4.3': 2 }), TABLE);

const everyFourth = (segment: number): boolean => segment % 4 === 3;

function threshold(guest: LossyGuest): number {
  return coldRows[guest.row + SSTHRESH] as number;
}

/** A guest that has lost a whole flight: the timer has expired, and the first segment has gone out again. */
function timedOut(options: { sack?: boolean; window?: number } = {}): LossyGuest {
  const guest = new LossyGuest(options);
  guest.settle();
  guest.dialogue.bench.advance(25);
  guest.dialogue.seen();
  guest.dialogue.bench.advance(180);
  return guest;
}

/** What is in flight when the recovery is over. */
function whenThrough(guest: LossyGuest, sent: readonly Segment[]): Segment[] {
  let flight = [...sent];
  while (((rows[guest.row + FLAGS] as number) & RECOVERING) !== 0) flight = guest.trip(flight, nothing);
  return flight;
}

describe('RFC 5681 §3.1: the congestion window', () => {
  it('RFC 5681 §3.1/2, §3.1/4: after a timeout it doubles in each round trip up to ssthresh, then grows by an eighth at most', () => {
    const guest = timedOut();
    const windows: number[] = [];
    for (let sent = guest.dialogue.seen(); guest.window !== 0 && windows.length < 20; ) {
      sent = guest.trip(sent, nothing);
      if (guest.window !== 0) windows.push(guest.window);
    }
    expect(windows.slice(0, 5)).to.deep.equal([2, 4, 8, 16, 32].map((segments) => segments * MSS));
    expect(windows[5]).to.be.within(threshold(guest), threshold(guest) * 1.13);
    for (let trip = 6; trip < windows.length; trip++) {
      const before = windows[trip - 1] as number;
      expect((windows[trip] as number) - before).to.be.within(MSS, before / 8 + MSS);
    }
    expect(guest.window, 'where the guest’s own window is smaller, it bounds nothing').to.equal(0);
  });

  it('RFC 5681 §3.1/3: an ACK of several segments lets as many more go', () => {
    const guest = timedOut();
    let sent = guest.dialogue.seen();
    for (let trips = 0; trips < 3; trips++) sent = guest.trip(sent, nothing);
    expect(payloadBytes(sent)).to.equal(8 * MSS);
    expect(payloadBytes(guest.dialogue.acknowledge((guest.dialogue.ack + 8 * MSS) | 0))).to.equal(16 * MSS);
  });

  it('RFC 5681 §3.1/5, §3.1/7: a timeout leaves one segment of it, and 0.7 of what was in flight for ssthresh', () => {
    const guest = timedOut();
    expect(payloadBytes(guest.dialogue.seen())).to.equal(MSS);
    expect([guest.window, threshold(guest)]).to.deep.equal([MSS, 0.7 * FLIGHT * MSS]);
    const small = established({ mss: 1000 });
    sendPieces(small, 2);
    small.bench.advance(250);
    expect(coldRows[small.row() + SSTHRESH]).to.equal(2000);
  });

  it('RFC 5681 §3.1/6: the next timeouts leave ssthresh as it is', () => {
    const guest = timedOut();
    for (let seconds = 0; seconds < 20; seconds++) guest.dialogue.bench.advance(1000);
    expect(payloadBytes(guest.dialogue.seen())).to.be.above(3 * MSS);
    expect([guest.window, threshold(guest)]).to.deep.equal([MSS, 0.7 * FLIGHT * MSS]);
  });

  it('RFC 5681 §3.1/8: what is in flight exceeds neither window', () => {
    for (const window of [20 * MSS, FLIGHT * MSS]) {
      const guest = new LossyGuest({ window });
      let sent = guest.settle();
      for (let trips = 0; trips < 100; trips++) {
        sent = guest.trip(sent, (segment) => (trips % 20 < 5 && segment % 3 !== 0) || trips === 50);
        expect(guest.outstanding).to.be.at.most(window);
        if (guest.window !== 0 && trips % 20 >= 5) expect(pipe(guest.row)).to.be.at.most(guest.window + MSS);
      }
    }
  });

  it('RFC 5681 §3.1/9: after a SYN|ACK that was sent twice all that the window allows goes out', () => {
    const { dialogue } = synReceived({ windowScale: 0, window: 60_000 });
    dialogue.bench.advance(1500);
    dialogue.send(ACK);
    dialogue.stream.write(pattern(60_000));
    expect(bytesOf(dialogue.seen()).length).to.be.above(58_000);
  });

  it('RFC 5681 §4.1: an idle time leaves it as it is', () => {
    const guest = timedOut();
    let sent = guest.dialogue.seen();
    for (let trips = 0; trips < 4; trips++) sent = guest.trip(sent, nothing);
    const { dialogue } = guest;
    while (dialogue.stream.incoming.length > 0) for (const { seq, payload } of sent) sent = dialogue.acknowledge(seq + payload.length);
    const window = guest.window;
    expect(window).to.be.above(10 * MSS);
    dialogue.bench.advance(60_000);
    dialogue.stream.write(pattern(FLIGHT * MSS));
    expect(payloadBytes(dialogue.seen())).to.equal(window - (window % MSS));
  });
});

describe('RFC 5681 §3.2: duplicates', () => {
  it('RFC 5681 §3.1/1: all that the window allows is sent at once', () => {
    const dialogue = established({ window: 60_000 });
    dialogue.stream.write(pattern(60_000));
    expect(bytesOf(dialogue.seen()).length).to.be.above(58_000);
  });

  it('RFC 5681 §3.2/1: the third duplicate has the first segment sent again, the first two have not', () => {
    const dialogue = established({ mss: 1000 });
    sendPieces(dialogue, 6);
    expect([...dialogue.send(ACK), ...dialogue.send(ACK)].filter(({ seq }) => seq === dialogue.ack)).to.deep.equal([]);
    const again = dialogue.send(ACK);
    expect(again[0]?.seq).to.equal(dialogue.ack);
    expect(again[0]?.payload.subarray(0, 1000)).to.deep.equal(pattern(1000));
  });

  it('RFC 5681 §3.2/2: data, a FIN, another window or an old number make no duplicate, nor do ACKs of nothing in flight', () => {
    const dialogue = established({ mss: 1000 });
    for (let index = 0; index < 5; index++) dialogue.send(ACK);
    sendPieces(dialogue, 4);
    for (let index = 0; index < 5; index++) {
      dialogue.sendData(pattern(10, 10 * index));
      dialogue.window -= 10;
      dialogue.send(ACK);
      dialogue.send(ACK, { ack: (dialogue.ack - 1) | 0 });
    }
    dialogue.send(ACK | FIN);
    expect(dialogue.bench.counter('tcp_retransmissions')).to.equal(0);
    expect(dialogue.bench.counter('tcp_duplicate_acks')).to.equal(0);
  });
});

describe('RFC 5681 §3.2, §4.3: recovery', () => {
  it('RFC 5681 §3.2/3: a quarter of the flight lost: 0.7 of it is left', () => {
    const guest = new LossyGuest();
    whenThrough(guest, guest.trip(guest.settle(), everyFourth));
    expect(threshold(guest)).to.equal(0.7 * FLIGHT * MSS);
    expect(guest.window).to.be.within(threshold(guest), threshold(guest) * 1.13);
  });

  it('RFC 5681 §3.2/6: that is the window when the recovery is over, however little was left to send', () => {
    const dialogue = established({ mss: 1000, sackPermitted: true });
    sendPieces(dialogue, 16);
    const start = dialogue.ack;
    const ranges = [13, 9, 1].map((first) => ({ left: (start + first * 1000) | 0, right: (start + (first + 3) * 1000) | 0 }));
    expect(payloadBytes(dialogue.send(ACK, { sack: ranges }))).to.be.above(0);
    dialogue.acknowledge(start + 16_000);
    expect([rows[dialogue.row() + CWND], coldRows[dialogue.row() + SSTHRESH]]).to.deep.equal([11_200, 11_200]);
  });

  it('RFC 5681 §3.2/3: a loss alone takes nothing of the flight, and lets no more go than was in flight before', () => {
    for (const sack of [true, false]) {
      const guest = new LossyGuest({ sack, window: 40 * MSS });
      const sent = guest.settle();
      guest.dialogue.window = 65_000;
      const lost = guest.first + 5;
      guest.trip(sent, (segment) => segment === lost);
      expect(guest.window).to.be.within(40 * MSS, 65_000);
      expect(pipe(guest.row)).to.be.within(30 * MSS, guest.window);
    }
  });

  for (const sack of [true, false]) {
    it(`RFC 5681 §3.2/4, §3.2/5: each duplicate lets a segment of new data go, the third what is missing (${sack ? 'with' : 'without'} SACK)`, () => {
      const guest = timedOut({ sack, window: 65_000 });
      whenThrough(guest, guest.dialogue.seen());
      const { dialogue, window } = guest;
      expect(window).to.be.within(30 * MSS, 64 * MSS);
      for (let duplicate = 1; duplicate <= 6; duplicate++) {
        const next = (dialogue.ack + guest.outstanding) | 0;
        const range = { left: (dialogue.ack + MSS) | 0, right: (dialogue.ack + (duplicate + 1) * MSS) | 0 };
        const sent = dialogue.send(ACK, sack ? { sack: [range] } : {});
        expect(payloadBytes(sent), `duplicate ${duplicate}`).to.be.within(MSS, 4 * MSS);
        expect(sent.some(({ seq }) => seq === dialogue.ack)).to.equal(duplicate === 3);
        expect(sent.filter(({ seq }) => seq !== dialogue.ack)).to.satisfy((rest: Segment[]) =>
          rest.every(({ seq }) => ((seq - next) | 0) >= 0),
        );
      }
    });
  }

  it('RFC 5681 §4.3/1: a quarter lost of each of three flights reduces it three times', () => {
    const guest = new LossyGuest();
    const thresholds: number[] = [];
    let sent = guest.settle();
    for (let flight = 0; flight < 3; flight++) {
      sent = whenThrough(guest, guest.trip(sent, everyFourth));
      thresholds.push(threshold(guest));
    }
    expect(thresholds[0]).to.equal(0.7 * FLIGHT * MSS);
    for (const index of [1, 2]) expect((thresholds[index] as number) / (thresholds[index - 1] as number)).to.be.within(0.65, 0.82);
  });

  it('RFC 5681 §4.3/2: what is lost twice reduces it once', () => {
    const guest = new LossyGuest();
    let sent = guest.trip(guest.settle(), everyFourth);
    sent = guest.trip(sent, everyFourth);
    sent = guest.trip(sent, nothing);
    expect(threshold(guest)).to.equal(0.7 * FLIGHT * MSS);
    whenThrough(guest, sent);
    expect(guest.dialogue.bench.counter('tcp_retransmissions')).to.be.above(FLIGHT / 4);
  });
});

describe('RFC 5681 §4.2: the receiver', () => {
  it('RFC 5681 §4.2/1: whatever comes is acknowledged within half a second', () => {
    const dialogue = established();
    for (const length of [1, 100, 1459, 1460]) {
      dialogue.stream.write(pattern(1));
      dialogue.seen();
      dialogue.ack = (dialogue.ack + 1) | 0;
      const answers = dialogue.sendData(pattern(length));
      const later = arrivals(dialogue, 499).map(({ segment }) => segment);
      expect(
        [...answers, ...later].map(({ ack }) => ack),
        `${length} bytes`,
      ).to.include(dialogue.seq);
    }
  });

  it('RFC 5681 §4.2/2, §4.2/5: of a stream of full segments every second one at least is acknowledged, and none twice', () => {
    const dialogue = established();
    const acks: number[] = [];
    for (let at = 0; at < 40; at++) acks.push(...dialogue.sendData(pattern(1460, at * 1460)).map(({ ack }) => ack));
    expect(acks.length).to.be.within(20, 40);
    expect(new Set(acks).size).to.equal(acks.length);
  });

  it('RFC 5681 §4.2/3: one behind a gap is answered at once, each for itself, also of those that come together', () => {
    const dialogue = established();
    const frames = [2, 4, 6].map((place) =>
      dialogue.frame(ACK, { seq: (dialogue.seq + 1000 * place) | 0, payload: pattern(1000, 1000 * place) }),
    );
    dialogue.bench.deliver(...frames);
    expect(dialogue.seen().map(({ flags, ack }) => [flags, ack])).to.deep.equal(new Array(3).fill([ACK, dialogue.seq]));
  });

  it('RFC 5681 §4.2/4, RFC 9293 §3.10.7.4 SHLD-31: one that fills a gap, or a part of it, is answered at once by all that is there', () => {
    const dialogue = established();
    for (const place of [1, 3]) dialogue.send(ACK, { seq: (dialogue.seq + 1000 * place) | 0, payload: pattern(1000, 1000 * place) });
    const start = dialogue.seq;
    expect(dialogue.send(ACK, { payload: pattern(1000) }).map(({ ack }) => ack)).to.deep.equal([(start + 2000) | 0]);
    const filled = dialogue.send(ACK, { seq: (start + 2000) | 0, payload: pattern(1000, 2000) });
    expect(filled.map(({ ack }) => ack)).to.deep.equal([(start + 4000) | 0]);
    expect(farText(dialogue)).to.deep.equal(pattern(4000));
  });
});
