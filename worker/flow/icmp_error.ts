/**
 * ICMP (RFC 792) and ICMPv6 (RFC 4443) errors to the guest about a packet of a flow, as a router or the far host would send
 * them. The caller has put the packet in error, which carries the guest's own addresses and ports, at PACKET_IN_ERROR.
 */
import { Counter } from '../../shared/counters.ts';
import { OUR_MAC, TRANSMIT_PAYLOAD } from '../link/arena.ts';
import { counters } from '../link/counters.ts';
import { LINK_HEADER } from '../link/link.ts';
import { ETHERNET_HEADER, ETHERTYPE_IPV4, ETHERTYPE_IPV6, writeEthernet } from '../wire/ethernet.ts';
import {
  errorLength4,
  errorLength6,
  ICMP_HEADER,
  isTooBig,
  TIME_EXCEEDED4,
  TIME_EXCEEDED6,
  writeError4,
  writeError6,
} from '../wire/icmp.ts';
import { IPV4_HEADER, PROTOCOL_ICMP, writeIpv4 } from '../wire/ipv4.ts';
import { IPV6_HEADER, PROTOCOL_ICMPV6, writeIpv6 } from '../wire/ipv6.ts';
import { writeVnetPlain } from '../wire/vnet.ts';
import { mayTell } from './error_rate.ts';
import { macOf } from './neighbours.ts';
import { isIpv4 } from './packet.ts';
import { FAR, GUEST, rows } from './row.ts';
import { transmit } from './transmit.ts';

/** Of an error whose way to us is not known: as far as the guest can tell its sender is next to it. */
const HOP_LIMIT = 255;
/** TTL of the guest's packet in error: nobody knows what it was, unless it has run out. */
const EMBEDDED_HOP_LIMIT = 64;
const EXPIRED_HOP_LIMIT = 1;

/** Where the packet in error is built, IP header first. */
export const PACKET_IN_ERROR = TRANSMIT_PAYLOAD + ICMP_HEADER;

const ENETUNREACH = 101;
const ECONNREFUSED = 111;
const EHOSTUNREACH = 113;
const EACCES = 13;
const EPERM = 1;

/** Who complains, four words; set by the caller before `sendIcmpError`. */
export const complainer = new Int32Array(4);

/** With which hop limit the error has come to us; programs count the hops of its way back by it. */
let hopLimit = HOP_LIMIT;

/** Sets that, 0 = not known, after `complainer`. */
export function setComplainerDistance(received: number): void {
  hopLimit = received > 0 && received <= HOP_LIMIT ? received : HOP_LIMIT;
}

/** The far address, as the guest knows it, is who complains. */
export function blameFar(row: number): void {
  hopLimit = HOP_LIMIT;
  for (let word = 0; word < 4; word++) complainer[word] = rows[row + FAR + word]!;
}

/** Codes of "destination unreachable" for errors that this host found itself (RFC 792; RFC 1812 §5.2.7.1; RFC 4443 §3.1); −1: none fits. */
export function unreachableCode(errno: number, ipv4: boolean): number {
  switch (errno) {
    case ENETUNREACH:
      return 0;
    case EHOSTUNREACH:
      return ipv4 ? 1 : 3;
    case ECONNREFUSED:
      return ipv4 ? 3 : 4;
    case EACCES:
    case EPERM:
      return ipv4 ? 13 : 1;
    default:
      return -1;
  }
}

/**
 * Writes the IP header of the packet that an error of `type` is about, which had `length` bytes of `protocol` behind it; returns where
 * those begin, as many of them as there are.
 */
export function writePacketInError(row: number, protocol: number, length: number, type: number): number {
  const ipv4 = isIpv4(row);
  const limit = type === (ipv4 ? TIME_EXCEEDED4 : TIME_EXCEEDED6) ? EXPIRED_HOP_LIMIT : EMBEDDED_HOP_LIMIT;
  if (ipv4) {
    writeIpv4(PACKET_IN_ERROR, IPV4_HEADER + length, protocol, rows[row + GUEST + 3]!, rows[row + FAR + 3]!, limit, 0);
    return PACKET_IN_ERROR + IPV4_HEADER;
  }
  writeIpv6(PACKET_IN_ERROR, length, protocol, rows, row + GUEST, rows, row + FAR, limit, 0, 0);
  return PACKET_IN_ERROR + IPV6_HEADER;
}

/**
 * Sends the error about the packet at PACKET_IN_ERROR, of which `behind` bytes are there behind its IP header, unless too many were sent
 * lately. `word` as in `writeError4/6`.
 */
export function sendIcmpError(row: number, type: number, code: number, word: number, behind: number): void {
  const ipv4 = isIpv4(row);
  sendIcmpErrorTo(rows, row + GUEST, ipv4, type, code, word, behind + (ipv4 ? IPV4_HEADER : IPV6_HEADER));
}

/** The same to the address in four words of `to` from `index`, about a packet that belongs to no flow: `available` bytes, header and all. */
export function sendIcmpErrorTo(
  to: Int32Array,
  index: number,
  ipv4: boolean,
  type: number,
  code: number,
  word: number,
  available: number,
): void {
  if (!mayTell(isTooBig(ipv4, type, code))) {
    counters[Counter.icmp_errors_suppressed]!++;
    return;
  }
  const l4 = TRANSMIT_PAYLOAD;
  const l3 = l4 - (ipv4 ? IPV4_HEADER : IPV6_HEADER);
  const l2 = l3 - ETHERNET_HEADER;
  let length: number;
  if (ipv4) {
    length = errorLength4(available);
    writeIpv4(l3, IPV4_HEADER + length, PROTOCOL_ICMP, complainer[3]!, to[index + 3]!, hopLimit, 0);
    writeError4(l4, type, code, word, PACKET_IN_ERROR, available);
  } else {
    length = errorLength6(available);
    writeIpv6(l3, length, PROTOCOL_ICMPV6, complainer, 0, to, index, hopLimit, 0, 0);
    writeError6(l3, l4, type, code, word, PACKET_IN_ERROR, available);
  }
  writeEthernet(l2, macOf(to, index), OUR_MAC, ipv4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6);
  writeVnetPlain(l2 - LINK_HEADER);
  counters[Counter.icmp_errors_to_guest]!++;
  transmit(l2 - LINK_HEADER, l4 + length - (l2 - LINK_HEADER));
}
