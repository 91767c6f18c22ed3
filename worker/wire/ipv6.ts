/**
 * IPv6 header (RFC 8200 §3). Extension headers are in `ipv6-extension.ts`.
 *
 *     0                   1                   2                   3
 *     |Version| Traffic class |              Flow label               |
 *     |        Payload length         |  Next header  |   Hop limit   |
 *     |                   Source address, 4 words                     |
 *     |                 Destination address, 4 words                  |
 */
import { MAPPED_WORD } from './address.ts';
import { view } from './memory.ts';
import { Verdict } from './verdict.ts';

/** Bytes of the fixed header. */
export const IPV6_HEADER = 40;

const PAYLOAD_LENGTH = 4;
const NEXT_HEADER = 6;
const HOP_LIMIT = 7;
const SOURCE = 8;
const DESTINATION = 24;

/** Largest scope of a group that no packet on a link is for (RFC 4291 §2.7). */
const NODE_SCOPE = 1;

export const PROTOCOL_ICMPV6 = 58;

export function version(at: number): number {
  return view.getUint8(at) >>> 4;
}

export function trafficClass(at: number): number {
  return (view.getUint16(at) >>> 4) & 0xff;
}

/** 20 bits. */
export function flowLabel(at: number): number {
  return view.getInt32(at) & 0xfffff;
}

/** Bytes behind the fixed header, extension headers included. */
export function payloadLength(at: number): number {
  return view.getUint16(at + PAYLOAD_LENGTH);
}

export function nextHeader(at: number): number {
  return view.getUint8(at + NEXT_HEADER);
}

export function hopLimit(at: number): number {
  return view.getUint8(at + HOP_LIMIT);
}

/** Word 0…3 of the source address. */
export function sourceWord(at: number, word: number): number {
  return view.getInt32(at + SOURCE + (word << 2));
}

/** Word 0…3 of the destination address. */
export function destinationWord(at: number, word: number): number {
  return view.getInt32(at + DESTINATION + (word << 2));
}

/** Copies the address at offset `at` into four words of `into` from `index`. */
export function readAddress(at: number, into: Int32Array, index: number): void {
  into[index] = view.getInt32(at);
  into[index + 1] = view.getInt32(at + 4);
  into[index + 2] = view.getInt32(at + 8);
  into[index + 3] = view.getInt32(at + 12);
}

/** Writes four words of `from` from `index` as the address at offset `at`. */
export function writeAddress(at: number, from: Int32Array, index: number): void {
  view.setInt32(at, from[index] as number);
  view.setInt32(at + 4, from[index + 1] as number);
  view.setInt32(at + 8, from[index + 2] as number);
  view.setInt32(at + 12, from[index + 3] as number);
}

/** Whether the address at offset `at` is the one in four words of `words` from `index`. */
export function equalAddress(at: number, words: Int32Array, index: number): boolean {
  return (
    view.getInt32(at + 12) === words[index + 3] &&
    view.getInt32(at + 8) === words[index + 2] &&
    view.getInt32(at + 4) === words[index + 1] &&
    view.getInt32(at) === words[index]
  );
}

/** Offset of the source address. */
export function sourceAt(at: number): number {
  return at + SOURCE;
}

/** Offset of the destination address. */
export function destinationAt(at: number): number {
  return at + DESTINATION;
}

/** Checks version and length of a header with `available` bytes from `at`; what is behind the payload is link padding. */
export function check(at: number, available: number): number {
  if (available < IPV6_HEADER) return Verdict.BAD_IPV6_LENGTH;
  if (version(at) !== 6) return Verdict.BAD_IPV6_HEADER;
  return payloadLength(at) > available - IPV6_HEADER ? Verdict.BAD_IPV6_LENGTH : Verdict.OK;
}

/** Verdict on an address that begins with 64 zero bits and so may be ::, ::1 or IPv4-mapped. */
function checkZeroPrefix(at: number, unspecified: number): number {
  const word2 = view.getInt32(at + 8);
  const word3 = view.getInt32(at + 12);
  if (word2 === MAPPED_WORD) return Verdict.BAD_ADDRESS;
  if (word2 !== 0) return Verdict.OK;
  if (word3 === 1) return Verdict.LOOPBACK_ADDRESS;
  return word3 === 0 ? unspecified : Verdict.OK;
}

/**
 * Checks the addresses of a packet on the link (RFC 4291 §2.5.2, §2.5.3, §2.7): a group of scope 0 or 1 is for the node alone. :: as a
 * destination is refused because `connect()` to it reaches the host's own loopback; ::ffff:0:0/96 because that is how flows store
 * IPv4, so it would pass for an IPv4 address (RFC 4942 §2.2).
 */
export function checkAddresses(at: number): number {
  const from = view.getInt32(at + SOURCE);
  if (from >>> 24 === 0xff) return Verdict.BAD_ADDRESS;
  if ((from | view.getInt32(at + SOURCE + 4)) === 0) {
    const verdict = checkZeroPrefix(at + SOURCE, Verdict.OK);
    if (verdict !== Verdict.OK) return verdict;
  }
  const to = view.getInt32(at + DESTINATION);
  if ((to | view.getInt32(at + DESTINATION + 4)) === 0) return checkZeroPrefix(at + DESTINATION, Verdict.BAD_ADDRESS);
  return to >>> 24 === 0xff && ((to >>> 16) & 0xf) <= NODE_SCOPE ? Verdict.BAD_ADDRESS : Verdict.OK;
}

/** Makes `next` the header behind the fixed one at `at`, with `payload` bytes from there on. */
export function writeNext(at: number, next: number, payload: number): void {
  view.setInt16(at + PAYLOAD_LENGTH, payload);
  view.setUint8(at + NEXT_HEADER, next);
}

export function setPayloadLength(at: number, payload: number): void {
  view.setInt16(at + PAYLOAD_LENGTH, payload);
}

/** Writes a header. `from` and `to` are columns of four words each, read from `fromIndex` and `toIndex`; `label` has 20 bits. */
export function writeIpv6(
  at: number,
  payload: number,
  next: number,
  from: Int32Array,
  fromIndex: number,
  to: Int32Array,
  toIndex: number,
  limit: number,
  traffic: number,
  label: number,
): void {
  view.setInt32(at, 0x60000000 | (traffic << 20) | label);
  view.setInt32(at + PAYLOAD_LENGTH, (payload << 16) | (next << 8) | limit);
  writeAddress(at + SOURCE, from, fromIndex);
  writeAddress(at + DESTINATION, to, toIndex);
}
