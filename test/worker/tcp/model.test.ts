/** The random schedules of model.ts, as many as fit into a run that somebody waits for, and all that ever failed. */
import { stepOf, USUAL } from '../../support/tcp_schedule.ts';
import { countOf, KEPT, KINDS, play, SEED } from './model.ts';

const COUNT = countOf(1000);

describe(`worker/tcp: model, ${COUNT} schedules of each kind from seed ${SEED} on`, function () {
  this.timeout(60_000 + COUNT * 50);

  for (const { broke, options, steps } of KEPT) it(`kept: ${broke}`, () => play({ ...USUAL, ...options }, steps.map(stepOf)));

  for (const [shown, explore] of Object.entries(KINDS)) it(shown, () => explore(COUNT));
});
