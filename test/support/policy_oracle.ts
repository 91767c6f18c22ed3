/**
 * The meaning of a policy, told without any program: what the compiled one must agree with. And calls worth asking about.
 */
import type { Condition } from '../../policies/expression.ts';
import { AUDIT_ARCHITECTURE } from '../../policies/generate.ts';
import type { Action, Architecture, Policy, Rule } from '../../policies/parse.ts';
import type { Call } from './bpf.ts';

export const ALL_ONES = 0xffff_ffff_ffff_ffffn;

/** What `policy` says about `call`. */
export function decide(policy: Policy, architecture: Architecture, call: Call): Action {
  if (call.architecture !== AUDIT_ARCHITECTURE[architecture]) return policy.foreign;
  if (architecture === 'x86_64' && call.number >= 0x40000000) return policy.foreign;
  const rule = policy.rules.find(
    (one) => one.number === call.number && (one.condition === undefined || holds(one.condition, call.arguments)),
  );
  return rule?.action ?? policy.fallback;
}

/** True when the arguments fulfil the condition. */
export function holds(condition: Condition, values: readonly bigint[]): boolean {
  if (condition.kind !== 'compare') {
    const each = (part: Condition): boolean => holds(part, values);
    return condition.kind === 'and' ? condition.parts.every(each) : condition.parts.some(each);
  }
  const seen = (values[condition.argument.index] as bigint) & condition.mask;
  switch (condition.relation) {
    case '==':
      return seen === condition.value;
    case '!=':
      return seen !== condition.value;
    case '<':
      return seen < condition.value;
    case '<=':
      return seen <= condition.value;
    case '>':
      return seen > condition.value;
    case '>=':
      return seen >= condition.value;
  }
}

/**
 * Arguments that `rule` decides, one list for each alternative of its condition. What is not constrained is all ones, or zero where an
 * earlier line about the same call would take all ones.
 */
export function witnesses(rule: Rule, policy: Policy): bigint[][] {
  const alternatives = rule.condition === undefined ? [[]] : expand(rule.condition);
  const earlier = policy.rules.filter((one) => one.number === rule.number && one.line < rule.line);
  return alternatives.map((comparisons) => {
    const lists = [ALL_ONES, 0n].map((rest) => fulfil(comparisons, rest));
    return (
      lists.find((values) => !earlier.some((one) => one.condition !== undefined && holds(one.condition, values))) ??
      fulfil(comparisons, ALL_ONES)
    );
  });
}

function fulfil(comparisons: readonly Comparison[], rest: bigint): bigint[] {
  const values = new Array<bigint>(6).fill(rest);
  for (const { argument, mask, relation, value } of comparisons) {
    const wanted = { '==': value, '<=': value, '>=': value, '!=': value ^ (mask & -mask), '<': value - 1n, '>': value + 1n }[relation];
    values[argument.index] = ((values[argument.index] as bigint) & ~mask & ALL_ONES) | (wanted & mask);
  }
  return values;
}

/** Indexes of the arguments the rule looks at. */
export function argumentsOf(rule: Rule): number[] {
  const collect = (condition: Condition): number[] =>
    condition.kind === 'compare' ? [condition.argument.index] : condition.parts.flatMap(collect);
  return rule.condition === undefined ? [] : [...new Set(collect(rule.condition))].sort();
}

/** `values` with the argument at `index` changed a little: each bit, one more, one less, a million more, nothing, everything. */
export function neighbours(values: readonly bigint[], index: number): bigint[][] {
  const old = values[index] as bigint;
  const changed = Array.from({ length: 64 }, (_, bit) => old ^ (1n << BigInt(bit)));
  changed.push(old + 1n, old - 1n, old + 1_000_000n, 0n, ALL_ONES);
  return changed.map((value) => values.with(index, value & ALL_ONES)).filter((list) => list[index] !== old);
}

type Comparison = Extract<Condition, { kind: 'compare' }>;

function expand(condition: Condition): Comparison[][] {
  if (condition.kind === 'compare') return [[condition]];
  if (condition.kind === 'or') return condition.parts.flatMap(expand);
  return condition.parts.map(expand).reduce((left, right) => left.flatMap((a) => right.map((b) => [...a, ...b])));
}
