/**
 * Links, addresses and routes as rtnetlink(7) writes them. Pure.
 */
import { addressFromBytes, familyOf, packetBytes } from '../../shared/addresses.ts';
import type { NetlinkAttribute, NetlinkMessage, NetlinkRequest } from './netlink.ts';
import {
  buildPayload,
  MessageType,
  NetlinkError,
  parseAttributes,
  RequestFlag,
  textAttribute,
  uint32Attribute,
  viewOf,
} from './netlink.ts';

export const AddressFamily = { UNSPECIFIED: 0, INET: 2, INET6: 10 } as const;
export const LinkFlag = { UP: 0x1 } as const;
/** How the kernel makes link-local addresses: from the MAC address (RFC 4291 appendix A), or not at all. */
export const AddressGeneration = { EUI64: 0, NONE: 1 } as const;
export const AddressFlag = { NODAD: 0x02, DADFAILED: 0x08, DEPRECATED: 0x20, NOPREFIXROUTE: 0x200 } as const;
export const Scope = { UNIVERSE: 0, LINK: 253 } as const;
export const MAIN_TABLE = 254;

const LinkAttribute = { ADDRESS: 1, IFNAME: 3, MTU: 4, TXQLEN: 13, AF_SPEC: 26 } as const;
const INET6_ADDR_GEN_MODE = 8;
const AddressAttribute = { ADDRESS: 1, LOCAL: 2, BROADCAST: 4, CACHEINFO: 6, FLAGS: 8 } as const;
export const RouteAttribute = { DST: 1, OIF: 4, GATEWAY: 5, PREFSRC: 7, MULTIPATH: 9, CACHEINFO: 12, TABLE: 15, NH_ID: 30 } as const;
/** Type of a route that carries packets on. */
export const UNICAST_ROUTE = 1;
/** The route is a cached copy of another. */
export const CLONED_ROUTE = 0x200;
const ONLINK = 4;
const PROTOCOL_KERNEL = 2;
const PROTOCOL_BOOT = 3;
/** INFINITY_LIFE_TIME (linux/if_addr.h users): the address never expires. */
const FOR_EVER = 0xffff_ffff;

const LINK_HEADER = 16;
const ADDRESS_HEADER = 8;
const ROUTE_HEADER = 12;
const NEXT_HOP_HEADER = 8;

export interface Link {
  readonly index: number;
  readonly flags: number;
  readonly name: string;
  readonly mtu: number;
  /** null where the link layer has none of six bytes. */
  readonly mac: Uint8Array | null;
}

export interface InterfaceAddress {
  readonly family: number;
  readonly index: number;
  readonly address: Uint8Array;
  /** The far end of a point-to-point link, else the address itself. */
  readonly peer: Uint8Array;
  readonly broadcast: Uint8Array | null;
  readonly prefixLength: number;
  readonly scope: number;
  readonly flags: number;
}

export interface NextHop {
  readonly index: number;
  /** 1…256. */
  readonly weight: number;
  /** null without one of the route's own family. */
  readonly gateway: Uint8Array | null;
}

export interface Route {
  readonly family: number;
  readonly destinationLength: number;
  /** null for a default route. */
  readonly destination: Uint8Array | null;
  readonly table: number;
  readonly type: number;
  readonly flags: number;
  /** At least one, but for routes that lead nowhere. */
  readonly hops: readonly NextHop[];
  /** struct rtmsg and the attributes as the kernel gave them, for a copy of the route. */
  readonly header: Uint8Array;
  readonly attributes: readonly NetlinkAttribute[];
}

/** RTM_GETLINK by index or name. */
export function linkRequest(which: number | string): NetlinkRequest {
  const header = linkHeader(typeof which === 'number' ? which : 0, 0, 0);
  const attributes = typeof which === 'string' ? [textAttribute(LinkAttribute.IFNAME, which)] : [];
  return { type: MessageType.GETLINK, flags: 0, payload: buildPayload(header, attributes) };
}

/** What RTM_SETLINK can change here. */
export interface LinkChange {
  readonly flags?: number;
  /** Mask of `flags` to set. */
  readonly change?: number;
  readonly mtu?: number;
  readonly mac?: Uint8Array;
  /** Packets that wait for the reader of the interface, at most. */
  readonly queueLength?: number;
}

