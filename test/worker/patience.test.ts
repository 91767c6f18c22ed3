import { expect } from 'chai';
import { LOOKS, learnFromLooks, looksBeforeSleep, TRY_EVERY } from '../../worker/patience.ts';

/** Waits until it would look, and says how many waits that took. */
function waitsUntilLook(): number {
  for (let wait = 1; wait <= 2 * TRY_EVERY; wait++) if (looksBeforeSleep() > 0) return wait;
  throw new Error('it never looks');
}

describe('worker/patience', () => {
  it('sleeps at once while looking finds nothing, but for a try now and then', () => {
    for (let i = 0; i < 100; i++) learnFromLooks(false);
    waitsUntilLook();
    learnFromLooks(false);
    expect(waitsUntilLook()).to.equal(TRY_EVERY);
  });

  it('looks before each sleep after a try that found an event', () => {
    learnFromLooks(true);
    expect(looksBeforeSleep()).to.equal(LOOKS);
    expect(looksBeforeSleep()).to.equal(LOOKS);
  });

  it('gives up after a few vain looks in a row, however long it went well', () => {
    for (let i = 0; i < 1000; i++) learnFromLooks(true);
    let vain = 0;
    for (; looksBeforeSleep() > 0 && vain < 100; vain++) learnFromLooks(false);
    expect(vain).to.equal(4);
  });
});
