/** Echo through a ping socket: the guest's identifier comes back, whatever the kernel's was. */
import { expect } from 'chai';
import { MessageId } from '../../../shared/messages.ts';
import { Verb } from '../../../shared/opener.ts';
import { FakeDatagram } from '../../support/fake_datagram.ts';
import { buildEcho, echoMessage } from '../../support/guest_frame.ts';
import { pattern } from '../../support/tcp_dialogue.ts';
import { ENDS4, ENDS6, Workbench } from '../../support/workbench.ts';

for (const ends of [ENDS4, ENDS6]) {
  const ipv4 = ends.guest.length === 4;
  const reply = ipv4 ? 0 : 129;

  describe(`worker/icmp: echo over IPv${ipv4 ? 4 : 6}`, () => {
    it(`RFC ${ipv4 ? 792 : '4443 §4.2'}: identifier, sequence and data come back, from the address that was asked`, () => {
      const bench = new Workbench();
      bench.deliver(buildEcho(ends, 0xbeef, 1, pattern(56)), buildEcho(ends, 0xbeef, 2, pattern(0)));
      expect(bench.kernel.opener.requests).to.have.length(1);
      expect(bench.kernel.opener.requests[0]).to.include({ verb: Verb.PING, sourcePort: 0xbeef });
      const socket = new FakeDatagram();
      bench.kernel.opener.answer(0x1234, socket);
      bench.settle();
      expect(socket.sent.map((message) => (message[6] as number) * 256 + (message[7] as number))).to.deep.equal([1, 2]);
      expect(socket.sent[0]?.slice(8)).to.deep.equal(pattern(56));
      for (const sequence of [2, 1]) socket.answer(echoMessage(ends, reply, 0x1234, sequence, pattern(56)));
      bench.settle();
      const packets = bench.packets(ends);
      expect(packets.map(({ l4 }) => Array.from(l4.slice(4, 8)))).to.deep.equal([
        [0xbe, 0xef, 0, 2],
        [0xbe, 0xef, 0, 1],
      ]);
      for (const { source, destination, l4 } of packets) {
        expect(source).to.deep.equal(ends.far);
        expect(destination).to.deep.equal(ends.guest);
        expect([l4[0], l4[1]]).to.deep.equal([reply, 0]);
        expect(l4.slice(8)).to.deep.equal(pattern(56));
      }
    });

    it('each identifier has its flow; one without requests for a minute ends', () => {
      const bench = new Workbench();
      const sockets = [new FakeDatagram(), new FakeDatagram()];
      for (const [at, socket] of sockets.entries()) {
        bench.deliver(buildEcho(ends, at + 1, 1, pattern(8)));
        bench.kernel.opener.answer(at + 1, socket);
        bench.settle();
      }
      bench.advance(40_000);
      bench.deliver(buildEcho(ends, 2, 2, pattern(8)));
      bench.advance(30_000);
      expect(sockets.map(({ closed }) => closed)).to.deep.equal([true, false]);
      bench.advance(31_000);
      bench.expectNothingLeft();
    });

    it('two programs with one identifier and one destination share a flow, and each reply goes to the guest as it is', () => {
      const bench = new Workbench();
      const socket = new FakeDatagram();
      bench.deliver(buildEcho(ends, 7, 1, pattern(8)), buildEcho(ends, 7, 1, pattern(16)));
      bench.kernel.opener.answer(7, socket);
      bench.settle();
      expect([bench.flows(), socket.sent.length]).to.deep.equal([1, 2]);
      for (const length of [8, 16]) socket.answer(echoMessage(ends, reply, 7, 1, pattern(length)));
      bench.settle();
      expect(bench.packets(ends).map(({ l4 }) => l4.slice(8))).to.deep.equal([pattern(8), pattern(16)]);
    });

    it('a reply comes with the hop limit that it came with', () => {
      const bench = new Workbench();
      const socket = new FakeDatagram();
      bench.deliver(buildEcho(ends, 7, 1, pattern(8)));
      bench.kernel.opener.answer(7, socket);
      for (const hopLimit of [57, 0]) socket.answer(echoMessage(ends, reply, 7, 1, pattern(8)), 0, hopLimit);
      bench.settle();
      const at = 10 + 14 + (ipv4 ? 8 : 7);
      expect(bench.kernel.tap.toGuest.map((frame) => frame[at])).to.deep.equal([57, 255]);
    });

    it('what is no echo reply is kept from the guest', () => {
      const bench = new Workbench();
      bench.deliver(buildEcho(ends, 1, 1, pattern(8)));
      const socket = new FakeDatagram();
      bench.kernel.opener.answer(1, socket);
      socket.answer(echoMessage(ends, 13, 1, 1, pattern(8)));
      socket.answer(echoMessage(ends, reply, 1, 1, pattern(8)));
      bench.settle();
      expect(bench.packets(ends)).to.have.length(1);
    });
  });
}

describe('worker/icmp: refusals', () => {
  it('a host that lets nobody ping is told of once', () => {
    const bench = new Workbench();
    for (const id of [1, 2, 3]) {
      bench.deliver(buildEcho(ENDS4, id, 1, pattern(8)));
      bench.kernel.opener.answer(-13, null);
      bench.settle();
    }
    expect(bench.counter('opener_refused')).to.equal(3);
    expect(bench.kernel.channel.logged(MessageId.PING_REFUSED).length).to.be.at.most(1);
    bench.expectNothingLeft();
  });

  it('a flow that is too many is refused and counted', () => {
    const bench = new Workbench({ flows: 1 });
    for (const id of [1, 2]) bench.deliver(buildEcho(ENDS4, id, 1, pattern(8)));
    expect(bench.counter('ping_flows_refused')).to.equal(1);
  });

  it('messages that are no echo request go nowhere', () => {
    const bench = new Workbench();
    const frame = buildEcho(ENDS4, 1, 1, pattern(8));
    frame[10 + 14 + 20] = 13;
    bench.deliver(frame);
    expect(bench.flows()).to.equal(0);
  });
});
