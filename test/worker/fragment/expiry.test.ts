/** Packets of which a fragment never comes: how long they may wait, and what the guest is told. */
import { expect } from 'chai';
import { MAX_REASSEMBLIES, REASSEMBLY_TIME, REASSEMBLY_TIME_UNDER_PRESSURE } from '../../../shared/limits.ts';
import { packetsWaiting } from '../../../worker/fragment/store.ts';
import { fragment, fragments, neighbour } from '../../support/fragments.ts';
import { buildDatagram, buildEcho, buildFrame, type Ends, withChecksum } from '../../support/guest_frame.ts';
import { pattern } from '../../support/tcp_dialogue.ts';
import { ENDS4, ENDS6, Workbench } from '../../support/workbench.ts';

const IP = 10 + 14;

function pieces(ends: Ends, id: number): Uint8Array[] {
  return fragments(withChecksum(buildDatagram(ends, 5000, 53, pattern(4000)), ends), 1480, { id });
}

/** Type, code and what is returned of each ICMP error that the guest has got; from the host that the packet was for. */
function errors(bench: Workbench, ends: Ends): { type: number; code: number; word: number; returned: Uint8Array }[] {
  return bench.packets(ends).map(({ protocol, source, l4 }) => {
    expect(protocol).to.equal(ends.guest.length === 4 ? 1 : 58);
    expect(source).to.deep.equal(ends.far);
    return { type: l4[0]!, code: l4[1]!, word: new DataView(l4.buffer).getUint32(4), returned: l4.slice(8) };
  });
}

for (const ends of [ENDS4, ENDS6]) {
  const ipv4 = ends.guest.length === 4;
  const timeExceeded = ipv4 ? 11 : 3;
  const group = { ...ends, far: ipv4 ? Uint8Array.from([239, 1, 2, 3]) : Uint8Array.from([0xff, 2, ...Array(13).fill(0), 1]) };
  const error = new Uint8Array(2000);
  error[0] = ipv4 ? 3 : 1;

  describe(`worker/fragment: packets that are never complete, IPv${ipv4 ? 4 : 6}`, () => {
    it(`RFC ${ipv4 ? '1122 §3.3.2' : '8200 §4.5'}: after a minute they are given up, and the guest is told with the first fragment as it was`, () => {
      const bench = new Workbench();
      const [first, , last] = pieces(ends, 77);
      bench.deliver(last!);
      bench.advance(20_000);
      bench.deliver(first!);
      bench.advance(REASSEMBLY_TIME - 20_001);
      expect([packetsWaiting, bench.kernel.tap.toGuest.length]).to.deep.equal([1, 0]);
      bench.advance(1);
      expect(packetsWaiting).to.equal(0);
      const [told] = errors(bench, ends);
      expect(told).to.include({ type: timeExceeded, code: 1, word: 0 });
      const returned = first!.subarray(IP, IP + told!.returned.length);
      expect(told!.returned).to.deep.equal(returned);
      expect(told!.returned.length).to.equal(ipv4 ? 548 : 1232);
      expect(bench.counter('reassemblies_timed_out')).to.equal(1);
      bench.expectNothingLeft();
    });

    for (const [name, frames] of [
      ['without the first fragment', pieces(ends, 1).slice(1)],
      ['for a group', pieces(group, 1).slice(0, 1)],
      ['that is an ICMP error', fragments(buildFrame(ends, ipv4 ? 1 : 58, error), 1480).slice(0, 1)],
    ] as const) {
      it(`silently ${name}`, () => {
        const bench = new Workbench();
        bench.deliver(...frames);
        expect(packetsWaiting).to.equal(1);
        bench.advance(REASSEMBLY_TIME);
        expect(packetsWaiting).to.equal(0);
        expect(bench.kernel.tap.toGuest).to.deep.equal([]);
      });
    }

    it('an echo request is told of', () => {
      const bench = new Workbench();
      bench.deliver(fragments(buildEcho(ends, 1, 1, pattern(4000)), 1480)[0]!);
      bench.advance(REASSEMBLY_TIME);
      expect(errors(bench, ends)).to.have.length(1);
    });

    it('while many wait they wait for a second only; errors are told at the rate of all errors', () => {
      const bench = new Workbench();
      const flood = MAX_REASSEMBLIES / 2;
      for (let id = 1; id <= flood; id++) bench.deliver(pieces(ends, id)[0]!);
      expect(packetsWaiting).to.equal(flood);
      bench.advance(REASSEMBLY_TIME_UNDER_PRESSURE);
      expect(packetsWaiting).to.equal(MAX_REASSEMBLIES / 4 - 1);
      expect(errors(bench, ends).length).to.be.at.most(50);
      bench.advance(REASSEMBLY_TIME);
      expect(packetsWaiting).to.equal(0);
      expect(bench.counter('reassemblies_timed_out')).to.equal(flood);
      expect(bench.wait(), 'nobody is woken any more').to.equal(-1);
    });

    it('many sources leave room for one more', () => {
      const bench = new Workbench();
      for (let id = 1; id <= 20; id++)
        for (let source = 100; source < 120; source++) bench.deliver(pieces(neighbour(ends, source), id)[0]!);
      expect(packetsWaiting).to.be.at.most(MAX_REASSEMBLIES);
      const [first, second, third] = pieces(ends, 1);
      bench.deliver(third!, first!);
      for (let id = 100; id <= 110; id++) bench.deliver(pieces(neighbour(ends, 100), id)[0]!);
      bench.deliver(second!);
      expect(bench.counter('datagrams_reassembled')).to.equal(1);
      bench.advance(REASSEMBLY_TIME);
      expect(packetsWaiting).to.equal(0);
    });
  });
}

describe('worker/fragment: what IPv6 tells of fragments that can not be right', () => {
  const whole = withChecksum(buildDatagram(ENDS6, 5000, 53, pattern(4000)), ENDS6);
  for (const [name, cut, code, pointer] of [
    ['RFC 8200 §4.5: one in the middle is no multiple of 8', { offset: 0, end: 1001, more: true }, 0, 4],
    ['RFC 8200 §4.5: one reaches beyond 65,535', { offset: 65_528, end: 65_600, more: true, bytes: pattern(72) }, 0, 42],
  ] as const) {
    it(name, () => {
      const bench = new Workbench();
      bench.deliver(fragment(whole, cut));
      const told = errors(bench, ENDS6);
      expect(bench.counter('fragments_malformed')).to.equal(1);
      expect(told.map((each) => [each.type, each.code, each.word])).to.deep.equal([[4, code, pointer]]);
    });
  }

  it('RFC 7112 §5: the first lacks the header that says whose it is', () => {
    const bench = new Workbench();
    bench.deliver(fragment(buildFrame(ENDS6, 6, pattern(200)), { offset: 0, end: 16, more: true }));
    expect(errors(bench, ENDS6).map((each) => [each.type, each.code, each.word])).to.deep.equal([[4, 3, 0]]);
    expect(bench.counter('fragments_malformed')).to.equal(1);
  });
});

describe('worker/fragment: tiny fragments', () => {
  it('RFC 1858 §3, RFC 3128 §2: none may hide or rewrite a TCP header', () => {
    const bench = new Workbench();
    const whole = buildFrame(ENDS4, 6, pattern(200));
    for (const [offset, end] of [
      [0, 8],
      [0, 16],
      [8, 24],
    ] as const)
      bench.deliver(fragment(whole, { offset, end, more: true }));
    expect(bench.counter('fragments_malformed')).to.equal(3);
    expect(packetsWaiting).to.equal(0);
    expect(bench.kernel.tap.toGuest).to.deep.equal([]);
  });
});