/** RTM_SETLINK. */
export function changeLink(index: number, change: LinkChange): NetlinkRequest {
  const attributes: NetlinkAttribute[] = [];
  if (change.mac !== undefined) attributes.push({ type: LinkAttribute.ADDRESS, data: change.mac });
  if (change.mtu !== undefined) attributes.push(uint32Attribute(LinkAttribute.MTU, change.mtu));
  if (change.queueLength !== undefined) attributes.push(uint32Attribute(LinkAttribute.TXQLEN, change.queueLength));
  return {
    type: MessageType.SETLINK,
    flags: 0,
    payload: buildPayload(linkHeader(index, change.flags ?? 0, change.change ?? 0), attributes),
  };
}

/** RTM_SETLINK: `mode` of AddressGeneration, from the next time the link goes up. */
export function generateAddresses(index: number, mode: number): NetlinkRequest {
  const inet6 = buildPayload(new Uint8Array(0), [{ type: INET6_ADDR_GEN_MODE, data: Uint8Array.of(mode) }]);
  const families = buildPayload(new Uint8Array(0), [{ type: AddressFamily.INET6, data: inet6 }]);
  const payload = buildPayload(linkHeader(index, 0, 0), [{ type: LinkAttribute.AF_SPEC, data: families }]);
  return { type: MessageType.SETLINK, flags: 0, payload };
}

/** RTM_NEWADDR; `flags` of the message: CREATE | EXCL for a new one, REPLACE to change one. */
export function putAddress(address: Omit<InterfaceAddress, 'family'>, flags: number): NetlinkRequest {
  const attributes = [...addressAttributes(address), uint32Attribute(AddressAttribute.FLAGS, address.flags)];
  if (address.broadcast !== null) attributes.push({ type: AddressAttribute.BROADCAST, data: packetBytes(address.broadcast) });
  return { type: MessageType.NEWADDR, flags, payload: buildPayload(addressHeader(address), attributes) };
}

/** RTM_NEWADDR of an IPv6 address that is there: it is deprecated (RFC 4862 §5.5.4), and its prefix is on the link no more. */
export function deprecateAddress(address: Omit<InterfaceAddress, 'family'>): NetlinkRequest {
  const lifetimes = new Uint8Array(16);
  viewOf(lifetimes).setUint32(4, FOR_EVER, true);
  const attributes = [
    ...addressAttributes(address),
    uint32Attribute(AddressAttribute.FLAGS, AddressFlag.NODAD | AddressFlag.NOPREFIXROUTE),
    { type: AddressAttribute.CACHEINFO, data: lifetimes },
  ];
  return { type: MessageType.NEWADDR, flags: RequestFlag.REPLACE, payload: buildPayload(addressHeader(address), attributes) };
}

/** RTM_DELADDR. */
export function removeAddress(address: Omit<InterfaceAddress, 'family'>): NetlinkRequest {
  return { type: MessageType.DELADDR, flags: 0, payload: buildPayload(addressHeader(address), addressAttributes(address)) };
}

function addressHeader(address: Omit<InterfaceAddress, 'family'>): Uint8Array {
  const family = familyOf(address.address) === 4 ? AddressFamily.INET : AddressFamily.INET6;
  const header = Uint8Array.of(family, address.prefixLength, address.flags & 0xff, address.scope, 0, 0, 0, 0);
  viewOf(header).setUint32(4, address.index, true);
  return header;
}

function addressAttributes(address: Pick<InterfaceAddress, 'address' | 'peer'>): NetlinkAttribute[] {
  return [
    { type: AddressAttribute.LOCAL, data: packetBytes(address.address) },
    { type: AddressAttribute.ADDRESS, data: packetBytes(address.peer) },
  ];
}

/** RTM_NEWROUTE: a default route. `onLink` = the gateway need not be in a prefix of the link. */
export function defaultRoute(gateway: Uint8Array, index: number, onLink: boolean): NetlinkRequest {
  const family = familyOf(gateway) === 4 ? AddressFamily.INET : AddressFamily.INET6;
  const header = Uint8Array.of(family, 0, 0, 0, MAIN_TABLE, PROTOCOL_BOOT, Scope.UNIVERSE, UNICAST_ROUTE, 0, 0, 0, 0);
  viewOf(header).setUint32(8, onLink ? ONLINK : 0, true);
  const attributes = [{ type: RouteAttribute.GATEWAY, data: packetBytes(gateway) }, uint32Attribute(RouteAttribute.OIF, index)];
  return newRoute(buildPayload(header, attributes));
}

