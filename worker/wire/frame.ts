/**
 * The cursor over one frame, and the one place where a frame's lengths are checked.
 *
 * `parse` fills `frame`; what is below it (tcp, udp, icmp, local) trusts the offsets and uses the formats' accessors without checks.
 * There is one `Frame`: keeping it, or a value of it, beyond the handling of its frame is a bug, but for plain ints that were copied.
 * Checksums of TCP, UDP and ICMP aren't verified by `parse`: whoever goes on with the frame calls `verifyL4Checksum`, which costs nothing
 * where the guest's kernel vouches for them or has left them open (`NEEDS_CSUM`).
 */
import * as arp from './arp.ts';
import { pseudoSum4, pseudoSum6, sum } from './checksum.ts';
import { ETHERNET_HEADER, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, etherType } from './ethernet.ts';
import * as icmp from './icmp.ts';
import * as ipv4 from './ipv4.ts';
import * as extension from './ipv6-extension.ts';
import * as ipv6 from './ipv6.ts';
import { PROTOCOL_IGMP } from './membership.ts';
import * as tcp from './tcp.ts';
import * as udp from './udp.ts';
import { Verdict, counterOf } from './verdict.ts';
import * as vnet from './vnet.ts';

export { Verdict, counterOf };

/** UDP_MAX_SEGMENTS: no kernel makes a superframe of more datagrams, and each of them costs as much as a frame. */
const MOST_UDP_SEGMENTS = 128;

/** Offsets are into the arena. A field is valid as far as parsing came; beyond that it is -1 (offsets) or 0. */
export class Frame {
  /** Ethernet header. */
  l2 = -1;
  /** IP header or ARP packet. */
  l3 = -1;
  /** TCP, UDP or ICMP header. */
  l4 = -1;
  /** First byte behind the TCP, UDP or ICMP header. */
  payload = -1;
  /** First byte behind the packet: link padding and bytes behind the UDP length are not part of it. */
  end = -1;
  /** 4, 6, or 0 (ARP, unknown). */
  family = 0;
  /** Upper-layer protocol (1, 6, 17, 58). */
  protocol = 0;
  etherType = 0;
  /** TTL or hop limit. */
  hopLimit = 0;
  /** TOS or traffic class: DSCP << 2 | ECN. */
  trafficClass = 0;
  /** 1 when the packet is a fragment, whose data are at `l4`, or was put together from some, or is an atomic one; else 0. */
  fragment = 0;
  /** VIRTIO_NET_HDR_F_* */
  vnetFlags = 0;
  /** VIRTIO_NET_HDR_GSO_* without the ECN bit. */
  gsoType = 0;
  /** Payload bytes of each segment, 0 without GSO. */
  gsoSize = 0;
}

/** The cursor, filled by `parse`. */
export const frame: Frame = new Frame();

function reset(l2: number): void {
  frame.l2 = l2;
  frame.l3 = -1;
  frame.l4 = -1;
  frame.payload = -1;
  frame.end = -1;
  frame.family = 0;
  frame.protocol = 0;
  frame.etherType = 0;
  frame.hopLimit = 0;
  frame.trafficClass = 0;
  frame.fragment = 0;
  frame.vnetFlags = 0;
  frame.gsoType = 0;
  frame.gsoSize = 0;
}

function parseTcp(l4: number): number {
  const verdict = tcp.check(l4, frame.end - l4);
  if (verdict !== Verdict.OK) return verdict;
  frame.payload = l4 + tcp.headerLength(l4);
  if (frame.gsoType === vnet.VIRTIO_NET_HDR_GSO_NONE) return Verdict.OK;
  const expected = frame.family === 4 ? vnet.VIRTIO_NET_HDR_GSO_TCPV4 : vnet.VIRTIO_NET_HDR_GSO_TCPV6;
  return frame.gsoType === expected ? Verdict.OK : Verdict.BAD_VNET;
}

function parseUdp(l4: number): number {
  const verdict = udp.check(l4, frame.end - l4);
  if (verdict !== Verdict.OK) return verdict;
  frame.payload = l4 + udp.UDP_HEADER;
  frame.end = l4 + udp.length(l4);
  if (frame.gsoType === vnet.VIRTIO_NET_HDR_GSO_NONE) return Verdict.OK;
  const fits = frame.end - frame.payload <= frame.gsoSize * MOST_UDP_SEGMENTS;
  return fits && frame.gsoType === vnet.VIRTIO_NET_HDR_GSO_UDP_L4 ? Verdict.OK : Verdict.BAD_VNET;
}

function parseIcmp(l4: number): number {
  const verdict = icmp.check(frame.end - l4);
  if (verdict !== Verdict.OK) return verdict;
  frame.payload = l4 + icmp.ICMP_HEADER;
  return frame.gsoType === vnet.VIRTIO_NET_HDR_GSO_NONE ? Verdict.OK : Verdict.BAD_VNET;
}

function parseL4(l4: number): number {
  frame.l4 = l4;
  switch (frame.protocol) {
    case ipv4.PROTOCOL_TCP:
      return parseTcp(l4);
    case ipv4.PROTOCOL_UDP:
      return parseUdp(l4);
    case ipv4.PROTOCOL_ICMP:
      return frame.family === 4 ? parseIcmp(l4) : Verdict.UNKNOWN_PROTOCOL;
    case ipv6.PROTOCOL_ICMPV6:
      return frame.family === 6 ? parseIcmp(l4) : Verdict.UNKNOWN_PROTOCOL;
    case PROTOCOL_IGMP:
      return frame.family === 4 ? parseIcmp(l4) : Verdict.UNKNOWN_PROTOCOL;
    default:
      return Verdict.UNKNOWN_PROTOCOL;
  }
}

