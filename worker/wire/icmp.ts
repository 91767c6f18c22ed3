/**
 * ICMP (RFC 792) and ICMPv6 (RFC 4443): echo messages and errors. The two differ in type numbers, and ICMPv6 sums a pseudo-header.
 *
 *     0                   1                   2                   3
 *     |     Type      |     Code      |           Checksum            |
 *     |   Identifier and sequence (echo), parameter (errors): MTU, …  |
 */
import { complement, fold, pseudoSum6, sum } from './checksum.ts';
import { IPV6_HEADER, PROTOCOL_ICMPV6 } from './ipv6.ts';
import { bytes, view } from './memory.ts';
import { Verdict } from './verdict.ts';

/** Bytes of the header of an echo message or an error. */
export const ICMP_HEADER = 8;

const CODE = 1;
const CHECKSUM = 2;
const IDENTIFIER = 4;
const SEQUENCE = 6;
const PARAMETER = 4;

export const ECHO_REPLY4 = 0;
export const UNREACHABLE4 = 3;
export const ECHO_REQUEST4 = 8;
export const TIME_EXCEEDED4 = 11;
export const PARAMETER_PROBLEM4 = 12;

export const UNREACHABLE6 = 1;
export const PACKET_TOO_BIG6 = 2;
export const TIME_EXCEEDED6 = 3;
export const PARAMETER_PROBLEM6 = 4;
export const ECHO_REQUEST6 = 128;
export const ECHO_REPLY6 = 129;

/** Code of UNREACHABLE4 that carries an MTU (RFC 1191 §4). */
export const FRAGMENTATION_NEEDED4 = 4;

/** RFC 1812 §4.3.2.3: of the packet in error as much as fits into a datagram that every host takes. */
const EMBEDDED_PACKET4 = 576 - 20 - ICMP_HEADER;
/** RFC 4443 §2.4 (c): as much as fits the minimum IPv6 MTU. */
const EMBEDDED_PACKET6 = 1280 - IPV6_HEADER - ICMP_HEADER;

export function type(at: number): number {
  return view.getUint8(at);
}

export function code(at: number): number {
  return view.getUint8(at + CODE);
}

export function checksum(at: number): number {
  return view.getUint16(at + CHECKSUM);
}

/** Identifier of an echo message. */
export function identifier(at: number): number {
  return view.getUint16(at + IDENTIFIER);
}

/** Sequence number of an echo message. */
export function sequence(at: number): number {
  return view.getUint16(at + SEQUENCE);
}

/** Second word of an error: the MTU of "fragmentation needed" (low 16 bits) and "packet too big". */
export function parameter(at: number): number {
  return view.getInt32(at + PARAMETER);
}

/** Whether an error of that type and code tells of the path's MTU. */
export function isTooBig(ipv4: boolean, messageType: number, messageCode: number): boolean {
  return ipv4 ? messageType === UNREACHABLE4 && messageCode === FRAGMENTATION_NEEDED4 : messageType === PACKET_TOO_BIG6;
}

/** Checks that `available` bytes from `at` hold a header; every message of both versions has 8 bytes. */
export function check(available: number): number {
  return available < ICMP_HEADER ? Verdict.BAD_ICMP : Verdict.OK;
}

/** Whether the checksum of an ICMP message of `length` bytes is right. */
export function verify4(at: number, length: number): boolean {
  return sum(at, length, 0) === 0xffff;
}

/** Whether the checksum of an ICMPv6 message of `length` bytes, behind the IPv6 header at `l3`, is right. */
export function verify6(l3: number, at: number, length: number): boolean {
  return sum(at, length, pseudoSum6(l3, PROTOCOL_ICMPV6, length)) === 0xffff;
}

/** Fills the checksum of an ICMP message of `length` bytes. */
export function fillChecksum4(at: number, length: number): void {
  view.setInt16(at + CHECKSUM, 0);
  view.setInt16(at + CHECKSUM, complement(sum(at, length, 0)));
}

