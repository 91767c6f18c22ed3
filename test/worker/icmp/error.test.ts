/** Errors about echo requests, as the guest sees them. */
import { expect } from 'chai';
import { addressFromBytes } from '../../../shared/addresses.ts';
import { FakeDatagram } from '../../support/fake_datagram.ts';
import { buildEcho, buildError, echoMessage, type Ends, sum16 } from '../../support/guest_frame.ts';
import { pattern } from '../../support/tcp_dialogue.ts';
import { ENDS4, ENDS6, Workbench } from '../../support/workbench.ts';

const ID = 0xbeef;
const KERNELS_ID = 0x1234;
const EHOSTUNREACH = 113;
const EMSGSIZE = 90;
const EACCES = 13;
const LOCAL = 1;

function opened(ends: Ends): { bench: Workbench; socket: FakeDatagram } {
  const bench = new Workbench();
  const socket = new FakeDatagram();
  bench.deliver(buildEcho(ends, ID, 1, pattern(56)));
  bench.kernel.opener.answer(KERNELS_ID, socket);
  bench.settle();
  return { bench, socket };
}

for (const ends of [ENDS4, ENDS6]) {
  const ipv4 = ends.guest.length === 4;
  const request = ipv4 ? 8 : 128;
  const header = ipv4 ? 20 : 40;
  const exceeded = ipv4 ? { origin: 2, type: 11 } : { origin: 3, type: 3 };
  const router = ipv4 ? Uint8Array.of(203, 0, 113, 9) : Uint8Array.from(ends.far, (byte, at) => (at === 15 ? 9 : byte));

  describe(`worker/icmp: errors over IPv${ipv4 ? 4 : 6}`, () => {
    it('a router’s error comes with the request as the guest has made it, and with the distance it has come', () => {
      const { bench, socket } = opened(ends);
      // What the host has sent, from another address and with another identifier.
      const others = { ...ends, guest: Uint8Array.from(ends.guest, (byte) => byte ^ 1) };
      const payload = echoMessage(others, request, KERNELS_ID, 1, pattern(56));
      socket.fail({ errno: EHOSTUNREACH, ...exceeded, code: 0, info: 0, offender: addressFromBytes(router), payload, hopLimit: 61 });
      bench.settle();
      const frame = bench.kernel.tap.toGuest[0] as Uint8Array;
      expect(frame[10 + 14 + (ipv4 ? 8 : 7)]).to.equal(61);
      const [packet] = bench.packets(ends);
      expect(packet?.source).to.deep.equal(router);
      expect(Array.from(packet?.l4.slice(0, 2) ?? [])).to.deep.equal([exceeded.type, 0]);
      const inner = packet?.l4.slice(8) as Uint8Array;
      expect(inner.slice(ipv4 ? 12 : 8, header)).to.deep.equal(Uint8Array.from([...ends.guest, ...ends.far]));
      expect(inner.slice(header)).to.deep.equal(echoMessage(ends, request, ID, 1, pattern(56)));
    });

    it('of a request that came back in part the length is the one it had', () => {
      const { bench, socket } = opened(ends);
      const payload = echoMessage(ends, request, KERNELS_ID, 1, pattern(56)).slice(0, 8);
      socket.fail({ errno: EHOSTUNREACH, ...exceeded, code: 0, info: 0, offender: addressFromBytes(router), payload });
      bench.settle();
      const inner = bench.packets(ends)[0]?.l4.slice(8) as Uint8Array;
      expect(inner.length).to.equal(header + 8);
      const lengths = new DataView(inner.buffer, inner.byteOffset);
      expect(ipv4 ? lengths.getUint16(2) : lengths.getUint16(4)).to.equal((ipv4 ? header : 0) + 64);
      if (ipv4) expect(sum16(inner.slice(0, 20))).to.equal(0xffff);
    });

    it('a request that this host finds too big is told with the MTU, once, and not sent again', () => {
      const { bench, socket } = opened(ends);
      const none = new Uint8Array(16);
      socket.failSend({ errno: EMSGSIZE, origin: LOCAL, type: 0, code: 0, info: 1400, offender: none, payload: new Uint8Array(0) });
      bench.deliver(buildEcho(ends, ID, 2, pattern(1440)));
      bench.settle();
      const packets = bench.packets(ends);
      expect(packets.map(({ l4 }) => Array.from(l4.slice(0, 2)))).to.deep.equal([ipv4 ? [3, 4] : [2, 0]]);
      expect(new DataView((packets[0]?.l4 as Uint8Array).buffer, packets[0]?.l4.byteOffset).getUint32(4)).to.equal(1400);
      expect(packets[0]?.l4.slice(8 + header, 8 + header + 8)).to.deep.equal(echoMessage(ends, request, ID, 2, pattern(1440)).slice(0, 8));
      expect(socket.sent).to.have.length(1);
      expect(bench.counter('ping_dropped')).to.equal(1);
    });

    it('an earlier request’s error costs the next one nothing', () => {
      const { bench, socket } = opened(ends);
      const payload = echoMessage(ends, request, KERNELS_ID, 1, pattern(56));
      // The error comes between the wait for events and the request.
      bench.kernel.tap.send(buildEcho(ends, ID, 2, pattern(8)));
      socket.fail({ errno: EHOSTUNREACH, ...exceeded, code: 0, info: 0, offender: addressFromBytes(router), payload });
      bench.settle();
      expect(socket.sent).to.have.length(2);
      expect(bench.packets(ends)).to.have.length(1);
    });

    it('where nobody may ping the guest is told that it is prohibited', () => {
      const bench = new Workbench();
      bench.deliver(buildEcho(ends, ID, 1, pattern(56)));
      bench.kernel.opener.answer(-EACCES, null);
      bench.settle();
      expect(bench.packets(ends).map(({ l4 }) => Array.from(l4.slice(0, 2)))).to.deep.equal([ipv4 ? [3, 13] : [1, 1]]);
      bench.expectNothingLeft();
    });
  });
}

