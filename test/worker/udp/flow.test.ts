/** Datagrams both ways, what waits for a socket, and when a flow ends. */
import { expect } from 'chai';
import { parseAddress } from '../../../shared/addresses.ts';
import { MessageId } from '../../../shared/messages.ts';
import { Verb } from '../../../shared/opener.ts';
import { WAITING_SIZE } from '../../../worker/link/arena.ts';
import { FakeDatagram } from '../../support/fake_datagram.ts';
import { EAGAIN, ECONNREFUSED } from '../../support/fake_file.ts';
import { buildDatagram, type Ends, type Packet } from '../../support/guest_frame.ts';
import { pattern } from '../../support/tcp_dialogue.ts';
import { type BenchOptions, ENDS4, ENDS6, MAPPED_LOOPBACK4, Workbench } from '../../support/workbench.ts';

const PORT = 5000;
const FAR = 53;
const NO_USO = 0x07;

function payloadOf(packet: Packet): Uint8Array {
  const view = new DataView(packet.l4.buffer, packet.l4.byteOffset);
  expect([view.getUint16(0), view.getUint16(2), view.getUint16(4)]).to.deep.equal([FAR, PORT, packet.l4.length]);
  return packet.l4.slice(8);
}

function sendFrom(bench: Workbench, ends: Ends, ...payloads: Uint8Array[]): void {
  bench.deliver(...payloads.map((payload) => buildDatagram(ends, PORT, FAR, payload)));
}

/** A flow whose socket is there. */
function opened(options: BenchOptions = {}, ends: Ends = ENDS4): { bench: Workbench; socket: FakeDatagram } {
  const bench = new Workbench(options);
  const socket = new FakeDatagram();
  sendFrom(bench, ends, pattern(1));
  bench.kernel.opener.answer(PORT, socket);
  bench.settle();
  socket.sent.length = 0;
  return { bench, socket };
}

for (const ends of [ENDS4, ENDS6]) {
  describe(`worker/udp: IPv${ends.guest.length === 4 ? 4 : 6}`, () => {
    it('the first datagram asks for a socket with the guest’s port; those that wait are sent in their order', () => {
      const bench = new Workbench();
      sendFrom(bench, ends, pattern(10), pattern(0), pattern(30), pattern(1200));
      expect(bench.kernel.opener.requests).to.have.length(1);
      const [request] = bench.kernel.opener.requests;
      expect(request).to.include({
        verb: Verb.UDP_CONNECT,
        sourcePort: PORT,
        destinationPort: FAR,
        family: ends.guest.length === 4 ? 4 : 6,
      });
      expect(Buffer.from(request?.destination.slice(16 - ends.far.length) ?? [])).to.deep.equal(Buffer.from(ends.far));
      const socket = new FakeDatagram();
      bench.kernel.opener.answer(PORT, socket);
      bench.settle();
      expect(socket.sent).to.deep.equal([pattern(10), pattern(0), pattern(30), pattern(1200)]);
      sendFrom(bench, ends, pattern(50));
      expect(socket.sent.at(-1)).to.deep.equal(pattern(50));
      expect(bench.counter('udp_datagrams_out')).to.equal(5);
      expect(bench.flows()).to.equal(1);
    });

    it('answers come from the far address and port, empty ones as well', () => {
      const { bench, socket } = opened({}, ends);
      for (const length of [5, 0, 1400]) socket.answer(pattern(length));
      bench.settle();
      const packets = bench.packets(ends);
      expect(packets.map(payloadOf)).to.deep.equal([pattern(5), pattern(0), pattern(1400)]);
      for (const packet of packets) {
        expect(packet.source).to.deep.equal(ends.far);
        expect(packet.destination).to.deep.equal(ends.guest);
        expect(packet.gsoType).to.equal(0);
      }
    });

    it('what the kernel has joined goes to the guest in one frame', () => {
      const { bench, socket } = opened({}, ends);
      socket.answer(pattern(4500), 1000);
      socket.answer(pattern(900), 1000);
      bench.settle();
      const packets = bench.packets(ends);
      expect(packets.map(({ gsoType, gsoSize }) => [gsoType, gsoSize])).to.deep.equal([
        [5, 1000],
        [0, 0],
      ]);
      expect(packets.map(payloadOf)).to.deep.equal([pattern(4500), pattern(900)]);
    });

    it('is split for a guest whose kernel takes no such frames', () => {
      const { bench, socket } = opened({ offloads: NO_USO }, ends);
      for (const [length, segment] of [
        [4500, 1000],
        [40, 7],
        [2000, 1000],
      ] as const) {
        socket.answer(pattern(length), segment);
        bench.settle();
        const pieces = bench.packets(ends).map(payloadOf);
        expect(pieces.length).to.equal(Math.ceil(length / segment));
        pieces.forEach((piece, at) => expect(piece).to.deep.equal(pattern(length).slice(at * segment, (at + 1) * segment)));
      }
    });

    it('a superframe of the guest goes out as the datagrams it stands for, also when it had to wait', () => {
      const bench = new Workbench();
      const frame = buildDatagram(ends, PORT, FAR, pattern(3500), 1000);
      bench.deliver(frame);
      const socket = new FakeDatagram();
      bench.kernel.opener.answer(PORT, socket);
      bench.settle();
      bench.deliver(frame);
      const pieces = [0, 1000, 2000, 3000].map((at) => pattern(3500).slice(at, at + 1000));
      expect(socket.sent).to.deep.equal([...pieces, ...pieces]);
    });
  });
}

