/** Frames that no honest guest sends: each moves a counter of its kind, and leads to nothing: no request, no flow, no answer. */
import { expect } from 'chai';
import { MessageId } from '../../shared/messages.ts';
import { FakeDatagram } from '../support/fake_datagram.ts';
import { buildDatagram, withChecksum } from '../support/guest_frame.ts';
import {
  ADDRESSES,
  chain,
  datagram,
  ERRORS,
  from4,
  HEADERS,
  ip4,
  ip6,
  L4,
  LENGTHS,
  OFFLOADS,
  PADN6,
  to6,
} from '../support/hostile_cases.ts';
import { withOptions } from '../support/hostile_frame.ts';
import { pattern } from '../support/tcp_dialogue.ts';
import { ENDS4, MAPPED_LOOPBACK4, Workbench } from '../support/workbench.ts';

for (const [what, cases] of Object.entries({
  lengths: LENGTHS,
  headers: HEADERS,
  offloads: OFFLOADS,
  addresses: ADDRESSES,
  errors: ERRORS,
})) {
  describe(`worker/guest: hostile ${what}`, () => {
    for (const [counter, shown, frames] of cases) {
      it(`${shown}: ${counter}`, () => {
        for (const [index, frame] of frames.entries()) {
          const bench = new Workbench();
          bench.deliver(frame);
          bench.settle();
          const which = `frame ${index}`;
          expect(bench.counter(counter), which).to.equal(1);
          expect(bench.counter('frames_from_guest'), which).to.equal(1);
          expect(bench.kernel.opener.requests, which).to.have.length(0);
          expect(bench.kernel.tap.toGuest, which).to.have.length(0);
          expect(bench.flows(), which).to.equal(0);
          expect(bench.kernel.channel.logged(MessageId.GUEST_MAC), which).to.have.length(0);
        }
      });
    }
  });
}

describe('worker/guest: what looks hostile and is not', () => {
  const served: Readonly<Record<string, Uint8Array>> = {
    'options that may be skipped': withOptions(datagram(ENDS4), [1, 7, 7, 4, 0, 0, 0, 0, 0, 0, 0, 0]),
    'a router alert': withOptions(datagram(ENDS4), [148, 4, 0, 0]),
    'extension headers as many as a sensible packet has': chain(
      [0, 0, ...PADN6],
      [60, 0, ...PADN6],
      [43, 0, 0, 0, 0, 0, 0, 0],
      [60, 0, ...PADN6],
    ),
    'no UDP checksum over IPv4 (RFC 768)': withChecksum(datagram(ENDS4), ENDS4).map((byte, at) => (at >= L4 + 6 && at < L4 + 8 ? 0 : byte)),
    'bytes behind the packet': Uint8Array.from([...datagram(ENDS4), ...new Array<number>(20).fill(0xee)]),
    'as many segments as kernels make at most': buildDatagram(ENDS4, 1000, 53, pattern(128), 1),
    'a group that leaves its node': datagram(to6(ip6([0xff, 2], [0xfb]))),
  };
  for (const [shown, frame] of Object.entries(served)) {
    it(shown, () => {
      const bench = new Workbench();
      bench.deliver(frame);
      expect(bench.kernel.opener.requests).to.have.length(1);
    });
  }

  it('a guest that was given the address of the gateway', () => {
    const bench = new Workbench({ guest4: MAPPED_LOOPBACK4 });
    bench.deliver(datagram(from4(ip4(MAPPED_LOOPBACK4))));
    expect(bench.kernel.opener.requests).to.have.length(1);
  });
});

describe('worker/guest: spoofed MACs', () => {
  it('thousands of them are told of a few times, and the last is answered to', () => {
    const bench = new Workbench();
    const mac = (count: number): Uint8Array => Uint8Array.of(2, 7, 7, 7, count >> 8, count & 255);
    for (let count = 0; count < 3000; count++) bench.deliver(datagram({ ...ENDS4, guestMac: mac(count) }));
    expect(bench.kernel.channel.logged(MessageId.GUEST_MAC)).to.have.length.within(1, 10);
    expect(bench.kernel.tap.toGuest.splice(0), 'one question for each family').to.have.length(2);
    const socket = new FakeDatagram();
    bench.kernel.opener.answer(1000, socket);
    bench.settle();
    socket.answer(pattern(5));
    bench.settle();
    expect(bench.packets({ ...ENDS4, guestMac: mac(2999) })).to.have.length(1);
    bench.advance(60_000);
    bench.deliver(datagram({ ...ENDS4, guestMac: mac(1) }));
    expect(bench.kernel.channel.logged(MessageId.GUEST_MAC).at(-1), 'one later').to.deep.equal([...mac(1)]);
  });
});
