/** Where flows of the guest go; DNS to the host's resolver above all. */
import { expect } from 'chai';
import { addressFromBytes, formatAddress, parseAddress } from '../../../shared/addresses.ts';
import { setResolvers } from '../../../worker/flow/forward.ts';
import { outdateNameFlows } from '../../../worker/udp/flow.ts';
import { FakeDatagram } from '../../support/fake_datagram.ts';
import { FakeStream } from '../../support/fake_stream.ts';
import { buildDatagram, buildEcho, buildSegment, type Ends, RST, SYN } from '../../support/guest_frame.ts';
import { pattern } from '../../support/tcp_dialogue.ts';
import { ENDS4, ENDS6, MAPPED_LOOPBACK4, Workbench } from '../../support/workbench.ts';

const PORT = 5000;
const NONE = new Uint8Array(0);
const address = (text: string): Uint8Array => parseAddress(text) as Uint8Array;
const FORWARD4 = '169.254.1.1';
const FORWARD6 = 'fd00::53';

/** The guest and an address that it asks. */
function to(text: string): Ends {
  return text.includes(':') ? { ...ENDS6, far: address(text) } : { ...ENDS4, far: address(text).slice(12) };
}

function forwarding(host4: string | null, host6: string | null): void {
  setResolvers({
    forward4: address(FORWARD4),
    forward6: address(FORWARD6),
    host4: host4 === null ? NONE : address(host4),
    host6: host6 === null ? NONE : address(host6),
  });
}

function syn(ends: Ends, port: number): Uint8Array {
  return buildSegment(ends, {
    sourcePort: PORT,
    destinationPort: port,
    seq: 1,
    ack: 0,
    flags: SYN,
    window: 1000,
    payload: NONE,
    gsoSize: 0,
  });
}

/** Where the opener was asked to go: ADDRESS port PORT, and the interface where there is one. */
function asked(bench: Workbench): string[] {
  return bench.kernel.opener.requests.map((request) => {
    const scope = request.interface === 0 ? '' : `%${request.interface}`;
    return `${formatAddress(request.destination)}${scope} port ${request.destinationPort}`;
  });
}

for (const [forward, host4, host6, host] of [
  [FORWARD4, '127.0.0.53', null, '127.0.0.53'],
  [FORWARD4, '198.51.100.53', null, '198.51.100.53'],
  [FORWARD6, null, '::1', '::1'],
  [FORWARD6, null, '2001:db8::53', '2001:db8::53'],
] as const) {
  describe(`worker/flow/forward: DNS to ${forward} with the resolver ${host}`, () => {
    const ends = to(forward);

    for (const port of [53, 853]) {
      it(`UDP to port ${port} reaches the resolver, and answers come from the address that was asked`, () => {
        const bench = new Workbench();
        forwarding(host4, host6);
        bench.deliver(buildDatagram(ends, PORT, port, pattern(30)));
        expect(asked(bench)).to.deep.equal([`${host} port ${port}`]);
        const socket = new FakeDatagram();
        bench.kernel.opener.answer(PORT, socket);
        socket.answer(pattern(99));
        bench.settle();
        expect(socket.sent).to.deep.equal([pattern(30)]);
        const [packet] = bench.packets(ends);
        expect(packet?.source).to.deep.equal(ends.far);
        expect(packet?.l4.slice(8)).to.deep.equal(pattern(99));
      });

      it(`TCP to port ${port} reaches the resolver, and its SYN|ACK comes from the address that was asked`, () => {
        const bench = new Workbench();
        forwarding(host4, host6);
        bench.deliver(syn(ends, port));
        expect(asked(bench)).to.deep.equal([`${host} port ${port}`]);
        const stream = new FakeStream();
        bench.kernel.opener.answer(0, stream);
        stream.accept();
        bench.settle();
        expect(bench.packets(ends).map(({ source }) => source)).to.deep.equal([ends.far]);
      });
    }

    it('other ports, other protocols and other addresses are what they are', () => {
      const bench = new Workbench();
      forwarding(host4, host6);
      const other = to(forward === FORWARD4 ? '169.254.1.2' : 'fd00::54');
      bench.deliver(buildDatagram(ends, PORT, 54, pattern(1)), syn(ends, 443), buildEcho(ends, 53, 1, pattern(8)));
      bench.deliver(buildDatagram(other, PORT, 53, pattern(1)));
      const same = (port: number): string => `${forward} port ${port}`;
      expect(asked(bench)).to.deep.equal([same(54), same(443), same(0), `${formatAddress(addressFromBytes(other.far))} port 53`]);
    });

    it('the host has no resolver any more: UDP is told so, TCP is reset, and nothing is asked for', () => {
      const bench = new Workbench();
      forwarding(null, null);
      bench.deliver(buildDatagram(ends, PORT, 53, pattern(30)), syn(ends, 53));
      expect(asked(bench)).to.deep.equal([]);
      const [error, reset] = bench.packets(ends);
      const isIpv4 = ends.far.length === 4;
      expect([error?.protocol, error?.l4[0], error?.l4[1]]).to.deep.equal(isIpv4 ? [1, 3, 3] : [58, 1, 4]);
      expect(reset?.protocol).to.equal(6);
      expect((reset?.l4[13] ?? 0) & RST).to.equal(RST);
      bench.expectNothingLeft();
    });
  });
}

