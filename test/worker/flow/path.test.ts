/** What the sockets of datagram flows are told of the guest's hop limits and of its "don't fragment". */
import { expect } from 'chai';
import { FakeDatagram } from '../../support/fake_datagram.ts';
import { buildDatagram, buildEcho, type Ends, sum16 } from '../../support/guest_frame.ts';
import { pattern } from '../../support/tcp_dialogue.ts';
import { ENDS4, ENDS6, Workbench } from '../../support/workbench.ts';

const L3 = 10 + 14;
const HOP_LIMIT = { 4: '0.2', 6: '41.16' };
const TELLS = { 4: '0.12', 6: '41.51' };
const DISCOVERY = { 4: '0.10', 6: '41.23' };
const WANT = 1;
const PROBE = 3;

interface Header {
  hopLimit?: number;
  /** IPv4's word of identification, flags and offset. */
  fragmentation?: number;
}

/** The frame with another IP header. */
function withHeader(frame: Uint8Array, { hopLimit = 64, fragmentation = 0x12344000 }: Header): Uint8Array {
  const view = new DataView(frame.buffer, frame.byteOffset);
  if ((frame[L3] as number) >> 4 === 6) view.setUint8(L3 + 7, hopLimit);
  else {
    view.setUint8(L3 + 8, hopLimit);
    view.setUint32(L3 + 4, fragmentation);
    view.setUint16(L3 + 10, 0);
    view.setUint16(L3 + 10, ~sum16(frame.subarray(L3, L3 + 20)));
  }
  return frame;
}

for (const ends of [ENDS4, ENDS6]) {
  const family = ends.guest.length === 4 ? 4 : 6;
  const makers: [string, (length: number, header: Header) => Uint8Array][] = [
    ['datagrams', (length, header) => withHeader(buildDatagram(ends, 5000, 53, pattern(length)), header)],
    ['echo requests', (length, header) => withHeader(buildEcho(ends as Ends, 7, 1, pattern(length)), header)],
  ];
  for (const [what, make] of makers) {
    describe(`worker/flow: the path of ${what} over IPv${family}`, () => {
      function begin(...frames: Uint8Array[]): { bench: Workbench; socket: FakeDatagram } {
        const bench = new Workbench();
        const socket = new FakeDatagram();
        bench.deliver(...frames);
        bench.kernel.opener.answer(7, socket);
        bench.settle();
        return { bench, socket };
      }

      it('each goes with its own hop limit, those that waited for the socket too, and each change is one call', () => {
        const { bench, socket } = begin(make(20, { hopLimit: 1 }), make(20, { hopLimit: 2 }), make(20, { hopLimit: 2 }));
        bench.deliver(make(20, { hopLimit: 3 }), make(20, { hopLimit: 255 }), make(20, {}));
        expect(socket.sentWith.map((options) => options.get(HOP_LIMIT[family]))).to.deep.equal([1, 2, 2, 3, 255, 64]);
        expect(socket.changes.filter((name) => name === HOP_LIMIT[family])).to.have.length(5);
        expect(socket.options.get(TELLS[family])).to.equal(1);
      });

      it('the ordinary hop limit asks for nothing', () => {
        const { socket } = begin(make(20, {}), make(20, {}));
        expect(socket.changes).to.not.include(HOP_LIMIT[family]);
      });

      it('what an Ethernet carries is not fragmented, a longer one is, unless it is to die on the way', () => {
        const header = (family === 4 ? 20 : 40) + 8;
        const { socket } = begin(
          make(1500 - header, {}),
          make(1501 - header, {}),
          make(20_000, {}),
          make(1500 - header, {}),
          make(9000, { hopLimit: 30 }),
          make(9000, { hopLimit: 31 }),
        );
        const discovery = socket.sentWith.map((options) => options.get(DISCOVERY[family]));
        expect(discovery).to.deep.equal([PROBE, WANT, WANT, PROBE, PROBE, WANT]);
      });

      if (family === 4)
        it('RFC 6864 §4.1: one without identification can not be fragmented; RFC 791 §3.1: one without “don’t fragment” can', () => {
          const { socket } = begin(make(9000, { fragmentation: 0x4000 }), make(20, { fragmentation: 0x12340000 }));
          expect(socket.sentWith.map((options) => options.get(DISCOVERY[4]))).to.deep.equal([PROBE, WANT]);
        });

      // Seen with iperf3: a connected socket of Linux counts, and each time it passed 0 the guest was told the MTU, and its program of an error.
      if (family === 4)
        it('the one among numbered ones that has number 0 is no sign of anything, until the next has it too', () => {
          const numbers = [0xffff, 0, 1, 2, 0, 0, 0];
          const { socket } = begin(...numbers.map((number) => make(9000, { fragmentation: ((number << 16) | 0x4000) >>> 0 })));
          const discovery = socket.sentWith.map((options) => options.get(DISCOVERY[4]));
          expect(discovery.map((value) => value ?? WANT)).to.deep.equal([WANT, WANT, WANT, WANT, WANT, PROBE, PROBE]);
        });
    });
  }
}
