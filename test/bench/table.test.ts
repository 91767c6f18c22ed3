/** The arithmetic of the table of goals. */
import { expect } from 'chai';
import type { Metric } from '../../bench/row.ts';
import { figure, isGrosslyMissed, judge, type Line, median, table } from '../../bench/table.ts';

const RATE: Metric = { name: 'rate', unit: 'Gbit/s', better: 'more', peer: 2, bare: 0.9 };
const TIME: Metric = { name: 'p50', unit: 'µs', better: 'less', peer: 0.9 };

describe('bench/table', () => {
  it('takes the middle of odd and even counts and leaves out what failed', () => {
    expect(median([3, 1, 2])).to.equal(2);
    expect(median([4, 1, Number.NaN, 2, 3])).to.equal(2.5);
    expect(median([Number.NaN])).to.be.NaN;
  });

  it('compares with the best peer: the highest rate, the lowest time', () => {
    expect(judge({ row: 'r', metric: RATE, values: { pasta: [1], slirp4netns: [4], ravioli: [8], bare: [8] } })).to.include({
      toPeer: 2,
      toBare: 1,
      met: 'yes',
    });
    expect(judge({ row: 'r', metric: TIME, values: { pasta: [10], slirp4netns: [20], ravioli: [9] } })).to.include({
      toPeer: 0.9,
      met: 'yes',
    });
  });

  it('compares with the one peer that a metric names', () => {
    const metric: Metric = { ...TIME, against: 'pasta' };
    expect(judge({ row: 'r', metric, values: { pasta: [10], slirp4netns: [1], ravioli: [9] } })).to.include({ toPeer: 0.9, met: 'yes' });
  });

  it('says how much of the hardest goal is reached', () => {
    expect(judge({ row: 'r', metric: RATE, values: { pasta: [1], ravioli: [1], bare: [1] } })).to.include({ met: 'no', reached: 0.5 });
    expect(judge({ row: 'r', metric: TIME, values: { pasta: [10], ravioli: [18] } })).to.include({ met: 'no', reached: 0.5 });
    expect(judge({ row: 'r', metric: { ...TIME, bound: 0 }, values: { ravioli: [0] } })).to.include({ met: 'yes' });
  });

  it('has no verdict without a figure of ours, or without a goal', () => {
    expect(judge({ row: 'r', metric: RATE, values: { pasta: [1], ravioli: [Number.NaN] } }).met).to.equal('');
    expect(judge({ row: 'r', metric: { name: 'n', unit: 'u', better: 'more' }, values: { pasta: [1], ravioli: [2] } }).met).to.equal('');
  });

  it('calls a goal grossly missed under its half, and not when the peers have no figure', () => {
    const missed = (values: Line['values']): boolean => isGrosslyMissed(judge({ row: 'r', metric: TIME, values }));
    expect(missed({ pasta: [10], ravioli: [18] })).to.equal(false);
    expect(missed({ pasta: [10], ravioli: [19] })).to.equal(true);
    expect(missed({ pasta: [Number.NaN], ravioli: [19] })).to.equal(false);
  });

  it('prints a dash for what could not be measured, and lines its columns up', () => {
    expect([figure(Number.NaN), figure(undefined), figure(0.01234), figure(1234.5)]).to.deep.equal(['–', '–', '0.0123', '1,235']);
    const lines = table(
      [judge({ row: 'row', metric: RATE, values: { pasta: [1], ravioli: [2] } })],
      ['pasta', 'slirp4netns', 'ravioli', 'bare'],
    ).split('\n');
    expect(lines[1]).to.match(/^row: rate +Gbit\/s +1 +– +2 +– +2× +– +≥ 2× peer, ≥ 0.9× bare +yes$/);
    expect((lines[0] as string).indexOf('ravioli') + 'ravioli'.length).to.equal((lines[1] as string).indexOf('2 ') + 1);
  });
});
