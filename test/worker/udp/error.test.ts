/** Errors of a flow's socket, as the guest sees them. */
import { expect } from 'chai';
import { addressFromBytes } from '../../../shared/addresses.ts';
import { FakeDatagram } from '../../support/fake_datagram.ts';
import { buildDatagram, type Ends } from '../../support/guest_frame.ts';
import { pattern } from '../../support/tcp_dialogue.ts';
import { ENDS4, ENDS6, Workbench } from '../../support/workbench.ts';

const ORIGIN_LOCAL = 1;
const ORIGIN_ICMP = 2;
const ORIGIN_ICMP6 = 3;
const ECONNREFUSED = 111;
const EMSGSIZE = 90;

function opened(ends: Ends): { bench: Workbench; socket: FakeDatagram } {
  const bench = new Workbench();
  const socket = new FakeDatagram();
  bench.deliver(buildDatagram(ends, 5000, 53, pattern(40)));
  bench.kernel.opener.answer(5000, socket);
  bench.settle();
  return { bench, socket };
}

describe('worker/udp: errors', () => {
  it('RFC 792, RFC 1122 §3.2.2: an ICMP error reaches the guest with its own packet in it, from who has complained', () => {
    const { bench, socket } = opened(ENDS4);
    const router = addressFromBytes(Uint8Array.of(203, 0, 113, 9));
    socket.fail({ errno: ECONNREFUSED, origin: ORIGIN_ICMP, type: 3, code: 1, info: 0, offender: router, payload: pattern(40) });
    bench.settle();
    const [packet] = bench.packets(ENDS4);
    expect(packet?.source).to.deep.equal(router.slice(12));
    expect(Array.from(packet?.l4.slice(0, 2) ?? [])).to.deep.equal([3, 1]);
    const inner = packet?.l4.slice(8) as Uint8Array;
    expect(inner.slice(28)).to.deep.equal(pattern(40));
    expect(inner[9]).to.equal(17);
    expect(inner.slice(12, 16)).to.deep.equal(ENDS4.guest);
    expect(inner.slice(16, 20)).to.deep.equal(ENDS4.far);
    const udp = new DataView(inner.buffer, inner.byteOffset + 20);
    expect([udp.getUint16(0), udp.getUint16(2), udp.getUint16(4)]).to.deep.equal([5000, 53, 48]);
    expect(bench.counter('icmp_errors_to_guest')).to.equal(1);
  });

  it('RFC 4443 §3.1: the same for IPv6, with as much of the packet as fits', () => {
    const { bench, socket } = opened(ENDS6);
    socket.fail({ errno: ECONNREFUSED, origin: ORIGIN_ICMP6, type: 1, code: 4, info: 0, offender: ENDS6.far, payload: pattern(40) });
    bench.settle();
    const [packet] = bench.packets(ENDS6);
    expect(packet?.protocol).to.equal(58);
    expect(Array.from(packet?.l4.slice(0, 2) ?? [])).to.deep.equal([1, 4]);
    expect(packet?.l4.slice(8 + 48)).to.deep.equal(pattern(40));
  });

  it('RFC 1191 §4: a datagram that is too big is told with the MTU', () => {
    const { bench, socket } = opened(ENDS4);
    const none = new Uint8Array(16);
    socket.fail({ errno: EMSGSIZE, origin: ORIGIN_LOCAL, type: 0, code: 0, info: 1400, offender: none, payload: pattern(2000) });
    bench.settle();
    const [packet] = bench.packets(ENDS4);
    expect(Array.from(packet?.l4.slice(0, 2) ?? [])).to.deep.equal([3, 4]);
    expect(new DataView((packet?.l4 as Uint8Array).buffer, packet?.l4.byteOffset).getUint16(6)).to.equal(1400);
    expect(packet?.source).to.deep.equal(ENDS4.far);
  });

  it('RFC 1191 §4, RFC 4443 §3.2: a router’s word on the MTU is passed on', () => {
    const small = opened(ENDS4);
    small.socket.fail({
      errno: EMSGSIZE,
      origin: ORIGIN_ICMP,
      type: 3,
      code: 4,
      info: 1300,
      offender: addressFromBytes(ENDS4.far),
      payload: pattern(9),
    });
    small.bench.settle();
    expect(Array.from(small.bench.packets(ENDS4)[0]?.l4.slice(0, 8) ?? []).filter((_, at) => at !== 2 && at !== 3)).to.deep.equal([
      3, 4, 0, 0, 5, 20,
    ]);
    const big = opened(ENDS6);
    big.socket.fail({ errno: EMSGSIZE, origin: ORIGIN_ICMP6, type: 2, code: 0, info: 1300, offender: ENDS6.far, payload: pattern(9) });
    big.bench.settle();
    expect(Array.from(big.bench.packets(ENDS6)[0]?.l4.slice(4, 8) ?? [])).to.deep.equal([0, 0, 5, 20]);
  });

  it('an offender that the guest can’t know is the far address', () => {
    for (const offender of [
      new Uint8Array(16),
      addressFromBytes(Uint8Array.of(127, 0, 0, 1)),
      addressFromBytes(Uint8Array.of(0, 0, 0, 0)),
    ]) {
      const { bench, socket } = opened(ENDS4);
      socket.fail({ errno: ECONNREFUSED, origin: ORIGIN_ICMP, type: 3, code: 3, info: 0, offender, payload: pattern(9) });
      bench.settle();
      expect(bench.packets(ENDS4)[0]?.source).to.deep.equal(ENDS4.far);
    }
  });

  it('RFC 4443 §2.4 (f): errors come at a limited rate', () => {
    const { bench, socket } = opened(ENDS4);
    for (let at = 0; at < 200; at++)
      socket.fail({
        errno: ECONNREFUSED,
        origin: ORIGIN_ICMP,
        type: 3,
        code: 3,
        info: 0,
        offender: addressFromBytes(ENDS4.far),
        payload: pattern(9),
      });
    bench.settle();
    expect(bench.packets(ENDS4).length).to.be.lessThan(100);
    bench.advance(1000);
    socket.fail({
      errno: ECONNREFUSED,
      origin: ORIGIN_ICMP,
      type: 3,
      code: 3,
      info: 0,
      offender: addressFromBytes(ENDS4.far),
      payload: pattern(9),
    });
    bench.settle();
    expect(bench.packets(ENDS4).length).to.equal(1);
  });
});

