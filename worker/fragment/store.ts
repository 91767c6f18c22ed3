/**
 * The packets of the guest of which fragments are missing: RFC 791 §3.2, RFC 8200 §4.5.
 *
 * Theory of operation. Each has a slot of the arena that holds the largest packet there is, so its bytes are put where they belong as
 * they come, and nothing is moved when it is complete. A packet is found by addresses, identification and protocol (IPv6: none) through
 * a keyed hash. Slots in use are chained in the order of their age, since all may live equally long (expiry.ts).
 *
 * All sources share the slots. None takes another one in place of its own oldest unless as many are free as it has: alone one gets half
 * of all, so a flood of first fragments from one address leaves room for the others; when nothing is free the oldest of all goes.
 * What goes that way goes silently. Everything here is bounded by the number of slots, whatever comes.
 */
import { Counter } from '../../shared/counters.ts';
import { MAX_REASSEMBLIES } from '../../shared/limits.ts';
import { nowMs } from '../flow/clock.ts';
import { flowHash } from '../flow/hash.ts';
import { key, KEY_FAR, KEY_GUEST } from '../flow/table.ts';
import { REASSEMBLIES, SLOT } from '../link/arena.ts';
import { counters } from '../link/counters.ts';
import { equalWords } from '../wire/address.ts';

/** Words of `addresses` for each packet: source, then destination, as in a flow's key. */
const ADDRESSES = 8;
const FAR = 4;
const BUCKETS = 2 * MAX_REASSEMBLIES;

/** Packets are numbered from 1; 0 is none. Of each: its addresses, identification, protocol and when its first fragment came, ms. */
const addresses = new Int32Array((MAX_REASSEMBLIES + 1) * ADDRESSES);
const ids = new Int32Array(MAX_REASSEMBLIES + 1);
const protocols = new Int32Array(MAX_REASSEMBLIES + 1);
const startedAt = new Int32Array(MAX_REASSEMBLIES + 1);
/** Its neighbours in the chain by age, and the next of its bucket or of the free ones. */
const older = new Int32Array(MAX_REASSEMBLIES + 1);
const younger = new Int32Array(MAX_REASSEMBLIES + 1);
const next = new Int32Array(MAX_REASSEMBLIES + 1);
const bucketOf = new Int32Array(MAX_REASSEMBLIES + 1);
const buckets = new Int32Array(BUCKETS);
let youngest = 0;
let freed = 0;
let used = 0;

/** The packet that waits longest, 0 = none waits; and how many wait. */
export let oldest = 0;
export let packetsWaiting = 0;

/** Forgets everything. */
export function openReassemblies(): void {
  buckets.fill(0);
  youngest = oldest = freed = used = packetsWaiting = 0;
}

/** Where the packet's slot begins in the arena. */
export function slotOf(packet: number): number {
  return REASSEMBLIES + (packet - 1) * SLOT;
}

/** When the first of its fragments came, ms. */
export function startOf(packet: number): number {
  return startedAt[packet]!;
}

function bucketFor(id: number, protocol: number): number {
  return flowHash(key, KEY_GUEST, KEY_FAR, id, protocol) & (BUCKETS - 1);
}

/** The packet with the addresses in `key`; 0 when there is none. */
export function findPacket(id: number, protocol: number): number {
  if (packetsWaiting === 0) return 0;
  let packet = buckets[bucketFor(id, protocol)]!;
  for (; packet !== 0; packet = next[packet]!) {
    const at = packet * ADDRESSES;
    if (ids[packet] !== id || protocols[packet] !== protocol) continue;
    if (equalWords(addresses, at, key, KEY_GUEST) && equalWords(addresses, at + FAR, key, KEY_FAR)) break;
  }
  return packet;
}

function link(packet: number): void {
  older[packet] = youngest;
  younger[packet] = 0;
  if (youngest === 0) oldest = packet;
  else younger[youngest] = packet;
  youngest = packet;
}

function unlink(packet: number): void {
  const before = older[packet]!;
  const behind = younger[packet]!;
  if (before === 0) oldest = behind;
  else younger[before] = behind;
  if (behind === 0) youngest = before;
  else older[behind] = before;
}

/** The packet is complete or is given up. */
export function releasePacket(packet: number): void {
  unlink(packet);
  const bucket = bucketOf[packet]!;
  let previous = 0;
  for (let at = buckets[bucket]!; at !== packet; at = next[at]!) previous = at;
  if (previous === 0) buckets[bucket] = next[packet]!;
  else next[previous] = next[packet]!;
  next[packet] = freed;
  freed = packet;
  packetsWaiting--;
}

function evict(packet: number): void {
  counters[Counter.reassemblies_evicted]!++;
  releasePacket(packet);
}

/** Gives up what the source in `key` has too much, or the oldest of all when nothing is free. */
function makeRoom(): void {
  let own = 0;
  let oldestOwn = 0;
  for (let packet = oldest; packet !== 0; packet = younger[packet]!) {
    if (!equalWords(addresses, packet * ADDRESSES, key, KEY_GUEST)) continue;
    if (own++ === 0) oldestOwn = packet;
  }
  const free = MAX_REASSEMBLIES - packetsWaiting;
  if (own > 0 && own >= free) evict(oldestOwn);
  else if (free === 0) evict(oldest);
}

/** A packet with the addresses in `key` that is new; there is always one, since an older one goes for it. */
export function beginPacket(id: number, protocol: number): number {
  makeRoom();
  const packet = freed || ++used;
  if (packet === freed) freed = next[packet]!;
  packetsWaiting++;
  for (let word = 0; word < 4; word++) {
    addresses[packet * ADDRESSES + word] = key[KEY_GUEST + word]!;
    addresses[packet * ADDRESSES + FAR + word] = key[KEY_FAR + word]!;
  }
  ids[packet] = id;
  protocols[packet] = protocol;
  startedAt[packet] = nowMs;
  const bucket = bucketFor(id, protocol);
  bucketOf[packet] = bucket;
  next[packet] = buckets[bucket]!;
  buckets[bucket] = packet;
  link(packet);
  return packet;
}

/** The packet is to be forgotten before all others: as old as the oldest. */
export function makeOldest(packet: number): void {
  startedAt[packet] = startedAt[oldest]!;
  unlink(packet);
  older[packet] = 0;
  younger[packet] = oldest;
  if (oldest === 0) youngest = packet;
  else older[oldest] = packet;
  oldest = packet;
}
