import { expect } from 'chai';
import fc from 'fast-check';
import { FLOW_ROW_BYTES } from '../../../shared/limits.ts';
import { setHashKey } from '../../../worker/flow/hash.ts';
import { bindRows, GENERATION, ROW, rows, TCP } from '../../../worker/flow/row.ts';
import { add, descriptorCount, find, flowCount, hasRoom, key, openTable, remove } from '../../../worker/flow/table.ts';

const MOST = 48;

function setKey(guest: number, far: number): void {
  key.fill(0);
  key[2] = 0xffff;
  key[3] = guest;
  key[6] = 0xffff;
  key[7] = far;
}

function fresh(flows: number, descriptors: number): void {
  bindRows(new ArrayBuffer(MOST * FLOW_ROW_BYTES));
  setHashKey(0x01234567, 0x89abcdef | 0);
  openTable(flows, descriptors);
}

describe('worker/flow/table', () => {
  it('agrees with a map under any sequence of additions and removals', () => {
    const step = fc.record({ add: fc.boolean(), guest: fc.nat(3), far: fc.nat(5), ports: fc.nat(3) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        fresh(MOST, MOST);
        const model = new Map<string, number>();
        for (const s of steps) {
          const name = `${s.guest} ${s.far} ${s.ports}`;
          setKey(s.guest, s.far);
          expect(find(s.ports, 6)).to.equal(model.get(name) ?? -1);
          if (s.add && !model.has(name)) {
            const flow = add(TCP, s.ports, 6);
            if (model.size === MOST) expect(flow).to.equal(-1);
            else model.set(name, flow);
          } else if (!s.add && model.has(name)) {
            remove(model.get(name)!);
            model.delete(name);
          }
          expect(flowCount).to.equal(model.size);
        }
        for (const [name, flow] of model) {
          const [guest, far, ports] = name.split(' ').map(Number) as [number, number, number];
          setKey(guest, far);
          expect(find(ports, 6)).to.equal(flow);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('refuses at either limit and takes again after an end', () => {
    fresh(10, 2);
    setKey(1, 1);
    add(TCP, 1, 6);
    const second = add(TCP, 2, 6);
    expect(hasRoom()).to.equal(false);
    expect(add(TCP, 3, 6)).to.equal(-1);
    expect(descriptorCount).to.equal(2);
    remove(second);
    expect(add(TCP, 3, 6)).to.equal(second);
  });

  it('gives a row a new generation each time it is taken', () => {
    fresh(4, 4);
    setKey(1, 1);
    const flow = add(TCP, 1, 6);
    const before = rows[flow * ROW + GENERATION];
    remove(flow);
    expect(add(TCP, 1, 6)).to.equal(flow);
    expect(rows[flow * ROW + GENERATION]).to.not.equal(before);
  });

  it('tells protocols and families apart', () => {
    fresh(4, 4);
    setKey(1, 1);
    const flow = add(TCP, 1, 6);
    expect(find(1, 17)).to.equal(-1);
    key[2] = 0;
    expect(find(1, 6)).to.equal(-1);
    setKey(1, 1);
    expect(find(1, 6)).to.equal(flow);
  });
});
