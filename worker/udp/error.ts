/**
 * What became of a datagram, told to the guest as a router or the far host would: by ICMP (RFC 792) or ICMPv6 (RFC 4443).
 *
 * The kernel keeps the errors of a host socket in its error queue, each with the datagram's payload and, for an ICMP error,
 * type, code and sender. The packet in error that the guest gets back carries its own addresses and ports.
 */
import { Counter } from '../../shared/counters.ts';
import { nowMs } from '../flow/clock.ts';
import { isIpv4 } from '../flow/packet.ts';
import { FAR, FD, GUEST, PORTS, ROW, rows } from '../flow/row.ts';
import { transmit } from '../flow/transmit.ts';
import { ERROR_RECORD, GUEST_MAC, OUR_MAC, SPLIT, TRANSMIT_PAYLOAD } from '../link/arena.ts';
import { counters } from '../link/counters.ts';
import { kernel } from '../link/kernel.ts';
import { LINK_HEADER } from '../link/tap.ts';
import { isLoopback4, isLoopback6, isMapped, isUnspecified6 } from '../wire/address.ts';
import { ETHERNET_HEADER, ETHERTYPE_IPV4, ETHERTYPE_IPV6, writeEthernet } from '../wire/ethernet.ts';
import {
  errorLength4,
  errorLength6,
  FRAGMENTATION_NEEDED4,
  ICMP_HEADER,
  PACKET_TOO_BIG6,
  UNREACHABLE4,
  UNREACHABLE6,
  writeError4,
  writeError6,
} from '../wire/icmp.ts';
import { IPV4_HEADER, PROTOCOL_ICMP, PROTOCOL_UDP, writeIpv4 } from '../wire/ipv4.ts';
import { IPV6_HEADER, PROTOCOL_ICMPV6, readAddress, writeIpv6 } from '../wire/ipv6.ts';
import { bytes, view } from '../wire/memory.ts';
import { UDP_HEADER, writeUdp } from '../wire/udp.ts';
import { writeVnetPlain } from '../wire/vnet.ts';

const HOP_LIMIT = 255;
/** TTL of the guest's packet in error; nobody knows what it was. */
const EMBEDDED_HOP_LIMIT = 64;
/** More of a payload never fits into an error (RFC 4443 §3.1: 1280 bytes in all). */
const MOST_PAYLOAD = 1232;

// Offsets into the record of native.receiveError.
const ERRNO = 0;
const ORIGIN = 4;
const TYPE = 8;
const CODE = 12;
const INFO = 16;
const OFFENDER = 20;

const ORIGIN_LOCAL = 1;
const ORIGIN_ICMP = 2;
const ORIGIN_ICMP6 = 3;

const EMSGSIZE = 90;
const ENETUNREACH = 101;
const ECONNREFUSED = 111;
const EHOSTUNREACH = 113;
const EACCES = 13;

/** RFC 4443 §2.4 (f): errors per second, and how many at once; what Linux allows a host. */
const RATE = 1000;
const BURST = 50;
let tokens = BURST;
let filledAt = 0;

const sender = new Int32Array(4);

function mayTell(): boolean {
  const elapsed = (nowMs - filledAt) | 0;
  filledAt = nowMs;
  tokens = Math.min(BURST, tokens + (Math.max(elapsed, 0) * RATE) / 1000);
  if (tokens < 1) return false;
  tokens -= 1;
  return true;
}

/** Codes for errors that this host found itself (RFC 792; RFC 1812 §5.2.7.1; RFC 4443 §3.1); −1: nothing to tell. */
function codeOf(errno: number, ipv4: boolean): number {
  switch (errno) {
    case ENETUNREACH:
      return 0;
    case EHOSTUNREACH:
      return ipv4 ? 1 : 3;
    case ECONNREFUSED:
      return ipv4 ? 3 : 4;
    case EACCES:
      return ipv4 ? 13 : 1;
    default:
      return -1;
  }
}

/** Puts the packet in error at `at`: the guest's, with `length` bytes of payload from `payload`. Returns its length. */
function writePacketInError(row: number, at: number, payload: number, length: number): number {
  const ports = rows[row + PORTS]!;
  const header = isIpv4(row) ? IPV4_HEADER : IPV6_HEADER;
  const total = UDP_HEADER + length;
  if (isIpv4(row)) writeIpv4(at, IPV4_HEADER + total, PROTOCOL_UDP, rows[row + GUEST + 3]!, rows[row + FAR + 3]!, EMBEDDED_HOP_LIMIT, 0);
  else writeIpv6(at, total, PROTOCOL_UDP, rows, row + GUEST, rows, row + FAR, EMBEDDED_HOP_LIMIT, 0, 0);
  writeUdp(at + header, ports >>> 16, ports & 0xffff, total);
  bytes.copyWithin(at + header + UDP_HEADER, payload, payload + length);
  return header + total;
}