function parseIpv4(l3: number, limit: number): number {
  const verdict = ipv4.check(l3, limit - l3);
  if (verdict !== Verdict.OK) return verdict;
  frame.family = 4;
  frame.end = l3 + ipv4.totalLength(l3);
  frame.protocol = ipv4.protocol(l3);
  frame.hopLimit = ipv4.ttl(l3);
  frame.trafficClass = ipv4.tos(l3);
  const addresses = ipv4.checkAddresses(l3);
  if (addresses !== Verdict.OK) return addresses;
  if (ipv4.isFragment(l3)) {
    frame.fragment = 1;
    frame.l4 = l3 + ipv4.headerLength(l3);
    return frame.gsoType === vnet.VIRTIO_NET_HDR_GSO_NONE ? Verdict.FRAGMENT : Verdict.BAD_VNET;
  }
  return parseL4(l3 + ipv4.headerLength(l3));
}

function parseIpv6(l3: number, limit: number): number {
  const verdict = ipv6.check(l3, limit - l3);
  if (verdict !== Verdict.OK) return verdict;
  frame.family = 6;
  frame.end = l3 + ipv6.IPV6_HEADER + ipv6.payloadLength(l3);
  frame.protocol = ipv6.nextHeader(l3);
  frame.hopLimit = ipv6.hopLimit(l3);
  frame.trafficClass = ipv6.trafficClass(l3);
  const addresses = ipv6.checkAddresses(l3);
  if (addresses !== Verdict.OK) return addresses;
  if (!extension.isExtension(frame.protocol)) return parseL4(l3 + ipv6.IPV6_HEADER);
  const walked = extension.walk(frame.protocol, l3 + ipv6.IPV6_HEADER, frame.end);
  if (extension.fragmentAt >= 0) frame.fragment = 1;
  if (walked === Verdict.FRAGMENT) {
    frame.protocol = extension.fragmentNext(extension.fragmentAt);
    frame.l4 = extension.fragmentAt + extension.FRAGMENT_HEADER;
    return frame.gsoType === vnet.VIRTIO_NET_HDR_GSO_NONE ? Verdict.FRAGMENT : Verdict.BAD_VNET;
  }
  if (walked !== Verdict.OK) return walked;
  frame.protocol = extension.protocol;
  return parseL4(extension.upper);
}

function parseArp(l3: number, limit: number): number {
  const verdict = arp.check(l3, limit - l3);
  if (verdict === Verdict.OK) frame.end = l3 + arp.ARP_PACKET;
  return verdict;
}

function parseVnet(at: number): number {
  frame.vnetFlags = vnet.flags(at);
  frame.gsoType = vnet.gsoType(at) & ~vnet.VIRTIO_NET_HDR_GSO_ECN;
  frame.gsoSize = frame.gsoType === vnet.VIRTIO_NET_HDR_GSO_NONE ? 0 : vnet.gsoSize(at);
  return vnet.check(at);
}

/**
 * Looks at the `length` bytes from `at`, which lie in the arena and begin with a virtio-net header if `hasVnet`. Fills `frame`, returns a
 * `Verdict`; only after OK may the frame be used further (`family` 0 then means ARP).
 */
export function parse(at: number, length: number, hasVnet: boolean): number {
  const l2 = hasVnet ? at + vnet.VNET_HEADER : at;
  const limit = at + length;
  reset(l2);
  if (limit - l2 < ETHERNET_HEADER) return Verdict.TOO_SHORT;
  if (hasVnet) {
    const offload = parseVnet(at);
    if (offload !== Verdict.OK) return offload;
  }
  const l3 = l2 + ETHERNET_HEADER;
  frame.l3 = l3;
  frame.etherType = etherType(l2);
  switch (frame.etherType) {
    case ETHERTYPE_IPV4:
      return parseIpv4(l3, limit);
    case ETHERTYPE_IPV6:
      return parseIpv6(l3, limit);
    case ETHERTYPE_ARP:
      return parseArp(l3, limit);
    default:
      return Verdict.UNKNOWN_ETHERTYPE;
  }
}

/** Whether the TCP, UDP or ICMP checksum of a frame that parsed OK is right, or is vouched for or left open by its virtio-net header. */
export function verifyL4Checksum(): boolean {
  if ((frame.vnetFlags & (vnet.VIRTIO_NET_HDR_F_NEEDS_CSUM | vnet.VIRTIO_NET_HDR_F_DATA_VALID)) !== 0) return true;
  const length = frame.end - frame.l4;
  if (frame.protocol === ipv4.PROTOCOL_ICMP || frame.protocol === PROTOCOL_IGMP) return icmp.verify4(frame.l4, length);
  if (frame.family === 4) {
    // RFC 768: an all-zero checksum means that the sender made none; RFC 8200 §8.1 forbids that on IPv6.
    if (frame.protocol === ipv4.PROTOCOL_UDP && udp.checksum(frame.l4) === 0) return true;
    return sum(frame.l4, length, pseudoSum4(ipv4.source(frame.l3), ipv4.destination(frame.l3), frame.protocol, length)) === 0xffff;
  }
  if (frame.protocol === ipv4.PROTOCOL_UDP && udp.checksum(frame.l4) === 0) return false;
  return sum(frame.l4, length, pseudoSum6(frame.l3, frame.protocol, length)) === 0xffff;
}
