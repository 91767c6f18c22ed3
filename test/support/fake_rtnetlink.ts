/**
 * A kernel of synthetic tables that speaks netlink: what dialogues are tested against without a namespace.
 */
import { packetBytes, parseAddress, parseMac } from '../../shared/addresses.ts';
import {
  buildDatagram,
  buildPayload,
  MessageType,
  type NetlinkAttribute,
  type NetlinkCalls,
  type NetlinkMessage,
  parseMessages,
  RequestFlag,
  textAttribute,
  uint32Attribute,
  viewOf,
} from '../../supervisor/host/netlink.ts';

export function bytesOf(text: string): Uint8Array {
  const address = parseAddress(text);
  if (address === null) throw new Error(`${text} is no address`);
  return address;
}

export interface FakeLink {
  index: number;
  name: string;
  mtu?: number;
  mac?: string;
}
export interface FakeAddress {
  index: number;
  address: string;
  length: number;
  scope?: number;
  flags?: number;
}
export interface FakeHop {
  index: number;
  gateway?: string;
  weight?: number;
}
export interface FakeRoute {
  to?: string;
  length?: number;
  family?: 4 | 6;
  hops: FakeHop[];
  table?: number;
  type?: number;
  flags?: number;
  prefsrc?: string;
}

export interface FakeTables {
  links: FakeLink[];
  addresses: FakeAddress[];
  routes: FakeRoute[];
}

export function linkPayload(link: FakeLink): Uint8Array {
  const header = new Uint8Array(16);
  viewOf(header).setInt32(4, link.index, true);
  return buildPayload(header, [
    textAttribute(3, link.name),
    uint32Attribute(4, link.mtu ?? 1500),
    { type: 1, data: parseMac(link.mac ?? '02:00:00:00:00:09') as Uint8Array },
  ]);
}

export function addressPayload(one: FakeAddress): Uint8Array {
  const data = packetBytes(bytesOf(one.address));
  const flags = one.flags ?? 0x80;
  const header = Uint8Array.of(data.length === 4 ? 2 : 10, one.length, flags & 255, one.scope ?? 0, 0, 0, 0, 0);
  viewOf(header).setUint32(4, one.index, true);
  return buildPayload(header, [{ type: 1, data }, ...(data.length === 4 ? [{ type: 2, data }] : []), uint32Attribute(8, flags)]);
}

export function routePayload(route: FakeRoute): Uint8Array {
  const family = route.family ?? (route.to !== undefined && packetBytes(bytesOf(route.to)).length === 16 ? 6 : 4);
  const table = route.table ?? 254;
  const header = Uint8Array.of(family === 4 ? 2 : 10, route.length ?? 0, 0, 0, table & 255, 3, 0, route.type ?? 1, 0, 0, 0, 0);
  viewOf(header).setUint32(8, route.flags ?? 0, true);
  const attributes: NetlinkAttribute[] = [uint32Attribute(15, table)];
  if (route.to !== undefined) attributes.push({ type: 1, data: packetBytes(bytesOf(route.to)) });
  if (route.prefsrc !== undefined) attributes.push({ type: 7, data: packetBytes(bytesOf(route.prefsrc)) });
  const [hop, ...more] = route.hops;
  if (hop !== undefined && more.length === 0) {
    attributes.push(uint32Attribute(4, hop.index));
    if (hop.gateway !== undefined) attributes.push({ type: 5, data: packetBytes(bytesOf(hop.gateway)) });
  } else if (hop !== undefined) attributes.push({ type: 9, data: joined(route.hops.map(hopBytes)) });
  return buildPayload(header, attributes);
}

function hopBytes(hop: FakeHop): Uint8Array {
  const attributes = hop.gateway === undefined ? [] : [{ type: 5, data: packetBytes(bytesOf(hop.gateway)) }];
  const bytes = buildPayload(new Uint8Array(8), attributes);
  const view = viewOf(bytes);
  view.setUint16(0, bytes.length, true);
  view.setUint8(3, (hop.weight ?? 1) - 1);
  view.setUint32(4, hop.index, true);
  return bytes;
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** A datagram of one answer. */
export function answer(type: number, sequence: number, payload: Uint8Array, flags = 0): Uint8Array {
  return buildDatagram([{ type, flags, payload }], 0, sequence);
}

/** An NLMSG_ERROR; errno 0 = acknowledgement. */
export function acknowledgement(sequence: number, errno: number): Uint8Array {
  const payload = new Uint8Array(20);
  viewOf(payload).setInt32(0, -errno, true);
  return answer(MessageType.ERROR, sequence, payload);
}

export class FakeKernel implements NetlinkCalls {
  readonly tables: FakeTables;
  /** Requests that change something, in order. */
  readonly changes: NetlinkMessage[] = [];
  /** Errno for a change; 0 = done. */
  verdict: (message: NetlinkMessage) => number = () => 0;
  datagrams = 0;
  readonly queue: Uint8Array[] = [];

  constructor(tables: Partial<FakeTables> = {}) {
    this.tables = { links: tables.links ?? [], addresses: tables.addresses ?? [], routes: tables.routes ?? [] };
  }

  send(_fd: number, bytes: Uint8Array): number {
    this.datagrams++;
    for (const message of parseMessages(Uint8Array.from(bytes))) this.#take(message);
    return bytes.length;
  }

  receive(): Uint8Array | null {
    return this.queue.shift() ?? null;
  }

  waitReadable(): number {
    return 0;
  }

  #take(message: NetlinkMessage): void {
    const { sequence, type } = message;
    if (type === MessageType.GETLINK) this.#link(message);
    else if ((message.flags & RequestFlag.DUMP) === RequestFlag.DUMP) {
      const rows = type === MessageType.GETROUTE ? this.tables.routes.map(routePayload) : this.tables.addresses.map(addressPayload);
      const family = message.payload[0];
      for (const payload of rows) if (family === 0 || payload[0] === family) this.queue.push(answer(type - 2, sequence, payload, 2));
      this.queue.push(answer(MessageType.DONE, sequence, new Uint8Array(4)));
    } else {
      this.changes.push(message);
      this.queue.push(acknowledgement(sequence, this.verdict(message)));
    }
  }

  #link({ payload, sequence }: NetlinkMessage): void {
    const index = viewOf(payload).getInt32(4, true);
    const name = new TextDecoder().decode(payload.subarray(20)).replace(/\0.*$/s, '');
    const found = this.tables.links.find((link) => (index === 0 ? link.name === name : link.index === index));
    this.queue.push(found === undefined ? acknowledgement(sequence, 19) : answer(MessageType.NEWLINK, sequence, linkPayload(found)));
  }
}