describe('worker/icmp: what is too big on the way', () => {
  for (const [length, told] of [
    [1400, 1],
    [20_000, 0],
  ] as const) {
    it(`RFC 8201 §4: of ${length} bytes the guest is told ${told === 1 ? 'the MTU' : 'nothing, for the host’s kernel fragments them'}`, () => {
      const { bench, socket } = opened(ENDS6);
      bench.deliver(buildEcho(ENDS6, ID, 2, pattern(length)));
      const payload = echoMessage(ENDS6, 128, KERNELS_ID, 2, pattern(length)).slice(0, 1232);
      socket.fail({ errno: EMSGSIZE, origin: 3, type: 2, code: 0, info: 1280, offender: ENDS6.far, payload });
      bench.settle();
      expect(bench.packets(ENDS6).map(({ l4 }) => [l4[0], new DataView(l4.buffer, l4.byteOffset).getUint32(4)])).to.deep.equal(
        told === 1 ? [[2, 1280]] : [],
      );
    });
  }
});

describe('worker/icmp: messages about nothing', () => {
  it('errors about flows that don’t exist, and kinds that nobody serves, are counted and cost nothing else', () => {
    const bench = new Workbench();
    for (let at = 0; at < 1000; at++) {
      bench.kernel.tap.send(buildError(ENDS4, 3, at % 16, 1400, [6, 17, 1][at % 3] as number, [at, 80, at]));
      bench.kernel.tap.send(buildError(ENDS6, 1 + (at % 4), 0, 1280, [6, 17, 58][at % 3] as number, [at, 80, at]));
    }
    bench.settle();
    expect(bench.counter('icmp_ignored')).to.equal(2000);
    expect(bench.packets(ENDS4)).to.deep.equal([]);
    expect(bench.kernel.opener.requests).to.deep.equal([]);
    bench.expectNothingLeft();
  });

  it('a storm of echo requests takes no more flows than there are, and all of it is counted', () => {
    const bench = new Workbench({ flows: 8 });
    for (let id = 0; id < 5000; id++) bench.kernel.tap.send(buildEcho(ENDS4, id, 1, pattern(8)));
    bench.settle();
    expect(bench.flows()).to.equal(8);
    expect(bench.counter('ping_flows_refused')).to.equal(4992);
    expect(bench.counter('ping_flows_opened')).to.equal(8);
  });
});
