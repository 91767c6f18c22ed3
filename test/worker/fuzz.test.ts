/**
 * Any frames: nothing is thrown, nothing is written or read where it does not belong, and the tables hold. RAVIOLI_SEED=n plays the run of
 * that seed alone; `../model/guest.long.test.ts` plays for two minutes.
 */
import { expect } from 'chai';
import { fuzz, type Seen } from '../support/guest_fuzz.ts';

const STEPS = 60;
const RUNS = 12;

describe('worker/guest: any frames', function () {
  this.timeout(60_000);
  const given = process.env['RAVIOLI_SEED'];
  const first = Number(given ?? Date.now() % 0x7fffffff);

  it(`leave the worker as it should be, from seed ${first} on`, () => {
    const seen: Seen = { frames: 0, toGuest: 0, toHost: 0, flows: 0 };
    for (let run = 0; run < (given === undefined ? RUNS : 1); run++) fuzz(first + run, STEPS, seen);
    for (const [what, count] of Object.entries(seen)) expect(count, `${what}: the frames are too bad to lead anywhere`).to.be.above(0);
  });
});