/** Fills the checksum of an ICMPv6 message of `length` bytes; the addresses of the IPv6 header at `l3` must be written. */
export function fillChecksum6(l3: number, at: number, length: number): void {
  view.setInt16(at + CHECKSUM, 0);
  view.setInt16(at + CHECKSUM, complement(sum(at, length, pseudoSum6(l3, PROTOCOL_ICMPV6, length))));
}

/** Writes the header of an echo message (code 0) in front of data that is there; the checksum is filled afterwards by `fillChecksum4/6`. */
export function writeEcho(at: number, messageType: number, id: number, sequenceNumber: number): void {
  view.setInt32(at, messageType << 24);
  view.setInt32(at + IDENTIFIER, (id << 16) | sequenceNumber);
}

/** Gives the echo message at `at` another identifier; the checksum, of which the data may be missing, is changed with it (RFC 1624 §3). */
export function changeIdentifier4(at: number, id: number): void {
  const difference = fold((~identifier(at) & 0xffff) + id);
  view.setInt16(at + CHECKSUM, complement(fold((~checksum(at) & 0xffff) + difference)));
  writeIdentifier(at, id);
}

/** Writes the identifier; the checksum is filled afterwards. */
export function writeIdentifier(at: number, id: number): void {
  view.setInt16(at + IDENTIFIER, id);
}

/** Writes the ICMP echo reply to the request of `length` bytes at `request`, checksum filled. The two may be the same place. */
export function writeEchoReply4(at: number, request: number, length: number): void {
  if (at !== request) bytes.copyWithin(at, request, request + length);
  view.setInt32(at, ECHO_REPLY4 << 24);
  fillChecksum4(at, length);
}

/** Writes the ICMPv6 echo reply, as `writeEchoReply4`; the addresses of the reply's IPv6 header at `l3` must be written. */
export function writeEchoReply6(l3: number, at: number, request: number, length: number): void {
  if (at !== request) bytes.copyWithin(at, request, request + length);
  view.setInt32(at, ECHO_REPLY6 << 24);
  fillChecksum6(l3, at, length);
}

/** Bytes of an ICMP error that returns a packet of `available` bytes. */
export function errorLength4(available: number): number {
  return ICMP_HEADER + Math.min(available, EMBEDDED_PACKET4);
}

/** Bytes of an ICMPv6 error that returns a packet of `available` bytes. */
export function errorLength6(available: number): number {
  return ICMP_HEADER + Math.min(available, EMBEDDED_PACKET6);
}

/** Type, code and second word, and the packet in error behind them, unless it was built in place. */
function writeError(at: number, messageType: number, messageCode: number, word: number, embedded: number, length: number): void {
  if (embedded !== at + ICMP_HEADER) bytes.copyWithin(at + ICMP_HEADER, embedded, embedded + length - ICMP_HEADER);
  view.setInt32(at, (messageType << 24) | (messageCode << 16));
  view.setInt32(at + PARAMETER, word);
}

/**
 * Writes an ICMP error and returns its bytes, `errorLength4(available)`. `word`: 0, the next hop's MTU for
 * `FRAGMENTATION_NEEDED4`, the pointer << 24 for a parameter problem. `embedded` may be `at + 8`: then nothing is copied.
 */
export function writeError4(
  at: number,
  messageType: number,
  messageCode: number,
  word: number,
  embedded: number,
  available: number,
): number {
  const length = errorLength4(available);
  writeError(at, messageType, messageCode, word, embedded, length);
  fillChecksum4(at, length);
  return length;
}

/**
 * Writes an ICMPv6 error and returns its bytes, `errorLength6(available)`; the addresses of the IPv6 header at `l3` must be written.
 * `word`: 0, the MTU for `PACKET_TOO_BIG6`, the pointer for a parameter problem. `embedded` may be `at + 8`: then nothing is copied.
 */
export function writeError6(
  l3: number,
  at: number,
  messageType: number,
  messageCode: number,
  word: number,
  embedded: number,
  available: number,
): number {
  const length = errorLength6(available);
  writeError(at, messageType, messageCode, word, embedded, length);
  fillChecksum6(l3, at, length);
  return length;
}
