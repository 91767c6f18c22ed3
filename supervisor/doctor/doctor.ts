/**
 * `ravioli doctor`: looks at this machine, and says what was found.
 */
import { writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { EXIT_FAILED } from '../exit-status.ts';
import { CHECKS } from './checks.ts';
import { DOCTOR_HELP, parseDoctor, reportAsJson, reportForPeople, verdictOf } from './report.ts';
import { thisWorld } from './world.ts';

/** `ravioli doctor` with these words. @throws UsageError */
export async function doctor(words: readonly string[]): Promise<void> {
  const { json, help } = parseDoctor(words);
  if (help) {
    writeSync(1, DOCTOR_HELP);
    return;
  }
  const world = thisWorld(`${dirname(dirname(process.argv[1] as string))}/bin/pasta`);
  const rows = CHECKS.map(({ name, look }) => ({ name, ...look(world) }));
  writeSync(1, json ? reportAsJson(rows) : reportForPeople(rows));
  if (verdictOf(rows) === 'failure') process.exitCode = EXIT_FAILED;
}
