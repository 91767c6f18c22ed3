/** RFC 9293 §3.1, §3.2 and §3.7: the header, its options, the size of segments. */
import { expect } from 'chai';
import { ACK, buildSegment, RST, sum16, SYN, URG, withChecksum } from '../support/guest_frame.ts';
import { Dialogue, FAR_PORT, GUEST_PORT, pattern } from '../support/tcp_dialogue.ts';
import { ENDS4, ENDS6 } from '../support/workbench.ts';
import { bytesOf, connecting, established, farText, synReceived } from './states.ts';

const ETHERNET = 14;
const VNET = 10;

/** A SYN of the guest with these option bytes, accepted by the far end; the SYN|ACK and the raw frame it came in. */
function synWith(rawOptions: number[], more: object = {}): Dialogue {
  const dialogue = new Dialogue({ windowScale: 0, ...more });
  const padded = [...rawOptions, ...new Array((4 - (rawOptions.length % 4)) % 4).fill(0)];
  dialogue.send(SYN, { rawOptions: padded });
  dialogue.seq = (dialogue.seq + 1) | 0;
  dialogue.bench.kernel.opener.answer(0, dialogue.stream);
  dialogue.bench.settle();
  dialogue.stream.accept();
  const [synAck] = dialogue.seen();
  dialogue.ack = ((synAck?.seq ?? 0) + 1) | 0;
  dialogue.send(ACK);
  return dialogue;
}

/** The size of the segments that the worker makes of a long stream. */
function segmentSize(dialogue: Dialogue): number {
  dialogue.stream.write(pattern(9000));
  const [first] = dialogue.seen();
  return (first?.gsoSize || first?.payload.length) ?? 0;
}

describe('RFC 9293 §3.1: the header', () => {
  it('RFC 9293 §3.1 MUST-1: a window of 65,535 is taken as such, not as a negative number', () => {
    for (const window of [0x7fff, 0x8000, 0xffff]) {
      const dialogue = established({ windowScale: -1, window });
      dialogue.stream.write(pattern(70_000));
      // The last sliver of a window is not used while something is in flight.
      expect(bytesOf(dialogue.seen()).length).to.be.within(window - 1459, window);
    }
  });

  it('RFC 9293 §3.1 REC-1: a scaled window of more than 16 bits is used in full', () => {
    const dialogue = established({ windowScale: 14, window: 65 });
    dialogue.stream.write(pattern(65 * 16_384 + 1));
    expect(bytesOf(dialogue.seen()).length).to.equal(65 * 16_384 - ((65 * 16_384) % 1460));
  });

  for (const ends of [undefined, ENDS6]) {
    it(`RFC 9293 §3.1 MUST-2: the checksum is right once the kernel has completed it (IPv${ends === undefined ? 4 : 6})`, () => {
      const dialogue = established(ends === undefined ? {} : { ends });
      dialogue.stream.write(pattern(999));
      dialogue.bench.settle();
      const [frame] = dialogue.bench.kernel.tap.toGuest as [Uint8Array];
      const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
      const start = VNET + view.getUint16(6, true);
      const at = start + view.getUint16(8, true);
      // What a kernel does for NEEDS_CSUM: the sum from the start on, the pseudo-header's being in the field already.
      view.setUint16(at, ~sum16(frame.subarray(start)));
      const { guest, far } = dialogue.ends;
      const length = frame.length - start;
      expect(sum16(frame.subarray(start), sum16(far) + sum16(guest) + 6 + length)).to.equal(0xffff);
      const source = VNET + ETHERNET + (guest.length === 4 ? 12 : 8);
      expect(Array.from(frame.subarray(source, source + guest.length))).to.deep.equal(Array.from(far));
    });
  }

  for (const ends of [ENDS4, ENDS6]) {
    it(`RFC 9293 §3.1 MUST-3: a segment with one wrong bit is dropped, if the link leaves the sum to us (IPv${ends === ENDS4 ? 4 : 6})`, () => {
      const dialogue = established({ ends });
      const good = withChecksum(dialogue.frame(ACK, { payload: pattern(10) }), ends);
      for (let bit = (good.length - 30) * 8; bit < good.length * 8; bit++) {
        const bad = good.slice();
        bad[bit >> 3] = (bad[bit >> 3] as number) ^ (1 << (bit & 7));
        dialogue.bench.deliver(bad);
      }
      expect(dialogue.seen()).to.deep.equal([]);
      expect(farText(dialogue)).to.have.length(0);
      dialogue.bench.deliver(good);
      expect(farText(dialogue)).to.deep.equal(pattern(10));
    });
  }

  it('RFC 9293 §3.1: reserved bits and flags without meaning of a segment change nothing', () => {
    const dialogue = established();
    const frame = dialogue.frame(ACK, { payload: pattern(10) });
    const flags = frame.length - 10 - 20 + 12;
    frame[flags] = (frame[flags] as number) | 0x0f;
    dialogue.bench.deliver(frame);
    expect(farText(dialogue)).to.deep.equal(pattern(10));
  });
});

