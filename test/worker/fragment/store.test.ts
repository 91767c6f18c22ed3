/** Which packets wait, and who makes room for whom. */
import { expect } from 'chai';
import { MAX_REASSEMBLIES, REASSEMBLY_TIME } from '../../../shared/limits.ts';
import { packetsWaiting } from '../../../worker/fragment/store.ts';
import { fragments, neighbour } from '../../support/fragments.ts';
import { buildDatagram, buildEcho, withChecksum } from '../../support/guest_frame.ts';
import { pattern } from '../../support/tcp_dialogue.ts';
import { ENDS4, ENDS6, Workbench } from '../../support/workbench.ts';

for (const ends of [ENDS4, ENDS6]) {
  const pieces = (id: number, from = ends): Uint8Array[] =>
    fragments(withChecksum(buildDatagram(from, 5000, 53, pattern(2000)), from), 1480, { id });
  const flood = (bench: Workbench, from = ends): void => {
    for (let id = 1; id <= 2 * MAX_REASSEMBLIES; id++) bench.deliver(pieces(id, from)[0]!);
  };

  describe(`worker/fragment: packets that wait, IPv${ends.guest.length === 4 ? 4 : 6}`, () => {
    it('one source gets half of the slots, two a third each', () => {
      const bench = new Workbench();
      flood(bench);
      expect(packetsWaiting).to.equal(MAX_REASSEMBLIES / 2);
      flood(bench, neighbour(ends, 99));
      flood(bench);
      expect(packetsWaiting).to.be.within(Math.floor((MAX_REASSEMBLIES * 2) / 3), Math.ceil((MAX_REASSEMBLIES * 3) / 4));
    });

    it('the oldest of a source goes first, and another’s stays', () => {
      const bench = new Workbench();
      const [first, second] = pieces(9, neighbour(ends, 99));
      bench.deliver(first!);
      flood(bench);
      bench.deliver(pieces(1)[1]!);
      expect(bench.counter('datagrams_reassembled'), 'went long ago').to.equal(0);
      bench.deliver(second!, pieces(2 * MAX_REASSEMBLIES)[1]!);
      expect(bench.counter('datagrams_reassembled')).to.equal(2);
    });

    it('those that are left when others are complete are all given up in the end', () => {
      const bench = new Workbench();
      for (const complete of [[2], [0], [1], [0, 2], [1, 2], [0, 1]]) {
        const sets = [1, 2, 3].map((id) => pieces(id));
        for (const [first] of sets) bench.deliver(first!);
        for (const index of complete) bench.deliver(sets[index]![1]!);
        bench.deliver(pieces(4)[0]!);
        expect(packetsWaiting).to.equal(4 - complete.length);
        bench.advance(REASSEMBLY_TIME);
        expect(packetsWaiting).to.equal(0);
      }
      expect(bench.counter('datagrams_reassembled') + bench.counter('reassemblies_timed_out')).to.equal(24);
    });
  });
}

describe('worker/fragment: what tells packets apart', () => {
  it('RFC 791 §3.2: the protocol does', () => {
    const bench = new Workbench();
    const datagram = fragments(withChecksum(buildDatagram(ENDS4, 5000, 53, pattern(2000)), ENDS4), 1480, { id: 5 });
    const echo = fragments(buildEcho(ENDS4, 7, 1, pattern(2000)), 1480, { id: 5 });
    bench.deliver(datagram[0]!, echo[0]!, datagram[1]!, echo[1]!);
    expect(bench.counter('datagrams_reassembled')).to.equal(2);
    expect(bench.kernel.opener.requests).to.have.length(2);
  });
});
