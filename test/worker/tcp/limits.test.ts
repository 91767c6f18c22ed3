/** Full tables, a full opener, an opener that is gone: new flows suffer, old ones don't. */
import { expect } from 'chai';
import { MessageId } from '../../../shared/messages.ts';
import { FakeStream } from '../../support/fake_stream.ts';
import { buildSegment, RST, ACK, readSegment, SYN } from '../../support/guest_frame.ts';
import { ENDS4, Workbench } from '../../support/workbench.ts';

function syn(port: number): Uint8Array {
  const payload = new Uint8Array(0);
  return buildSegment(ENDS4, { sourcePort: port, destinationPort: 80, seq: port, ack: 0, flags: SYN, window: 1000, payload, gsoSize: 0 });
}

for (const [name, limits] of Object.entries({ rows: { flows: 3, descriptors: 100 }, descriptors: { flows: 100, descriptors: 3 } })) {
  describe(`worker/tcp: no ${name} left`, () => {
    it('a RST for the flow that is too many, and one line in ten seconds', () => {
      const bench = new Workbench(limits);
      for (let port = 1; port <= 3; port++) bench.deliver(syn(port));
      expect(bench.kernel.tap.toGuest).to.have.length(0);
      for (let port = 10; port < 15; port++) bench.deliver(syn(port));
      const answers = bench.packets(ENDS4).map(readSegment);
      expect(answers.map(({ destinationPort }) => destinationPort)).to.deep.equal([10, 11, 12, 13, 14]);
      for (const { flags, ack, destinationPort } of answers) {
        expect(flags).to.equal(RST | ACK);
        expect(ack).to.equal(destinationPort + 1);
      }
      expect(bench.counter('tcp_flows_refused')).to.equal(5);
      expect(bench.kernel.opener.requests).to.have.length(3);
      expect(bench.kernel.channel.logged(MessageId.FLOW_LIMIT)).to.deep.equal([[3, 3]]);
      bench.advance(9000);
      bench.deliver(syn(20));
      expect(bench.kernel.channel.logged(MessageId.FLOW_LIMIT)).to.have.length(1);
      bench.advance(2000);
      bench.deliver(syn(21));
      expect(bench.kernel.channel.logged(MessageId.FLOW_LIMIT)).to.have.length(2);
    });

    it('a row that is given back is taken again', () => {
      const bench = new Workbench(limits);
      for (let port = 1; port <= 3; port++) bench.deliver(syn(port));
      bench.kernel.opener.answer(-111, null);
      bench.settle();
      bench.packets(ENDS4);
      bench.deliver(syn(4));
      expect(bench.kernel.opener.requests).to.have.length(3);
      expect(bench.flows()).to.equal(3);
    });
  });
}

describe('worker/tcp: the opener’s queue is full', () => {
  it('requests wait in their order, and are sent when there is room', () => {
    const bench = new Workbench();
    bench.kernel.opener.room = 2;
    for (let port = 1; port <= 6; port++) bench.deliver(syn(port));
    expect(bench.kernel.opener.requests).to.have.length(2);
    bench.kernel.opener.makeRoom(3);
    bench.settle();
    expect(bench.kernel.opener.requests).to.have.length(5);
    bench.kernel.opener.makeRoom(3);
    bench.settle();
    expect(bench.kernel.opener.requests).to.have.length(6);
    const streams = Array.from({ length: 6 }, () => new FakeStream());
    for (const stream of streams) bench.kernel.opener.answer(0, stream);
    bench.settle();
    for (const stream of streams) stream.accept();
    bench.settle();
    expect(bench.packets(ENDS4).map((packet) => readSegment(packet).destinationPort)).to.deep.equal([1, 2, 3, 4, 5, 6]);
  });

  it('a request that comes when there is room again waits behind those that wait', () => {
    const bench = new Workbench();
    bench.kernel.opener.room = 1;
    bench.deliver(syn(1), syn(2));
    bench.kernel.opener.room = 5;
    for (const port of [3, 4]) bench.kernel.tap.send(syn(port));
    bench.turn();
    bench.kernel.opener.makeRoom(1);
    bench.settle();
    const ids = bench.kernel.opener.requests.map(({ id }) => id & 0x3ffff);
    expect(ids).to.deep.equal([0, 1, 2, 3]);
  });

  it('a request whose flow has ended meanwhile costs a socket that is closed at once', () => {
    const bench = new Workbench();
    bench.kernel.opener.room = 0;
    bench.deliver(syn(1));
    const payload = new Uint8Array(0);
    bench.deliver(buildSegment(ENDS4, { sourcePort: 1, destinationPort: 80, seq: 2, ack: 0, flags: RST, window: 0, payload, gsoSize: 0 }));
    expect(bench.flows()).to.equal(0);
    bench.kernel.opener.makeRoom(5);
    bench.settle();
    const stream = new FakeStream();
    bench.kernel.opener.answer(0, stream);
    bench.settle();
    expect(stream.closed).to.equal(true);
    bench.expectNothingLeft();
  });
});
