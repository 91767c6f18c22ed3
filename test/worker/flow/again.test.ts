/** Flows that want another turn. */
import { expect } from 'chai';
import { FLOW_ROW_BYTES } from '../../../shared/limits.ts';
import { askAgain, askingAgain, nextAgain } from '../../../worker/flow/again.ts';
import { bindRows, GENERATION, KIND, ROW, rows, UDP } from '../../../worker/flow/row.ts';

describe('worker/flow/again', () => {
  beforeEach(() => {
    while (askingAgain() > 0) nextAgain();
    bindRows(new ArrayBuffer(16 * FLOW_ROW_BYTES));
    for (let flow = 0; flow < 16; flow++) rows[flow * ROW + KIND] = UDP;
  });

  it('come in the order of their asking', () => {
    for (const flow of [3, 1, 2, 1]) expect(askAgain(flow)).to.equal(true);
    expect(askingAgain()).to.equal(4);
    expect([nextAgain(), nextAgain(), nextAgain(), nextAgain()]).to.deep.equal([3, 1, 2, 1]);
    expect(askingAgain()).to.equal(0);
  });

  it('one that has ended meanwhile is left out, also when its row is taken again', () => {
    for (const flow of [1, 2, 3]) askAgain(flow);
    rows[1 * ROW + KIND] = 0;
    rows[2 * ROW + GENERATION]!++;
    expect([nextAgain(), nextAgain(), nextAgain()]).to.deep.equal([-1, -1, 3]);
  });

  it('a full list says so, and forgets nobody', () => {
    let asked = 0;
    while (askAgain(asked % 16)) asked++;
    expect(asked).to.be.greaterThan(1000);
    for (let at = 0; at < asked; at++) expect(nextAgain()).to.equal(at % 16);
    expect(askAgain(5)).to.equal(true);
  });
});