describe('worker/udp: the life of a flow', () => {
  it('ends 30 s after the last datagram while nobody has answered', () => {
    const { bench, socket } = opened();
    bench.advance(20_000);
    sendFrom(bench, ENDS4, pattern(1));
    bench.advance(29_500);
    expect(bench.flows()).to.equal(1);
    bench.advance(1000);
    expect(socket.closed).to.equal(true);
    bench.expectNothingLeft();
  });

  it('ends 120 s after the last datagram of either side once there was an answer', () => {
    const { bench, socket } = opened();
    socket.answer(pattern(1));
    bench.settle();
    bench.advance(100_000);
    socket.answer(pattern(1));
    bench.settle();
    bench.advance(119_500);
    expect(bench.flows()).to.equal(1);
    bench.advance(1000);
    bench.expectNothingLeft();
  });

  it('how long is the user’s choice, each by itself; 0 keeps it for good', () => {
    const { bench, socket } = opened({ udpTimeouts: { unanswered: 2000, answered: 0 } });
    bench.advance(1900);
    sendFrom(bench, ENDS4, pattern(1));
    bench.advance(1900);
    expect(bench.flows()).to.equal(1);
    socket.answer(pattern(1));
    bench.settle();
    bench.advance(100_000_000);
    expect(bench.flows()).to.equal(1);
    bench.deliver(buildDatagram(ENDS4, PORT + 1, FAR, pattern(1)));
    bench.advance(2100);
    expect(bench.flows()).to.equal(1);
  });

  it('a new datagram after the end begins a new flow', () => {
    const { bench } = opened();
    bench.advance(31_000);
    sendFrom(bench, ENDS4, pattern(7));
    expect(bench.kernel.opener.requests).to.have.length(1);
    expect(bench.flows()).to.equal(1);
  });

  it('an answer of the opener that comes after the end is closed', () => {
    const bench = new Workbench();
    sendFrom(bench, ENDS4, pattern(7));
    bench.advance(31_000);
    expect(bench.flows()).to.equal(0);
    const socket = new FakeDatagram();
    bench.kernel.opener.answer(PORT, socket);
    bench.settle();
    expect(socket.closed).to.equal(true);
    expect(socket.sent).to.deep.equal([]);
    sendFrom(bench, ENDS4, pattern(8));
    const second = new FakeDatagram();
    bench.kernel.opener.answer(PORT, second);
    bench.settle();
    expect(second.sent, 'nothing of the earlier flow').to.deep.equal([pattern(8)]);
  });

  it('an opener that says no ends it, and what waited is dropped', () => {
    const bench = new Workbench();
    sendFrom(bench, ENDS4, pattern(7));
    bench.kernel.opener.answer(-1, null);
    bench.settle();
    expect(bench.counter('opener_refused')).to.equal(1);
    sendFrom(bench, ENDS4, pattern(9));
    const socket = new FakeDatagram();
    bench.kernel.opener.answer(PORT, socket);
    bench.settle();
    expect(socket.sent).to.deep.equal([pattern(9)]);
  });

  it('a flow that is too many is refused, told once, and hurts no other', () => {
    const bench = new Workbench({ flows: 2 });
    for (const port of [1, 2, 3, 4]) bench.deliver(buildDatagram(ENDS4, port, FAR, pattern(1)));
    expect(bench.kernel.opener.requests).to.have.length(2);
    expect(bench.counter('udp_flows_refused')).to.equal(2);
    expect(bench.kernel.channel.logged(MessageId.FLOW_LIMIT)).to.deep.equal([[2, 2]]);
  });
});

