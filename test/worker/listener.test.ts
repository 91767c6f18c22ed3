/** Who comes to forwarded ports, and how the guest sees it. */
import { expect } from 'chai';
import { parseAddress } from '../../shared/addresses.ts';
import { Counter } from '../../shared/counters.ts';
import { Verb } from '../../shared/opener.ts';
import { closeListeners, LISTENERS, type ListenerFacts, openListener, setForwardedPorts } from '../../worker/listener.ts';
import { counters } from '../../worker/link/counters.ts';
import { setForwarding } from '../../worker/flow/forward.ts';
import { flowCount, freeDescriptors } from '../../worker/flow/table.ts';
import { setLoopbacks } from '../../worker/flow/loopback.ts';
import { FakeDatagram } from '../support/fake_datagram.ts';
import { EMFILE } from '../support/fake_file.ts';
import { FakeListener } from '../support/fake_listener.ts';
import { FakeStream } from '../support/fake_stream.ts';
import { buildDatagram, type Ends } from '../support/guest_frame.ts';
import { pattern } from '../support/tcp_dialogue.ts';
import { type BenchOptions, ENDS4, ENDS6, MAPPED_LOOPBACK4, Workbench } from '../support/workbench.ts';

const PORT = 8080;
const GUEST_PORT = 80;
const FAR_PORT = 40_000;
const NONE = new Uint8Array(0);
const TCP: ListenerFacts = { id: 3, protocol: 6, guest: false, port: PORT, targetPort: GUEST_PORT, target: NONE };
const UDP: ListenerFacts = { ...TCP, id: 200, protocol: 17 };

function address(text: string): Uint8Array {
  return parseAddress(text) as Uint8Array;
}

/** The host kernel's end of a connection that somebody has made. */
function arriving(): FakeStream {
  const stream = new FakeStream();
  stream.connected = true;
  return stream;
}

function listening(facts: ListenerFacts, options: BenchOptions = {}): { bench: Workbench; listener: FakeListener; fd: number } {
  const bench = new Workbench({ descriptors: 8, ...options });
  setForwardedPorts({ frames: true });
  const listener = new FakeListener();
  const fd = bench.kernel.install(listener);
  openListener(facts, fd);
  return { bench, listener, fd };
}

function hearing(facts: ListenerFacts = UDP): { bench: Workbench; listener: FakeDatagram; fd: number } {
  const bench = new Workbench();
  setForwardedPorts({ frames: true });
  const listener = new FakeDatagram();
  const fd = bench.kernel.install(listener);
  openListener(facts, fd);
  return { bench, listener, fd };
}

/** Source and destination of the only packet that the guest has got, IPv4 mapped, and its ports. */
function seen(bench: Workbench, ends: Ends = ENDS4): { from: Uint8Array; to: Uint8Array; ports: number[] } | undefined {
  bench.settle();
  const [packet] = bench.packets(ends);
  if (packet === undefined) return undefined;
  const l4 = new DataView(packet.l4.buffer, packet.l4.byteOffset);
  const mapped = (bytes: Uint8Array): Uint8Array => (bytes.length === 4 ? address(bytes.join('.')) : bytes);
  return { from: mapped(packet.source), to: mapped(packet.destination), ports: [l4.getUint16(0), l4.getUint16(2)] };
}

const GUEST4 = address([...ENDS4.guest].join('.'));

