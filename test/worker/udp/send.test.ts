/** Datagrams of the guest that leave together: which do, in which order, and what becomes of them when the kernel would not have it. */
import { expect } from 'chai';
import { FakeDatagram } from '../../support/fake_datagram.ts';
import { EAGAIN, ECONNREFUSED } from '../../support/fake_file.ts';
import { buildDatagram, buildEcho } from '../../support/guest_frame.ts';
import { pattern } from '../../support/tcp_dialogue.ts';
import { ENDS4, Workbench } from '../../support/workbench.ts';

const FAR = 53;

/** Flows from guest ports 5000, 5001, … with their sockets. */
function flows(count: number): { bench: Workbench; sockets: FakeDatagram[] } {
  const bench = new Workbench();
  const sockets = Array.from({ length: count }, (_, at) => {
    const socket = new FakeDatagram();
    bench.deliver(buildDatagram(ENDS4, 5000 + at, FAR, pattern(1)));
    bench.kernel.opener.answer(5000 + at, socket);
    bench.settle();
    socket.sent.length = 0;
    socket.calls.length = 0;
    return socket;
  });
  return { bench, sockets };
}

function flow(): { bench: Workbench; socket: FakeDatagram } {
  const { bench, sockets } = flows(1);
  return { bench, socket: sockets[0] as FakeDatagram };
}

/** The guest sends datagrams of these lengths in one batch; returns their payloads. */
function sendLengths(bench: Workbench, ...lengths: number[]): Uint8Array[] {
  const payloads = lengths.map((length, at) => pattern(length, at));
  bench.deliver(...payloads.map((payload) => buildDatagram(ENDS4, 5000, FAR, payload)));
  return payloads;
}

describe('worker/udp: datagrams that leave together', () => {
  // biome-ignore format: a case is a line
  for (const [lengths, calls] of [
    [[100], [100]],
    [[100, 100, 100], [300]],
    [[100, 100, 40, 100, 100], [240, 200]],
    [[100, 200], [100, 200]],
    [[200, 100, 100], [300, 100]],
    [[0, 0], [0, 0]],
    [[100, 0, 100], [100, 0, 100]],
    [[30_000, 30_000, 30_000], [60_000, 30_000]],
    [[65_507, 65_507], [65_507, 65_507]],
    [[22_000, 22_000, 22_000], [44_000, 22_000]],
    [[1, 1, 1], [3]],
    [new Array<number>(32).fill(7), [224]],
  ] as const) {
    it(`${lengths.length > 8 ? `${lengths.length} × ${lengths[0]}` : lengths} bytes are ${calls.length} calls`, () => {
      const { bench, socket } = flow();
      const payloads = sendLengths(bench, ...lengths);
      expect(socket.calls).to.deep.equal(calls);
      expect(socket.sent).to.deep.equal(payloads);
      expect(socket.refused).to.equal(0);
      expect(bench.counter('udp_datagrams_out')).to.equal(1 + lengths.length);
    });
  }

  it('what is between them ends a run: another flow, another protocol, a superframe; each datagram goes to its own far end', () => {
    const { bench, sockets } = flows(2);
    const from = (port: number, fill: number, segment?: number) => buildDatagram(ENDS4, port, FAR, pattern(90, fill), segment);
    bench.deliver(from(5000, 1), from(5000, 2), from(5001, 3), from(5000, 4), buildEcho(ENDS4, 1, 1, pattern(8)), from(5000, 5));
    expect(sockets[0]?.calls).to.deep.equal([180, 90, 90]);
    expect(sockets[0]?.sent).to.deep.equal([1, 2, 4, 5].map((fill) => pattern(90, fill)));
    expect(sockets[1]?.sent).to.deep.equal([pattern(90, 3)]);
    bench.deliver(from(5000, 6), from(5000, 7, 40), from(5000, 8));
    expect(sockets[0]?.calls.slice(3)).to.deep.equal([90, 90, 90]);
    expect(sockets[0]?.sent.slice(4)).to.deep.equal([
      pattern(90, 6),
      ...[0, 40, 80].map((at) => pattern(90, 7).slice(at, at + 40)),
      pattern(90, 8),
    ]);
  });

  it('a superframe of more datagrams than the kernel splits at once leaves by several calls', () => {
    const { bench, socket } = flow();
    bench.deliver(buildDatagram(ENDS4, 5000, FAR, pattern(1005), 10));
    expect(socket.calls).to.deep.equal([640, 365]);
    expect(socket.sent).to.have.length(101);
    expect(bench.counter('udp_datagrams_out')).to.equal(102);
  });

  it('the socket’s option is set once for batches alike, and no later datagram is split by it', () => {
    const { bench, socket } = flow();
    sendLengths(bench, 100, 100);
    const set = bench.kernel.calls.get('setOption');
    sendLengths(bench, 100, 100);
    sendLengths(bench, 60);
    expect(bench.kernel.calls.get('setOption')).to.equal(set);
    const [large] = sendLengths(bench, 1200);
    expect(socket.sent.at(-1)).to.deep.equal(large);
  });

  it('datagrams that exceed the path’s MTU are fragmented one by one, later ones as well; smaller ones leave together', () => {
    const { bench, socket } = flow();
    socket.mtu = 1500;
    const refused = sendLengths(bench, 2000, 2000, 100);
    expect(socket.calls).to.deep.equal([2000, 2000, 100]);
    const refusals = socket.refused;
    const again = sendLengths(bench, 3000, 3000);
    const small = sendLengths(bench, 500, 500);
    expect(socket.calls.slice(3)).to.deep.equal([3000, 3000, 1000]);
    expect(socket.refused, 'it is not tried again').to.equal(refusals);
    expect(socket.sent).to.deep.equal([...refused, ...again, ...small]);
    expect(bench.counter('udp_datagrams_dropped')).to.equal(0);
    expect(bench.packets(ENDS4), 'the guest has no part in it').to.deep.equal([]);
  });

  it('a path whose MTU has shrunk does not stop lone datagrams behind a batch', () => {
    const { bench, socket } = flow();
    sendLengths(bench, 1400, 1400);
    socket.mtu = 1300;
    const [late] = sendLengths(bench, 1400);
    expect(socket.sent.at(-1)).to.deep.equal(late);
    expect(bench.counter('udp_datagrams_dropped')).to.equal(0);
  });

  it('a socket that takes no more loses the batch, and counts its datagrams', () => {
    const { bench, socket } = flow();
    socket.sendErrors.push(EAGAIN);
    sendLengths(bench, 100, 100, 50);
    expect(socket.sent).to.deep.equal([]);
    expect(bench.counter('udp_datagrams_dropped')).to.equal(3);
  });

  it('an error of an earlier datagram costs no batch, and does not end the batching', () => {
    const { bench, socket } = flow();
    bench.kernel.tap.send(buildDatagram(ENDS4, 5000, FAR, pattern(30)));
    bench.kernel.tap.send(buildDatagram(ENDS4, 5000, FAR, pattern(30)));
    socket.fail({ errno: ECONNREFUSED, origin: 2, type: 3, code: 3, info: 0, offender: new Uint8Array(16), payload: pattern(1) });
    bench.settle();
    expect(socket.calls).to.deep.equal([60]);
    sendLengths(bench, 10, 10);
    expect(socket.calls).to.deep.equal([60, 20]);
  });
});
