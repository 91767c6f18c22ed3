/**
 * What a run tells people when it starts: one line per fact, shown at level INFO.
 */
import { formatAddress, formatMac, formatNetmask } from '../../shared/addresses.ts';
import { describeRule } from '../forwarding/rule.ts';
import type { FamilyPlan, Plan } from './plan.ts';

/** Lines without the program's name, in their order, of a namespace. `guestMac` is what the tap device has in the end. */
export function bannerLines(plan: Plan, guestMac: Uint8Array): string[] {
  if (!plan.worker.taps) return ['The namespace has no interface: loopbacks are joined, and nothing else', ...forwardingLines(plan)];
  const { interfaceName, mtu } = plan.namespace;
  const link = `Namespace interface: ${interfaceName}, MAC ${formatMac(guestMac)}${mtu > 0 ? `, MTU ${mtu}` : ''}`;
  return [templateLine(plan), link, ...networkLines(plan)];
}

/** The same of a machine, which connects to `path`, or null: is connected. People and wrappers look for the first line. */
export function machineBannerLines(plan: Plan, path: string | null): string[] {
  if (path === null) return [templateLine(plan), ...networkLines(plan)];
  return [
    `UNIX domain socket bound at ${path}`,
    templateLine(plan),
    ...networkLines(plan),
    `Start QEMU (7.2 or newer) with: -device virtio-net-pci,netdev=s -netdev stream,id=s,server=off,addr.type=unix,addr.path=${path}`,
  ];
}

function templateLine({ namespace }: Plan): string {
  return `Template interface: ${templateOf('IPv4', namespace.ipv4)}${templateOf('IPv6', namespace.ipv6)}`.replace(/, $/, '');
}

function networkLines(plan: Plan): string[] {
  const { namespace, worker, nameService } = plan;
  const lines = [
    `Our MAC: ${formatMac(worker.ourMac)}`,
    ...plan.notes.map((note) => `Note: ${note}`),
    ...loopbackLine(plan),
    ...familyLines('IPv4', namespace.ipv4),
    ...familyLines('IPv6', namespace.ipv6),
  ];
  if (worker.ipv6) lines.push(`IPv6 router: ${formatAddress(worker.ourLinkLocal)} (our link-local address)`);
  lines.push(`DNS: ${nameService.servers.map(formatAddress).join(', ') || 'none'}`);
  if (nameService.search.length > 0) lines.push(`DNS search list: ${nameService.search.join(', ')}`);
  for (const [forward, host] of [
    [nameService.forward4, nameService.host4],
    [nameService.forward6, nameService.host6],
  ] as const) {
    if (forward !== null && host !== null) lines.push(`DNS queries to ${formatAddress(forward)} go to ${formatAddress(host)}`);
  }
  for (const server of nameService.unreachable) {
    lines.push(`Note: /etc/resolv.conf names ${formatAddress(server)}, which is the namespace's own loopback to a command that runs there`);
  }
  return [...lines, ...forwardingLines(plan)];
}

function forwardingLines({ forwarding }: Plan): string[] {
  const inbound = forwarding.host.map((rule) => `Forwarded to the namespace: ${describeRule(rule)}`);
  return [...inbound, ...forwarding.guest.map((rule) => `Forwarded to the host: ${describeRule(rule)}`)];
}

function templateOf(name: string, family: FamilyPlan | null): string {
  if (family === null) return '';
  return `${family.templateName ?? 'none, local mode'} (${name}), `;
}

function loopbackLine({ worker }: Plan): string[] {
  const mapped = [worker.mapHostLoopback4, worker.mapHostLoopback6].filter((address) => address.length > 0);
  return mapped.length === 0 ? [] : [`Host loopback: reached from the namespace as ${mapped.map(formatAddress).join(' and ')}`];
}

function familyLines(name: string, family: FamilyPlan | null): string[] {
  if (family === null) return [];
  const lines: string[] = [];
  if (family.address !== null) {
    const mask = name === 'IPv4' ? ` (${formatNetmask(family.prefixLength)})` : '';
    lines.push(`${name} address: ${formatAddress(family.address)}/${family.prefixLength}${mask}`);
  }
  if (family.gateway !== null) lines.push(`${name} gateway: ${formatAddress(family.gateway)}`);
  return lines;
}