describe('worker/listener', () => {
  afterEach(() => {
    closeListeners([TCP.id, UDP.id]);
  });

  const rows: [string, string, Uint8Array, Uint8Array, Ends?][] = [
    ['a far end of IPv4', '198.51.100.7', address('198.51.100.7'), GUEST4],
    ['a far end of IPv6', '2001:db8:7::1', address('2001:db8:7::1'), ENDS6.guest, ENDS6],
    ['127.0.0.1', '127.0.0.1', address(MAPPED_LOOPBACK4), GUEST4],
    ['another of the loopback', '127.0.0.5', address(MAPPED_LOOPBACK4), GUEST4],
    ['the address the guest has, too', [...ENDS4.guest].join('.'), address(MAPPED_LOOPBACK4), GUEST4],
  ];
  for (const [what, from, shown, to, ends] of rows)
    it(`shows ${what} to the guest, TCP and UDP`, () => {
      const connection = listening(TCP);
      connection.listener.come(arriving(), address(from), FAR_PORT);
      expect(seen(connection.bench, ends)).to.deep.equal({ from: shown, to, ports: [FAR_PORT, GUEST_PORT] });
      closeListeners([TCP.id]);
      const datagram = hearing();
      datagram.listener.comeFrom({ address: address(from), port: FAR_PORT, to: address('192.0.2.2') }, pattern(9));
      expect(seen(datagram.bench, ends)).to.deep.equal({ from: shown, to, ports: [FAR_PORT, GUEST_PORT] });
    });

  it('leads who comes from a loopback to the other side without a frame, and nobody else', () => {
    for (const [guest, from, way, asked] of [
      [false, '127.0.0.1', 'namespaceOpener'],
      [false, '::1', 'namespaceOpener'],
      [false, '198.51.100.7', 'frame'],
      [true, '127.0.0.1', 'opener'],
      [true, '127.0.0.1', 'nowhere', '192.0.2.2'],
      [true, '192.0.2.2', 'nowhere'],
    ] as const) {
      const { bench, listener } = listening({ ...TCP, guest });
      setLoopbacks({ splices: true, guestLoopback: false });
      const stream = arriving();
      if (asked !== undefined) stream.localAddress = address(asked);
      listener.come(stream, address(from), FAR_PORT);
      const what = `${guest ? 'in' : 'out'} ${from}`;
      expect(seen(bench) !== undefined, what).to.equal(way === 'frame');
      expect(stream.farSawReset, what).to.equal(way === 'nowhere');
      for (const opener of ['opener', 'namespaceOpener'] as const) {
        const ports = bench.kernel[opener].requests.map(({ destinationPort }) => destinationPort);
        expect(ports, `${what} ${opener}`).to.deep.equal(way === opener ? [GUEST_PORT] : []);
      }
      closeListeners([TCP.id]);
    }
  });

  it('refuses by a reset whom it can’t show', () => {
    for (const from of ['::1', '224.0.0.1']) {
      const { bench, listener } = listening(TCP);
      if (from === '::1') setForwarding({ ...emptyFacts(), guestAddress6: ENDS6.guest });
      const stream = arriving();
      listener.come(stream, address(from), FAR_PORT);
      expect(seen(bench), from).to.equal(undefined);
      expect(stream.farSawReset, from).to.equal(true);
      expect(counters[Counter.comers_refused]).to.equal(1);
      closeListeners([TCP.id]);
    }
  });

  it('asks where the rule says, in the same family only', () => {
    const { bench, listener } = listening({ ...TCP, target: address('192.0.2.99') });
    listener.come(arriving(), address('198.51.100.7'), FAR_PORT);
    expect(seen(bench)?.to).to.deep.equal(address('192.0.2.99'));
    const stream = arriving();
    listener.come(stream, address('2001:db8:7::1'), FAR_PORT);
    expect(seen(bench)).to.equal(undefined);
    expect(stream.farSawReset).to.equal(true);
  });

  it('knows the guest by the address that it last spoke from', () => {
    const { bench, listener } = listening(TCP);
    bench.deliver(buildDatagram({ ...ENDS4, guest: Uint8Array.of(192, 0, 2, 77) }, 1, 2, pattern(1)));
    bench.packets(ENDS4);
    listener.come(arriving(), address('198.51.100.7'), FAR_PORT);
    expect(seen(bench)?.to).to.deep.equal(address('192.0.2.77'));
  });

  it('asks for the global address on behalf of this host, and for that of the link on behalf of those on it', () => {
    const { bench, listener } = listening(TCP);
    const onLink = { ...ENDS6, guest: address('fe80::99') };
    bench.deliver(buildDatagram(onLink, 1, 2, pattern(1)));
    bench.packets(ENDS6);
    setForwarding({ ...emptyFacts(), guestAddress6: ENDS6.guest, ourLinkLocal: address('fe80::1') });
    listener.come(arriving(), ENDS6.guest, FAR_PORT);
    expect(seen(bench, ENDS6)).to.deep.equal({ from: address('fe80::1'), to: ENDS6.guest, ports: [FAR_PORT, GUEST_PORT] });
    listener.come(arriving(), address('fe80::7'), FAR_PORT);
    expect(seen(bench, ENDS6)?.to).to.deep.equal(address('fe80::99'));
  });

  it('is left alone for a while when descriptors are used up, and nobody who waits is lost', () => {
    const { bench, listener } = listening(TCP);
    listener.errors.push(EMFILE);
    listener.come(arriving(), address('198.51.100.7'), FAR_PORT);
    expect(seen(bench)).to.equal(undefined);
    expect(bench.wait()).to.be.within(1, 100);
    bench.advance(100);
    expect(seen(bench)?.ports).to.deep.equal([FAR_PORT, GUEST_PORT]);
  });

  it('takes descriptors from those for flows while it is open', () => {
    const { bench, listener } = listening(TCP, { descriptors: 2 });
    const streams = [arriving(), arriving()];
    for (const [index, stream] of streams.entries()) listener.come(stream, address('198.51.100.7'), FAR_PORT + index);
    bench.settle();
    expect(streams.map((stream) => stream.farSawReset)).to.deep.equal([false, true]);
  });

  it('is refused while flows hold all descriptors, and makes room where nobody has answered', () => {
    const { bench } = listening(TCP, { descriptors: 2 });
    bench.deliver(buildDatagram(ENDS4, 1, 2, pattern(1)));
    bench.kernel.opener.answer(1, new FakeDatagram());
    bench.settle();
    expect(freeDescriptors()).to.equal(0);
    const unanswered = new FakeListener();
    expect(openListener(UDP, bench.kernel.install(unanswered))).to.equal(true);
    expect([flowCount, freeDescriptors()]).to.deep.equal([0, 0]);
    const refused = new FakeListener();
    expect(openListener({ ...UDP, id: UDP.id + 1 }, bench.kernel.install(refused))).to.equal(false);
    expect(refused.closed).to.equal(true);
    closeListeners([UDP.id]);
    expect(freeDescriptors()).to.equal(1);
  });

  it('is closed for good, and an event that was under way is of no account', () => {
    const { bench, listener } = listening(TCP);
    listener.come(arriving(), address('198.51.100.7'), FAR_PORT);
    closeListeners([TCP.id]);
    closeListeners([TCP.id]);
    expect(seen(bench)).to.equal(undefined);
    expect(listener.closed).to.equal(true);
    expect(LISTENERS - 0).to.be.below(-3);
  });

  it('asks for a socket that answers from the address that was asked', () => {
    const { bench, listener } = hearing();
    listener.comeFrom({ address: address('198.51.100.7'), port: FAR_PORT, to: address('192.0.2.2') }, pattern(9));
    bench.settle();
    const [request] = bench.kernel.opener.requests;
    expect(request).to.deep.include({ verb: Verb.UDP_CONNECT, family: 4, sourcePort: PORT, destinationPort: FAR_PORT });
    expect(request?.source).to.deep.equal(address('192.0.2.2'));
    expect(request?.destination).to.deep.equal(address('198.51.100.7'));
  });

  it('brings datagrams to the guest in the order in which they came, whichever socket heard them, and none to another flow', () => {
    const { bench, listener } = hearing();
    const from = (port: number): { address: Uint8Array; port: number; to: Uint8Array } => ({
      address: address('198.51.100.7'),
      port,
      to: address('192.0.2.2'),
    });
    listener.comeFrom(from(FAR_PORT), pattern(1));
    bench.settle();
    const socket = new FakeDatagram();
    // Heard by the new socket before it was connected: one of another far end; and while it is connected one more comes to the listener.
    socket.comeFrom(from(FAR_PORT + 1), pattern(3));
    socket.comeFrom(from(FAR_PORT), pattern(4));
    listener.comeFrom(from(FAR_PORT), pattern(2));
    bench.kernel.opener.answer(PORT, socket);
    bench.settle();
    const heard = bench.packets(ENDS4).map(({ l4 }) => [new DataView(l4.buffer, l4.byteOffset).getUint16(0) - FAR_PORT, l4.length - 8]);
    expect(heard).to.deep.equal([
      [0, 1],
      [0, 2],
      [1, 3],
      [0, 4],
    ]);
  });
});

