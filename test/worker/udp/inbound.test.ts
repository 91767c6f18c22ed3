/** Flows that begin on the host's side: the listener and the far end are the test's. */
import { expect } from 'chai';
import { Verb } from '../../../shared/opener.ts';
import { addressFromBytes } from '../../../shared/addresses.ts';
import { forward } from '../../../worker/flow/forward.ts';
import { key, KEY_FAR, KEY_GUEST } from '../../../worker/flow/table.ts';
import { TRANSMIT_PAYLOAD } from '../../../worker/link/arena.ts';
import { datagramFromHost } from '../../../worker/udp/inbound.ts';
import { bytes } from '../../../worker/wire/memory.ts';
import { FakeDatagram } from '../../support/fake_datagram.ts';
import { buildDatagram, type Ends } from '../../support/guest_frame.ts';
import { pattern } from '../../support/tcp_dialogue.ts';
import { type BenchOptions, ENDS4, ENDS6, Workbench } from '../../support/workbench.ts';

const GUEST_PORT = 53;
const FAR_PORT = 40_000;
const HOST_PORT = 5353;

/** A listener has received `payload` for the guest from the far end. */
function heard(ends: Ends, payload: Uint8Array, segment = 0, farPort = FAR_PORT): boolean {
  const words = new DataView(Uint8Array.from([...addressFromBytes(ends.guest), ...addressFromBytes(ends.far)]).buffer);
  for (let i = 0; i < 4; i++) {
    key[KEY_GUEST + i] = words.getInt32(4 * i);
    key[KEY_FAR + i] = words.getInt32(16 + 4 * i);
  }
  forward(key, KEY_FAR, ends.guest.length === 4 ? 4 : 6, farPort);
  bytes.set(payload, TRANSMIT_PAYLOAD);
  return datagramFromHost((GUEST_PORT << 16) | farPort, HOST_PORT, farPort, payload.length, segment, 0, 0);
}

function answerOf(ends: Ends, payload: Uint8Array): Uint8Array {
  return buildDatagram(ends, GUEST_PORT, FAR_PORT, payload);
}

function payloads(bench: Workbench, ends: Ends): Uint8Array[] {
  return bench.packets(ends).map(({ l4 }) => l4.slice(8));
}

/** A flow with its socket, to which the guest has not answered. */
function begun(options: BenchOptions = {}): { bench: Workbench; socket: FakeDatagram } {
  const bench = new Workbench(options);
  const socket = new FakeDatagram();
  heard(ENDS4, pattern(1));
  bench.kernel.opener.answer(HOST_PORT, socket);
  bench.settle();
  bench.packets(ENDS4);
  return { bench, socket };
}

for (const ends of [ENDS4, ENDS6]) {
  describe(`worker/udp: from the host's side, IPv${ends.guest.length === 4 ? 4 : 6}`, () => {
    it('the first datagram reaches the guest at once; a socket is asked for that can answer from the listener’s port', () => {
      const bench = new Workbench();
      expect(heard(ends, pattern(300))).to.equal(true);
      const [packet] = bench.packets(ends);
      expect(packet?.source).to.deep.equal(ends.far);
      expect(packet?.destination).to.deep.equal(ends.guest);
      const udp = new DataView((packet?.l4 as Uint8Array).buffer, packet?.l4.byteOffset);
      expect([udp.getUint16(0), udp.getUint16(2), udp.getUint16(4)]).to.deep.equal([FAR_PORT, GUEST_PORT, 308]);
      expect(packet?.l4.slice(8)).to.deep.equal(pattern(300));
      expect(bench.kernel.opener.requests[0]).to.include({
        verb: Verb.UDP_CONNECT,
        family: ends.guest.length === 4 ? 4 : 6,
        sourcePort: HOST_PORT,
        destinationPort: FAR_PORT,
      });
    });

    it('what the guest answers before there is a socket waits for it, in order; what comes to the listener meanwhile goes on', () => {
      const bench = new Workbench();
      heard(ends, pattern(1, 1));
      bench.deliver(answerOf(ends, pattern(10, 1)), answerOf(ends, pattern(0)));
      heard(ends, pattern(2, 2));
      bench.deliver(answerOf(ends, pattern(10, 3)));
      expect(bench.kernel.opener.requests).to.have.length(1);
      expect(payloads(bench, ends)).to.deep.equal([pattern(1, 1), pattern(2, 2)]);
      const socket = new FakeDatagram();
      bench.kernel.opener.answer(HOST_PORT, socket);
      bench.settle();
      expect(socket.sent).to.deep.equal([pattern(10, 1), pattern(0), pattern(10, 3)]);
      socket.answer(pattern(3, 3));
      bench.deliver(answerOf(ends, pattern(11)));
      bench.settle();
      expect(payloads(bench, ends)).to.deep.equal([pattern(3, 3)]);
      expect(socket.sent.at(-1)).to.deep.equal(pattern(11));
      expect(bench.flows()).to.equal(1);
    });
  });
}

