/**
 * IPv4 header (RFC 791 §3.1). Options are looked at and skipped.
 *
 *     0                   1                   2                   3
 *     |Version|  IHL  |      TOS      |         Total length          |
 *     |        Identification         |Flags|     Fragment offset     |
 *     |      TTL      |   Protocol    |        Header checksum        |
 *     |                        Source address                         |
 *     |                      Destination address                      |
 */
import { isBroadcast4, isLoopback4, isMulticast4 } from './address.ts';
import { complement, fold, sum } from './checksum.ts';
import { view } from './memory.ts';
import { Verdict } from './verdict.ts';

/** Bytes of a header without options; those written here have none. */
export const IPV4_HEADER = 20;

const TOS = 1;
const TOTAL_LENGTH = 2;
const IDENTIFICATION = 4;
const FRAGMENT = 6;
const TTL = 8;
const PROTOCOL = 9;
const CHECKSUM = 10;
const SOURCE = 12;
const DESTINATION = 16;

const MORE_FRAGMENTS_AND_OFFSET = 0x3fff;
const MORE_FRAGMENTS = 0x2000;
const FRAGMENT_OFFSET = 0x1fff;
const DONT_FRAGMENT = 0x4000;

/** Options (RFC 791 §3.1): the end of the list, and nothing at all, are one byte; the others have a length. */
const END_OF_OPTIONS = 0;
const NO_OPERATION = 1;
const LOOSE_SOURCE_ROUTE = 131;
const STRICT_SOURCE_ROUTE = 137;

export const PROTOCOL_ICMP = 1;
export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;

export function version(at: number): number {
  return view.getUint8(at) >>> 4;
}

/** Bytes of the header with its options. */
export function headerLength(at: number): number {
  return (view.getUint8(at) & 0xf) << 2;
}

export function tos(at: number): number {
  return view.getUint8(at + TOS);
}

/** Bytes of header and payload. */
export function totalLength(at: number): number {
  return view.getUint16(at + TOTAL_LENGTH);
}

export function ttl(at: number): number {
  return view.getUint8(at + TTL);
}

export function protocol(at: number): number {
  return view.getUint8(at + PROTOCOL);
}

/** Source address as an int32 word. */
export function source(at: number): number {
  return view.getInt32(at + SOURCE);
}

/** Destination address as an int32 word. */
export function destination(at: number): number {
  return view.getInt32(at + DESTINATION);
}

/** Whether more fragments follow or the offset isn't 0. */
export function isFragment(at: number): boolean {
  return (view.getUint16(at + FRAGMENT) & MORE_FRAGMENTS_AND_OFFSET) !== 0;
}

/** 16 bits that the fragments of one packet share (RFC 6864 §4). */
export function identification(at: number): number {
  return view.getUint16(at + IDENTIFICATION);
}

/** Where the fragment's data belong in the packet, in bytes. */
export function fragmentOffset(at: number): number {
  return (view.getUint16(at + FRAGMENT) & FRAGMENT_OFFSET) << 3;
}

export function moreFragments(at: number): boolean {
  return (view.getUint16(at + FRAGMENT) & MORE_FRAGMENTS) !== 0;
}

/**
 * Makes the header without options at `at` that of a fragment, or of the whole packet again: `total` and `offset` in bytes, without
 * the don't-fragment bit, checksum filled.
 */
export function writeFragment4(at: number, total: number, id: number, offset: number, more: boolean): void {
  view.setInt16(at + TOTAL_LENGTH, total);
  view.setInt16(at + IDENTIFICATION, id);
  view.setInt16(at + FRAGMENT, (more ? MORE_FRAGMENTS : 0) | (offset >>> 3));
  view.setInt16(at + CHECKSUM, 0);
  view.setInt16(at + CHECKSUM, complement(headerSum(at)));
}

/** Sets the length of the whole packet, and the checksum. */
export function setTotalLength(at: number, total: number): void {
  view.setInt16(at + TOTAL_LENGTH, total);
  view.setInt16(at + CHECKSUM, 0);
  view.setInt16(at + CHECKSUM, complement(headerSum(at)));
}

