/** What the guest says to a group or to all on its link, and what single hosts answer. */
import { expect } from 'chai';
import { addressFromBytes, parseAddress } from '../../../shared/addresses.ts';
import { DEFAULT_UDP_TIMEOUTS } from '../../../shared/limits.ts';
import { Verb } from '../../../shared/opener.ts';
import type { DatagramTimeouts } from '../../../worker/flow/idle.ts';
import { FakeDatagram } from '../../support/fake_datagram.ts';
import { EACCES, EADDRINUSE, ENETUNREACH } from '../../support/fake_file.ts';
import { buildDatagram, type Ends } from '../../support/guest_frame.ts';
import { pattern } from '../../support/tcp_dialogue.ts';
import { ENDS4, ENDS6, MAPPED_LOOPBACK4, Workbench } from '../../support/workbench.ts';

const PORT = 50_000;
const SSDP = 1900;
/** What the guest's port became on the host. */
const HEARD = 41_000;

function to(ends: Ends, far: string): Ends {
  const address = parseAddress(far) as Uint8Array;
  return { ...ends, far: ends.guest.length === 4 ? address.slice(12) : address };
}

const GROUP4 = to(ENDS4, '239.255.255.250');
const GROUP6 = to(ENDS6, 'ff02::c');

/** A group was asked once and both sockets are there. */
function asked(
  ends: Ends,
  udpTimeouts: DatagramTimeouts = DEFAULT_UDP_TIMEOUTS,
): { bench: Workbench; group: FakeDatagram; replies: FakeDatagram } {
  const bench = new Workbench({ udpTimeouts });
  const [group, replies] = [new FakeDatagram(), new FakeDatagram()];
  bench.deliver(buildDatagram(ends, PORT, SSDP, pattern(10)));
  bench.kernel.opener.answer(HEARD, replies);
  bench.settle();
  bench.kernel.opener.answer(HEARD, group);
  bench.settle();
  return { bench, group, replies };
}