describe('worker/listener, datagrams of one that is closed', () => {
  const from = { address: address('198.51.100.7'), port: FAR_PORT, to: address('192.0.2.2') };

  afterEach(() => closeListeners([TCP.id, UDP.id, UDP.id + 1]));

  /** A flow, which has its socket. */
  function flowing(): { bench: Workbench; socket: FakeDatagram } {
    const { bench, listener } = hearing();
    listener.comeFrom(from, pattern(9));
    bench.settle();
    const socket = new FakeDatagram();
    bench.kernel.opener.answer(PORT, socket);
    bench.settle();
    return { bench, socket };
  }

  it('have no flow any more, and its socket has left the port', () => {
    const { bench, socket } = flowing();
    closeListeners([UDP.id]);
    expect(socket.closed).to.equal(true);
    expect(flowCount).to.equal(0);
    expect(counters[Counter.udp_flows_ended]).to.equal(1);
    bench.settle();
  });

  it('have none that waits for its socket either', () => {
    const { bench, listener } = hearing();
    listener.comeFrom(from, pattern(9));
    bench.settle();
    closeListeners([UDP.id]);
    expect(flowCount).to.equal(0);
    const socket = new FakeDatagram();
    bench.kernel.opener.answer(PORT, socket);
    bench.settle();
    expect(socket.closed).to.equal(true);
  });

  it('are the only ones: flows of another listener, of the guest, and connections go on', () => {
    const { bench, socket } = flowing();
    const other = new FakeListener();
    openListener(TCP, bench.kernel.install(other));
    openListener({ ...UDP, id: UDP.id + 1 }, bench.kernel.install(new FakeDatagram()));
    const stream = arriving();
    other.come(stream, from.address, FAR_PORT);
    bench.deliver(buildDatagram(ENDS4, 5000, 53, pattern(1)));
    bench.settle();
    const before = flowCount;
    closeListeners([TCP.id, UDP.id + 1]);
    expect(flowCount).to.equal(before);
    expect([socket.closed, stream.farSawReset]).to.deep.equal([false, false]);
  });
});

function emptyFacts(): Parameters<typeof setForwarding>[0] {
  return {
    mapHostLoopback4: NONE,
    mapHostLoopback6: NONE,
    mapGuestAddress4: NONE,
    mapGuestAddress6: NONE,
    guestAddress4: NONE,
    guestAddress6: NONE,
    gateway4: NONE,
    gateway6: NONE,
    ourLinkLocal: NONE,
    templateInterface: 0,
  };
}
