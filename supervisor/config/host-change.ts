/**
 * What a change of the host's network means to the guest, and how people are told of it. Pure.
 */
import { formatAddress } from '../../shared/addresses.ts';
import { routeIdentity } from '../host/rtnetlink.ts';
import type { FamilyTemplate, Template } from '../host/template.ts';
import type { FamilyPlan, Plan, WorkerPlan } from './plan.ts';

/** The host as it was found at one time. */
export interface HostState {
  /** As it is: a family without uplink is in local mode. */
  readonly template: Template;
  /** What the guest has because of it, and because of what was before. */
  readonly plan: Plan;
}

/** What of two states differs. */
export interface HostChange {
  /** The worker's facts. */
  readonly worker: boolean;
  /** Addresses or routes of the guest. */
  readonly namespace: boolean;
  /** One line for people; null = nothing that matters has changed. */
  readonly line: string | null;
}

/** Compares what was with what is. */
export function compareHost(before: HostState, after: HostState): HostChange {
  const families = [
    { name: 'IPv4', key: 'ipv4' },
    { name: 'IPv6', key: 'ipv6' },
  ] as const;
  const told: string[] = [];
  let namespace = false;
  for (const { name, key } of families) {
    const [old, now] = [before.plan.namespace[key], after.plan.namespace[key]];
    const isOther = identityOf(old) !== identityOf(now);
    namespace ||= isOther;
    const text = describeFamily(before.template[key], after.template[key], old, now, isOther);
    if (text !== null) told.push(`${name} ${text}`);
  }
  const worker = identityOfWorker(before.plan.worker) !== identityOfWorker(after.plan.worker);
  const line = told.length > 0 ? told.join('; ') : namespace || worker ? 'the uplink is another one of the same name' : null;
  return { worker, namespace, line: line === null ? null : `the host's network has changed: ${line}` };
}

/**
 * The facts for a worker that runs already. `first` are those of the start: where the host's loopback was out of reach then, the opener
 * keeps it so, and the guest gets no address for it. `before` are those until now: a guest that sets itself up speaks with us under the
 * gateway's address, so that stays when the host has none. `isRouted`: the host
 * has an uplink for IPv6; else advertisements say that there is no way out.
 */
export function laterFacts(first: WorkerPlan, before: WorkerPlan, now: WorkerPlan, isRouted: boolean): WorkerPlan {
  const nothing = new Uint8Array(0);
  const keeps4 = !now.configured && now.gateway4.length === 0;
  const keeps6 = !now.configured && now.gateway6.length === 0;
  const mapHostLoopback4 = keeps4 ? before.mapHostLoopback4 : now.mapHostLoopback4;
  const mapHostLoopback6 = keeps6 ? before.mapHostLoopback6 : now.mapHostLoopback6;
  return Object.freeze({
    ...now,
    gateway4: keeps4 ? before.gateway4 : now.gateway4,
    gateway6: keeps6 ? before.gateway6 : now.gateway6,
    ourLinkLocal: keeps6 ? before.ourLinkLocal : now.ourLinkLocal,
    mapHostLoopback4: first.mapHostLoopback4.length === 0 ? nothing : mapHostLoopback4,
    mapHostLoopback6: first.mapHostLoopback6.length === 0 ? nothing : mapHostLoopback6,
    dhcp: keeps4 ? before.dhcp : now.dhcp,
    defaultRouter6: now.defaultRouter6 && (isRouted || now.configured),
  });
}

/** The same text for plans that make the same of the guest's interface. */
function identityOf(family: FamilyPlan | null): string {
  if (family === null) return '';
  const addresses = family.addresses
    .map(({ address, peer, prefixLength }) => `${[address, peer].map(formatAddress)}/${prefixLength}`)
    .sort();
  const routes = family.routes?.map(routeIdentity).sort() ?? null;
  return JSON.stringify([family.templateName, addressText(family), routes, addresses]);
}

function identityOfWorker(plan: WorkerPlan): string {
  return JSON.stringify(plan);
}

function addressText({ address, prefixLength, gateway }: FamilyPlan): string {
  const own = address === null ? 'no address' : `${formatAddress(address)}/${prefixLength}`;
  return gateway === null ? own : `${own} through ${formatAddress(gateway)}`;
}

function wayText(family: FamilyPlan): string {
  return `${addressText(family)} by ${family.templateName}`;
}

/** null = there is nothing to say of it. */
function describeFamily(
  wasThere: FamilyTemplate | null,
  isThere: FamilyTemplate | null,
  old: FamilyPlan | null,
  now: FamilyPlan | null,
  isOther: boolean,
): string | null {
  if (old === null || now === null || wasThere === null || isThere === null) return null;
  if (isThere.link === null) {
    return wasThere.link === null ? null : `has no uplink any more (it was ${wasThere.link.name}), and the guest keeps what it has`;
  }
  if (wasThere.link === null) return `has an uplink${isOther ? '' : ' again'}: ${wayText(now)}`;
  if (!isOther) return null;
  if (wayText(now) === wayText(old)) return `has other routes or further addresses, still by ${now.templateName}`;
  return `is ${wayText(now)} now (it was ${wayText(old)})`;
}