describe('worker/udp: a storm of errors', () => {
  for (const [ends, origin] of [
    [ENDS4, ORIGIN_ICMP],
    [ENDS6, ORIGIN_ICMP6],
  ] as const) {
    const ipv4 = ends === ENDS4;
    const offender = ipv4 ? addressFromBytes(ENDS4.far) : ENDS6.far;
    const unreachable = { errno: ECONNREFUSED, origin, type: ipv4 ? 3 : 1, code: ipv4 ? 3 : 4, info: 0, offender, payload: pattern(9) };
    const tooBig = { ...unreachable, errno: EMSGSIZE, type: ipv4 ? 3 : 2, code: ipv4 ? 4 : 0, info: 1300 };

    it(`${ipv4 ? 'RFC 1812 §4.3.2.8' : 'RFC 4443 §2.4 (f)'}: a thousand a second are told, each of the others is counted`, () => {
      const { bench, socket } = opened(ends);
      for (let ms = 0; ms < 3000; ms++) {
        for (let at = 0; at < 5; at++) socket.fail(unreachable);
        bench.advance(1);
        bench.deliver(buildDatagram(ends, 5000, 53, pattern(1)));
      }
      bench.settle();
      expect(bench.packets(ends)).to.have.length.within(3000, 3060);
      expect(bench.counter('icmp_errors_to_guest') + bench.counter('icmp_errors_suppressed')).to.equal(15_000);
      expect(bench.flows()).to.equal(1);
    });

    it(`IPv${ipv4 ? 4 : 6}: keeps nobody from learning the MTU of a path, which is limited as well`, () => {
      const { bench, socket } = opened(ends);
      for (let at = 0; at < 500; at++) socket.fail(unreachable);
      bench.settle();
      bench.packets(ends);
      for (let at = 0; at < 500; at++) socket.fail(tooBig);
      bench.settle();
      const told = bench.packets(ends);
      expect(told.map(({ l4 }) => l4[0])).to.deep.equal(new Array(told.length).fill(tooBig.type));
      expect(told).to.have.length.within(1, 60);
    });
  }
});

