/** The random frames of test/worker/fuzz.test.ts for a minute (RAVIOLI_SECONDS: for so long), each run with seeds of its own. */
import { fuzz, type Seen } from '../support/guest_fuzz.ts';

const SECONDS = Number(process.env['RAVIOLI_SECONDS'] ?? 60);
const SEED = Number(process.env['RAVIOLI_SEED'] ?? Date.now() % 0x7fffffff);
const STEPS = 300;

describe(`worker/guest: any frames for ${SECONDS} s, from seed ${SEED} on`, function () {
  this.timeout((SECONDS + 60) * 1000);

  it('leave the worker as it should be', () => {
    const seen: Seen = { frames: 0, toGuest: 0, toHost: 0, flows: 0 };
    for (let run = 0; process.uptime() < SECONDS; run++) fuzz(SEED + run, STEPS, seen);
    process.stdout.write(`      ${seen.frames} frames, ${seen.flows} flows, ${seen.toGuest} to the guest, ${seen.toHost} to the host\n`);
  });
});