/** Whether no router may fragment the packet. */
export function dontFragment(at: number): boolean {
  return (view.getUint16(at + FRAGMENT) & DONT_FRAGMENT) !== 0;
}

/** Sum of the fixed header, unrolled: it runs for every frame. */
function headerSum(at: number): number {
  const a = view.getInt32(at);
  const b = view.getInt32(at + 4);
  const c = view.getInt32(at + 8);
  const d = view.getInt32(at + SOURCE);
  const e = view.getInt32(at + DESTINATION);
  const high = (a >>> 16) + (b >>> 16) + (c >>> 16) + (d >>> 16) + (e >>> 16);
  return fold(high + (a & 0xffff) + (b & 0xffff) + (c & 0xffff) + (d & 0xffff) + (e & 0xffff));
}

/** Whether all options between `from` and `end` are whole, and none says which way the packet is to go (RFC 7126 §4.3, §4.4). */
function checkOptions(from: number, end: number): boolean {
  for (let at = from; at < end; ) {
    const type = view.getUint8(at);
    if (type === END_OF_OPTIONS) return true;
    if (type === NO_OPERATION) {
      at++;
      continue;
    }
    const length = end - at < 2 ? 0 : view.getUint8(at + 1);
    if (length < 2 || length > end - at || type === LOOSE_SOURCE_ROUTE || type === STRICT_SOURCE_ROUTE) return false;
    at += length;
  }
  return true;
}

/** Checks lengths, options and the header checksum (RFC 1122 §3.2.1.1, §3.2.1.2) of a header with `available` bytes from `at`. */
export function check(at: number, available: number): number {
  if (available < IPV4_HEADER) return Verdict.BAD_IPV4_LENGTH;
  const header = headerLength(at);
  if (version(at) !== 4 || header < IPV4_HEADER) return Verdict.BAD_IPV4_HEADER;
  const total = totalLength(at);
  if (total < header || total > available) return Verdict.BAD_IPV4_LENGTH;
  let folded = headerSum(at);
  if (header > IPV4_HEADER) folded = sum(at + IPV4_HEADER, header - IPV4_HEADER, folded);
  if (folded !== 0xffff) return Verdict.BAD_IPV4_CHECKSUM;
  return header === IPV4_HEADER || checkOptions(at + IPV4_HEADER, at + header) ? Verdict.OK : Verdict.BAD_IPV4_OPTION;
}

/**
 * Checks the addresses of a packet on the link (RFC 1122 §3.2.1.3). 0.0.0.0 as a destination is refused because `connect()` to it
 * reaches the host's own loopback; as a source it is a DHCP client.
 */
export function checkAddresses(at: number): number {
  const from = source(at);
  const to = destination(at);
  if (isLoopback4(from) || isLoopback4(to)) return Verdict.LOOPBACK_ADDRESS;
  if (to === 0 || isMulticast4(from) || isBroadcast4(from)) return Verdict.BAD_ADDRESS;
  return Verdict.OK;
}

/** Writes a 20-byte header: identification 0, don't fragment (RFC 6864 §4.1), checksum filled. Addresses are int32 words. */
export function writeIpv4(
  at: number,
  total: number,
  protocolNumber: number,
  from: number,
  to: number,
  timeToLive: number,
  typeOfService: number,
): void {
  // Summed from the values: reading the header back just after writing it costs more than all the rest.
  const fixed = (0x4500 | typeOfService) + (total & 0xffff) + DONT_FRAGMENT + ((timeToLive << 8) | protocolNumber);
  const folded = fold(fixed + (from >>> 16) + (from & 0xffff) + (to >>> 16) + (to & 0xffff));
  view.setInt32(at, 0x45000000 | (typeOfService << 16) | total);
  view.setInt32(at + 4, DONT_FRAGMENT);
  view.setInt32(at + TTL, (timeToLive << 24) | (protocolNumber << 16));
  view.setInt32(at + SOURCE, from);
  view.setInt32(at + DESTINATION, to);
  view.setInt16(at + CHECKSUM, complement(folded));
}
