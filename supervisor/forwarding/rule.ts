/**
 * A forwarding rule: what listens where, and where that leads. Pure.
 *
 * A rule comes from a word of the command line or from a client of the control socket, so what can be wrong with one alone is told here.
 */
import {
  ANY_IPV4,
  ANY_IPV6,
  familyOf,
  formatAddress,
  isLimitedBroadcast,
  isLoopback,
  isMulticast,
  isUnspecified,
  sameAddress,
} from '../../shared/addresses.ts';
import { formatPorts, overlapOf, type PortRange } from './port-range.ts';

export interface ForwardingRule {
  readonly protocol: 'tcp' | 'udp';
  /** Whose namespace listens: the host's for -t and -u, the guest's for -T and -U. */
  readonly side: 'host' | 'guest';
  /** 16 bytes, 0.0.0.0 and :: for any of one family; null = any address of both. */
  readonly address: Uint8Array | null;
  /** Only what comes in by this interface; null = by any. */
  readonly interfaceName: string | null;
  /** Ports listened on. */
  readonly first: number;
  readonly last: number;
  /** Port at the target that `first` leads to; the others follow. */
  readonly targetFirst: number;
  /** Address at the other side; null = the guest's (or its loopback), and for the guest's side the same loopback address of the host. */
  readonly target: Uint8Array | null;
  /** Best effort: ports that can't be bound are left out. */
  readonly weak: boolean;
  /** Only while somebody listens at the other side. */
  readonly scan: boolean;
}

/** What is up. */
export interface Enabled {
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  readonly tcp: boolean;
  readonly udp: boolean;
  /** Somebody looks which ports the other side listens on. */
  readonly scan: boolean;
}

/** What guest-side rules are bound to: nothing but loopback leads to the host's loopback. */
export const GUEST_SIDE_INTERFACE = 'lo';

/** The rule with the wildcard of the family that is up, where only one is; otherwise as it is. */
export function restrictToFamilies(rule: ForwardingRule, { ipv4, ipv6 }: Enabled): ForwardingRule {
  if (rule.address !== null || ipv4 === ipv6) return rule;
  return { ...rule, address: ipv4 ? ANY_IPV4 : ANY_IPV6 };
}

/** What is wrong with the rule by itself, and the cure, to be put behind its name; null = nothing. */
export function faultOf(rule: ForwardingRule, enabled: Enabled): string | null {
  return (
    portFault(rule) ?? enabledFault(rule, enabled) ?? sideFault(rule) ?? (rule.target === null ? null : targetFault(rule, rule.target))
  );
}

function portFault({ first, last, targetFirst }: ForwardingRule): string | null {
  if (first === 0 || targetFirst === 0) return 'port 0 can not be forwarded; ports are 1 to 65535';
  if (first > last || last > 65_535) return `${first}-${last} is no range of ports; give the lower one first, 65535 at most`;
  if (targetFirst + last - first > 65_535)
    return `${formatPorts({ first, last })} does not fit at port ${targetFirst}; the last port is 65535`;
  return null;
}

function enabledFault({ protocol, address, scan }: ForwardingRule, enabled: Enabled): string | null {
  if (scan && !enabled.scan) return "'auto' needs a namespace to look into; give ports, or 'all'";
  if (!enabled[protocol]) return `${protocol.toUpperCase()} is switched off by --no-${protocol}; leave one of the two out`;
  const family = address === null ? null : familyOf(address);
  if (address === null || (family === 4 ? enabled.ipv4 : enabled.ipv6)) return null;
  return `${formatAddress(address)} is an IPv${family} address, but IPv${family} is switched off; give another one`;
}

function sideFault({ side, address, interfaceName }: ForwardingRule): string | null {
  const onLoopback = interfaceName === GUEST_SIDE_INTERFACE || (address !== null && isLoopback(address));
  return side === 'host' || onLoopback ? null : 'the namespace listens on its loopback only; give ports without an address';
}