describe('RFC 9293 §3.1, §3.2: options', () => {
  it('RFC 9293 §3.2 MUST-4: MSS, behind a No-Operation, before an End of Option List', () => {
    expect(segmentSize(synWith([1, 2, 4, 3, 0, 0, 0, 0]))).to.equal(768);
  });

  it('RFC 9293 §3.2 MUST-4: what is behind the End of Option List is no option', () => {
    expect(segmentSize(synWith([0, 0, 0, 0, 2, 4, 1, 0]))).to.equal(536);
  });

  it('RFC 9293 §3.1 MUST-5: options of any segment are skipped, whatever it is', () => {
    const dialogue = established();
    const rawOptions = [1, 1, 1, 254, 5, 7, 7, 7];
    dialogue.send(ACK, { rawOptions, payload: pattern(5) });
    dialogue.seq = (dialogue.seq + 5) | 0;
    expect(farText(dialogue)).to.deep.equal(pattern(5));
    dialogue.stream.write(pattern(100));
    dialogue.seen();
    dialogue.ack = (dialogue.ack + 100) | 0;
    dialogue.send(ACK, { rawOptions });
    expect(dialogue.stream.taken).to.equal(100);
    dialogue.send(RST, { rawOptions });
    expect(dialogue.stream.farSawReset).to.equal(true);
  });

  it('RFC 9293 §3.1 MUST-6: an option that nobody knows is skipped by its length', () => {
    expect(segmentSize(synWith([253, 6, 2, 4, 0, 99, 2, 4, 3, 0]))).to.equal(768);
    expect(segmentSize(synWith([99, 2, 2, 4, 3, 0]))).to.equal(768);
  });

  it('RFC 9293 §3.1 MUST-7: an option of an illegal length ends the list, and the connection is opened all the same', () => {
    for (const bad of [
      [99, 0],
      [99, 1],
      [99, 41],
      [2, 40],
      [2, 3, 9],
      [2, 5, 9, 9, 9],
      [3, 2],
      [3, 255],
      [8, 2],
      [8, 9, 0, 0, 0, 0, 0, 0, 0],
      [4, 3, 0],
      [5, 0],
    ]) {
      const dialogue = synWith(bad);
      expect(segmentSize(dialogue), `after ${bad}`).to.equal(536);
    }
  });

  it('RFC 9293 §3.1 MUST-7: nor does one hurt in a segment of an open connection', () => {
    for (const rawOptions of [
      [99, 0, 0, 0],
      [5, 41, 0, 0],
      [5, 3, 0, 0],
      [8, 3, 1, 1],
      [1, 1, 1, 8],
    ]) {
      const dialogue = established();
      dialogue.send(ACK, { rawOptions, payload: pattern(5) });
      expect(farText(dialogue), `with ${rawOptions}`).to.deep.equal(pattern(5));
    }
  });

  it('RFC 9293 §3.1 MUST-64: options are read wherever they begin', () => {
    for (let nops = 0; nops < 9; nops++) expect(segmentSize(synWith([...new Array(nops).fill(1), 2, 4, 3, 0]))).to.equal(768);
  });

  it('RFC 9293 §3.1 MUST-68, MUST-69: what we send is whole words, each option with its length, zeros behind the end', () => {
    for (const options of [{}, { windowScale: -1 }, { sackPermitted: true, timestamps: true }, { sackPermitted: true }]) {
      const dialogue = connecting(options);
      dialogue.stream.accept();
      dialogue.bench.settle();
      const [packet] = dialogue.bench.packets(dialogue.ends);
      const l4 = packet?.l4 as Uint8Array;
      const header = ((l4[12] as number) >> 4) * 4;
      expect(header).to.equal(l4.length);
      for (let at = 20; at < header; ) {
        const kind = l4[at] as number;
        if (kind === 0) {
          expect(Array.from(l4.subarray(at, header))).to.deep.equal(new Array(header - at).fill(0));
          break;
        }
        if (kind !== 1) expect(l4[at + 1]).to.equal({ 2: 4, 3: 3, 4: 2, 8: 10 }[kind]);
        at += kind === 1 ? 1 : (l4[at + 1] as number);
        expect(at).to.be.at.most(header);
      }
    }
  });
});

