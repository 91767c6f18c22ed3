/** DSCP and ECN of the guest on the host's sockets, and those of what comes on what the guest gets. */
import { expect } from 'chai';
import { FakeDatagram } from '../../support/fake_datagram.ts';
import { buildDatagram, type Ends, sum16 } from '../../support/guest_frame.ts';
import { pattern } from '../../support/tcp_dialogue.ts';
import { ENDS4, ENDS6, Workbench } from '../../support/workbench.ts';

const L2 = 10;
const L3 = L2 + 14;
const OPTION = { 4: '0.1', 6: '41.67' };
/** Expedited forwarding (RFC 3246 §2.7) and ECT(0) (RFC 3168 §5). */
const EF = 46 << 2;
const ECT0 = 2;

function marked(frame: Uint8Array, trafficClass: number): Uint8Array {
  const view = new DataView(frame.buffer, frame.byteOffset);
  if ((frame[L3] as number) >> 4 === 6) {
    view.setUint16(L3, 0x6000 | (trafficClass << 4));
    return frame;
  }
  view.setUint8(L3 + 1, trafficClass);
  view.setUint16(L3 + 10, 0);
  view.setUint16(L3 + 10, ~sum16(frame.subarray(L3, L3 + 20)));
  return frame;
}

for (const ends of [ENDS4, ENDS6]) {
  const family = ends.guest.length === 4 ? 4 : 6;

  function begin(far: Ends = ends): { bench: Workbench; socket: FakeDatagram; send: (trafficClass: number) => void } {
    const bench = new Workbench();
    const socket = new FakeDatagram();
    const send = (trafficClass: number): void => bench.deliver(marked(buildDatagram(far, 5000, 53, pattern(20)), trafficClass));
    send(EF | ECT0);
    bench.kernel.opener.answer(5000, socket);
    bench.settle();
    return { bench, socket, send };
  }

  describe(`worker/flow: DSCP and ECN of datagrams over IPv${family}`, () => {
    it('RFC 2474 §3, RFC 3168 §5: each goes as the guest has marked it, the first too, and a change is one call', () => {
      const { socket, send } = begin();
      for (const trafficClass of [EF | ECT0, EF, EF, 0, 0]) send(trafficClass);
      const ways = socket.sentWith.map((options) => options.get(OPTION[family]));
      expect(ways).to.deep.equal([EF | ECT0, EF | ECT0, EF, EF, 0, 0]);
      expect(socket.changes.filter((name) => name === OPTION[family])).to.have.length(3);
    });

    it('what comes is marked as it came, datagrams that the kernel has joined too', () => {
      const { bench, socket } = begin();
      socket.answerMarked(pattern(30), 0, EF | 3);
      socket.answerMarked(pattern(300), 100, EF);
      socket.answer(pattern(30));
      bench.settle();
      const classes = bench.kernel.tap.toGuest.map((frame) => {
        const view = new DataView(frame.buffer, frame.byteOffset);
        return family === 4 ? view.getUint8(L3 + 1) : (view.getUint16(L3) >> 4) & 0xff;
      });
      expect(classes).to.deep.equal([EF | 3, EF, 0]);
      expect(bench.packets(ends)).to.have.length(3);
    });
  });
}
