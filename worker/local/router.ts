/**
 * What a router advertisement of ours says (RFC 4861 §4.2, RFC 4191, RFC 8106): prefix, default route, routes, MTU, DNS servers and search
 * list.
 *
 * It fits into one packet of the link, since Neighbour Discovery comes in no fragments (RFC 6980 §5); what has no room is left out, from
 * the end. What is told of names ends by itself: a guest that hears of us no more shall not ask a server for ever that may be gone. The prefix
 * and routes have no end: the link is nobody else's. What was told and is true no more (former.ts) is withdrawn; prefixes only towards everybody,
 * since a guest that asks for a router may be one that has just begun, and would make itself an address of a former prefix.
 */
import { linkMtu } from '../link/mtu.ts';
import { isLinkLocal6, isUnspecified6, setWords } from '../wire/address.ts';
import * as advertisement from '../wire/advertisement.ts';
import type { EncodedNames } from '../wire/domain-name.ts';
import * as former from './former.ts';
import { linkLocal, ourMac } from './identity.ts';
import { formerSearchList, formerServer6Count, formerServers6, searchList, server6Count, servers6 } from './names.ts';

/** What the advertisements are made of. Addresses are 16 bytes in network order, or empty when not set. */
export interface RouterFacts {
  /** There are any. */
  ra: boolean;
  /** Addresses are given by DHCPv6 as well. */
  dhcpv6: boolean;
  /** The guest's; its first 64 bits are the link's prefix. */
  guestAddress6: Uint8Array;
  /** The guest's default route leads through us. */
  defaultRouter6: boolean;
  /** 0 = not told. */
  advertisedMtu: number;
  /** Routes through us that are not the default, as far as MOST_ROUTES. */
  routes6: readonly RouteFacts[];
}

export interface RouteFacts {
  destination: Uint8Array;
  /** Bits. */
  prefixLength: number;
}

const WORDS = 4;
const PREFIX_LENGTH = 64;
const PREFIX_WORDS = 2;
/** RFC 4191 §4: in one advertisement, those that have ended included. */
const MOST_ROUTES = 17;
/** Bytes of an advertisement's packet at most, whatever the link would take. */
const MOST_PACKET = 1500;
const IPV6_HEADER = 40;
/** Seconds; RFC 8319 §4 allows what the field can hold: a guest that was halted for long finds its way out when it wakes. */
const ROUTER_LIFETIME = 65_535;
/** Seconds; RFC 8106 §5.1: three times the longest interval. */
const NAMES_LIFETIME = 1800;

/** Whether there are advertisements at all. */
export let advertises = false;

let isManaged = false;
let isDefault = false;
let mtu = 0;
const prefix = new Int32Array(WORDS);
const formerPrefix = new Int32Array(WORDS);
/** The guest's address that the prefix is of, and ours, as they were told. */
const guest = new Int32Array(WORDS);
const us = new Int32Array(WORDS);
const routes = new Int32Array(MOST_ROUTES * WORDS);
const routeLengths = new Int32Array(MOST_ROUTES);
let routeCount = 0;

/** Nothing was told yet. */
export function openRouter(): void {
  advertises = false;
  guest.fill(0);
  us.fill(0);
  routeCount = 0;
  former.openFormer();
}

/** Sets the facts, at the start and when the host has changed; identity.ts has its own already. */
export function setRouter(facts: RouterFacts): void {
  advertises = facts.ra;
  isManaged = facts.dhcpv6;
  isDefault = facts.defaultRouter6;
  mtu = facts.advertisedMtu;
  const words = new Int32Array(WORDS);
  setWords(words, facts.guestAddress6);
  former.succeedAddress(guest, words);
  guest.set(words);
  prefix.set(words);
  prefix.fill(0, PREFIX_WORDS);
  former.succeedRouter(us, linkLocal);
  us.set(linkLocal);
  setRoutes(facts.routes6);
}

function setRoutes(told: readonly RouteFacts[]): void {
  for (let index = 0; index < routeCount; index++) former.retireRoute(routes, WORDS * index, routeLengths[index]!);
  routeCount = Math.min(told.length, MOST_ROUTES);
  const words = new Int32Array(WORDS);
  for (let index = 0; index < routeCount; index++) {
    const { destination, prefixLength } = told[index]!;
    setWords(words, destination);
    for (let word = 0; word < WORDS; word++) {
      const bits = Math.min(Math.max(prefixLength - 32 * word, 0), 32);
      routes[WORDS * index + word] = bits === 0 ? 0 : words[word]! & (-1 << (32 - bits));
    }
    routeLengths[index] = prefixLength;
    former.restoreRoute(routes, WORDS * index, prefixLength);
  }
}

