/**
 * Random schedules of writers, readers and the kernel against what spliced connections promise: every byte arrives once and in order,
 * whoever is slow and however few pipes there are; nothing waits for an event that does not come; each stream ends by itself, a reset is
 * one for both sides; the worker itself never holds more than a pipe of a stream, and no more than what lies in pipes.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import { COPY_LENGTH } from '../../../worker/splice/pipes.ts';
import { FAKE_PIPE_SIZE as PIPE_SIZE } from '../../support/fake_pipe.ts';
import type { FakeStream } from '../../support/fake_stream.ts';
import { SplicedPair } from '../../support/spliced_pair.ts';
import { pattern } from '../../support/tcp_dialogue.ts';
import { Workbench } from '../../support/workbench.ts';

const PAIRS = 3;
const ENDLESS = Number.MAX_SAFE_INTEGER;

interface World {
  pipes: number;
  sendBuffer: number;
}

type Act =
  | { do: 'write'; stream: number; length: number; urgentAt: number }
  | { do: 'read'; stream: number; length: number }
  | { do: 'end' | 'reset' | 'accept'; stream: number }
  | { do: 'limit'; stream: number; length: number };
type Step = Act | { do: 'turn' } | { do: 'settle' };

const streamOf = fc.nat({ max: 2 * PAIRS - 1 });
const lengthOf = fc.oneof(
  fc.constantFrom(1, 2, COPY_LENGTH - 1, COPY_LENGTH, COPY_LENGTH + 1, PIPE_SIZE, PIPE_SIZE + 1, 3 * PIPE_SIZE),
  fc.nat({ max: 3000 }),
  fc.nat({ max: 300_000 }),
);
function step(what: string, weight: number, more: Record<string, fc.Arbitrary<unknown>> = {}): fc.WeightedArbitrary<Step> {
  return { weight, arbitrary: fc.record({ do: fc.constant(what), ...more }) as unknown as fc.Arbitrary<Step> };
}

const stepOf: fc.Arbitrary<Step> = fc.oneof(
  step('write', 10, {
    stream: streamOf,
    length: lengthOf,
    urgentAt: fc.oneof({ weight: 6, arbitrary: fc.constant(-1) }, { weight: 1, arbitrary: fc.nat({ max: 40_000 }) }),
  }),
  step('read', 8, { stream: streamOf, length: lengthOf }),
  step('limit', 3, { stream: streamOf, length: fc.constantFrom(0, 1, 100, 5000, 70_000) }),
  step('turn', 8),
  step('settle', 3),
  step('accept', 2, { stream: streamOf }),
  step('end', 1, { stream: streamOf }),
  step('reset', 1, { stream: streamOf }),
);
const worldOf: fc.Arbitrary<World> = fc.record({
  pipes: fc.constantFrom(0, 1, 2, 32),
  sendBuffer: fc.constantFrom(4096, 20_000, 87_040, 600_000, 4_000_000),
});

/** One socket's far end: what it has said, and what its peer must have heard. */
interface Side {
  readonly stream: FakeStream;
  readonly from: number;
  written: number;
}

class Run {
  readonly bench: Workbench;
  readonly #sides: Side[] = [];
  readonly #reset = new Set<number>();
  /** Pairs of which one end had said all it had to say before it was reset. */
  readonly #endedBefore = new Set<number>();

  constructor({ pipes, sendBuffer }: World) {
    this.bench = new Workbench({ pipes });
    for (let pair = 0; pair < PAIRS; pair++) {
      const { came, made } = new SplicedPair(this.bench).answer();
      for (const stream of [came, made]) {
        stream.sendBuffer = sendBuffer;
        this.#sides.push({ stream, from: 1000 * this.#sides.length, written: 0 });
      }
    }
  }

  take(step: Step): void {
    if (step.do === 'turn') this.bench.turn();
    else if (step.do === 'settle') this.bench.settle();
    else this.#act(step, this.#sides[step.stream] as Side);
    this.check();
  }