for (const [name, ends, device] of [
  ['IPv4', GROUP4, '198.51.100.20'],
  ['IPv6', GROUP6, 'fe80::20'],
] as const) {
  describe(`worker/udp: groups, ${name}`, () => {
    it('first a socket that hears replies, then one that asks the group from its port, by the link that is the guest’s', () => {
      const bench = new Workbench();
      bench.deliver(buildDatagram(ends, PORT, SSDP, pattern(10)), buildDatagram(ends, PORT, SSDP, pattern(20)));
      const [first, ...others] = bench.kernel.opener.requests;
      expect(others).to.deep.equal([]);
      expect(first).to.include({ verb: Verb.UDP_REPLIES, sourcePort: PORT, destinationPort: SSDP, interface: 3 });
      bench.kernel.opener.answer(HEARD, new FakeDatagram());
      bench.settle();
      const [second] = bench.kernel.opener.requests;
      expect(second).to.include({ verb: Verb.UDP_GROUP, sourcePort: HEARD, destinationPort: SSDP, interface: 3 });
      expect(addressFromBytes(ends.far)).to.deep.equal(second?.destination);
      const group = new FakeDatagram();
      bench.kernel.opener.answer(HEARD, group);
      bench.settle();
      expect(group.sent).to.deep.equal([pattern(10), pattern(20)]);
    });

    it('RFC 6762 §6.7: what asks by mDNS leaves from a port that is not 5353, and is answered on the one that it has', () => {
      const bench = new Workbench();
      const asker = to(ends, name === 'IPv4' ? '224.0.0.251' : 'ff02::fb');
      bench.deliver(buildDatagram(asker, 5353, 5353, pattern(10)));
      expect(bench.kernel.opener.requests[0]).to.include({ verb: Verb.UDP_REPLIES, sourcePort: 0, destinationPort: 5353 });
      const replies = new FakeDatagram();
      bench.kernel.opener.answer(HEARD, replies);
      bench.settle();
      expect(bench.kernel.opener.requests[0]).to.include({ verb: Verb.UDP_GROUP, sourcePort: HEARD, destinationPort: 5353 });
      replies.answerFrom(parseAddress(device) as Uint8Array, 5353, pattern(300));
      bench.settle();
      const [packet] = bench.packets(to(ends, device));
      expect(new DataView((packet?.l4 as Uint8Array).buffer, packet?.l4.byteOffset).getUint32(0)).to.equal((5353 << 16) | 5353);
    });

    it('a question to another port of the group is listened for as long as the first', () => {
      const { bench, replies } = asked(ends);
      bench.advance(29_000);
      bench.deliver(buildDatagram(ends, PORT, SSDP + 1, pattern(10)));
      bench.kernel.opener.answer(HEARD, new FakeDatagram());
      bench.advance(20_000);
      replies.answerFrom(parseAddress(device) as Uint8Array, 1234, pattern(300));
      bench.settle();
      expect(bench.packets(to(ends, device))).to.have.length(1);
    });

    it('a reply comes from who has sent it, to the port that has asked', () => {
      const { bench, replies } = asked(ends);
      replies.answerFrom(parseAddress(device) as Uint8Array, 1234, pattern(300));
      replies.answerFrom(parseAddress(device) as Uint8Array, 1234, pattern(0));
      bench.settle();
      const packets = bench.packets(to(ends, device));
      expect(packets.map((packet) => packet.l4.slice(8))).to.deep.equal([pattern(300), pattern(0)]);
      for (const packet of packets) {
        const view = new DataView(packet.l4.buffer, packet.l4.byteOffset);
        expect([view.getUint16(0), view.getUint16(2)]).to.deep.equal([1234, PORT]);
        expect(addressFromBytes(packet.source)).to.deep.equal(parseAddress(device));
        expect(packet.destination).to.deep.equal(ends.guest);
      }
    });

    it('several ports of a group that are asked from one port have one socket for replies, another group another', () => {
      const { bench } = asked(ends);
      bench.deliver(buildDatagram(ends, PORT, 5353, pattern(10)));
      expect(bench.kernel.opener.requests.map((request) => request.verb)).to.deep.equal([Verb.UDP_GROUP]);
      expect(bench.kernel.opener.requests[0]?.sourcePort).to.equal(HEARD);
      expect(bench.flows()).to.equal(3);
      bench.deliver(buildDatagram(to(ends, name === 'IPv4' ? '224.0.0.251' : 'ff02::fb'), PORT, 5353, pattern(10)));
      expect(bench.kernel.opener.requests.map((request) => request.verb)).to.deep.equal([Verb.UDP_GROUP, Verb.UDP_REPLIES]);
    });

    it('all that have waited for the port ask, but those that have ended', () => {
      const bench = new Workbench();
      const ports = [5353, 5354, 5355];
      for (const port of ports) bench.deliver(buildDatagram(ends, PORT, port, pattern(10)));
      expect(bench.kernel.opener.requests).to.have.length(1);
      bench.advance(29_000);
      bench.deliver(...[5353, 5355].map((port) => buildDatagram(ends, PORT, port, pattern(10))));
      bench.advance(5000);
      bench.kernel.opener.answer(HEARD, new FakeDatagram());
      bench.settle();
      expect(bench.kernel.opener.requests.map((request) => request.destinationPort)).to.have.members([5353, 5355]);
    });

    it('nothing is left when nobody asks and nobody replies', () => {
      const { bench, group, replies } = asked(ends);
      bench.advance(20_000);
      replies.answerFrom(parseAddress(device) as Uint8Array, 1234, pattern(9));
      bench.settle();
      bench.advance(20_000);
      expect([group.closed, replies.closed], 'heard for as long as there are replies').to.deep.equal([true, false]);
      bench.advance(15_000);
      bench.expectNothingLeft();
      expect(replies.closed).to.equal(true);
    });

    it('a port that can’t be had ends what has waited for it, and the guest is told nothing', () => {
      const bench = new Workbench();
      bench.deliver(buildDatagram(ends, PORT, SSDP, pattern(10)));
      bench.kernel.opener.answer(-ENETUNREACH, null);
      bench.settle();
      expect(bench.packets(ends)).to.deep.equal([]);
      expect(bench.counter('opener_refused')).to.be.above(0);
      bench.expectNothingLeft();
    });
  });
}

