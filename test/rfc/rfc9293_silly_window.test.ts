/** RFC 9293 §3.8.6.2: neither end makes the other send slivers; and what the end of the window does to PSH. */
import { expect } from 'chai';
import { rows } from '../../worker/flow/row.ts';
import { CWND } from '../../worker/tcp/row.ts';
import { ACK, PSH, type Segment } from '../support/guest_frame.ts';
import { type Dialogue, pattern } from '../support/tcp_dialogue.ts';
import { arrivals, established } from './states.ts';

/** Sizes of the segments that frames are cut into. */
function sizes(frames: readonly Segment[]): number[] {
  return frames.flatMap(({ payload, gsoSize }) => {
    const size = gsoSize || payload.length;
    return Array.from({ length: Math.ceil(payload.length / (size || 1)) }, (_, index) => Math.min(size, payload.length - index * size));
  });
}

/** The guest acknowledges whatever comes, frame by frame, until nothing more does. */
function drain(dialogue: Dialogue, sent: readonly Segment[]): Segment[] {
  const all = [...sent];
  for (let at = 0; at < all.length; at++) {
    const { seq, payload } = all[at] as Segment;
    if (payload.length > 0) all.push(...dialogue.acknowledge((seq + payload.length) | 0));
  }
  return all;
}

describe('RFC 9293 §3.8.6.2.1: the sender', () => {
  for (const window of [1999, 2500, 10_001, 10_999, 65_535]) {
    it(`RFC 9293 §3.8.6.2.1 MUST-38: whole segments only, but for the end of what there is, in a window of ${window}`, () => {
      const dialogue = established({ window, mss: 1000 });
      dialogue.stream.write(pattern(200_300));
      const all = sizes(drain(dialogue, dialogue.seen()));
      expect(all.reduce((sum, size) => sum + size, 0)).to.equal(200_300);
      expect(all.filter((size) => size !== 1000)).to.deep.equal([300]);
    });
  }

  it('RFC 9293 §3.8.6.2.1 MUST-38: nor by a congestion window that holds no whole number of them', () => {
    const dialogue = established({ mss: 1000, sackPermitted: true });
    dialogue.stream.write(pattern(60_000));
    dialogue.seen();
    const edge = dialogue.ack + 60_000;
    dialogue.stream.write(pattern(40_000, 60_000));
    dialogue.bench.advance(250);
    dialogue.seen();
    const sent = drain(dialogue, dialogue.acknowledge((dialogue.ack + 1000) | 0));
    const all = sizes([...sent, ...drain(dialogue, dialogue.acknowledge(edge))]);
    expect(rows[dialogue.row() + CWND]).to.be.above(1000);
    expect(all.length).to.be.above(50);
    expect(all.filter((size) => size !== 1000)).to.deep.equal([]);
  });

  it('RFC 9293 §3.9.1.2 MUST-61: what fills the window exactly goes out at once, though without PSH', () => {
    const dialogue = established({ window: 5000, mss: 1000 });
    dialogue.stream.write(pattern(5000));
    expect(dialogue.seen().map(({ flags, payload }) => [flags & PSH, payload.length])).to.deep.equal([[0, 5000]]);
    dialogue.stream.write(pattern(4999, 5000));
    expect(dialogue.acknowledge((dialogue.ack + 5000) | 0).map(({ flags }) => flags & PSH)).to.deep.equal([PSH]);
  });

  it('RFC 9293 §3.8.6.2.1 MUST-38: what is smaller than a segment goes out where it is all that there is, or nothing else is in flight', () => {
    const dialogue = established({ window: 700, mss: 1000 });
    dialogue.stream.write(pattern(2000));
    const [first] = dialogue.seen();
    expect(first?.payload).to.have.length(700);
    expect(dialogue.send(ACK)).to.deep.equal([]);
    expect(dialogue.acknowledge((dialogue.ack + 700) | 0).map(({ payload }) => payload.length)).to.deep.equal([700]);
    dialogue.window = 5000;
    const rest = dialogue.acknowledge((dialogue.ack + 700) | 0);
    expect(rest.map(({ payload }) => payload.length)).to.deep.equal([600]);
    dialogue.stream.write(pattern(10, 2000));
    expect(dialogue.seen().map(({ payload }) => payload.length)).to.deep.equal([10]);
    expect(arrivals(dialogue, 5)).to.deep.equal([]);
  });
});
