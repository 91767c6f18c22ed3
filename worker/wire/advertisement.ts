/**
 * Router advertisements (RFC 4861 §4.2), and the options that only they have. Each `write…` returns the bytes that it has written.
 *
 *     | Type | Code | Checksum | Cur Hop Limit | Flags | Router Lifetime (2) | Reachable Time (4) | Retrans Timer (4) | Options … |
 */
import { copyMac } from './ethernet.ts';
import { writeAddress } from './ipv6.ts';
import { bytes, view } from './memory.ts';
import { ROUTER_ADVERTISEMENT } from './ndp.ts';

/** Bytes before the options. */
export const ADVERTISEMENT_HEADER = 16;
/** Seconds that never end (RFC 4861 §4.6.2). */
export const INFINITE = -1;
/** Bytes of the option for a prefix. */
export const PREFIX_BYTES = 32;
/** What IPv6 has of every link (RFC 8200 §5). */
export const LEAST_MTU = 1280;

const SOURCE_MAC = 1;
const PREFIX_INFORMATION = 3;
const MTU = 5;
const ROUTE_INFORMATION = 24;
const RDNSS = 25;
const DNSSL = 31;

const FLAGS = 5;
const LIFETIME = 6;
const MANAGED = 0x80;
const ON_LINK = 0x80;
const AUTONOMOUS = 0x40;
const ADDRESS = 16;

/** Bytes of the option that names `count` servers. */
export function serversBytes(count: number): number {
  return 8 + ADDRESS * count;
}

/** Bytes of the option whose encoded names have `length` bytes: it is filled up to a multiple of 8 (RFC 8106 §5.2). */
export function searchListBytes(length: number): number {
  return 8 + ((length + 7) & ~7);
}

/** Bytes of the option for a route to a prefix of so many bits (RFC 4191 §2.3). */
export function routeBytes(prefixLength: number): number {
  return prefixLength === 0 ? 8 : prefixLength <= 64 ? 16 : 24;
}

function writeOption(at: number, type: number, length: number): number {
  bytes.fill(0, at, at + length);
  view.setUint8(at, type);
  view.setUint8(at + 1, length >>> 3);
  return length;
}

/**
 * Writes all before the options; the checksum is still to be filled. `managed`: addresses are given by DHCPv6. `lifetime`: seconds (16 bits)
 * for which we are a default router, 0 = we are none. The hop limit and both times are 0: the guest's own are as good.
 */
export function writeAdvertisement(at: number, managed: boolean, lifetime: number): number {
  bytes.fill(0, at, at + ADVERTISEMENT_HEADER);
  view.setUint8(at, ROUTER_ADVERTISEMENT);
  view.setUint8(at + FLAGS, managed ? MANAGED : 0);
  view.setUint16(at + LIFETIME, lifetime);
  return ADVERTISEMENT_HEADER;
}

/** RFC 4861 §4.6.1; `mac`: its offset. */
export function writeSourceMac(at: number, mac: number): number {
  copyMac(at + 2, mac);
  view.setInt16(at, (SOURCE_MAC << 8) | 1);
  return 8;
}

/**
 * RFC 4861 §4.6.2: a prefix (four words, no host bits) that is on the link, and from which the guest may make addresses; both times in
 * seconds.
 */
export function writePrefix(at: number, prefix: Int32Array, length: number, valid: number, preferred: number): number {
  writeOption(at, PREFIX_INFORMATION, PREFIX_BYTES);
  view.setUint8(at + 2, length);
  view.setUint8(at + 3, ON_LINK | AUTONOMOUS);
  view.setInt32(at + 4, valid);
  view.setInt32(at + 8, preferred);
  writeAddress(at + 16, prefix, 0);
  return PREFIX_BYTES;
}

/** RFC 4861 §4.6.4. */
export function writeMtu(at: number, mtu: number): number {
  writeOption(at, MTU, 8);
  view.setInt32(at + 4, mtu);
  return 8;
}

/** RFC 4191 §2.3: a route of medium preference for `lifetime` seconds; the prefix is four words from `index`, without host bits. */
export function writeRoute(at: number, prefixes: Int32Array, index: number, prefixLength: number, lifetime: number): number {
  const length = writeOption(at, ROUTE_INFORMATION, routeBytes(prefixLength));
  view.setUint8(at + 2, prefixLength);
  view.setInt32(at + 4, lifetime);
  for (let word = 0; word < (length - 8) >>> 2; word++) view.setInt32(at + 8 + 4 * word, prefixes[index + word] as number);
  return length;
}

/** RFC 8106 §5.1: `count` servers, four words each, for `lifetime` seconds. */
export function writeServers(at: number, servers: Int32Array, count: number, lifetime: number): number {
  const length = writeOption(at, RDNSS, serversBytes(count));
  view.setInt32(at + 4, lifetime);
  for (let server = 0; server < count; server++) writeAddress(at + 8 + ADDRESS * server, servers, 4 * server);
  return length;
}

/** RFC 8106 §5.2: the first `length` bytes of a list of encoded names, for `lifetime` seconds. */
export function writeSearchList(at: number, names: Uint8Array, length: number, lifetime: number): number {
  const all = writeOption(at, DNSSL, searchListBytes(length));
  view.setInt32(at + 4, lifetime);
  for (let byte = 0; byte < length; byte++) view.setUint8(at + 8 + byte, names[byte] as number);
  return all;
}
