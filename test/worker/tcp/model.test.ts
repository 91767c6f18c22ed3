/**
 * Random schedules: whatever the wire, the kernel and the clock do, both ends of a connection see the same in the end.
 *
 * RAVIOLI_SCHEDULES: how many of each kind (default 600); RAVIOLI_SEED: where the randomness begins. A failure tells its seed and the
 * shortest schedule that fast-check has found, as text for model.kept.json: what is there runs first, always.
 */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { faultySteps, ordinarySteps, resets, worlds } from '../../support/tcp_arbitrary.ts';
import { expectHonesty, heal } from '../../support/tcp_ending.ts';
import { describeSchedule, type KeptSchedule, type Step, stepOf, USUAL, type WorldOptions } from '../../support/tcp_schedule.ts';
import { TcpWorld } from '../../support/tcp_world.ts';

const SCHEDULES = Number(process.env['RAVIOLI_SCHEDULES'] ?? 600);
const SEED = Number(process.env['RAVIOLI_SEED'] ?? Date.now() % 0x7fffffff);
const KEPT: KeptSchedule[] = JSON.parse(readFileSync(new URL('model.kept.json', import.meta.url), 'utf8'));

function play(given: WorldOptions, schedule: readonly Step[]): void {
  const world = new TcpWorld(given);
  for (const next of schedule) world.step(next);
  heal(world);
  expectHonesty(world);
}

/** Most schedules begin with a connection that stands, or little would ever be sent. */
const OPENING: Step[] = (['call', 'toWorker', 'answer', 'accept', 'run'] as const).map((kind) => ({ kind, n: 4, turns: true }));

function opening(opened: boolean, schedule: readonly Step[]): Step[] {
  return opened ? [...OPENING, ...schedule] : [...schedule];
}

/** Plays `runs` schedules; what fails is told in the shortest form. */
function explore(runs: number, given: fc.Arbitrary<WorldOptions>, schedules: fc.Arbitrary<Step[]>): void {
  const details = fc.check(
    fc.property(given, schedules, (options, schedule) => play(options, schedule)),
    { numRuns: runs, seed: SEED, endOnFailure: false },
  );
  if (!details.failed) return;
  const [options, schedule] = details.counterexample as [WorldOptions, Step[]];
  const { message } = details.errorInstance as Error;
  const told = `${message}\nRAVIOLI_SEED=${SEED} RAVIOLI_SCHEDULES=${runs}, after ${details.numRuns} schedules:\n${describeSchedule(options, schedule)}`;
  throw new Error(told, { cause: details.errorInstance });
}

const opened = (schedules: fc.Arbitrary<Step[]>): fc.Arbitrary<Step[]> =>
  fc.tuple(fc.boolean(), schedules).map(([yes, steps]) => opening(yes, steps));

describe(`worker/tcp: model, ${SCHEDULES} schedules of each kind`, function () {
  this.timeout(60_000 + SCHEDULES * 50);

  for (const { broke, options, steps } of KEPT) it(`kept: ${broke}`, () => play({ ...USUAL, ...options }, steps.map(stepOf)));

  it('whatever happens on the way, both ends see every byte, in order, and the end', () => {
    explore(SCHEDULES, worlds('guest'), opened(ordinarySteps));
  });

  it('the same when the far end has called, and when both have', () => {
    explore(SCHEDULES, worlds('host', 'both'), opened(ordinarySteps));
  });

  it('a reset by either end reaches the other, and leaves nothing behind', () => {
    const schedules = fc.tuple(ordinarySteps, resets).map(([steps, { at, kind }]) => {
      const whole = [...OPENING, ...steps];
      whole.splice(OPENING.length + at, 0, { kind, n: 0, turns: true });
      return whole;
    });
    explore(SCHEDULES, worlds('guest', 'host', 'both'), schedules);
  });

  it('a call of the kernel that fails is an end that both are told of, or nothing', () => {
    explore(SCHEDULES, worlds('guest', 'host', 'both'), opened(faultySteps));
  });
});
