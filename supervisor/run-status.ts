/**
 * A run as `ravioli status` and `ravioli flows` show it: objects for JSON. Pure.
 */
import type { ravioli } from '../shared/channel.gen.js';
import { formatAddress, formatMac } from '../shared/addresses.ts';
import { COUNTERS } from '../shared/counters.ts';
import { FLOW_STATES } from '../shared/flow-state.ts';
import type { FamilyPlan, Plan } from './config/plan.ts';
import { VERSION } from './config/version.ts';
import type { GuestNamespaces } from './config/namespace-options.ts';
import { jsonOfRule } from './control/listing.ts';
import type { ForwardingTable } from './forwarding/table.ts';

/** What is known of a run. */
export interface RunFacts {
  readonly pid: number;
  readonly mode: 'pasta' | 'passt';
  /** When it was ready, ms of the epoch; and now. */
  readonly since: number;
  readonly now: number;
  /** Process of the command, 0 = none; what was joined in its place. */
  readonly command: number;
  readonly joined: GuestNamespaces | null;
  /** Where a machine connects. */
  readonly socket: string | null;
  readonly controlPath: string | null;
  readonly plan: Plan;
  readonly guestMac: Uint8Array | null;
  readonly forwarding: ForwardingTable;
  readonly counters: readonly number[];
  readonly flows: number;
}

/** The run as a whole. */
export function statusOf(facts: RunFacts): object {
  const { plan } = facts;
  const { namespace, worker } = plan;
  return {
    pid: facts.pid,
    mode: facts.mode,
    version: VERSION,
    since: new Date(facts.since).toISOString(),
    seconds: Math.floor((facts.now - facts.since) / 1000),
    guest: {
      command: facts.command === 0 ? null : facts.command,
      namespace: facts.joined?.network ?? (facts.command === 0 ? null : `/proc/${facts.command}/ns/net`),
      socket: facts.socket,
      interface: facts.mode === 'pasta' && worker.taps ? namespace.interfaceName : null,
      mac: facts.guestMac === null ? null : formatMac(facts.guestMac),
      mtu: worker.mtu,
      ipv4: familyOf(namespace.ipv4),
      ipv6: familyOf(namespace.ipv6),
      dns: plan.nameService.servers.map(formatAddress),
    },
    control: facts.controlPath,
    forwards: [...facts.forwarding.host, ...facts.forwarding.guest].map(jsonOfRule),
    flows: facts.flows,
    counters: Object.fromEntries(COUNTERS.map((name, index) => [name, facts.counters[index] ?? 0])),
  };
}

function familyOf(family: FamilyPlan | null): object | null {
  if (family === null) return null;
  return {
    address: family.address === null ? null : `${formatAddress(family.address)}/${family.prefixLength}`,
    gateway: family.gateway === null ? null : formatAddress(family.gateway),
    uplink: family.templateName,
  };
}

const PROTOCOL_NAMES: Readonly<Record<number, string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmpv6' };
const TCP = 6;

/** One flow. The channel has checked what the worker says. */
export function flowOf(flow: ravioli.Flow.$Properties): object {
  const end = (address: Uint8Array | null | undefined, port: number | null | undefined): object | null =>
    address?.length === 16 ? { address: formatAddress(address), port: port ?? 0 } : null;
  const isCounted = flow.protocol === TCP;
  return {
    protocol: PROTOCOL_NAMES[flow.protocol ?? 0],
    state: FLOW_STATES.get(flow.state ?? 0),
    spliced: flow.spliced ?? false,
    guest: end(flow.guest, flow.guestPort),
    far: end(flow.far, flow.farPort),
    host: end(flow.host, flow.hostPort),
    seconds: (flow.age ?? 0) / 1000,
    fromGuest: isCounted ? flow.fromGuest : null,
    toGuest: isCounted ? flow.toGuest : null,
  };
}
