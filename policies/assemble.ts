/**
 * Decision graphs → classic BPF (struct sock_filter[], seccomp(2)).
 *
 * Theory of operation. A program is a graph of decisions without cycles; equal nodes are one node, so shared tails cost nothing.
 * BPF jumps only forward, so the program is laid out from its end: a node is placed when everything it may go to has been. A conditional
 * jump reaches 255 instructions; what lies further gets a copy of the verdict, or an unconditional jump, placed next to it.
 */

/** The tests a conditional jump can make on the accumulator; unsigned. */
export type Test = 'eq' | 'gt' | 'ge';

export type Node =
  | { readonly kind: 'verdict'; readonly value: number }
  | { readonly kind: 'load'; readonly offset: number; readonly next: Node }
  | { readonly kind: 'mask'; readonly mask: number; readonly next: Node }
  | { readonly kind: 'jump'; readonly test: Test; readonly value: number; readonly yes: Node; readonly no: Node };

/** struct sock_filter. */
export interface Instruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

/** Codes of <linux/bpf_common.h>: class | size or operation | mode or source. */
export const Code = { LOAD: 0x20, AND: 0x54, JUMP: 0x05, RETURN: 0x06, eq: 0x15, gt: 0x25, ge: 0x35 } as const;

/** BPF_MAXINSNS of <linux/bpf_common.h>. */
const MAX_INSTRUCTIONS = 4096;
const MAX_CONDITIONAL = 255;

/** Makes nodes, each distinct one once. */
export class Graph {
  readonly #nodes = new Map<string, Node>();
  readonly #names = new Map<Node, number>();

  verdict(value: number): Node {
    return this.#intern(`verdict ${value}`, { kind: 'verdict', value });
  }

  load(offset: number, next: Node): Node {
    return this.#intern(`load ${offset} ${this.#name(next)}`, { kind: 'load', offset, next });
  }

  mask(mask: number, next: Node): Node {
    return this.#intern(`mask ${mask} ${this.#name(next)}`, { kind: 'mask', mask, next });
  }

  jump(test: Test, value: number, yes: Node, no: Node): Node {
    if (yes === no) return yes;
    return this.#intern(`jump ${test} ${value} ${this.#name(yes)} ${this.#name(no)}`, { kind: 'jump', test, value, yes, no });
  }

  #name(node: Node): number {
    return this.#names.get(node) as number;
  }

  #intern(key: string, fresh: Node): Node {
    const known = this.#nodes.get(key);
    if (known !== undefined) return known;
    this.#nodes.set(key, fresh);
    this.#names.set(fresh, this.#names.size);
    return fresh;
  }
}

/** Lays the graph that begins at `start` out as a program. Throws when the kernel would refuse its length. */
export function assemble(start: Node): Instruction[] {
  const layout = new Layout();
  layout.place(start);
  const program = layout.reversed.toReversed();
  if (program.length > MAX_INSTRUCTIONS)
    throw new Error(`${program.length} instructions; the kernel takes ${MAX_INSTRUCTIONS}: shorten the policy`);
  return program;
}

/** The program from its end; a position is a distance from the end. */
class Layout {
  readonly reversed: Instruction[] = [];
  readonly #places = new Map<Node, number>();

  place(node: Node): void {
    if (this.#places.has(node)) return;
    if (node.kind === 'jump') {
      this.place(node.no);
      this.place(node.yes);
      this.#bringNear(node.yes, node.no);
      this.#emit(node, { code: Code[node.test], jt: this.#distance(node.yes), jf: this.#distance(node.no), k: node.value });
      return;
    }
    if (node.kind === 'verdict') {
      this.#emit(node, { code: Code.RETURN, jt: 0, jf: 0, k: node.value });
      return;
    }
    this.place(node.next);
    if (this.#distance(node.next) > 0) this.#copy(node.next);
    this.#emit(
      node,
      node.kind === 'load' ? { code: Code.LOAD, jt: 0, jf: 0, k: node.offset } : { code: Code.AND, jt: 0, jf: 0, k: node.mask },
    );
  }

  #bringNear(yes: Node, no: Node): void {
    // A copy of one pushes the other an instruction further away, hence the reserve of 1 for the second.
    if (this.#distance(yes) > MAX_CONDITIONAL - 1) this.#copy(yes);
    if (this.#distance(no) > MAX_CONDITIONAL) this.#copy(no);
  }

  #distance(node: Node): number {
    return this.reversed.length - 1 - (this.#places.get(node) as number);
  }

  #copy(node: Node): void {
    const stand =
      node.kind === 'verdict'
        ? { code: Code.RETURN, jt: 0, jf: 0, k: node.value }
        : { code: Code.JUMP, jt: 0, jf: 0, k: this.#distance(node) };
    this.#emit(node, stand);
  }

  #emit(node: Node, instruction: Instruction): void {
    this.#places.set(node, this.reversed.length);
    this.reversed.push(instruction);
  }
}
