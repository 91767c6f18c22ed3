/** The random schedules of test/worker/tcp/model.ts, 10⁵ and more: each run has its own, so that the runs together look further and further. */
import { countOf, KINDS, SEED } from '../worker/tcp/model.ts';

const COUNT = countOf(16_000);

describe(`worker/tcp: model, ${COUNT} schedules of each kind from seed ${SEED} on`, function () {
  this.timeout(60_000 + COUNT * 50);

  for (const [shown, explore] of Object.entries(KINDS)) it(shown, () => explore(COUNT));
});
