/**
 * What the guest was told by router advertisements and DHCPv6 and is true no more, since the host's network has changed.
 *
 * Theory of operation. An address that the guest has made or was given is deprecated, not taken away: what begins from then on uses another
 * one (RFC 4862 §5.5.4), and flows that are bound to it go on, for two hours, which is the least that a host lets an advertisement leave it
 * (RFC 4862 §5.5.3). The time runs down, so that a later advertisement does not begin it anew. Routes end at once (RFC 4191 §2.3). So does
 * the router that we were under another link-local address, which says so from there a few times (RFC 4861 §6.2.8). Of each, the latest
 * few are kept; one that is true again is forgotten here.
 */
import { nowMs } from '../flow/clock.ts';
import { equalWords, isUnspecified6 } from '../wire/address.ts';

const WORDS = 4;
const MOST_ADDRESSES = 4;
const MOST_ROUTERS = 4;
const MOST_ROUTES = 17;
const DEPRECATED_MS = 7_200_000;
/** RFC 4861 §10: MAX_INITIAL_RTR_ADVERTISEMENTS. */
const FAREWELLS = 3;

/** Addresses of the guest, four words each, the latest last. */
export const formerAddresses = new Int32Array(MOST_ADDRESSES * WORDS);
export let formerAddressCount = 0;
const endsAt = new Int32Array(MOST_ADDRESSES);

/** Routes: prefixes of four words, and their bits. */
export const formerRoutes = new Int32Array(MOST_ROUTES * WORDS);
export const formerRouteLengths = new Int32Array(MOST_ROUTES);
export let formerRouteCount = 0;

/** Link-local addresses of ours, four words each. */
const routers = new Int32Array(MOST_ROUTERS * WORDS);
const farewells = new Int32Array(MOST_ROUTERS);
let routerCount = 0;

/** Nothing was told yet. */
export function openFormer(): void {
  formerAddressCount = 0;
  formerRouteCount = 0;
  routerCount = 0;
}

function find(list: Int32Array, count: number, words: Int32Array, at: number): number {
  for (let index = 0; index < count; index++) if (equalWords(list, WORDS * index, words, at)) return index;
  return -1;
}

function removeAddress(index: number): void {
  formerAddresses.copyWithin(WORDS * index, WORDS * (index + 1));
  endsAt.copyWithin(index, index + 1);
  formerAddressCount--;
}

function removeRouter(index: number): void {
  routers.copyWithin(WORDS * index, WORDS * (index + 1));
  farewells.copyWithin(index, index + 1);
  routerCount--;
}

function removeRoute(index: number): void {
  formerRoutes.copyWithin(WORDS * index, WORDS * (index + 1));
  formerRouteLengths.copyWithin(index, index + 1);
  formerRouteCount--;
}

/** The guest's address is `now`, and was `before`; four words each, all zero = none. */
export function succeedAddress(before: Int32Array, now: Int32Array): void {
  if (equalWords(before, 0, now, 0)) return;
  const returning = find(formerAddresses, formerAddressCount, now, 0);
  if (returning >= 0) removeAddress(returning);
  if (isUnspecified6(before, 0)) return;
  if (formerAddressCount === MOST_ADDRESSES) removeAddress(0);
  formerAddresses.set(before, WORDS * formerAddressCount);
  endsAt[formerAddressCount++] = (nowMs + DEPRECATED_MS) | 0;
}

/** Seconds for which the former address at `index` is still valid. Those that are valid no more are forgotten by `expireAddresses`. */
export function secondsLeft(index: number): number {
  return Math.ceil(Math.max((endsAt[index]! - nowMs) | 0, 0) / 1000);
}

/** Forgets addresses whose time is over. */
export function expireAddresses(): void {
  while (formerAddressCount > 0 && secondsLeft(0) === 0) removeAddress(0);
}

/** Which of them the address in four words of `words` is, −1 = none. */
export function formerAddressAt(words: Int32Array): number {
  return find(formerAddresses, formerAddressCount, words, 0);
}

function findRoute(prefixes: Int32Array, at: number, length: number): number {
  for (let index = 0; index < formerRouteCount; index++)
    if (formerRouteLengths[index] === length && equalWords(formerRoutes, WORDS * index, prefixes, at)) return index;
  return -1;
}

/** A route to the prefix of `length` bits in four words of `prefixes` from `at` is there no more. */
export function retireRoute(prefixes: Int32Array, at: number, length: number): void {
  if (formerRouteCount === MOST_ROUTES) removeRoute(0);
  formerRoutes.set(prefixes.subarray(at, at + WORDS), WORDS * formerRouteCount);
  formerRouteLengths[formerRouteCount++] = length;
}

/** There is one (again). */
export function restoreRoute(prefixes: Int32Array, at: number, length: number): void {
  const index = findRoute(prefixes, at, length);
  if (index >= 0) removeRoute(index);
}

/** Our address on the link is `now`, and was `before`; four words each, all zero = none. */
export function succeedRouter(before: Int32Array, now: Int32Array): void {
  if (equalWords(before, 0, now, 0)) return;
  const returning = find(routers, routerCount, now, 0);
  if (returning >= 0) removeRouter(returning);
  if (isUnspecified6(before, 0)) return;
  if (routerCount === MOST_ROUTERS) removeRouter(0);
  routers.set(before, WORDS * routerCount);
  farewells[routerCount++] = FAREWELLS;
}

/** Farewells that are due with the next advertisement to everybody. */
export function farewellCount(): number {
  return routerCount;
}

/** Puts the address that says the farewell of this index into four words of `words`. */
export function readFarewell(index: number, words: Int32Array): void {
  for (let word = 0; word < WORDS; word++) words[word] = routers[WORDS * index + word]!;
}

/** All of them were said once more. */
export function farewellsSaid(): void {
  for (let index = routerCount - 1; index >= 0; index--) if (--farewells[index]! === 0) removeRouter(index);
}
