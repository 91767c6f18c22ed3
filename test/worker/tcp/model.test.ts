/**
 * Random schedules: whatever the wire, the kernel and the clock do, both ends of a connection see the same in the end.
 *
 * RAVIOLI_SCHEDULES: how many (default 2,000); RAVIOLI_SEED: where the randomness begins. A failure tells its seed and the shortest
 * schedule that fast-check has found.
 */
import fc from 'fast-check';
import type { Step, StepKind, WorldOptions } from '../../support/tcp_schedule.ts';
import { TcpWorld } from '../../support/tcp_world.ts';

const SCHEDULES = Number(process.env['RAVIOLI_SCHEDULES'] ?? 2000);
const SEED = Number(process.env['RAVIOLI_SEED'] ?? Date.now() % 0x7fffffff);

/** Numbers near the ends of the sequence space as often as in its midst. */
const sequence = fc.oneof(fc.integer(), fc.integer({ min: -3000, max: 3000 }), fc.integer({ min: 0x7fffffff - 3000, max: 0x7fffffff }));

/** A shift with which a window of the whole buffer can be told. */
function honestScale(given: WorldOptions): WorldOptions {
  let { windowScale } = given;
  while (windowScale > 0 && given.buffer >> windowScale < 50) windowScale--;
  return { ...given, windowScale };
}

const options: fc.Arbitrary<WorldOptions> = fc
  .record({
    iss: sequence,
    workerIss: sequence,
    mss: fc.constantFrom(200, 536, 1460, 9000),
    windowScale: fc.constantFrom(-1, 0, 2, 7, 14),
    buffer: fc.constantFrom(300, 2000, 20_000, 65_535, 200_000),
    superframe: fc.constantFrom(0, 0, 8000, 65_000),
    probesWithData: fc.boolean(),
    keepsOutOfOrder: fc.boolean(),
    sack: fc.boolean(),
    timestamps: fc.boolean(),
    timestampStart: sequence,
    answer: fc.constant('accept' as const),
    ipv6: fc.boolean(),
    mtu: fc.constantFrom(1280, 1500, 65_520),
    peekOffset: fc.boolean(),
    sendBuffer: fc.constantFrom(1500, 4608, 20_000, 87_040),
    overhead: fc.constantFrom(1, 2, 4),
    refused: fc.constantFrom(false, false, false, false, false, false, true),
  })
  .map(honestScale);

const bytes = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 4000 }), fc.integer({ min: 1, max: 30_000 }));
const frames = fc.integer({ min: 0, max: 12 });
const milliseconds = fc.oneof(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 100, max: 3000 }));

function steps(weight: number, n: fc.Arbitrary<number>, ...kinds: StepKind[]): fc.WeightedArbitrary<Step> {
  return { weight, arbitrary: fc.record({ kind: fc.constantFrom(...kinds), n, turns: fc.boolean() }) };
}

const step: fc.Arbitrary<Step> = fc.oneof(
  steps(12, bytes, 'guestWrite', 'hostWrite'),
  steps(8, bytes, 'guestRead', 'hostRead'),
  steps(2, fc.constant(0), 'guestClose', 'hostClose'),
  steps(4, fc.constant(0), 'answer', 'accept'),
  steps(16, frames, 'toGuest', 'toWorker'),
  steps(10, frames, 'pickToGuest', 'pickToWorker', 'dropToGuest', 'dropToWorker', 'doubleToGuest', 'doubleToWorker'),
  steps(4, bytes, 'refuse', 'limitSend'),
  steps(6, milliseconds, 'advance'),
  steps(8, frames, 'run'),
  steps(6, fc.nat(), 'storm'),
  steps(2, fc.integer({ min: 0, max: 20_000 }), 'guestShrink'),
);

const resets = fc.record({ at: fc.nat({ max: 60 }), kind: fc.constantFrom<StepKind>('guestReset', 'hostReset') });

function play(given: WorldOptions, schedule: readonly Step[]): void {
  const world = new TcpWorld(given);
  for (const next of schedule) world.step(next);
  world.heal();
  world.expectHonesty();
}

/** Most schedules begin with a connection that stands, or little would ever be sent. */
const OPENING: Step[] = (['toWorker', 'answer', 'accept', 'run'] as const).map((kind) => ({ kind, n: 4, turns: true }));

describe('worker/tcp: model', function () {
  this.timeout(60_000 + SCHEDULES * 50);

  it(`whatever happens on the way, both ends see every byte, in order, and the end (${SCHEDULES} schedules)`, () => {
    const property = fc.property(options, fc.boolean(), fc.array(step, { maxLength: 60 }), (given, opened, schedule) =>
      play(given, opened ? [...OPENING, ...schedule] : schedule),
    );
    fc.assert(property, { numRuns: SCHEDULES, seed: SEED });
  });

  it('a reset by either end reaches the other, and leaves nothing behind', () => {
    const property = fc.property(options, fc.array(step, { maxLength: 60 }), resets, (given, schedule, { at, kind }) => {
      const whole = [...OPENING, ...schedule];
      whole.splice(OPENING.length + at, 0, { kind, n: 0, turns: true });
      play(given, whole);
    });
    fc.assert(property, { numRuns: Math.ceil(SCHEDULES / 4), seed: SEED });
  });
});
