/**
 * Whether there are descriptors for all the sockets that rules need, asked before the first one is made.
 */
import { countPorts } from './port-range.ts';
import { type ForwardingRule, optionOf } from './rule.ts';
import { portsOf } from './table.ts';

/** What there is. */
export interface DescriptorSupply {
  /** RLIMIT_NOFILE. */
  readonly limit: number;
  /** Of those, the ones that can be listening sockets. */
  readonly listeners: number;
}

/** A line for people when the rules would take more than there is; null = they fit. What scanning finds is not known, and counts nothing. */
export function descriptorFault(rules: readonly ForwardingRule[], { limit, listeners }: DescriptorSupply): string | null {
  const certain = rules.filter(({ scan }) => !scan);
  const ports = portsOf(certain);
  if (ports <= listeners) return null;
  const largest = certain.reduce((most, rule) => (countPorts(rule) > countPorts(most) ? rule : most));
  const needed = limit - listeners + ports;
  const cure = `raise it with 'ulimit -Hn ${needed}' as root, or forward fewer ports`;
  return `${optionOf(largest)}: ${ports} ports in all need ${needed} open files, and the limit is ${limit}; ${cure}`;
}