describe("worker/udp: the life of a flow from the host's side", () => {
  it('ends after the short time while the guest is silent, however much comes; each far end has its own', () => {
    const { bench, socket } = begun();
    heard(ENDS4, pattern(1), 0, FAR_PORT + 1);
    expect(bench.flows()).to.equal(2);
    bench.advance(20_000);
    socket.answer(pattern(1));
    bench.settle();
    bench.advance(15_000);
    expect(bench.flows()).to.equal(1);
    bench.advance(15_500);
    expect(socket.closed).to.equal(true);
    expect(bench.flows()).to.equal(0);
  });

  it('ends after the long time once the guest has answered', () => {
    const { bench, socket } = begun();
    bench.deliver(answerOf(ENDS4, pattern(1)));
    bench.advance(119_500);
    expect(socket.closed).to.equal(false);
    bench.advance(1000);
    bench.expectNothingLeft();
  });

  it('joined datagrams of the listener are as many for the guest', () => {
    const bench = new Workbench({ offloads: 0x07 });
    heard(ENDS4, pattern(250), 100);
    expect(payloads(bench, ENDS4)).to.deep.equal([0, 100, 200].map((at) => pattern(250).slice(at, at + 100)));
    expect(bench.counter('udp_datagrams_in')).to.equal(3);
  });

  it('an opener that says no ends it; what the guest had answered is told as undeliverable', () => {
    const bench = new Workbench();
    heard(ENDS4, pattern(1));
    bench.deliver(answerOf(ENDS4, pattern(5)));
    bench.packets(ENDS4);
    bench.kernel.opener.answer(-101, null);
    bench.settle();
    expect(bench.packets(ENDS4).map(({ protocol, l4 }) => [protocol, l4[0], l4[1]])).to.deep.equal([[1, 3, 0]]);
    bench.expectNothingLeft();
  });

  it('a flow that the guest began with the same ends takes what the listener hears', () => {
    const bench = new Workbench();
    bench.deliver(answerOf(ENDS4, pattern(5)));
    const socket = new FakeDatagram();
    bench.kernel.opener.answer(GUEST_PORT, socket);
    bench.settle();
    expect(heard(ENDS4, pattern(6))).to.equal(true);
    expect(bench.flows()).to.equal(1);
    expect(payloads(bench, ENDS4)).to.deep.equal([pattern(6)]);
    bench.advance(100_000);
    expect(bench.flows(), 'it counts as answered').to.equal(1);
  });

  it('a flood from outside leaves the flows with answers alone', () => {
    const { bench, socket } = begun({ flows: 4 });
    bench.deliver(answerOf(ENDS4, pattern(1)));
    for (let at = 1; at < 50; at++) {
      expect(heard(ENDS4, pattern(1), 0, FAR_PORT + at)).to.equal(true);
      bench.kernel.opener.answer(HOST_PORT, new FakeDatagram());
      bench.settle();
    }
    expect(socket.closed).to.equal(false);
    expect(bench.flows()).to.equal(4);
    expect(bench.counter('flows_displaced')).to.equal(46);
  });
});

describe('worker/udp: a guest whose server leaves its address to the kernel', () => {
  const LINK_LOCAL = Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7);
  const OURS = Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
  const asked: Ends = { ...ENDS6, far: OURS };

  it('answers our link-local address from its own, though its global one was asked', () => {
    const bench = new Workbench();
    const socket = new FakeDatagram();
    heard(asked, pattern(1));
    bench.kernel.opener.answer(HOST_PORT, socket);
    bench.settle();
    bench.deliver(answerOf({ ...asked, guest: LINK_LOCAL }, pattern(20)));
    bench.settle();
    expect(socket.sent).to.deep.equal([pattern(20)]);
    expect(bench.flows()).to.equal(1);
  });

  it('is not heard so when it asks by itself', () => {
    const bench = new Workbench();
    const socket = new FakeDatagram();
    bench.deliver(answerOf(asked, pattern(1)));
    bench.kernel.opener.answer(GUEST_PORT, socket);
    bench.settle();
    bench.deliver(answerOf({ ...asked, guest: LINK_LOCAL }, pattern(20)));
    bench.settle();
    expect(socket.sent).to.deep.equal([pattern(1)]);
  });
});