describe('worker/udp: too much, and errors', () => {
  it('a store that is full drops the datagram, and keeps the order of the rest', () => {
    const bench = new Workbench();
    const big = 60_000;
    const most = Math.floor(WAITING_SIZE / (big + 12));
    for (let at = 0; at < most + 3; at++) sendFrom(bench, ENDS4, pattern(big, at));
    expect(bench.counter('udp_datagrams_dropped')).to.equal(3);
    const socket = new FakeDatagram();
    bench.kernel.opener.answer(PORT, socket);
    bench.settle();
    expect(socket.sent.length).to.equal(most);
    expect(socket.sent.every((datagram, at) => Buffer.compare(datagram, pattern(big, at)) === 0)).to.equal(true);
  });

  it('the store is used again from its front', () => {
    const bench = new Workbench();
    const big = 60_000;
    const most = Math.floor(WAITING_SIZE / (big + 12));
    for (let at = 0; at < most; at++) bench.deliver(buildDatagram(ENDS4, at < most / 2 ? PORT : 6000, FAR, pattern(big, at)));
    const [first, second] = bench.kernel.opener.requests;
    const sockets = [new FakeDatagram(), new FakeDatagram()] as const;
    bench.kernel.opener.answer(PORT, sockets[0], first);
    bench.settle();
    bench.deliver(buildDatagram(ENDS4, 6000, FAR, pattern(big, most)));
    expect(bench.counter('udp_datagrams_dropped')).to.equal(0);
    bench.kernel.opener.answer(6000, sockets[1], second);
    bench.settle();
    const sent = [...sockets[0].sent, ...sockets[1].sent];
    expect(sent.length).to.equal(most + 1);
    expect(sent.every((datagram, at) => Buffer.compare(datagram, pattern(big, at)) === 0)).to.equal(true);
  });

  it('what waits for one flow does not hinder another, whichever is answered first', () => {
    const bench = new Workbench();
    for (let at = 0; at < 5; at++) for (const port of [PORT, 6000]) bench.deliver(buildDatagram(ENDS4, port, FAR, pattern(10, port + at)));
    const [first, second] = bench.kernel.opener.requests;
    const sockets = [new FakeDatagram(), new FakeDatagram()] as const;
    bench.kernel.opener.answer(6000, sockets[1], second);
    bench.settle();
    bench.kernel.opener.answer(PORT, sockets[0], first);
    bench.settle();
    for (const [at, port] of [PORT, 6000].entries())
      expect(sockets[at]?.sent).to.deep.equal([0, 1, 2, 3, 4].map((i) => pattern(10, port + i)));
  });

  it('a socket that takes no more loses the datagram, and counts it', () => {
    const { bench, socket } = opened();
    socket.sendErrors.push(EAGAIN);
    sendFrom(bench, ENDS4, pattern(1), pattern(2));
    expect(socket.sent).to.deep.equal([pattern(2)]);
    expect(bench.counter('udp_datagrams_dropped')).to.equal(1);
  });

  it('an error of an earlier datagram costs neither the next one nor an answer behind it', () => {
    const { bench, socket } = opened();
    const none = new Uint8Array(16);
    // The tap's event comes first, so the send meets the error.
    bench.kernel.tap.send(buildDatagram(ENDS4, PORT, FAR, pattern(30)));
    socket.fail({ errno: ECONNREFUSED, origin: 2, type: 3, code: 3, info: 0, offender: none, payload: pattern(1) });
    socket.answer(pattern(20));
    bench.settle();
    expect(socket.sent).to.deep.equal([pattern(30)]);
    const packets = bench.packets(ENDS4);
    expect(packets.filter(({ protocol }) => protocol === 17).map(payloadOf)).to.deep.equal([pattern(20)]);
  });

  it('a flow with much to say lets the others speak, and all is said without a new event', () => {
    const { bench, socket } = opened();
    for (let at = 0; at < 100; at++) socket.answer(pattern(10, at));
    bench.turn();
    const first = bench.packets(ENDS4).length;
    expect(first).to.be.lessThan(100);
    bench.turn();
    expect(bench.kernel.lastTimeout, 'without sleeping in between').to.equal(0);
    bench.settle();
    expect(first + bench.packets(ENDS4).length).to.equal(100);
  });

  it('a tap that refuses loses one datagram, no more', () => {
    const { bench, socket } = opened();
    let frames = 0;
    bench.kernel.tap.refuse = () => (frames++ === 1 ? EAGAIN : 0);
    for (let at = 0; at < 3; at++) socket.answer(pattern(10, at));
    bench.settle();
    expect(bench.packets(ENDS4).map(payloadOf)).to.deep.equal([pattern(10, 0), pattern(10, 2)]);
  });

  it('the mapped host address leads to the host’s loopback, and answers come from where the guest has asked', () => {
    const far = Uint8Array.from(MAPPED_LOOPBACK4.split('.').map(Number));
    const ends = { ...ENDS4, far };
    const bench = new Workbench();
    sendFrom(bench, ends, pattern(3));
    expect(Array.from(bench.kernel.opener.requests[0]?.destination.slice(12) ?? [])).to.deep.equal([127, 0, 0, 1]);
    const socket = new FakeDatagram();
    bench.kernel.opener.answer(PORT, socket);
    socket.answer(pattern(9));
    bench.settle();
    expect(bench.packets(ends).map(({ source }) => source)).to.deep.equal([far]);
  });

  it('port 0 and DHCP go nowhere', () => {
    const bench = new Workbench();
    for (const [from, to] of [
      [0, 53],
      [53, 0],
      [68, 67],
    ] as const)
      bench.deliver(buildDatagram(ENDS4, from, to, pattern(1)));
    for (const to of ['ff02::1:2', 'ff05::1:3', 'fe80::1', 'fe80::9'])
      bench.deliver(buildDatagram({ ...ENDS6, far: parseAddress(to) as Uint8Array }, 546, 547, pattern(1)));
    expect(bench.flows()).to.equal(0);
  });

  it('a DHCPv6 server far away is a host like any other', () => {
    const bench = new Workbench();
    bench.deliver(buildDatagram(ENDS6, 546, 547, pattern(1)));
    expect(bench.flows()).to.equal(1);
  });
});