describe('RFC 9293 §3.7: segmentation', () => {
  it('RFC 9293 §3.7.1 MUST-14, MUST-67, SHLD-5, MAY-3: every SYN|ACK has an MSS: the MTU less the headers', () => {
    for (const mss of [-1, 536, 9000]) {
      expect(synReceived({ mss, mtu: 1500 }).synAck.mss).to.equal(1460);
      expect(synReceived({ mss, mtu: 1500, ends: ENDS6 }).synAck.mss).to.equal(1440);
      expect(synReceived({ mss, mtu: 1280 }).synAck.mss).to.equal(1240);
    }
    const { synAck } = synReceived({ mtu: 65_520 });
    expect(synAck.mss, 'less than the link holds is allowed').to.be.within(1460, 65_480);
  });

  it('RFC 9293 §3.7.1 MUST-15: 536 over IPv4 and 1220 over IPv6 where the guest offers none', () => {
    expect(segmentSize(established({ mss: -1 }))).to.equal(536);
    expect(segmentSize(established({ mss: -1, ends: ENDS6 }))).to.equal(1220);
  });

  it('RFC 9293 §3.7.1 MUST-16: a segment is no larger than the guest’s MSS and than the link', () => {
    expect(segmentSize(established({ mss: 1000, mtu: 1500 }))).to.equal(1000);
    expect(segmentSize(established({ mss: 8960, mtu: 1500 }))).to.equal(1460);
    expect(segmentSize(established({ mss: 8960, mtu: 1500, ends: ENDS6 }))).to.equal(1440);
    expect(segmentSize(established({ mss: 1000, mtu: 1500, timestamps: true })), 'the options come out of it').to.equal(988);
  });

  it('RFC 9293 §3.7.1 MUST-65: no segment but a SYN has an MSS option', () => {
    // readSegment throws for an option in a place where it may not be.
    const dialogue = established({ sackPermitted: true, timestamps: true });
    dialogue.stream.write(pattern(20_000));
    dialogue.stream.end();
    const answers = [...dialogue.seen(), ...dialogue.sendData(pattern(10)), ...dialogue.acknowledge(dialogue.ack + 20_001)];
    expect(answers.map(({ mss }) => mss)).to.deep.equal(answers.map(() => undefined));
  });

  it('RFC 9293 §3.7.1: an MSS option of a later segment is not looked at', () => {
    const dialogue = established({ mss: 1000 });
    dialogue.send(ACK, { rawOptions: [2, 4, 0, 100] });
    expect(segmentSize(dialogue)).to.equal(1000);
  });

  it('RFC 9293 §3.7 SHLD-28: a stream goes out in full segments, and one rest', () => {
    const dialogue = established({ mss: 1000 });
    dialogue.stream.write(pattern(30_500));
    const sent = dialogue.seen();
    expect(bytesOf(sent)).to.deep.equal(pattern(30_500));
    for (const segment of sent.slice(0, -1)) expect(segment.payload.length % 1000).to.equal(0);
  });
});

