/** Flows that wait for room on the guest's link. */
import { expect } from 'chai';
import { FLOW_ROW_BYTES } from '../../../shared/limits.ts';
import { askAgain, askingAgain, nextAgain } from '../../../worker/flow/again.ts';
import { roomAgain, waitForRoom } from '../../../worker/flow/link_room.ts';
import { bindRows, GENERATION, KIND, ROW, rows, UDP } from '../../../worker/flow/row.ts';

const FLOWS = 6000;

/** Everybody who gets a turn now, in order. */
function turns(): number[] {
  const flows: number[] = [];
  while (askingAgain() > 0) flows.push(nextAgain());
  return flows;
}

describe('worker/flow/link_room', () => {
  beforeEach(() => {
    bindRows(new ArrayBuffer(FLOWS * FLOW_ROW_BYTES));
    for (let flow = 0; flow < FLOWS; flow++) rows[flow * ROW + KIND] = UDP;
    for (let round = 0; round < 4; round++) {
      roomAgain();
      turns();
    }
  });

  it('go on in the order of their coming, each once however often it has asked', () => {
    for (let round = 0; round < 3000; round++) for (const flow of [7, 3, 5]) expect(waitForRoom(flow)).to.equal(true);
    roomAgain();
    expect(turns()).to.deep.equal([7, 3, 5]);
    expect(waitForRoom(3)).to.equal(true);
    roomAgain();
    expect(turns()).to.deep.equal([3]);
  });

  it('one that has ended meanwhile is left out, and whoever has its row now waits by itself', () => {
    for (const flow of [1, 2]) waitForRoom(flow);
    rows[1 * ROW + KIND] = 0;
    rows[2 * ROW + GENERATION]!++;
    expect(waitForRoom(2)).to.equal(true);
    roomAgain();
    expect(turns()).to.deep.equal([2]);
  });

  it('those for whom there is no turn left keep waiting', () => {
    let others = 0;
    while (askAgain(others % 10)) others++;
    for (const flow of [20, 21, 22]) waitForRoom(flow);
    roomAgain();
    expect(turns()).to.have.length(others);
    roomAgain();
    expect(turns()).to.deep.equal([20, 21, 22]);
  });

  it('too many are told so, and none of the others is lost', () => {
    let waiting = 0;
    while (waitForRoom(waiting)) waiting++;
    expect(waiting).to.be.within(1000, FLOWS - 1);
    roomAgain();
    expect(turns()).to.deep.equal(Array.from({ length: waiting }, (_, flow) => flow));
  });
});