/** As many names as there is room for; the option is left out where none fits. */
function writeNames(at: number, limit: number, names: EncodedNames, lifetime: number): number {
  const { bytes, ends } = names;
  for (let index = ends.length - 1; index >= 0; index--)
    if (at + advertisement.searchListBytes(ends[index] as number) <= limit)
      return at + advertisement.writeSearchList(at, bytes, ends[index] as number, lifetime);
  return at;
}

function writeServers(at: number, limit: number, servers: Int32Array, count: number, lifetime: number): number {
  if (count === 0 || at + advertisement.serversBytes(count) > limit) return at;
  return at + advertisement.writeServers(at, servers, count, lifetime);
}

function writeRoutes(at: number, limit: number, prefixes: Int32Array, lengths: Int32Array, count: number, lifetime: number): number {
  let to = at;
  for (let index = 0; index < count; index++) {
    const length = lengths[index]!;
    if (to + advertisement.routeBytes(length) > limit) return to;
    to += advertisement.writeRoute(to, prefixes, WORDS * index, length, lifetime);
  }
  return to;
}

function writeFormerRoutes(at: number, limit: number): number {
  const count = Math.min(former.formerRouteCount, MOST_ROUTES - routeCount);
  return writeRoutes(at, limit, former.formerRoutes, former.formerRouteLengths, count, 0);
}

/** Whether the prefix of the former address at `index` is that of no later one, nor told still. */
function isFormerPrefix(index: number): boolean {
  const { formerAddresses, formerAddressCount } = former;
  const [first, second] = [formerAddresses[WORDS * index], formerAddresses[WORDS * index + 1]];
  if (isLinkLocal6(formerAddresses, WORDS * index) || (first === prefix[0] && second === prefix[1])) return false;
  for (let later = index + 1; later < formerAddressCount; later++)
    if (first === formerAddresses[WORDS * later] && second === formerAddresses[WORDS * later + 1]) return false;
  return true;
}

/** RFC 4862 §5.5.3: addresses of these prefixes are used by what uses them already. */
function writeFormerPrefixes(at: number, limit: number): number {
  let to = at;
  former.expireAddresses();
  for (let index = 0; index < former.formerAddressCount; index++) {
    if (!isFormerPrefix(index) || to + advertisement.PREFIX_BYTES > limit) continue;
    for (let word = 0; word < PREFIX_WORDS; word++) formerPrefix[word] = former.formerAddresses[WORDS * index + word]!;
    to += advertisement.writePrefix(to, formerPrefix, PREFIX_LENGTH, former.secondsLeft(index), 0);
  }
  return to;
}

function packetLimit(at: number): number {
  return at + Math.min(linkMtu, MOST_PACKET) - IPV6_HEADER;
}

/**
 * Writes the advertisement's ICMPv6 message at `at` and returns its bytes, at most what one packet of the link carries. `isToAll`: it goes to
 * everybody. The checksum is still to be filled.
 */
export function writeRouterAdvertisement(at: number, isToAll: boolean): number {
  const limit = packetLimit(at);
  let to = at + advertisement.writeAdvertisement(at, isManaged, isDefault ? ROUTER_LIFETIME : 0);
  to += advertisement.writeSourceMac(to, ourMac);
  if (limit - to < 40) return to - at;
  // RFC 4862 §5.5.3 (b).
  if (!isUnspecified6(prefix, 0) && !isLinkLocal6(prefix, 0))
    to += advertisement.writePrefix(to, prefix, PREFIX_LENGTH, advertisement.INFINITE, advertisement.INFINITE);
  if (mtu >= advertisement.LEAST_MTU) to += advertisement.writeMtu(to, mtu);
  if (isToAll) to = writeFormerPrefixes(to, limit);
  to = writeServers(to, limit, servers6, server6Count, NAMES_LIFETIME);
  to = writeNames(to, limit, searchList, NAMES_LIFETIME);
  to = writeServers(to, limit, formerServers6, formerServer6Count, 0);
  to = writeNames(to, limit, formerSearchList, 0);
  to = writeRoutes(to, limit, routes, routeLengths, routeCount, advertisement.INFINITE);
  return writeFormerRoutes(to, limit) - at;
}

/**
 * The same for the message by which the router that we were says that it is none any more (RFC 4861 §6.2.8): a host has default route and
 * routes of the address that has told them.
 */
export function writeFarewell(at: number): number {
  const limit = packetLimit(at);
  let to = at + advertisement.writeAdvertisement(at, isManaged, 0);
  to += advertisement.writeSourceMac(to, ourMac);
  to = writeRoutes(to, limit, routes, routeLengths, routeCount, 0);
  return writeFormerRoutes(to, limit) - at;
}
