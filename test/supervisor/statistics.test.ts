/** The table of --stats. */
import { expect } from 'chai';
import { COUNTERS, Counter } from '../../shared/counters.ts';
import { Statistics } from '../../supervisor/statistics.ts';

describe('supervisor/statistics', () => {
  const counters = (frames: number, wakeups = 0): number[] => {
    const values = new Array<number>(COUNTERS.length).fill(0);
    values[Counter.frames_from_guest] = frames;
    values[Counter.wakeups] = wakeups;
    return values;
  };

  it('has a row for each interval in which something happened, and a heading for each 20 rows', () => {
    const statistics = new Statistics();
    let headings = 0;
    for (let frames = 1; frames <= 41; frames++) {
      const lines = statistics.rowsOf(counters(frames), 3);
      headings += lines.length - 1;
      expect(lines.at(-1)?.trim().split(/\s+/).slice(0, 2)).to.deep.equal(['3', String(frames)]);
      expect(statistics.rowsOf(counters(frames, frames), 3)).to.deep.equal([]);
    }
    expect(headings).to.equal(3);
  });

  it('has columns as wide as their headings', () => {
    const [heading, row] = new Statistics().rowsOf(counters(1), 0);
    expect(heading?.length).to.equal(row?.length);
    expect(heading).to.match(/^ +flows +from guest +bytes +to guest +bytes +TCP +UDP +ping +spliced +malformed +wake-ups$/);
  });
});
