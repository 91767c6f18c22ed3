/**
 * From what was asked for to rules: what a host that is known makes of a value of `-t`, `-u`, `-T` or `-U`. Pure.
 */
import { wrong } from '../config/values.ts';
import { ALL_PORTS, type PortRange, subtractRanges } from './port-range.ts';
import { type Enabled, faultOf, type ForwardingRule, GUEST_SIDE_INTERFACE, restrictToFamilies } from './rule.ts';
import { FORWARDING_OPTIONS, type ForwardingSpec, type Inclusion } from './spec.ts';

/** What the host has to do with it. */
export interface HostPorts extends Enabled {
  /** Ports that the host's kernel gives to connections: nobody's service is there. */
  readonly ephemeral: PortRange;
}

/**
 * The rules of one option, in the order of its chunks; exclusions cut one range into several.
 * @throws UsageError when a rule can't be on this host
 */
export function expandSpec(spec: ForwardingSpec, host: HostPorts): ForwardingRule[] {
  const rules: ForwardingRule[] = [];
  if (spec.none) return rules;
  const weak = spec.inclusions.length === 0;
  const everything: Inclusion = { ...ALL_PORTS, targetFirst: ALL_PORTS.first, target: spec.target };
  const gaps = weak ? [...spec.exclusions, host.ephemeral] : spec.exclusions;
  for (const inclusion of weak ? [everything] : spec.inclusions) {
    for (const range of subtractRanges(inclusion, gaps)) {
      const rule = restrictToFamilies(ruleOf(spec, inclusion, range, weak), host);
      const fault = faultOf(rule, host);
      if (fault !== null) throw wrong(spec.option, spec.text, fault);
      rules.push(rule);
    }
  }
  return rules;
}

function ruleOf(spec: ForwardingSpec, { first, target, targetFirst }: Inclusion, range: PortRange, weak: boolean): ForwardingRule {
  const { protocol, side } = FORWARDING_OPTIONS[spec.option];
  return {
    protocol,
    side,
    address: spec.address,
    interfaceName: side === 'guest' ? GUEST_SIDE_INTERFACE : spec.interfaceName,
    first: range.first,
    last: range.last,
    targetFirst: targetFirst + range.first - first,
    target,
    weak,
    scan: spec.scan,
  };
}