/** RTM_NEWROUTE: `route` as it is, but out of interface `index`, without preferred source and next-hop object. */
export function copyRoute(route: Route, index: number): NetlinkRequest {
  const attributes: NetlinkAttribute[] = [];
  for (const attribute of route.attributes) {
    if (attribute.type === RouteAttribute.PREFSRC || attribute.type === RouteAttribute.NH_ID) continue;
    if (attribute.type === RouteAttribute.OIF) attributes.push(uint32Attribute(RouteAttribute.OIF, index));
    else if (attribute.type === RouteAttribute.MULTIPATH)
      attributes.push({ type: attribute.type, data: redirectHops(attribute.data, index) });
    else attributes.push(attribute);
  }
  const header = Uint8Array.from(route.header);
  const view = viewOf(header);
  view.setUint32(8, view.getUint32(8, true) & ONLINK, true);
  return newRoute(buildPayload(header, attributes));
}

/** RTM_DELROUTE of what `defaultRoute` or `copyRoute` asked for. */
export function removeRoute({ payload }: NetlinkRequest): NetlinkRequest {
  return { type: MessageType.DELROUTE, flags: 0, payload };
}

/** The same text for routes that differ in nothing but their age and their interface. */
export function routeIdentity(route: Route): string {
  const lasting = route.attributes.filter(({ type }) => type !== RouteAttribute.CACHEINFO);
  return Buffer.from(copyRoute({ ...route, attributes: lasting }, 0).payload).toString('hex');
}

/** The kernel made the route with an address, and takes it away with it. */
export function isOfAddress(route: Route): boolean {
  return route.header[5] === PROTOCOL_KERNEL;
}

function newRoute(payload: Uint8Array): NetlinkRequest {
  return { type: MessageType.NEWROUTE, flags: RequestFlag.CREATE | RequestFlag.EXCL, payload };
}

/** Header of a dump of addresses. */
export function addressDumpHeader(family: number): Uint8Array {
  return Uint8Array.of(family, 0, 0, 0, 0, 0, 0, 0);
}

/** Header of a dump of routes. */
export function routeDumpHeader(family: number): Uint8Array {
  const header = new Uint8Array(ROUTE_HEADER);
  header[0] = family;
  return header;
}

export function parseLink(message: NetlinkMessage): Link {
  const view = checked(message, LINK_HEADER, 'link');
  let name = '';
  let mtu = 0;
  let mac: Uint8Array | null = null;
  for (const { type, data } of parseAttributes(message.payload, LINK_HEADER)) {
    if (type === LinkAttribute.IFNAME) name = textOf(data);
    else if (type === LinkAttribute.MTU && data.length === 4) mtu = viewOf(data).getUint32(0, true);
    else if (type === LinkAttribute.ADDRESS && data.length === 6) mac = Uint8Array.from(data);
  }
  return { index: view.getInt32(4, true), flags: view.getUint32(8, true), name, mtu, mac };
}

/** null for a family that is neither IPv4 nor IPv6, or a message without an address. */
export function parseInterfaceAddress(message: NetlinkMessage): InterfaceAddress | null {
  const view = checked(message, ADDRESS_HEADER, 'address');
  const family = view.getUint8(0);
  const size = addressSize(family);
  if (size === 0) return null;
  let local: Uint8Array | null = null;
  let peer: Uint8Array | null = null;
  let broadcast: Uint8Array | null = null;
  let flags = view.getUint8(2);
  for (const { type, data } of parseAttributes(message.payload, ADDRESS_HEADER)) {
    if (type === AddressAttribute.FLAGS && data.length === 4) flags = viewOf(data).getUint32(0, true);
    if (data.length !== size) continue;
    if (type === AddressAttribute.LOCAL) local = addressFromBytes(data);
    else if (type === AddressAttribute.ADDRESS) peer = addressFromBytes(data);
    else if (type === AddressAttribute.BROADCAST) broadcast = addressFromBytes(data);
  }
  const address = local ?? peer;
  if (address === null) return null;
  const index = view.getUint32(4, true);
  return { family, index, address, peer: peer ?? address, broadcast, prefixLength: view.getUint8(1), scope: view.getUint8(3), flags };
}

