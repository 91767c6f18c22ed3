/**
 * The template: the interface of the host whose addresses and routes the guest gets. Found per family from the main routing table.
 *
 * A family without a usable interface is served all the same, in local mode (`link` is null): the guest gets an address of its own link
 * and reaches the host, and whatever becomes reachable later.
 */
import { isLinkLocal, isLoopback, sameAddress } from '../../shared/addresses.ts';
import type { Options } from '../config/options.ts';
import { UsageError } from '../usage-error.ts';
import type { NetlinkDialogue } from './netlink.ts';
import { MessageType, NetlinkError } from './netlink.ts';
import type { InterfaceAddress, Link, NextHop, Route } from './rtnetlink.ts';
import {
  AddressFamily,
  AddressFlag,
  addressDumpHeader,
  CLONED_ROUTE,
  linkRequest,
  MAIN_TABLE,
  parseInterfaceAddress,
  parseLink,
  parseRoute,
  routeDumpHeader,
  Scope,
  UNICAST_ROUTE,
} from './rtnetlink.ts';

const LOOPBACK_INDEX = 1;
const ENODEV = 19;

/** What the template gives to one family. */
export interface FamilyTemplate {
  /** null = local mode. */
  readonly link: Link | null;
  /** The address to give to the guest; null = none (then `-a` names one, or local mode). */
  readonly address: InterfaceAddress | null;
  /** Of the interface's default route; null where packets need none. */
  readonly gateway: Uint8Array | null;
  /** The interface's own link-local address; IPv6 only. */
  readonly linkLocal: Uint8Array | null;
  /** All addresses worth copying: neither of link scope nor deprecated. */
  readonly addresses: readonly InterfaceAddress[];
  /** Routes of the main table that leave by this interface alone. */
  readonly routes: readonly Route[];
}

export interface Template {
  /** null = the family is off. */
  readonly ipv4: FamilyTemplate | null;
  readonly ipv6: FamilyTemplate | null;
  /** Lines for people about choices that were made. */
  readonly notes: readonly string[];
}

/** What of the options decides the template. */
export type TemplateOptions = Pick<
  Options,
  'ipv4' | 'ipv6' | 'templateInterface' | 'outboundInterface4' | 'outboundInterface6' | 'address4' | 'address6'
>;

export const LOCAL_MODE: FamilyTemplate = Object.freeze({
  link: null,
  address: null,
  gateway: null,
  linkLocal: null,
  addresses: [],
  routes: [],
});

/** For a guest that gets nothing of the host: local mode, without a look at the host. */
export function noTemplate({ ipv4, ipv6 }: Pick<TemplateOptions, 'ipv4' | 'ipv6'>): Template {
  return Object.freeze({ ipv4: ipv4 ? LOCAL_MODE : null, ipv6: ipv6 ? LOCAL_MODE : null, notes: Object.freeze([]) });
}

/**
 * Reads the host's tables over `dialogue`, a NETLINK_ROUTE socket of the host's network namespace. An address of `held`, the template until
 * now, is taken again as long as the host has it.
 * Throws UsageError when `--interface` names none that can be used, NetlinkError when the kernel refuses.
 */
export function probeTemplate(dialogue: NetlinkDialogue, options: TemplateOptions, held: Template | null = null): Template {
  const named = namedTemplates(dialogue, options);
  const routes = tableOf(dialogue, MessageType.GETROUTE, routeDumpHeader(onlyFamily(options)), parseRoute).filter(isUsable);
  const addresses = tableOf(dialogue, MessageType.GETADDR, addressDumpHeader(onlyFamily(options)), parseInterfaceAddress);
  const links = new Map<number, Link>();
  const notes: string[] = [];
  const family = (number: number, assigned: Uint8Array | null, before: FamilyTemplate | null | undefined): FamilyTemplate => {
    const mine = routes.filter((route) => route.family === number);
    const choice = number === AddressFamily.INET ? named.ipv4 : named.ipv6;
    const index = choice?.link.index ?? chooseInterface(mine, number, notes);
    if (index === 0) return LOCAL_MODE;
    const own = addresses.filter((address) => address.family === number && address.index === index);
    const link = links.get(index) ?? parseLink(dialogue.get(linkRequest(index)));
    links.set(index, link);
    return familyTemplate(link, number, own, mine, { assigned, held: before?.address?.address ?? null });
  };
  const ipv4 = options.ipv4 ? family(AddressFamily.INET, options.address4, held?.ipv4) : null;
  const ipv6 = options.ipv6 ? family(AddressFamily.INET6, options.address6, held?.ipv6) : null;
  refuseUnusable(named, ipv4 ?? LOCAL_MODE, ipv6 ?? LOCAL_MODE);
  return Object.freeze({ ipv4, ipv6, notes: Object.freeze(notes) });
}

/** The interface that an option names. */
interface NamedTemplate {
  readonly option: string;
  readonly link: Link;
}

interface NamedTemplates {
  readonly ipv4: NamedTemplate | null;
  readonly ipv6: NamedTemplate | null;
}

/** `--interface`, else the one that the family leaves by; null = none is named. */
function namedTemplates(dialogue: NetlinkDialogue, options: TemplateOptions): NamedTemplates {
  const { templateInterface, outboundInterface4, outboundInterface6 } = options;
  const named = (option: string, name: string | null): NamedTemplate | null =>
    name === null ? null : { option, link: linkNamed(dialogue, option, name) };
  if (templateInterface !== null) {
    const both = named('--interface', templateInterface);
    return { ipv4: both, ipv6: both };
  }
  return {
    ipv4: options.ipv4 ? named('--outbound-if4', outboundInterface4) : null,
    ipv6: options.ipv6 ? named('--outbound-if6', outboundInterface6) : null,
  };
}