describe('worker/udp: groups', () => {
  it('what is said to all on the link, by its own address or by the subnet’s, is heard from single hosts as well', () => {
    const { bench } = asked(to(ENDS4, '255.255.255.255'));
    const subnet = to(ENDS4, '198.51.100.255');
    bench.deliver(buildDatagram(subnet, PORT + 1, SSDP, pattern(10)));
    expect(bench.kernel.opener.requests[0]?.verb, 'a host’s address, for all we know').to.equal(Verb.UDP_CONNECT);
    bench.kernel.opener.answer(-EACCES, null);
    bench.settle();
    expect(bench.kernel.opener.requests.map((request) => request.verb)).to.deep.equal([Verb.UDP_REPLIES]);
    bench.kernel.opener.answer(HEARD, new FakeDatagram());
    bench.settle();
    expect(bench.kernel.opener.requests[0]).to.include({ verb: Verb.UDP_GROUP, interface: 0 });
    const group = new FakeDatagram();
    bench.kernel.opener.answer(HEARD, group);
    bench.settle();
    expect(group.sent).to.deep.equal([pattern(10)]);
  });

  it('a destination that is forbidden for another reason is told, once', () => {
    const bench = new Workbench();
    bench.deliver(buildDatagram(ENDS4, PORT, SSDP, pattern(10)));
    bench.kernel.opener.answer(-EACCES, null);
    bench.settle();
    bench.kernel.opener.answer(-EACCES, null);
    bench.settle();
    expect(bench.kernel.opener.requests).to.deep.equal([]);
    expect(bench.packets(ENDS4).map((packet) => Array.from(packet.l4.slice(0, 2)))).to.deep.equal([[3, 13]]);
    bench.expectNothingLeft();
  });

  it('a reply of this host itself comes from the address that stands for it, or not at all', () => {
    const { bench, replies } = asked(GROUP4);
    replies.answerFrom(addressFromBytes(ENDS4.guest), 1234, pattern(5));
    replies.answerFrom(parseAddress('127.0.0.1') as Uint8Array, 1234, pattern(5));
    bench.settle();
    const host = parseAddress(MAPPED_LOOPBACK4);
    const packets = bench.packets(ENDS4);
    expect(packets.map((packet) => addressFromBytes(packet.source))).to.deep.equal([host, host]);
    const six = asked(GROUP6);
    six.replies.answerFrom(ENDS6.guest, 1234, pattern(5));
    six.replies.answerFrom(parseAddress('ff02::c') as Uint8Array, 1234, pattern(5));
    six.bench.settle();
    expect(six.bench.packets(ENDS6)).to.deep.equal([]);
    expect(six.bench.counter('udp_datagrams_dropped')).to.equal(2);
  });

  it('RFC 1122 §3.2.2: no error about what was sent to a group', () => {
    const { bench, group } = asked(GROUP4);
    const offender = addressFromBytes(ENDS4.far);
    group.fail({ errno: ENETUNREACH, origin: 2, type: 3, code: 0, info: 0, offender, payload: pattern(10) });
    group.fail({ errno: 90, origin: 1, type: 0, code: 0, info: 1280, offender: new Uint8Array(16), payload: pattern(2000) });
    bench.settle();
    expect(bench.packets(ENDS4)).to.deep.equal([]);
  });

  it('RFC 4443 §2.4 (e.3): no error about what was sent to a group, but that it is too big', () => {
    const { bench, group } = asked(GROUP6);
    const offender = ENDS6.far;
    group.fail({ errno: ENETUNREACH, origin: 3, type: 1, code: 0, info: 0, offender, payload: pattern(10) });
    group.fail({ errno: 90, origin: 1, type: 0, code: 0, info: 1280, offender: new Uint8Array(16), payload: pattern(2000) });
    bench.settle();
    expect(bench.packets(ENDS6).map((packet) => packet.l4[0])).to.deep.equal([2]);
  });

  it('after the port for replies is gone, the next question begins anew', () => {
    const bench = new Workbench({ flows: 3 });
    bench.deliver(buildDatagram(GROUP4, PORT, SSDP, pattern(10)));
    bench.kernel.opener.answer(-EADDRINUSE, null);
    bench.settle();
    bench.deliver(buildDatagram(GROUP4, PORT, SSDP, pattern(10)));
    expect(bench.kernel.opener.requests[0]?.verb).to.equal(Verb.UDP_REPLIES);
  });

  it('a flow that is kept longer than its replies are heard begins anew with the next question', () => {
    const { bench, group, replies } = asked(GROUP4, { unanswered: 100_000, answered: 100_000 });
    bench.advance(20_000);
    bench.deliver(buildDatagram(GROUP4, PORT, SSDP, pattern(11)));
    bench.advance(20_000);
    expect([group.closed, replies.closed, group.sent.length], 'a question keeps both').to.deep.equal([false, false, 2]);
    bench.advance(20_000);
    expect([group.closed, replies.closed]).to.deep.equal([false, true]);
    bench.deliver(buildDatagram(GROUP4, PORT, SSDP, pattern(12)));
    expect(group.closed).to.equal(true);
    expect(bench.kernel.opener.requests.map((request) => request.verb)).to.deep.equal([Verb.UDP_REPLIES]);
  });

  it('without room for two flows nothing is begun, and what there is goes on', () => {
    const bench = new Workbench({ flows: 1 });
    bench.deliver(buildDatagram(GROUP4, PORT, SSDP, pattern(10)));
    expect(bench.kernel.opener.requests).to.deep.equal([]);
    expect(bench.counter('udp_flows_refused')).to.equal(1);
    bench.expectNothingLeft();
  });
});
