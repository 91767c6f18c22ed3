/**
 * Random schedules of both ends, the opener and the clock, against a model of what UDP flows promise: every datagram that was
 * taken arrives once, with its borders, at the far end it was for and nowhere else, in the order of its flow, however flows are made
 * and however batches fall; and a flow is there exactly as long as its timeouts say.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import { FakeDatagram } from '../../support/fake_datagram.ts';
import type { Request } from '../../support/fake_opener.ts';
import { buildDatagram } from '../../support/guest_frame.ts';
import { pattern } from '../../support/tcp_dialogue.ts';
import { ENDS4, Workbench } from '../../support/workbench.ts';

const FIRST_PORT = 5000;
const FAR = 53;
const PORTS = 4;
const UNANSWERED = 1000;
const ANSWERED = 3000;

interface Flow {
  /** What the guest has sent and the far end has to get. */
  readonly due: Uint8Array[];
  readonly fromFar: Uint8Array[];
  socket: FakeDatagram | null;
  answered: boolean;
  last: number;
}

type Step =
  | { do: 'burst'; parts: { port: number; length: number }[] }
  | { do: 'open' }
  | { do: 'reply'; port: number; length: number; segment: number }
  | { do: 'wait'; ms: number };

const portOf = fc.nat({ max: PORTS - 1 }).map((at) => FIRST_PORT + at);
const lengthOf = fc.oneof(fc.constantFrom(0, 1, 64, 64, 64, 1400, 1400), fc.nat({ max: 3000 }));
const stepOf: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('burst'),
      parts: fc.array(fc.record({ port: portOf, length: lengthOf }), { maxLength: 40, size: 'max' }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('open') }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('reply'), port: portOf, length: lengthOf, segment: fc.constantFrom(0, 0, 100) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait'), ms: fc.constantFrom(1, 400, 900, 1100, 2500, 3100) }) },
) as fc.Arbitrary<Step>;

/** The worker and what it should do, side by side. */
class Pair {
  readonly bench: Workbench;
  readonly #mtu: number;
  readonly #flows = new Map<number, Flow>();
  #now = 0;
  #seed = 0;

  constructor(mtu: number) {
    this.#mtu = mtu;
    this.bench = new Workbench({ mtu: 9000, udpTimeouts: { unanswered: UNANSWERED, answered: ANSWERED } });
  }

  take(step: Step): void {
    if (step.do === 'burst') this.#burst(step.parts);
    else if (step.do === 'open') this.#open();
    else if (step.do === 'reply') this.#reply(step.port, step.length, step.segment);
    else this.#wait(step.ms);
    this.check();
  }

  #burst(parts: { port: number; length: number }[]): void {
    const frames = parts.map(({ port, length }) => {
      const payload = pattern(length, ++this.#seed);
      const flow = this.#flows.get(port) ?? { due: [], fromFar: [], socket: null, answered: false, last: 0 };
      this.#flows.set(port, flow);
      flow.due.push(payload);
      flow.last = this.#now;
      return buildDatagram(ENDS4, port, FAR, payload);
    });
    this.bench.deliver(...frames);
    this.bench.settle();
  }

  #open(): void {
    const [request] = this.bench.kernel.opener.requests as [Request?];
    if (request === undefined) return;
    const socket = new FakeDatagram();
    socket.mtu = this.#mtu;
    this.bench.kernel.opener.answer(request.sourcePort, socket, request);
    this.bench.settle();
    // The answer to a request of a flow that has ended meanwhile is nobody's.
    const flow = this.#flows.get(request.sourcePort);
    const newer = this.bench.kernel.opener.requests.some(({ sourcePort }) => sourcePort === request.sourcePort);
    if (flow === undefined || newer) expect(socket.closed, 'a socket that nobody wants').to.equal(true);
    else flow.socket = socket;
  }

  #reply(port: number, length: number, segment: number): void {
    const flow = this.#flows.get(port);
    if (flow?.socket == null) return;
    const payload = pattern(length, ++this.#seed);
    flow.socket.answer(payload, length > segment ? segment : 0);
    flow.fromFar.push(payload);
    flow.answered = true;
    flow.last = this.#now;
    this.bench.settle();
  }

  #wait(ms: number): void {
    this.bench.advance(ms);
    this.#now += ms;
    for (const [port, flow] of this.#flows) {
      if (this.#now - flow.last < (flow.answered ? ANSWERED : UNANSWERED)) continue;
      if (flow.socket !== null) expect(flow.socket.closed, `socket of port ${port} after its time`).to.equal(true);
      this.#flows.delete(port);
    }
  }

  /** Everything that could be delivered was, and nothing else. */
  check(): void {
    const toGuest = this.bench.packets(ENDS4);
    for (const [port, { due, fromFar, socket }] of this.#flows) {
      const view = (l4: Uint8Array): DataView => new DataView(l4.buffer, l4.byteOffset);
      const replies = toGuest.filter(({ l4 }) => view(l4).getUint16(2) === port);
      expect(
        replies.map(({ l4 }) => l4.slice(8)),
        `replies to port ${port}`,
      ).to.deep.equal(fromFar.splice(0));
      if (socket === null) continue;
      expect(socket.closed, `socket of port ${port}`).to.equal(false);
      expect(socket.sent.splice(0), `from port ${port}`).to.deep.equal(due.splice(0));
    }
    expect(this.bench.flows(), 'flows').to.equal(this.#flows.size);
    expect(this.bench.counter('udp_datagrams_dropped')).to.equal(0);
  }

  end(): void {
    this.bench.advance(ANSWERED);
    this.bench.expectNothingLeft();
  }
}

describe('worker/udp: random schedules', function () {
  this.timeout(60_000);
  for (const mtu of [65_535, 1500]) {
    it(`keep what UDP flows promise, over a path with MTU ${mtu}`, () => {
      fc.assert(
        fc.property(fc.array(stepOf, { maxLength: 40, size: 'max' }), (steps) => {
          const pair = new Pair(mtu);
          for (const step of steps) pair.take(step);
          pair.end();
        }),
        { numRuns: 200 },
      );
    });
  }
});