function targetFault({ side, address }: ForwardingRule, target: Uint8Array): string | null {
  const text = formatAddress(target);
  const family = familyOf(target);
  if (isUnspecified(target)) return `${text} is no address of a target; leave it out for the guest's own`;
  if (isMulticast(target) || isLimitedBroadcast(target)) return `${text} is no unicast address; a target must be one`;
  if (address === null) {
    const cure =
      side === 'guest' ? `leave the target out, or give -${family}` : `write ${family === 4 ? '0.0.0.0' : '[::]'}/ before the ports`;
    return `what listens on both families can't lead to ${text}; ${cure}`;
  }
  if (familyOf(address) === family) return null;
  return `${formatAddress(address)} can't lead to ${text}: that is another family; give an IPv${familyOf(address)} target`;
}

/** The ports that both rules want on the same socket; null = they can be together. Interfaces make no difference, as in the peer. */
export function conflictOf(a: ForwardingRule, b: ForwardingRule): PortRange | null {
  if (a.protocol !== b.protocol || a.side !== b.side || !addressesMeet(a.address, b.address)) return null;
  return overlapOf(a, b);
}

function addressesMeet(a: Uint8Array | null, b: Uint8Array | null): boolean {
  if (a === null || b === null) return true;
  if (familyOf(a) !== familyOf(b)) return false;
  return sameAddress(a, b) || isUnspecified(a) || isUnspecified(b);
}

/** True when the rules mean the same, to the flag. */
export function sameRule(a: ForwardingRule, b: ForwardingRule): boolean {
  const keys = ['protocol', 'side', 'interfaceName', 'first', 'last', 'targetFirst', 'weak', 'scan'] as const;
  return keys.every((key) => a[key] === b[key]) && sameOptional(a.address, b.address) && sameOptional(a.target, b.target);
}

function sameOptional(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === null || b === null ? a === b : sameAddress(a, b);
}

/** The ports at the target. */
export function targetPorts({ first, last, targetFirst }: ForwardingRule): PortRange {
  return { first: targetFirst, last: targetFirst + last - first };
}

/** A line for people: `TCP [192.0.2.1]%eth0:80-90 => [2001:db8::1]:3000-3010 (best effort) (auto-scan)`. */
export function describeRule(rule: ForwardingRule): string {
  const device = rule.interfaceName === null ? '' : `%${rule.interfaceName}`;
  const address = rule.address === null ? '*' : formatAddress(rule.address);
  const target = rule.target === null ? '' : `${hostText(rule.target)}:`;
  const flags = `${rule.weak ? ' (best effort)' : ''}${rule.scan ? ' (auto-scan)' : ''}`;
  return `${rule.protocol.toUpperCase()} [${address}]${device}:${formatPorts(rule)} => ${target}${formatPorts(targetPorts(rule))}${flags}`;
}

/**
 * The rule as the value of an option, which gives the same rule again: `192.0.2.1%eth0/80-90:[2001:db8::1]/3000-3010`.
 * Of a weak rule the option makes one that is not, since only ranges that nobody names are weak.
 */
export function specOf(rule: ForwardingRule): string {
  const ports = targetPorts(rule);
  const target = rule.target === null ? '' : `${hostText(rule.target)}/`;
  const destination = target === '' && ports.first === rule.first ? '' : `:${target}${formatPorts(ports)}`;
  return `${whereOf(rule)}${formatPorts(rule)}${destination}${rule.scan ? ',auto' : ''}`;
}

/** The option that makes such a rule, and its value: how a rule is named in a complaint. */
export function optionOf(rule: ForwardingRule): string {
  return `--${rule.protocol}-${rule.side === 'host' ? 'ports' : 'ns'} '${specOf(rule)}'`;
}

function whereOf({ side, address, interfaceName }: ForwardingRule): string {
  if (side === 'guest') return '';
  const device = interfaceName === null ? '' : `%${interfaceName}`;
  return address === null ? (device === '' ? '' : `${device}/`) : `${hostText(address)}${device}/`;
}

function hostText(address: Uint8Array): string {
  return familyOf(address) === 4 ? formatAddress(address) : `[${formatAddress(address)}]`;
}
