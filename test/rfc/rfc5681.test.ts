/** RFC 5681: how much is sent after a loss, and when a receiver answers. */
import { expect } from 'chai';
import { ACK, FIN } from '../support/guest_frame.ts';
import { pattern } from '../support/tcp_dialogue.ts';
import { arrivals, bytesOf, established, farText, sendPieces } from './states.ts';
import { bySection, describeTable, differs, missing, type Table } from './table.ts';

const NO_WINDOW = 'there is no congestion window yet: all that the guest’s window allows is sent';

const TABLE: Table = {
  '§3.1/1': differs('the first window is of a few segments', 'the guest is one link away, whose queue holds what is sent'),
  '§3.1/2': missing('slow start below ssthresh, congestion avoidance above', NO_WINDOW),
  '§3.1/3': missing('a timeout sets ssthresh to half of what was in flight', NO_WINDOW),
  '§3.1/4': missing('after a timeout one segment is sent', NO_WINDOW),
  '§3.2/1': 'the third duplicate ACK has the first segment sent again',
  '§3.2/2': 'only what RFC 5681 §2 calls a duplicate counts',
  '§3.2/3': missing('ssthresh is set to half, and the window with it', NO_WINDOW),
  '§3.2/4': missing('the first two duplicates have new data sent', NO_WINDOW),
  '§4.1': missing('after an idle time the window begins anew', NO_WINDOW),
  '§4.2/1': 'an ACK is delayed by less than half a second',
  '§4.2/2': 'at least every second full segment is acknowledged',
  '§4.2/3': 'a segment out of order is answered at once',
  '§4.2/4': 'one that fills a gap, or a part of it, as well',
  '§4.2/5': 'no more than one ACK for a segment, but for windows',
  '§4.3': missing('losses in successive windows halve it each time', NO_WINDOW),
};
describeTable(5681, bySection({ '§3.1': 4, '§3.2': 4, '§4.1': 1, '§4.2': 5, '§4.3': 1 }), TABLE);

describe('RFC 5681 §3: the sender', () => {
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
