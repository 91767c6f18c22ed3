/** Batches of datagrams: how many slots a call has, and whether another call is worth it. */
import { expect } from 'chai';
import type { Native } from '../../../native/worker.d.ts';
import { ARENA_SIZE, DATAGRAM_FACTS, DATAGRAM_SLOTS } from '../../../worker/link/arena.ts';
import { bindKernel } from '../../../worker/link/kernel.ts';
import { batchClass, batchLength, batchPayload, batchSegment, mayHaveMore, receiveBatch } from '../../../worker/udp/batch.ts';
import { bindMemory, view } from '../../../worker/wire/memory.ts';

const EAGAIN = 11;

describe('worker/udp/batch', () => {
  /** Lengths of the datagrams that wait, and how many slots each call has had. */
  let waiting: number[];
  let asked: number[];
  /** What the first call says. */
  let error: number;

  before(() => bindMemory(new ArrayBuffer(ARENA_SIZE)));
  beforeEach(() => {
    waiting = [];
    asked = [];
    error = 0;
    bindKernel({
      receiveBatch(_fd: number, _offset: number, _slot: number, _length: number, count: number, facts: number): number {
        asked.push(count);
        if (asked.length === 1 && error > 0) return -error;
        const taken = waiting.splice(0, count);
        taken.forEach((length, index) => {
          view.setInt32(facts + 12 * index, length, true);
          view.setInt32(facts + 12 * index + 4, length > 2000 ? 1200 : 0, true);
          view.setInt32(facts + 12 * index + 8, 0x1b8, true);
        });
        return taken.length > 0 ? taken.length : -EAGAIN;
      },
    } as unknown as Native);
    waiting = [1];
    receiveBatch(7);
    asked = [];
  });

  it('is as large as there are slots, and asks no more once one was not full', () => {
    waiting = new Array<number>(DATAGRAM_SLOTS + 1).fill(1400);
    expect([receiveBatch(7), mayHaveMore]).to.deep.equal([DATAGRAM_SLOTS, true]);
    expect([receiveBatch(7), mayHaveMore]).to.deep.equal([1, false]);
    expect([receiveBatch(7), mayHaveMore]).to.deep.equal([-EAGAIN, false]);
  });

  it('is one when what the kernel has joined comes, until something small does', () => {
    waiting = [100, 60_000, 60_000, 60_000, 1400, 100, 100];
    const taken = [];
    do taken.push(receiveBatch(7));
    while (mayHaveMore);
    expect(taken).to.deep.equal([7]);
    waiting = [60_000, 60_000, 1400, 100, 100];
    expect(receiveBatch(7)).to.equal(5);
    waiting = [60_000];
    receiveBatch(7);
    waiting = [60_000, 60_000, 1400, 100, 100];
    asked = [];
    while (waiting.length > 0) receiveBatch(7);
    expect(asked).to.deep.equal([1, 1, 1, DATAGRAM_SLOTS]);
  });

  it('takes what is behind an error, and asks once where there is nothing', () => {
    error = 111;
    waiting = [1, 2];
    expect([receiveBatch(7), asked.length]).to.deep.equal([2, 2]);
    asked = [];
    error = EAGAIN;
    expect([receiveBatch(7), asked.length]).to.deep.equal([-EAGAIN, 1]);
  });

  it('tells of each where it lies and what came with it', () => {
    waiting = [100, 60_000];
    receiveBatch(7);
    expect([batchLength(0), batchSegment(0), batchClass(0)]).to.deep.equal([100, 0, 0xb8]);
    expect([batchLength(1), batchSegment(1), batchClass(1)]).to.deep.equal([60_000, 1200, 0xb8]);
    expect(batchPayload(1) - batchPayload(0)).to.be.above(65_535);
    expect(view.getInt32(DATAGRAM_FACTS + 12, true)).to.equal(60_000);
  });
});
