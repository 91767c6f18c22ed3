/** Packets to the guest that its link does not hold in one piece: fragments that a kernel puts together again. */
import { expect } from 'chai';
import { FakeDatagram } from '../../support/fake_datagram.ts';
import { assemble } from '../../support/fragments.ts';
import { buildDatagram, buildEcho, echoMessage, parseFrame } from '../../support/guest_frame.ts';
import { pattern } from '../../support/tcp_dialogue.ts';
import { ENDS4, ENDS6, Workbench } from '../../support/workbench.ts';

const PORT = 5000;
const FAR = 53;
const LINK = 10 + 14;

for (const ends of [ENDS4, ENDS6]) {
  const ipv4 = ends.guest.length === 4;
  const header = ipv4 ? 20 : 40;

  /** Fragments that the worker has sent, each no larger than the MTU, put together. */
  function received(bench: Workbench, mtu: number): { l4: Uint8Array; count: number; id: number } {
    const frames = bench.kernel.tap.toGuest.splice(0);
    for (const frame of frames) expect(frame.length - LINK).to.be.at.most(mtu);
    const whole = assemble(frames);
    const packet = parseFrame(whole.frame, ends);
    expect(packet.source).to.deep.equal(ends.far);
    expect(packet.destination).to.deep.equal(ends.guest);
    return { l4: packet.l4, count: frames.length, id: whole.id };
  }

  describe(`worker/flow: fragments to the guest over IPv${ipv4 ? 4 : 6}`, () => {
    for (const mtu of [1280, 1500, 9000, 65_520]) {
      it(`a datagram as large as can be, at MTU ${mtu}`, () => {
        const bench = new Workbench({ mtu });
        const socket = new FakeDatagram();
        bench.deliver(buildDatagram(ends, PORT, FAR, pattern(1)));
        bench.kernel.opener.answer(PORT, socket);
        bench.settle();
        let earlier = -1;
        for (const length of [65_507, 65_506, mtu * 3, mtu - header - 8 + 1]) {
          if (length > 65_507 || length + header + 8 <= mtu) continue;
          socket.answer(pattern(length));
          bench.settle();
          const { l4, count, id } = received(bench, mtu);
          expect(l4.slice(8)).to.deep.equal(pattern(length));
          const pieces = (mtu - header - (ipv4 ? 0 : 8)) & ~7;
          expect(count).to.equal(Math.ceil((length + 8) / pieces));
          expect(id).to.not.equal(earlier);
          earlier = id;
        }
        socket.answer(pattern(mtu - header - 8));
        bench.settle();
        expect(bench.kernel.tap.toGuest, 'what fits goes in one piece').to.have.length(1);
      });
    }

    it('an echo reply of 65,000 bytes', () => {
      const bench = new Workbench({ mtu: 1500 });
      const socket = new FakeDatagram();
      bench.deliver(buildEcho(ends, 7, 1, pattern(8)));
      bench.kernel.opener.answer(7, socket);
      bench.settle();
      socket.answer(echoMessage(ends, ipv4 ? 0 : 129, 99, 1, pattern(65_000)));
      bench.settle();
      const { l4, count } = received(bench, 1500);
      expect(l4.slice(8)).to.deep.equal(pattern(65_000));
      expect(bench.counter('fragments_to_guest')).to.equal(count);
    });

    it('RFC 768: a UDP checksum that comes to zero is sent as all ones', () => {
      const bench = new Workbench({ mtu: 1500 });
      const socket = new FakeDatagram();
      bench.deliver(buildDatagram(ends, PORT, FAR, pattern(1)));
      bench.kernel.opener.answer(PORT, socket);
      bench.settle();
      socket.answer(new Uint8Array(3000));
      bench.settle();
      const plain = received(bench, 1500).l4;
      const zero = new Uint8Array(3000);
      zero.set(plain.subarray(6, 8), 100);
      socket.answer(zero);
      bench.settle();
      expect(Array.from(received(bench, 1500).l4.subarray(6, 8))).to.deep.equal([0xff, 0xff]);
    });

    it('what the kernel has joined, each of which exceeds the MTU', () => {
      const bench = new Workbench({ mtu: 1500 });
      const socket = new FakeDatagram();
      bench.deliver(buildDatagram(ends, PORT, FAR, pattern(1)));
      bench.kernel.opener.answer(PORT, socket);
      bench.settle();
      socket.answer(pattern(6000), 2000);
      bench.settle();
      const frames = bench.kernel.tap.toGuest.splice(0);
      expect(frames).to.have.length(6);
      for (const at of [0, 1, 2]) {
        bench.kernel.tap.toGuest.push(...frames.slice(2 * at, 2 * at + 2));
        expect(received(bench, 1500).l4.slice(8)).to.deep.equal(pattern(2000, 2000 * at));
      }
    });

    it('when the link refuses a fragment the rest is not sent', () => {
      const bench = new Workbench({ mtu: 1500 });
      const socket = new FakeDatagram();
      bench.deliver(buildDatagram(ends, PORT, FAR, pattern(1)));
      bench.kernel.opener.answer(PORT, socket);
      bench.settle();
      let writes = 0;
      bench.kernel.tap.refuse = () => (++writes > 2 ? 5 : 0);
      socket.answer(pattern(20_000));
      bench.settle();
      expect(writes).to.equal(3);
      expect(bench.counter('tap_write_refused')).to.equal(1);
    });
  });
}

describe('worker/flow: fragments of answers of our own', () => {
  it('echo to our own address', () => {
    const ours = { ...ENDS6, far: Uint8Array.from([0xfe, 0x80, ...Array(13).fill(0), 1]) };
    const bench = new Workbench({ mtu: 1500 });
    bench.deliver(buildEcho(ours, 7, 1, pattern(9000)));
    const frames = bench.kernel.tap.toGuest.splice(0);
    expect(frames).to.have.length(7);
    expect(parseFrame(assemble(frames).frame, ours).l4.slice(8)).to.deep.equal(pattern(9000));
  });
});