/** Sends the error; `sender` is who complains. */
function tell(row: number, type: number, code: number, word: number, payload: number, payloadLength: number): void {
  if (!mayTell()) return;
  const l4 = TRANSMIT_PAYLOAD;
  const ipv4 = isIpv4(row);
  const l3 = l4 - (ipv4 ? IPV4_HEADER : IPV6_HEADER);
  const l2 = l3 - ETHERNET_HEADER;
  const available = writePacketInError(row, l4 + ICMP_HEADER, payload, Math.min(payloadLength, MOST_PAYLOAD));
  let length: number;
  if (ipv4) {
    length = errorLength4(l4 + ICMP_HEADER, available);
    writeIpv4(l3, IPV4_HEADER + length, PROTOCOL_ICMP, sender[3]!, rows[row + GUEST + 3]!, HOP_LIMIT, 0);
    writeError4(l4, type, code, word, l4 + ICMP_HEADER, available);
  } else {
    length = errorLength6(available);
    writeIpv6(l3, length, PROTOCOL_ICMPV6, sender, 0, rows, row + GUEST, HOP_LIMIT, 0, 0);
    writeError6(l3, l4, type, code, word, l4 + ICMP_HEADER, available);
  }
  writeEthernet(l2, GUEST_MAC, OUR_MAC, ipv4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6);
  writeVnetPlain(l2 - LINK_HEADER);
  counters[Counter.icmp_errors_to_guest]!++;
  transmit(l2 - LINK_HEADER, l4 + length - (l2 - LINK_HEADER));
}

/** The far address, as the guest knows it, is who complains. */
function blameFar(row: number): void {
  for (let word = 0; word < 4; word++) sender[word] = rows[row + FAR + word]!;
}

/** Who complains is the offender, unless the guest knows it by the far address only: a mapped host, or nobody's address. */
function blameOffender(row: number): void {
  readAddress(ERROR_RECORD + OFFENDER, sender, 0);
  const ipv4 = isMapped(sender, 0);
  const unknown = ipv4 ? isLoopback4(sender[3]!) || sender[3] === 0 : isLoopback6(sender, 0) || isUnspecified6(sender, 0);
  if (unknown || ipv4 !== isIpv4(row)) blameFar(row);
}

/** A datagram of `length` bytes from `payload` could not be sent at all: `errno` of this host. */
export function tellLocalError(flow: number, errno: number, info: number, payload: number, length: number): void {
  const row = flow * ROW;
  const ipv4 = isIpv4(row);
  blameFar(row);
  if (errno === EMSGSIZE) {
    if (info <= 0) return;
    if (ipv4) tell(row, UNREACHABLE4, FRAGMENTATION_NEEDED4, info, payload, length);
    else tell(row, PACKET_TOO_BIG6, 0, info, payload, length);
    return;
  }
  const code = codeOf(errno, ipv4);
  if (code >= 0) tell(row, ipv4 ? UNREACHABLE4 : UNREACHABLE6, code, 0, payload, length);
}

/** Empties the flow's error queue and tells the guest of each error. */
export function tellErrors(flow: number): void {
  const row = flow * ROW;
  for (;;) {
    const length = kernel.receiveError(rows[row + FD]!, SPLIT, MOST_PAYLOAD, ERROR_RECORD);
    if (length < 0) return;
    const origin = view.getInt32(ERROR_RECORD + ORIGIN, true);
    const info = view.getInt32(ERROR_RECORD + INFO, true);
    if (origin === ORIGIN_LOCAL) tellLocalError(flow, view.getInt32(ERROR_RECORD + ERRNO, true), info, SPLIT, length);
    else if (origin === (isIpv4(row) ? ORIGIN_ICMP : ORIGIN_ICMP6)) {
      const type = view.getInt32(ERROR_RECORD + TYPE, true);
      const code = view.getInt32(ERROR_RECORD + CODE, true);
      const tooBig = isIpv4(row) ? type === UNREACHABLE4 && code === FRAGMENTATION_NEEDED4 : type === PACKET_TOO_BIG6;
      blameOffender(row);
      tell(row, type, code, tooBig ? info : 0, SPLIT, length);
    }
  }
}
