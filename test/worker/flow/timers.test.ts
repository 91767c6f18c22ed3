import { expect } from 'chai';
import fc from 'fast-check';
import { FLOW_ROW_BYTES } from '../../../shared/limits.ts';
import { bindRows } from '../../../worker/flow/row.ts';
import { collectDue, due, openTimers, setTimer, stopTimer, untilNextTimer } from '../../../worker/flow/timers.ts';

const FLOWS = 64;

function fresh(now: number): void {
  const memory = new ArrayBuffer(FLOWS * FLOW_ROW_BYTES);
  bindRows(memory);
  new Int32Array(memory).fill(-1);
  openTimers(now);
}

function dueAt(now: number): number[] {
  const found: number[] = [];
  for (;;) {
    const count = collectDue(now);
    for (let i = 0; i < count; i++) found.push(due[i]!);
    if (count < due.length) return found;
  }
}

describe('worker/flow/timers', () => {
  it('calls a flow at its moment and not before, at every distance', () => {
    for (const start of [0, 1, 255, 256, 65_535, 0x7fffff00, -5]) {
      for (const distance of [1, 2, 254, 255, 256, 257, 511, 65_279, 65_280, 65_535, 65_536, 70_000, 7_200_000, 16_000_000]) {
        fresh(start);
        setTimer(3, (start + distance) | 0);
        expect(dueAt((start + distance - 1) | 0), `${start}+${distance}, one early`).to.deep.equal([]);
        expect(dueAt((start + distance) | 0), `${start}+${distance}`).to.deep.equal([3]);
      }
    }
  });

  it('follows a deadline that is moved earlier, later, and stopped', () => {
    fresh(0);
    setTimer(1, 1000);
    setTimer(1, 50);
    expect(dueAt(51)).to.deep.equal([1]);
    setTimer(1, 100);
    setTimer(1, 5000);
    expect(dueAt(4999)).to.deep.equal([]);
    expect(dueAt(5001)).to.deep.equal([1]);
    setTimer(1, 6000);
    stopTimer(1);
    expect(dueAt(100_000)).to.deep.equal([]);
  });

  it('tells how long nothing can happen, and sleeps for ever when nothing is set', () => {
    fresh(1000);
    expect(untilNextTimer(1000)).to.equal(-1);
    setTimer(1, 1010);
    expect(untilNextTimer(1000)).to.equal(10);
    expect(untilNextTimer(1020)).to.equal(0);
    stopTimer(1);
    expect(untilNextTimer(1000)).to.equal(-1);
    setTimer(1, 1000 + 7_200_000);
    expect(untilNextTimer(1000)).to.be.within(60_000, 7_200_000);
  });

  it('agrees with a plain list of deadlines under any sequence of calls', () => {
    const step = fc.oneof(
      fc.record({ set: fc.nat(FLOWS - 1), ahead: fc.oneof(fc.integer({ min: 0, max: 600 }), fc.integer({ min: 0, max: 200_000 })) }),
      fc.record({ stop: fc.nat(FLOWS - 1) }),
      fc.record({ wait: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 100_000 })) }),
      fc.record({ sleep: fc.constant(true) }),
    );
    fc.assert(
      fc.property(fc.integer(), fc.array(step, { maxLength: 80 }), (start, steps) => {
        let now = start | 0;
        fresh(now);
        const model = new Map<number, number>();
        for (const s of steps) {
          if ('set' in s) {
            setTimer(s.set, (now + s.ahead) | 0);
            model.set(s.set, s.ahead === 0 ? (now + 1) | 0 : (now + s.ahead) | 0);
          } else if ('stop' in s) {
            stopTimer(s.stop);
            model.delete(s.stop);
          } else {
            const sleep = 'sleep' in s ? untilNextTimer(now) : s.wait;
            if (sleep < 0) {
              expect(model.size).to.equal(0);
              continue;
            }
            now = (now + sleep) | 0;
            for (const flow of dueAt(now)) {
              expect(model.has(flow), 'due but not set').to.equal(true);
              expect((model.get(flow)! - now) | 0, 'due early').to.be.at.most(0);
              model.delete(flow);
            }
            for (const [, at] of model) expect((now - at) | 0, 'late').to.be.below(0);
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});