/** null for a family that is neither IPv4 nor IPv6. */
export function parseRoute(message: NetlinkMessage): Route | null {
  const view = checked(message, ROUTE_HEADER, 'route');
  const family = view.getUint8(0);
  const size = addressSize(family);
  if (size === 0) return null;
  const attributes = parseAttributes(message.payload, ROUTE_HEADER).map(({ type, data }) => ({ type, data: Uint8Array.from(data) }));
  let destination: Uint8Array | null = null;
  let table = view.getUint8(4);
  let hops: NextHop[] = [];
  for (const { type, data } of attributes) {
    if (type === RouteAttribute.DST && data.length === size) destination = addressFromBytes(data);
    else if (type === RouteAttribute.TABLE && data.length === 4) table = viewOf(data).getUint32(0, true);
    else if (type === RouteAttribute.MULTIPATH) hops = parseHops(data, size);
    else if (type === RouteAttribute.OIF && data.length === 4) {
      hops = [{ index: viewOf(data).getUint32(0, true), weight: 1, gateway: gatewayOf(attributes, size) }];
    }
  }
  const header = message.payload.slice(0, ROUTE_HEADER);
  const destinationLength = view.getUint8(1);
  return {
    family,
    destinationLength,
    destination,
    table,
    type: view.getUint8(7),
    flags: view.getUint32(8, true),
    hops,
    header,
    attributes,
  };
}

function parseHops(data: Uint8Array, size: number): NextHop[] {
  const hops: NextHop[] = [];
  eachHop(data, (at, length, view) => {
    const attributes = parseAttributes(data.subarray(at, at + length), NEXT_HOP_HEADER);
    hops.push({ index: view.getUint32(at + 4, true), weight: view.getUint8(at + 3) + 1, gateway: gatewayOf(attributes, size) });
  });
  return hops;
}

function redirectHops(data: Uint8Array, index: number): Uint8Array {
  const copy = Uint8Array.from(data);
  eachHop(copy, (at, _length, view) => {
    view.setUint32(at + 4, index, true);
    view.setUint8(at + 2, view.getUint8(at + 2) & ONLINK);
  });
  return copy;
}

/** Walks struct rtnexthop; an impossible length ends it with a NetlinkError. */
function eachHop(data: Uint8Array, visit: (at: number, length: number, view: DataView) => void): void {
  const view = viewOf(data);
  for (let at = 0; at + NEXT_HOP_HEADER <= data.length; ) {
    const length = view.getUint16(at, true);
    if (length < NEXT_HOP_HEADER || at + length > data.length) throw new NetlinkError(0, `next hop of ${length} bytes at ${at}`);
    visit(at, length, view);
    at += (length + 3) & ~3;
  }
}

function gatewayOf(attributes: readonly NetlinkAttribute[], size: number): Uint8Array | null {
  const found = attributes.find(({ type, data }) => type === RouteAttribute.GATEWAY && data.length === size);
  return found === undefined ? null : addressFromBytes(found.data);
}

function checked(message: NetlinkMessage, length: number, what: string): DataView {
  if (message.payload.length < length) throw new NetlinkError(0, `netlink ${what} of ${message.payload.length} bytes`);
  return viewOf(message.payload);
}

function addressSize(family: number): 0 | 4 | 16 {
  if (family === AddressFamily.INET) return 4;
  return family === AddressFamily.INET6 ? 16 : 0;
}

function linkHeader(index: number, flags: number, change: number): Uint8Array {
  const header = new Uint8Array(LINK_HEADER);
  const view = viewOf(header);
  view.setInt32(4, index, true);
  view.setUint32(8, flags, true);
  view.setUint32(12, change, true);
  return header;
}

function textOf(data: Uint8Array): string {
  const end = data.indexOf(0);
  return new TextDecoder().decode(end < 0 ? data : data.subarray(0, end));
}
