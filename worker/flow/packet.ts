/**
 * The headers below the transport for a packet of a flow to its guest: from the far address to the guest's.
 */
import { OUR_MAC } from '../link/arena.ts';
import { MAPPED_WORD } from '../wire/address.ts';
import { pseudoSum4, pseudoSum6 } from '../wire/checksum.ts';
import { ETHERNET_HEADER, ETHERTYPE_IPV4, ETHERTYPE_IPV6, writeEthernet } from '../wire/ethernet.ts';
import { IPV4_HEADER, writeIpv4 } from '../wire/ipv4.ts';
import { IPV6_HEADER, writeIpv6 } from '../wire/ipv6.ts';
import { macOf } from './neighbours.ts';
import { FAR, GUEST, rows } from './row.ts';

/** As far as the guest can tell the far host is next to it. */
const HOP_LIMIT = 255;

/** True when the flow in `row` speaks IPv4. */
export function isIpv4(row: number): boolean {
  return rows[row + GUEST + 2] === MAPPED_WORD && rows[row + GUEST] === 0 && rows[row + GUEST + 1] === 0;
}

/** As `writeNetworkHeaders`, from the address in four words of `from` at `at`. */
export function writeNetworkHeadersFrom(from: Int32Array, at: number, row: number, l4: number, length: number, protocol: number): number {
  return writeDistantHeaders(from, at, row, l4, length, protocol, HOP_LIMIT, 0);
}

/** The same for a packet that has come with `hopLimit` and `trafficClass`. */
export function writeDistantHeaders(
  from: Int32Array,
  at: number,
  row: number,
  l4: number,
  length: number,
  protocol: number,
  hopLimit: number,
  trafficClass: number,
): number {
  if (isIpv4(row)) {
    const l2 = l4 - IPV4_HEADER - ETHERNET_HEADER;
    writeIpv4(l4 - IPV4_HEADER, IPV4_HEADER + length, protocol, from[at + 3]!, rows[row + GUEST + 3]!, hopLimit, trafficClass);
    writeEthernet(l2, macOf(rows, row + GUEST), OUR_MAC, ETHERTYPE_IPV4);
    return l2;
  }
  const l2 = l4 - IPV6_HEADER - ETHERNET_HEADER;
  writeIpv6(l4 - IPV6_HEADER, length, protocol, from, at, rows, row + GUEST, hopLimit, trafficClass, 0);
  writeEthernet(l2, macOf(rows, row + GUEST), OUR_MAC, ETHERTYPE_IPV6);
  return l2;
}

/** Writes Ethernet and IP headers in front of `length` bytes of `protocol` at `l4`; returns the Ethernet header's offset. */
export function writeNetworkHeaders(row: number, l4: number, length: number, protocol: number): number {
  return writeNetworkHeadersFrom(rows, row + FAR, row, l4, length, protocol);
}

/** As `writeNetworkHeaders`, for a packet that has come with `trafficClass`: DSCP << 2 | ECN. */
export function writeMarkedHeaders(row: number, l4: number, length: number, protocol: number, trafficClass: number): number {
  return writeDistantHeaders(rows, row + FAR, row, l4, length, protocol, HOP_LIMIT, trafficClass);
}

/** The pseudo-header's sum for the packet whose network headers were written in front of `l4`. */
export function pseudoSum(row: number, l4: number, length: number, protocol: number): number {
  if (isIpv4(row)) return pseudoSum4(rows[row + FAR + 3]!, rows[row + GUEST + 3]!, protocol, length);
  return pseudoSum6(l4 - IPV6_HEADER, protocol, length);
}
