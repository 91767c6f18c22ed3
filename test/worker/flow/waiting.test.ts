/** The store of datagrams that wait for sockets, against one queue per flow. */
import { expect } from 'chai';
import fc from 'fast-check';
import { dropWaiting, keepWaiting, takeWaiting, waitingAt, waitingFact, waitingLength, waitingPath } from '../../../worker/flow/waiting.ts';
import { TRANSMIT_PAYLOAD, WAITING_SIZE } from '../../../worker/link/arena.ts';
import { bytes } from '../../../worker/wire/memory.ts';
import { pattern } from '../../support/tcp_dialogue.ts';
import { Workbench } from '../../support/workbench.ts';

const FLOWS = 6;

interface Kept {
  length: number;
  seed: number;
}

function take(flow: number): Kept | null {
  if (!takeWaiting(flow)) return null;
  const found = bytes.slice(waitingAt, waitingAt + waitingLength);
  expect(Buffer.compare(found, pattern(waitingLength, waitingFact)), 'the bytes that were kept').to.equal(0);
  expect(waitingPath).to.equal(~waitingFact);
  return { length: waitingLength, seed: waitingFact };
}

function keep(flow: number, length: number, seed: number): boolean {
  bytes.set(pattern(length, seed), TRANSMIT_PAYLOAD);
  return keepWaiting(flow, TRANSMIT_PAYLOAD, length, seed, ~seed);
}

describe('worker/flow: what waits for sockets', () => {
  it('each flow gets its own, in order, in whatever order they are taken and dropped', () => {
    const step = fc.record({
      flow: fc.nat({ max: FLOWS - 1 }),
      what: fc.constantFrom('keep', 'keep', 'keep', 'take', 'take', 'drop'),
      length: fc.oneof(fc.nat({ max: 20 }), fc.integer({ min: 30_000, max: 65_000 })),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150, size: 'max' }), (steps) => {
        new Workbench({ flows: FLOWS });
        const queues: Kept[][] = Array.from({ length: FLOWS }, () => []);
        let seed = 0;
        for (const { flow, what, length } of steps) {
          const queue = queues[flow] as Kept[];
          if (what === 'take') expect(take(flow)).to.deep.equal(queue.shift() ?? null);
          else if (what === 'drop') {
            dropWaiting(flow);
            queue.length = 0;
          } else if (keep(flow, length, ++seed)) queue.push({ length, seed });
          else expect(queues.flat().length, 'full').to.be.above(0);
        }
        for (const [flow, queue] of queues.entries()) {
          for (const kept of queue) expect(take(flow)).to.deep.equal(kept);
          expect(take(flow)).to.equal(null);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('serves without end though it is never empty', () => {
    new Workbench({ flows: 2 });
    const length = 60_000;
    const many = Math.floor(WAITING_SIZE / (length + 12)) - 1;
    for (let seed = 0; seed < many; seed++) keep(seed % 2, length, seed);
    for (let seed = many; seed < 40 * many; seed++) {
      expect(take(seed % 2 === many % 2 ? 0 : 1)).to.deep.equal({ length, seed: seed - many });
      expect(keep(seed % 2 === many % 2 ? 0 : 1, length, seed)).to.equal(true);
    }
  });
});
