/**
 * All rules of a run. A table is a value: it is checked as a whole when it is made and never changes, so that one can take the place of
 * another at once. Pure.
 */
import { MAX_FORWARDED_PORTS, MAX_FORWARDING_RULES } from '../../shared/limits.ts';
import { UsageError } from '../usage-error.ts';
import { countPorts, formatPorts } from './port-range.ts';
import { conflictOf, describeRule, type ForwardingRule } from './rule.ts';

export interface ForwardingTable {
  /** Rules whose sockets are in the host's namespace (-t, -u), in the order of their making. */
  readonly host: readonly ForwardingRule[];
  /** Rules whose sockets are in the guest's namespace (-T, -U). */
  readonly guest: readonly ForwardingRule[];
}

/** A rule, and how whoever gave it would recognise it: the option, or its description. */
export interface NamedRule {
  readonly rule: ForwardingRule;
  readonly name: string;
}

/** A rule under its description, for those that no option made. */
export function named(rule: ForwardingRule): NamedRule {
  return { rule, name: describeRule(rule) };
}

/** Nothing is forwarded. */
export const EMPTY_TABLE: ForwardingTable = Object.freeze({ host: Object.freeze([]), guest: Object.freeze([]) });

/**
 * The table of these rules, each of which is right by itself (`faultOf` in rule.ts).
 * @throws UsageError when two of them want the same port of the same address, or there are more than a side may have
 */
export function makeTable(rules: readonly NamedRule[]): ForwardingTable {
  const sides = { host: rules.filter(({ rule }) => rule.side === 'host'), guest: rules.filter(({ rule }) => rule.side === 'guest') };
  for (const side of Object.values(sides)) {
    refuseTooMany(side);
    refuseConflicts(side);
  }
  const only = (side: readonly NamedRule[]): readonly ForwardingRule[] => Object.freeze(side.map(({ rule }) => rule));
  return Object.freeze({ host: only(sides.host), guest: only(sides.guest) });
}

/** Ports that the rules of a side listen on. */
export function portsOf(rules: readonly ForwardingRule[]): number {
  return rules.reduce((sum, rule) => sum + countPorts(rule), 0);
}

function refuseTooMany(side: readonly NamedRule[]): void {
  const excess = side[MAX_FORWARDING_RULES];
  if (excess !== undefined)
    throw new UsageError(`${excess.name}: more than ${MAX_FORWARDING_RULES} ranges are forwarded; join some of them`);
  const ports = portsOf(side.map(({ rule }) => rule));
  const last = side.at(-1);
  if (last === undefined || ports <= MAX_FORWARDED_PORTS) return;
  throw new UsageError(`${last.name}: ${ports} ports are forwarded, more than ${MAX_FORWARDED_PORTS}; leave some out`);
}

function refuseConflicts(side: readonly NamedRule[]): void {
  side.forEach((later, at) => {
    for (const earlier of side.slice(0, at)) {
      const ports = conflictOf(earlier.rule, later.rule);
      if (ports === null) continue;
      const which = `port${ports.first === ports.last ? '' : 's'} ${formatPorts(ports)}`;
      if (earlier.name === later.name) throw new UsageError(`${later.name}: names ${which} twice; leave one out`);
      throw new UsageError(`${later.name}: conflicts with ${earlier.name}, which forwards ${which} as well; leave one out`);
    }
  });
}