describe('worker/udp: errors of this host, and of its address', () => {
  const ORIGINS = [
    [ENDS4, ORIGIN_ICMP],
    [ENDS6, ORIGIN_ICMP6],
  ] as const;
  const none = new Uint8Array(16);

  for (const [ends, origin] of ORIGINS) {
    const ipv4 = ends === ENDS4;
    const header = ipv4 ? 20 : 40;
    const name = ipv4 ? 'IPv4' : 'IPv6';

    it(`${name}: a datagram that can’t be sent for its size is told with the MTU, once, and with what it was`, () => {
      const { bench, socket } = opened(ends);
      socket.failSend({ errno: EMSGSIZE, origin: ORIGIN_LOCAL, type: 0, code: 0, info: 1400, offender: none, payload: none.slice(0, 0) });
      bench.deliver(buildDatagram(ends, 5000, 53, pattern(1430)));
      bench.settle();
      const packets = bench.packets(ends);
      expect(packets.map(({ l4 }) => Array.from(l4.slice(0, 2)))).to.deep.equal([ipv4 ? [3, 4] : [2, 0]]);
      const inner = packets[0]?.l4.slice(8) as Uint8Array;
      const udp = new DataView(inner.buffer, inner.byteOffset + header);
      expect([udp.getUint16(0), udp.getUint16(2), udp.getUint16(4)]).to.deep.equal([5000, 53, 1438]);
      expect(inner.slice(header + 8)).to.deep.equal(pattern(1430).slice(0, inner.length - header - 8));
      expect(bench.counter('udp_datagrams_dropped')).to.equal(1);
    });

    it(`${name}: what a router returned in part has the length that it had`, () => {
      const { bench, socket } = opened(ends);
      socket.fail({ errno: ECONNREFUSED, origin, type: ipv4 ? 3 : 1, code: 1, info: 0, offender: none, payload: none.slice(0, 0) });
      bench.settle();
      const inner = bench.packets(ends)[0]?.l4.slice(8) as Uint8Array;
      expect(inner.length).to.equal(header + 8);
      expect(new DataView(inner.buffer, inner.byteOffset + header).getUint16(4)).to.equal(48);
      expect(new DataView(inner.buffer, inner.byteOffset).getUint16(ipv4 ? 2 : 4)).to.equal(ipv4 ? 68 : 48);
    });

    it(`${name}: the host’s address is the guest’s own too, so it is the far address that complains`, () => {
      const { bench, socket } = opened(ends);
      const offender = addressFromBytes(ends.guest);
      socket.fail({ errno: ECONNREFUSED, origin, type: ipv4 ? 3 : 1, code: 1, info: 0, offender, payload: pattern(40) });
      bench.settle();
      expect(bench.packets(ends)[0]?.source).to.deep.equal(ends.far);
    });

    it(`${name}: an error that stays is told for each datagram, and none is sent twice`, () => {
      const { bench, socket } = opened(ends);
      const ENETUNREACH = 101;
      socket.sendErrors.push(ENETUNREACH, ENETUNREACH);
      bench.deliver(buildDatagram(ends, 5000, 53, pattern(9)));
      bench.settle();
      expect(bench.packets(ends).map(({ l4 }) => Array.from(l4.slice(0, 2)))).to.deep.equal([ipv4 ? [3, 0] : [1, 0]]);
      expect(socket.sent).to.have.length(1);
    });
  }
});
