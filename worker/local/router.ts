/**
 * What a router advertisement of ours says (RFC 4861 §4.2, RFC 4191, RFC 8106): prefix, default route, routes, MTU, DNS servers and search
 * list.
 *
 * It fits into one packet of the link, since Neighbour Discovery comes in no fragments (RFC 6980 §5); what has no room is left out, from
 * the end. What is told of names ends by itself: a guest that hears of us no more shall not ask a server for ever that may be gone. The prefix
 * and routes have no end: the link is nobody else's.
 */
import { linkMtu } from '../link/mtu.ts';
import { isLinkLocal6, isUnspecified6, setWords } from '../wire/address.ts';
import * as advertisement from '../wire/advertisement.ts';
import type { EncodedNames } from '../wire/domain-name.ts';
import { ourMac } from './identity.ts';
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
/** RFC 4191 §4. */
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
const routes = new Int32Array(MOST_ROUTES * WORDS);
const routeLengths = new Int32Array(MOST_ROUTES);
let routeCount = 0;

/** Sets the facts, at the start and when the host has changed. */
export function setRouter(facts: RouterFacts): void {
  advertises = facts.ra;
  isManaged = facts.dhcpv6;
  isDefault = facts.defaultRouter6;
  mtu = facts.advertisedMtu;
  setWords(prefix, facts.guestAddress6);
  prefix.fill(0, PREFIX_LENGTH >> 5);
  routeCount = Math.min(facts.routes6.length, MOST_ROUTES);
  const words = new Int32Array(WORDS);
  for (let index = 0; index < routeCount; index++) {
    const { destination, prefixLength } = facts.routes6[index] as RouteFacts;
    setWords(words, destination);
    for (let word = 0; word < WORDS; word++) {
      const bits = Math.min(Math.max(prefixLength - 32 * word, 0), 32);
      routes[WORDS * index + word] = bits === 0 ? 0 : (words[word] as number) & (-1 << (32 - bits));
    }
    routeLengths[index] = prefixLength;
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

function writeRoutes(at: number, limit: number): number {
  let to = at;
  for (let index = 0; index < routeCount; index++) {
    const length = routeLengths[index] as number;
    if (to + advertisement.routeBytes(length) > limit) return to;
    to += advertisement.writeRoute(to, routes, WORDS * index, length);
  }
  return to;
}

/** Writes the advertisement's ICMPv6 message at `at` and returns its bytes, at most what one packet of the link carries. The checksum is still to be filled. */
export function writeRouterAdvertisement(at: number): number {
  const limit = at + Math.min(linkMtu, MOST_PACKET) - IPV6_HEADER;
  let to = at + advertisement.writeAdvertisement(at, isManaged, isDefault ? ROUTER_LIFETIME : 0);
  to += advertisement.writeSourceMac(to, ourMac);
  if (limit - to < 40) return to - at;
  // RFC 4862 §5.5.3 (b).
  if (!isUnspecified6(prefix, 0) && !isLinkLocal6(prefix, 0))
    to += advertisement.writePrefix(to, prefix, PREFIX_LENGTH, advertisement.INFINITE, advertisement.INFINITE);
  if (mtu >= advertisement.LEAST_MTU) to += advertisement.writeMtu(to, mtu);
  to = writeServers(to, limit, servers6, server6Count, NAMES_LIFETIME);
  to = writeNames(to, limit, searchList, NAMES_LIFETIME);
  to = writeServers(to, limit, formerServers6, formerServer6Count, 0);
  to = writeNames(to, limit, formerSearchList, 0);
  return writeRoutes(to, limit) - at;
}
