/**
 * Random schedules: whatever the wire, the kernel and the clock do, both ends of a connection see the same in the end.
 *
 * RAVIOLI_SCHEDULES: how many of each of the four kinds; RAVIOLI_SEED: where the randomness begins. A failure tells its seed and the
 * shortest schedule that fast-check has found, as text for model.kept.json: what is there runs first, always.
 */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { faultySteps, ordinarySteps, resets, worlds } from '../../support/tcp_arbitrary.ts';
import { expectHonesty, heal } from '../../support/tcp_ending.ts';
import { describeSchedule, type KeptSchedule, type Step, type WorldOptions } from '../../support/tcp_schedule.ts';
import { TcpWorld } from '../../support/tcp_world.ts';

export const SEED = Number(process.env['RAVIOLI_SEED'] ?? Date.now() % 0x7fffffff);
/** What failed once. */
export const KEPT: KeptSchedule[] = JSON.parse(readFileSync(new URL('model.kept.json', import.meta.url), 'utf8'));

/** Plays one schedule; throws when a rule is broken on the way or in the end. */
export function play(given: WorldOptions, schedule: readonly Step[]): void {
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

const withReset = fc.tuple(ordinarySteps, resets).map(([steps, { at, kind }]) => {
  const whole = [...OPENING, ...steps];
  whole.splice(OPENING.length + at, 0, { kind, n: 0, turns: true });
  return whole;
});

/** What each kind of schedule shows, and a function that plays so many of it; throws at the first that fails, in its shortest form. */
export const KINDS: Readonly<Record<string, (count: number) => void>> = {
  'whatever happens on the way, both ends see every byte, in order, and the end': (count) =>
    explore(count, worlds('guest'), opened(ordinarySteps)),
  'the same when the far end has called, and when both have': (count) => explore(count, worlds('host', 'both'), opened(ordinarySteps)),
  'a reset by either end reaches the other, and leaves nothing behind': (count) =>
    explore(count, worlds('guest', 'host', 'both'), withReset),
  'a call of the kernel that fails is an end that both are told of, or nothing': (count) =>
    explore(count, worlds('guest', 'host', 'both'), opened(faultySteps)),
};

/** Schedules of each kind: `usual`, unless the environment says how many. */
export function countOf(usual: number): number {
  return Number(process.env['RAVIOLI_SCHEDULES'] ?? usual);
}
