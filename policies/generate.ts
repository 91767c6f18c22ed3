/**
 * Policies → decision graphs. Order of a program: architecture, x32, then a binary search over the call's number, then that call's
 * conditions. A call without conditions is decided from architecture and number alone, which is what lets the kernel answer it
 * from its bitmap (Linux ≥ 5.11, SECCOMP_CACHE) without running the program.
 */
import { Graph, type Node } from './assemble.ts';
import type { Condition } from './expression.ts';
import type { Action, Architecture, Policy, Rule } from './parse.ts';

/** struct seccomp_data. */
const DATA = { NUMBER: 0, ARCHITECTURE: 4, ARGUMENTS: 16 } as const;

/** AUDIT_ARCH_* of <linux/audit.h>. */
export const AUDIT_ARCHITECTURE: Readonly<Record<Architecture, number>> = { x86_64: 0xc000003e, aarch64: 0xc00000b7 };

/** __X32_SYSCALL_BIT of <asm/unistd.h>: the x32 numbers come with the x86-64 architecture word. */
const X32_BIT = 0x40000000;

/** SECCOMP_RET_* of <linux/seccomp.h>. */
export const Verdict = { KILL_PROCESS: 0x80000000, ERRNO: 0x00050000, LOG: 0x7ffc0000, ALLOW: 0x7fff0000 } as const;

/** The word a filter returns for `action`. */
export function verdictOf(action: Action): number {
  if (action.kind === 'errno') return Verdict.ERRNO | action.errno;
  return { allow: Verdict.ALLOW, kill: Verdict.KILL_PROCESS, log: Verdict.LOG }[action.kind];
}

/** The first node of the whole program. */
export function generate(policy: Policy, architecture: Architecture): Node {
  const graph = new Graph();
  const fallback = graph.verdict(verdictOf(policy.fallback));
  const foreign = graph.verdict(verdictOf(policy.foreign));
  const spans = decisionSpans(graph, policy.rules, fallback);
  const search = searchNumber(graph, spans);
  const native = architecture === 'x86_64' ? graph.jump('ge', X32_BIT, foreign, search) : search;
  return graph.load(DATA.ARCHITECTURE, graph.jump('eq', AUDIT_ARCHITECTURE[architecture], graph.load(DATA.NUMBER, native), foreign));
}

/** Numbers from `first` up to the next span's first have the same decision. */
interface Span {
  readonly first: number;
  readonly node: Node;
}

function decisionSpans(graph: Graph, rules: readonly Rule[], fallback: Node): Span[] {
  const decisions = new Map<number, Node>();
  for (const rule of rules.toReversed()) {
    const otherwise = decisions.get(rule.number) ?? fallback;
    const verdict = graph.verdict(verdictOf(rule.action));
    decisions.set(rule.number, rule.condition === undefined ? verdict : branch(graph, rule.condition, verdict, otherwise));
  }
  const spans: Span[] = [{ first: 0, node: decisions.get(0) ?? fallback }];
  const edges = [...decisions.keys()].flatMap((number) => [number, number + 1]).filter((number) => number > 0);
  for (const first of [...new Set(edges)].sort((a, b) => a - b)) {
    const node = decisions.get(first) ?? fallback;
    if (node !== (spans.at(-1) as Span).node) spans.push({ first, node });
  }
  return spans;
}

function searchNumber(graph: Graph, spans: readonly Span[]): Node {
  if (spans.length === 1) return (spans[0] as Span).node;
  const middle = spans.length >> 1;
  const right = searchNumber(graph, spans.slice(middle));
  return graph.jump('ge', (spans[middle] as Span).first, right, searchNumber(graph, spans.slice(0, middle)));
}

function branch(graph: Graph, condition: Condition, yes: Node, no: Node): Node {
  switch (condition.kind) {
    case 'and':
      return condition.parts.reduceRight((rest, part) => branch(graph, part, rest, no), yes);
    case 'or':
      return condition.parts.reduceRight((rest, part) => branch(graph, part, yes, rest), no);
    case 'compare':
      switch (condition.relation) {
        case '==':
          return equal(graph, condition, yes, no);
        case '!=':
          return equal(graph, condition, no, yes);
        case '>':
          return greater(graph, condition, 'gt', yes, no);
        case '<=':
          return greater(graph, condition, 'gt', no, yes);
        case '>=':
          return greater(graph, condition, 'ge', yes, no);
        case '<':
          return greater(graph, condition, 'ge', no, yes);
      }
  }
}

type Comparison = Extract<Condition, { kind: 'compare' }>;

const LOW = 0xffff_ffffn;

function loadMasked(graph: Graph, offset: number, mask: number, next: Node): Node {
  return graph.load(offset, mask === 0xffff_ffff ? next : graph.mask(mask, next));
}

/** Both architectures are little-endian: the low half of an argument comes first. */
function halves({ argument, mask, value }: Comparison): {
  low: number;
  high: number;
  maskLow: number;
  maskHigh: number;
  wantedLow: number;
  wantedHigh: number;
} {
  const low = DATA.ARGUMENTS + argument.index * 8;
  return {
    low,
    high: low + 4,
    maskLow: Number(mask & LOW),
    maskHigh: Number(mask >> 32n),
    wantedLow: Number(value & LOW),
    wantedHigh: Number(value >> 32n),
  };
}

function equal(graph: Graph, comparison: Comparison, yes: Node, no: Node): Node {
  const { low, high, maskLow, maskHigh, wantedLow, wantedHigh } = halves(comparison);
  const then = maskLow === 0 ? yes : loadMasked(graph, low, maskLow, graph.jump('eq', wantedLow, yes, no));
  return maskHigh === 0 ? then : loadMasked(graph, high, maskHigh, graph.jump('eq', wantedHigh, then, no));
}

/** The upper half decides, unless it is equal; then the lower half does. */
function greater(graph: Graph, comparison: Comparison, test: 'gt' | 'ge', yes: Node, no: Node): Node {
  const { low, high, maskLow, maskHigh, wantedLow, wantedHigh } = halves(comparison);
  const lower = loadMasked(graph, low, maskLow, graph.jump(test, wantedLow, yes, no));
  if (maskHigh === 0) return lower;
  return loadMasked(graph, high, maskHigh, graph.jump('gt', wantedHigh, yes, graph.jump('eq', wantedHigh, lower, no)));
}