describe('worker/flow/forward', () => {
  it('after a change of resolver the answer that is under way arrives, and the next query of the same port is for the new one', () => {
    const bench = new Workbench();
    const ends = to(FORWARD4);
    const other = to('198.51.100.7');
    forwarding('127.0.0.53', null);
    for (const each of [ends, other]) bench.deliver(buildDatagram(each, PORT, 53, pattern(1)));
    const [before, unconcerned, after] = [new FakeDatagram(), new FakeDatagram(), new FakeDatagram()];
    bench.kernel.opener.answer(PORT, before);
    bench.kernel.opener.answer(PORT, unconcerned);
    bench.settle();
    forwarding('198.51.100.53', null);
    outdateNameFlows();
    before.answer(pattern(99));
    bench.settle();
    expect(bench.packets(ends).map(({ l4 }) => l4.slice(8))).to.deep.equal([pattern(99)]);
    for (const each of [ends, other]) bench.deliver(buildDatagram(each, PORT, 53, pattern(2)));
    expect(asked(bench)).to.deep.equal(['198.51.100.53 port 53']);
    bench.kernel.opener.answer(PORT, after);
    bench.settle();
    expect([before.sent, after.sent, before.closed]).to.deep.equal([[pattern(1)], [pattern(2)], true]);
    expect(unconcerned.sent).to.deep.equal([pattern(1), pattern(2)]);
    bench.deliver(buildDatagram(ends, PORT, 53, pattern(3)));
    expect(after.sent).to.deep.equal([pattern(2), pattern(3)]);
  });

  it('queries that wait for their socket when the resolver changes are not lost', () => {
    const bench = new Workbench();
    const ends = to(FORWARD4);
    forwarding('127.0.0.53', null);
    bench.deliver(buildDatagram(ends, PORT, 53, pattern(1)));
    forwarding('198.51.100.53', null);
    outdateNameFlows();
    bench.deliver(buildDatagram(ends, PORT, 53, pattern(2)));
    const before = new FakeDatagram();
    bench.kernel.opener.answer(PORT, before);
    bench.settle();
    expect(before.sent).to.deep.equal([pattern(1), pattern(2)]);
    bench.deliver(buildDatagram(ends, PORT, 53, pattern(3)));
    expect(asked(bench)).to.deep.equal(['198.51.100.53 port 53']);
  });

  it('DNS to the mapped gateway is for the resolver, all else for the loopback', () => {
    const bench = new Workbench();
    setResolvers({ forward4: address(MAPPED_LOOPBACK4), forward6: NONE, host4: address('127.0.0.53'), host6: NONE });
    const ends = to(MAPPED_LOOPBACK4);
    bench.deliver(buildDatagram(ends, PORT, 53, pattern(1)), buildDatagram(ends, PORT, 80, pattern(1)));
    expect(asked(bench)).to.deep.equal(['127.0.0.53 port 53', '127.0.0.1 port 80']);
  });

  it('the address that stood for the resolver until the host got another gateway goes on doing so, and only the last one', () => {
    const bench = new Workbench();
    for (const gateway of ['192.0.2.201', '192.0.2.202', '192.0.2.202', '192.0.2.203'])
      setResolvers({ forward4: address(gateway), forward6: NONE, host4: address('127.0.0.53'), host6: NONE });
    for (const gateway of ['192.0.2.201', '192.0.2.202', '192.0.2.203']) bench.deliver(buildDatagram(to(gateway), PORT, 53, pattern(1)));
    expect(asked(bench)).to.deep.equal(['192.0.2.201 port 53', '127.0.0.53 port 53', '127.0.0.53 port 53']);
    bench.kernel.opener.requests.length = 0;
    setResolvers({ forward4: NONE, forward6: NONE, host4: NONE, host6: NONE });
    bench.deliver(buildDatagram(to('192.0.2.202'), PORT + 1, 53, pattern(1)));
    expect(asked(bench)).to.deep.equal(['192.0.2.202 port 53']);
  });

  it('a link-local resolver is asked on the uplink', () => {
    const bench = new Workbench();
    forwarding(null, 'fe80::53');
    bench.deliver(buildDatagram(to(FORWARD6), PORT, 53, pattern(1)));
    expect(asked(bench)).to.deep.equal(['fe80::53%3 port 53']);
  });
});
