/** Random worlds and schedules for the TCP model. */
import fc from 'fast-check';
import { FAULT_NUMBERS } from './tcp_faults.ts';
import type { Step, StepKind, WorldOptions } from './tcp_schedule.ts';

/** Numbers near the ends of the sequence space as often as in its midst. */
export const sequence = fc.oneof(
  fc.integer(),
  fc.integer({ min: -3000, max: 3000 }),
  fc.integer({ min: 0x7fffffff - 3000, max: 0x7fffffff }),
);

/** A shift with which a window of the whole buffer can be told. */
function honestScale(given: WorldOptions): WorldOptions {
  let { windowScale } = given;
  while (windowScale > 0 && given.buffer >> windowScale < 50) windowScale--;
  return { ...given, windowScale };
}

/** Worlds in which a connection is begun as one of `openers` says. */
export function worlds(...openers: WorldOptions['opener'][]): fc.Arbitrary<WorldOptions> {
  const world: fc.Arbitrary<WorldOptions> = fc.record({
    iss: sequence,
    workerIss: sequence,
    mss: fc.constantFrom(200, 536, 1460, 9000),
    windowScale: fc.constantFrom(-1, 0, 2, 7, 14),
    buffer: fc.constantFrom(300, 2000, 20_000, 65_535, 200_000),
    superframe: fc.constantFrom(0, 0, 8000, 65_000),
    probesWithData: fc.boolean(),
    keepsOutOfOrder: fc.boolean(),
    sack: fc.constantFrom(true, true, false),
    tellsDuplicates: fc.constantFrom(true, true, false),
    timestamps: fc.boolean(),
    timestampStart: sequence,
    answer: fc.constantFrom('accept', 'accept', 'accept', 'accept', 'accept', 'accept', 'reset', 'silence'),
    ipv6: fc.boolean(),
    mtu: fc.constantFrom(1280, 1500, 65_520),
    cuts: fc.boolean(),
    keepAlive: fc.constantFrom(0, 0, 0, 20_000),
    peekOffset: fc.boolean(),
    sendBuffer: fc.constantFrom(1500, 4608, 20_000, 87_040),
    overhead: fc.constantFrom(1, 2, 4),
    refused: fc.constantFrom(false, false, false, false, false, false, true),
    opener: fc.constantFrom(...openers),
  });
  return world.map(honestScale);
}

const bytes = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 4000 }), fc.integer({ min: 1, max: 30_000 }));
const frames = fc.integer({ min: 0, max: 12 });
const milliseconds = fc.oneof(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 100, max: 3000 }), fc.integer({ min: 3000, max: 70_000 }));

function steps(weight: number, n: fc.Arbitrary<number>, ...kinds: StepKind[]): fc.WeightedArbitrary<Step> {
  return { weight, arbitrary: fc.record({ kind: fc.constantFrom(...kinds), n, turns: fc.boolean() }) };
}

/** As often long as short; of itself fast-check prefers the shortest. */
const LENGTH = { maxLength: 60, size: 'max' } as const;

const ORDINARY = [
  steps(12, bytes, 'guestWrite', 'hostWrite'),
  steps(8, bytes, 'guestRead', 'hostRead'),
  steps(2, fc.constant(0), 'guestClose', 'hostClose'),
  steps(4, fc.constant(0), 'answer', 'accept', 'call'),
  steps(16, frames, 'toGuest', 'toWorker'),
  steps(11, frames, 'pickToGuest', 'pickToWorker', 'dropToGuest', 'dropToWorker', 'doubleToGuest', 'doubleToWorker'),
  steps(2, fc.nat(200), 'damageToWorker'),
  steps(4, bytes, 'refuse', 'limitSend'),
  steps(2, fc.nat(200), 'tooBig'),
  steps(1, bytes, 'hostUrgent'),
  steps(6, milliseconds, 'advance'),
  steps(8, frames, 'run'),
  steps(6, fc.nat(), 'storm', 'flight'),
  steps(2, fc.integer({ min: 0, max: 20_000 }), 'guestShrink'),
  steps(3, frames, 'guestRenege', 'guestKeepAlive', 'guestRepeatFin'),
  steps(1, frames, 'finish'),
  steps(3, fc.constant(0), 'guestReopen', 'hostReopen'),
];

/** Whatever may happen but resets and errors of the kernel. */
export const ordinarySteps: fc.Arbitrary<Step[]> = fc.array(fc.oneof(...ORDINARY), LENGTH);

/** The same, and calls of the worker that fail. */
export const faultySteps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(...ORDINARY, steps(15, fc.constantFrom(...FAULT_NUMBERS), 'fail')),
  LENGTH,
);

/** One reset, and where in a schedule it is. */
export const resets = fc.record({ at: fc.nat({ max: 60 }), kind: fc.constantFrom<StepKind>('guestReset', 'hostReset') });
