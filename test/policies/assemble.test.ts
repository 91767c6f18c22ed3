import { expect } from 'chai';
import fc from 'fast-check';
import { assemble, Graph, type Node, type Test } from '../../policies/assemble.ts';
import { runProgram } from '../support/bpf.ts';

/** The meaning of a graph, followed node by node. */
function walk(node: Node, words: ReadonlyMap<number, number>, accumulator = 0): number {
  switch (node.kind) {
    case 'verdict':
      return node.value;
    case 'load':
      return walk(node.next, words, words.get(node.offset) as number);
    case 'mask':
      return walk(node.next, words, (accumulator & node.mask) >>> 0);
    case 'jump': {
      const yes = { eq: accumulator === node.value, gt: accumulator > node.value, ge: accumulator >= node.value }[node.test];
      return walk(yes ? node.yes : node.no, words, accumulator);
    }
  }
}

function ladder(graph: Graph, steps: number): Node {
  let node = graph.verdict(0);
  for (let step = steps; step > 0; step -= 1) node = graph.jump('eq', step, graph.verdict(step), node);
  return graph.load(0, node);
}

describe('policies/assemble', () => {
  it('reaches what lies further than a conditional jump does', () => {
    const program = assemble(ladder(new Graph(), 1500));
    for (const number of [0, 1, 2, 254, 255, 256, 257, 1499, 1500, 1501]) {
      expect(runProgram(program, { architecture: 0, number, arguments: [] }).verdict).to.equal(number <= 1500 ? number : 0);
    }
  });

  it('reaches two far tails from one jump, at every distance around the limit', () => {
    for (let distance = 245; distance < 262; distance += 1) {
      const graph = new Graph();
      const tails = [1, 2].map((tail) => graph.load(4, graph.jump('eq', tail, graph.verdict(tail), graph.verdict(tail + 10)))) as [
        Node,
        Node,
      ];
      let filler = graph.jump('eq', 5, tails[0], tails[1]);
      for (let step = 0; step < distance; step += 1) filler = graph.mask(0xff, filler);
      const start = graph.load(0, graph.jump('ge', 1000, graph.jump('gt', 2000, tails[0], tails[1]), filler));
      const program = assemble(start);
      for (const { jt, jf } of program) expect(Math.max(jt, jf), `distance ${distance}`).to.be.at.most(255);
      for (const number of [5, 6, 1000, 2000, 2001]) {
        for (const architecture of [1, 2]) {
          const verdict = walk(
            start,
            new Map([
              [0, number],
              [4, architecture],
            ]),
          );
          expect(runProgram(program, { architecture, number, arguments: [] }).verdict, `distance ${distance}`).to.equal(verdict);
        }
      }
    }
  });

  it('refuses a program longer than the kernel takes', () => {
    expect(() => assemble(ladder(new Graph(), 2100))).to.throw('the kernel takes 4096');
  });

  it('places a shared tail once', () => {
    const graph = new Graph();
    const tail = graph.load(4, graph.jump('eq', 7, graph.verdict(1), graph.verdict(2)));
    const start = graph.load(0, graph.jump('eq', 1, tail, graph.jump('gt', 9, tail, graph.verdict(3))));
    expect(assemble(start).filter(({ code, k }) => code === 0x20 && k === 4)).to.have.lengthOf(1);
  });

  it('means what the graph means, whatever the graph', () => {
    const step = fc.record({
      kind: fc.constantFrom('load', 'mask', 'jump'),
      test: fc.constantFrom<Test>('eq', 'gt', 'ge'),
      value: fc.nat(8),
      offset: fc.constantFrom(0, 4),
      one: fc.nat(1 << 16),
      other: fc.nat(1 << 16),
    });
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 1, maxLength: 900 }),
        fc.array(fc.tuple(fc.nat(9), fc.nat(9)), { minLength: 8 }),
        (steps, inputs) => {
          const graph = new Graph();
          const made: Node[] = [graph.verdict(1), graph.verdict(2)];
          for (const { kind, test, value, offset, one, other } of steps) {
            const a = made[made.length - 1 - (one % Math.min(made.length, 400))] as Node;
            const b = made[made.length - 1 - (other % Math.min(made.length, 400))] as Node;
            made.push(kind === 'load' ? graph.load(offset, a) : kind === 'mask' ? graph.mask(value, a) : graph.jump(test, value, a, b));
          }
          const start = graph.load(0, made.at(-1) as Node);
          const program = assemble(start);
          for (const { jt, jf } of program) expect(Math.max(jt, jf)).to.be.at.most(255);
          for (const [number, architecture] of inputs) {
            const verdict = walk(
              start,
              new Map([
                [0, number],
                [4, architecture],
              ]),
            );
            expect(runProgram(program, { architecture, number, arguments: [] }).verdict).to.equal(verdict);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