/** One that gives an address to no family that it is named for. */
function refuseUnusable(named: NamedTemplates, ipv4: FamilyTemplate, ipv6: FamilyTemplate): void {
  for (const choice of [named.ipv4, named.ipv6]) {
    if (choice === null || (choice === named.ipv4 && ipv4.link !== null) || (choice === named.ipv6 && ipv6.link !== null)) continue;
    throw new UsageError(`${choice.option} '${choice.link.name}': has no usable address; choose another interface or give --address`);
  }
}

/** What there is to say of a family's address beforehand. */
interface Wish {
  /** Given by option. */
  readonly assigned: Uint8Array | null;
  readonly held: Uint8Array | null;
}

function familyTemplate(link: Link, family: number, own: InterfaceAddress[], routes: Route[], wish: Wish): FamilyTemplate {
  const withdrawn = AddressFlag.DEPRECATED | AddressFlag.DADFAILED;
  const usable = own.filter((address) => (address.flags & withdrawn) === 0 && !isLoopback(address.address));
  const global = usable.filter((address) => (family === AddressFamily.INET ? true : address.scope === Scope.UNIVERSE));
  const held = global.find((other) => wish.held !== null && sameAddress(other.address, wish.held));
  const address = held ?? longestPrefix(global);
  const linkLocal = family === AddressFamily.INET6 ? (own.find((other) => isLinkLocal(other.address))?.address ?? null) : null;
  const lacksAddress = address === null && wish.assigned === null;
  if (lacksAddress || (family === AddressFamily.INET6 && linkLocal === null)) return LOCAL_MODE;
  return Object.freeze({
    link,
    address,
    linkLocal,
    gateway: gatewayThrough(routes, link.index),
    addresses: usable.filter((other) => other.scope !== Scope.LINK),
    routes: routes.filter((route) => route.hops.every((hop) => hop.index === link.index)),
  });
}

/** What is copied after a look at the host: a family whose uplink is gone keeps what it had, until there is one again. */
export function succeedTemplate(before: Template, after: Template): Template {
  const succeed = (old: FamilyTemplate | null, now: FamilyTemplate | null): FamilyTemplate | null => (now?.link === null ? old : now);
  return Object.freeze({ ...after, ipv4: succeed(before.ipv4, after.ipv4), ipv6: succeed(before.ipv6, after.ipv6) });
}

/** The first default route decides, else the first route of all; 0 = none. */
function chooseInterface(routes: readonly Route[], family: number, notes: string[]): number {
  const candidates = routes.filter((route) => firstHop(route).index !== LOOPBACK_INDEX);
  const defaults = candidates.filter(isDefault);
  const interfaces = new Set(defaults.map((route) => firstHop(route).index));
  const first = defaults[0] ?? candidates.find((route) => route.destination === null || !isLinkLocal(route.destination));
  if (interfaces.size > 1) {
    const version = family === AddressFamily.INET ? 4 : 6;
    notes.push(`several interfaces have an IPv${version} default route; the first is taken (--interface names another)`);
  }
  return first === undefined ? 0 : firstHop(first).index;
}

/** The heaviest hop of the interface's default route, the last one of equals; null when the route needs no gateway. */
function gatewayThrough(routes: readonly Route[], index: number): Uint8Array | null {
  for (const route of routes.filter(isDefault)) {
    let best: NextHop | null = null;
    for (const hop of route.hops) {
      if (hop.index === index && (best === null || hop.weight >= best.weight)) best = hop;
    }
    if (best !== null) return best.gateway;
  }
  return null;
}

function longestPrefix(addresses: readonly InterfaceAddress[]): InterfaceAddress | null {
  let best: InterfaceAddress | null = null;
  for (const address of addresses) {
    if (best === null || address.prefixLength > best.prefixLength) best = address;
  }
  return best;
}

function isUsable(route: Route): boolean {
  return route.table === MAIN_TABLE && route.type === UNICAST_ROUTE && (route.flags & CLONED_ROUTE) === 0 && route.hops.length > 0;
}

function isDefault(route: Route): boolean {
  return route.destinationLength === 0;
}

function firstHop(route: Route): NextHop {
  return route.hops[0] as NextHop;
}

function onlyFamily(options: TemplateOptions): number {
  if (options.ipv4 && options.ipv6) return AddressFamily.UNSPECIFIED;
  return options.ipv4 ? AddressFamily.INET : AddressFamily.INET6;
}

/** Index of the link of that name; null = there is none. */
export function linkIndex(dialogue: NetlinkDialogue, name: string): number | null {
  try {
    return parseLink(dialogue.get(linkRequest(name))).index;
  } catch (error) {
    if (error instanceof NetlinkError) return null;
    throw error;
  }
}

function linkNamed(dialogue: NetlinkDialogue, option: string, name: string): Link {
  try {
    return parseLink(dialogue.get(linkRequest(name)));
  } catch (error) {
    if (error instanceof NetlinkError && error.errno === ENODEV) {
      throw new UsageError(`${option} '${name}': there is no such interface; 'ip link' lists those of this host`);
    }
    throw error;
  }
}

function tableOf<Row>(
  dialogue: NetlinkDialogue,
  type: number,
  header: Uint8Array,
  parse: (message: ReturnType<NetlinkDialogue['dump']>[number]) => Row | null,
): Row[] {
  const rows: Row[] = [];
  for (const message of dialogue.dump(type, header)) {
    const row = parse(message);
    if (row !== null) rows.push(row);
  }
  return rows;
}
