import { expect } from 'chai';
import fc from 'fast-check';
import { PortSet } from '../../supervisor/host/port-set.ts';

const port = fc.oneof(fc.integer({ min: 0, max: 65_535 }), fc.constantFrom(0, 1, 31, 32, 63, 64, 65_504, 65_535));
const ports = fc.array(port, { maxLength: 60 });
const sorted = (numbers: Iterable<number>): number[] => [...new Set(numbers)].sort((a, b) => a - b);

describe('supervisor/host/port-set', () => {
  it('does what a set of numbers does, in ascending order', () => {
    fc.assert(
      fc.property(ports, ports, ports, (first, second, deleted) => {
        const set = PortSet.of(first);
        for (const each of deleted) set.delete(each);
        const model = new Set(first.filter((each) => !deleted.includes(each)));
        expect([...set]).to.deep.equal(sorted(model));
        expect(set.isEmpty).to.equal(model.size === 0);
        for (const each of [...first, ...second, ...deleted]) expect(set.has(each)).to.equal(model.has(each));
        const other = PortSet.of(second);
        const both = PortSet.of(set);
        both.include(other);
        expect([...both]).to.deep.equal(sorted([...model, ...second]));
        both.exclude(other);
        expect([...both]).to.deep.equal(sorted([...model].filter((each) => !second.includes(each))));
        expect(set.equals(PortSet.of(model))).to.equal(true);
        expect(set.equals(other)).to.equal(sorted(model).join() === sorted(second).join());
        set.clear();
        expect([...set]).to.deep.equal([]);
      }),
    );
  });

  it('holds all ports', () => {
    const all = PortSet.of(Array.from({ length: 65_536 }, (_, each) => each));
    expect([...all]).to.have.length(65_536);
    all.delete(40_000);
    expect(all.has(40_000)).to.equal(false);
    expect([...all]).to.have.length(65_535);
  });
});