describe('RFC 9293 §3.8.5: urgent data', () => {
  it('RFC 9293 §3.8.5 MUST-30, MUST-62: urgent data is delivered where it is in the stream', () => {
    for (const urgent of [0, 1, 5, 10, 11, 65_535]) {
      const dialogue = established();
      dialogue.send(ACK | URG, { urgent, payload: pattern(10) });
      dialogue.seq = (dialogue.seq + 10) | 0;
      dialogue.sendData(pattern(10, 10));
      expect(farText(dialogue), `urgent pointer ${urgent}`).to.deep.equal(pattern(20));
    }
  });

  it('RFC 9293 §3.8.5 MUST-31: urgent data that is longer than a segment and than the window', () => {
    const dialogue = established();
    for (let at = 0; at < 200_000; at += 1000) {
      dialogue.send(ACK | URG, { urgent: Math.min(200_000 - at, 65_535), payload: pattern(1000, at) });
      dialogue.seq = (dialogue.seq + 1000) | 0;
      farText(dialogue);
    }
    expect(farText(dialogue)).to.deep.equal(pattern(200_000));
  });

  it('RFC 9293 §3.8.5 SHLD-13: nothing that we send is urgent', () => {
    const dialogue = established();
    dialogue.stream.write(pattern(5000));
    dialogue.stream.end();
    const sent = [...dialogue.seen(), ...dialogue.sendData(pattern(10)), ...dialogue.send(SYN)];
    expect(sent.filter(({ flags }) => (flags & URG) !== 0)).to.deep.equal([]);
  });
});

describe('RFC 9293 §3.9.2: what IP has to say', () => {
  it('RFC 9293 §3.9.2 MUST-50: options of IP are skipped', () => {
    const dialogue = established();
    const plain = dialogue.frame(ACK, { payload: pattern(10) });
    const l3 = VNET + ETHERNET;
    // Record route with room for one address, and an end of the list.
    const options = [7, 7, 4, 0, 0, 0, 0, 0];
    const frame = new Uint8Array(plain.length + options.length);
    frame.set(plain.subarray(0, l3 + 20));
    frame.set(options, l3 + 20);
    frame.set(plain.subarray(l3 + 20), l3 + 20 + options.length);
    const view = new DataView(frame.buffer);
    view.setUint16(6, view.getUint16(6, true) + options.length, true);
    view.setUint8(l3, 0x47);
    view.setUint16(l3 + 2, view.getUint16(l3 + 2) + options.length);
    view.setUint16(l3 + 10, 0);
    view.setUint16(l3 + 10, ~sum16(frame.subarray(l3, l3 + 28)));
    dialogue.bench.deliver(frame);
    expect(farText(dialogue)).to.deep.equal(pattern(10));
  });

  it('RFC 9293 §3.9.2 MUST-49, MAY-4: the TTL is 255 and the identity 0, also of what is sent again', () => {
    const dialogue = established();
    dialogue.stream.write(pattern(10));
    dialogue.bench.advance(300);
    const frames = dialogue.bench.kernel.tap.toGuest;
    expect(frames).to.have.length(2);
    for (const frame of frames) {
      const view = new DataView(frame.buffer, VNET + ETHERNET);
      expect([view.getUint8(8), view.getUint16(4), view.getUint16(6)]).to.deep.equal([255, 0, 0x4000]);
    }
  });

  it('RFC 9293 §3.9.1 SHLD-8: ECN that the guest offers is not taken up', () => {
    const dialogue = new Dialogue();
    dialogue.send(SYN | 0xc0, { mss: 1460 });
    dialogue.bench.kernel.opener.answer(0, dialogue.stream);
    dialogue.bench.settle();
    dialogue.stream.accept();
    expect(dialogue.seen()[0]?.flags).to.equal(SYN | ACK);
  });

  it('RFC 9293 §3.9.1 MUST-45: the ports and addresses of a connection are those of its SYN, to the end', () => {
    const dialogue = established();
    dialogue.stream.write(pattern(10));
    const sent = [...dialogue.seen(), ...dialogue.sendData(pattern(10)), ...dialogue.send(SYN)];
    expect(sent.length).to.be.above(1);
    for (const { sourcePort, destinationPort } of sent) expect([sourcePort, destinationPort]).to.deep.equal([FAR_PORT, GUEST_PORT]);
    const other = buildSegment(dialogue.ends, {
      sourcePort: GUEST_PORT + 1,
      destinationPort: FAR_PORT,
      seq: dialogue.seq,
      ack: dialogue.ack,
      flags: ACK,
      window: 1000,
      payload: pattern(7),
      gsoSize: 0,
    });
    dialogue.bench.deliver(other);
    expect(dialogue.seen().map(({ flags, destinationPort }) => [flags, destinationPort])).to.deep.equal([[RST, GUEST_PORT + 1]]);
  });
});
