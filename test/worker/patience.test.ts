import { expect } from 'chai';
import { LOOKS, learnFromLooks, looksBeforeSleep, TRY_EVERY } from '../../worker/patience.ts';

/** Waits until it would look, and says how many waits that took. */
function waitsUntilLook(): number {
  for (let wait = 1; wait <= 2 * TRY_EVERY; wait++) if (looksBeforeSleep() > 0) return wait;
  throw new Error('it never looks');
}

describe('worker/patience', () => {
  it('sleeps at once while looking finds nothing, but for a try now and then', () => {
    for (let i = 0; i < 100; i++) learnFromLooks(0);
    waitsUntilLook();
    learnFromLooks(0);
    expect(waitsUntilLook()).to.equal(TRY_EVERY);
  });

  it('looks before each sleep after a try that found an event', () => {
    learnFromLooks(1);
    expect(looksBeforeSleep()).to.equal(LOOKS);
    expect(looksBeforeSleep()).to.equal(LOOKS);
  });

  it('gives up after a few vain looks in a row, however long it went well', () => {
    for (let i = 0; i < 1000; i++) learnFromLooks(1);
    let vain = 0;
    for (; looksBeforeSleep() > 0 && vain < 100; vain++) learnFromLooks(0);
    expect(vain).to.equal(4);
  });

  it('sleeps at once while several flows have something to say each time', () => {
    learnFromLooks(1);
    for (let i = 0; i < 100; i++) learnFromLooks(3);
    expect(looksBeforeSleep()).to.equal(0);
    waitsUntilLook();
    learnFromLooks(2);
    expect(looksBeforeSleep()).to.equal(LOOKS);
  });
});