  #act(step: Act, side: Side): void {
    const { stream } = side;
    if (step.do === 'accept' && !stream.connected && !stream.dead && !stream.closed) stream.accept();
    if (!stream.connected || stream.closed) return;
    if (step.do === 'write') this.#write(side, step.length, step.urgentAt);
    else if (step.do === 'read') stream.read(step.length);
    else if (step.do === 'limit') {
      stream.sendLimits.push(step.length);
      stream.spliceLimits.push(Math.max(step.length, 1));
    } else if (step.do === 'end') stream.end();
    else if (step.do === 'reset') {
      if (stream.farEnded) this.#endedBefore.add(step.stream >> 1);
      stream.reset();
      this.#reset.add(step.stream >> 1);
    }
  }

  #write(side: Side, length: number, urgentAt: number): void {
    if (side.stream.farEnded || side.stream.dead) return;
    if (urgentAt >= 0 && urgentAt < length) side.stream.urgentMark = side.written + urgentAt;
    side.stream.write(pattern(length, side.from + side.written));
    side.written += length;
  }

  /** What has arrived is what was written, and what is under way lies in a pipe. */
  check(): void {
    let held = 0;
    for (const [index, { stream, from }] of this.#sides.entries()) {
      const { stream: peer } = this.#sides[index ^ 1] as Side;
      const arrived = peer.farReceived.length;
      expect(Buffer.compare(peer.farReceived.peek(0, arrived), pattern(arrived, from)), `stream ${index}`).to.equal(0);
      if (stream.closed || peer.closed) continue;
      const between = stream.taken - arrived - peer.outgoing.length;
      if (this.#reset.has(index >> 1)) continue;
      expect(between, `stream ${index} on its way`).to.be.within(0, PIPE_SIZE);
      held += between;
    }
    if (this.#reset.size === 0) expect(this.bench.kernel.bytesInPipes()).to.equal(held);
  }

  /** Everybody reads, and whoever has not yet, ends: nothing may be left waiting. */
  finish(): void {
    for (const { stream } of this.#sides) if (!stream.connected && !stream.dead && !stream.closed) stream.accept();
    this.#drain();
    for (const [index, { stream, written }] of this.#sides.entries()) {
      const { stream: peer } = this.#sides[index ^ 1] as Side;
      if (this.#reset.has(index >> 1)) continue;
      expect(peer.farReceived.length, `stream ${index} arrives`).to.equal(written);
      expect(peer.farSawEnd, `stream ${index} ends`).to.equal(stream.farEnded);
    }
    const over = [...this.#endedBefore].filter((pair) => this.#pair(pair).every(({ stream }) => stream.farEnded));
    for (const { stream } of this.#sides) stream.end();
    this.#drain();
    for (const [index, { stream }] of this.#sides.entries()) {
      expect(stream.closed, `socket ${index} is closed`).to.equal(true);
      if (!this.#reset.has(index >> 1)) expect([stream.farSawEnd, stream.farSawReset], `socket ${index}`).to.deep.equal([true, false]);
    }
    for (const pair of this.#reset) {
      // Both have ended: to the other one the connection may have been over before the reset was known.
      if (over.includes(pair)) continue;
      const told = this.#pair(pair).filter(({ stream }) => !stream.connected || stream.farSawReset || stream.dead);
      expect(told, `both of pair ${pair} know of the reset`).to.have.length(2);
    }
    this.bench.expectNothingLeft();
  }

  #pair(pair: number): readonly Side[] {
    return this.#sides.slice(2 * pair, 2 * pair + 2);
  }

  #drain(): void {
    for (let before = -1, now = 0; before !== now; ) {
      this.bench.settle();
      for (const { stream } of this.#sides) if (stream.connected) stream.read(ENDLESS);
      this.bench.settle();
      this.check();
      before = now;
      now = this.#sides.reduce((sum, { stream }) => sum + stream.farReceived.length, 0) + this.bench.flows();
    }
  }
}

describe('splice: random schedules', () => {
  it('lose nothing, wait for nothing in vain, and hold what they promise', function () {
    this.timeout(60_000);
    fc.assert(
      fc.property(worldOf, fc.array(stepOf, { maxLength: 60, size: 'max' }), (world, steps) => {
        const run = new Run(world);
        for (const step of steps) run.take(step);
        run.finish();
      }),
      { numRuns: Number(process.env['RAVIOLI_RUNS'] ?? 100) },
    );
  });
});
