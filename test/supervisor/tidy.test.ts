/** What a start leaves behind is given back, once, and nobody waits for it. */
import { expect } from 'chai';
import sinon from 'sinon';
import { tidyLater } from '../../supervisor/tidy.ts';

describe('supervisor/tidy', () => {
  let clock: sinon.SinonFakeTimers;
  beforeEach(() => {
    clock = sinon.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });
  afterEach(() => {
    sinon.restore();
    delete (globalThis as { gc?: unknown }).gc;
  });

  it('collects garbage, then gives the memory back, when the start is over', () => {
    const done: string[] = [];
    Object.assign(globalThis, { gc: ({ flavor }: { flavor: string }) => done.push(flavor) });
    tidyLater({ trim: () => done.push('trim') });
    expect(done).to.deep.equal([]);
    clock.tick(1000);
    expect(done).to.deep.equal(['last-resort', 'trim']);
    clock.tick(100_000);
    expect(done).to.have.length(2);
  });

  it('does without a collection where the runtime offers none', () => {
    let trimmed = 0;
    tidyLater({ trim: () => ++trimmed });
    clock.tick(1000);
    expect(trimmed).to.equal(1);
  });
});
