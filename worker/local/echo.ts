/**
 * Answers echo requests to addresses that are ours (RFC 792, RFC 4443 §4): no host would, and a guest that pings its gateway means us.
 * All other echo requests go through a ping socket of the host (`worker/icmp/`).
 */
import { isBroadcast4, isUnspecified4, isUnspecified6 } from '../wire/address.ts';
import { ETHERNET_HEADER, ETHERTYPE_IPV4, ETHERTYPE_IPV6, isGroupMac, sourceMac, writeEthernet } from '../wire/ethernet.ts';
import type { Frame } from '../wire/frame.ts';
import * as icmp from '../wire/icmp.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import { isOurs4, isOurs6, ourMac } from './identity.ts';

/** As a router's own messages have it; what the peers use too. */
const HOP_LIMIT = 255;

const asker = new Int32Array(4);
const asked = new Int32Array(4);

function answer4(frame: Frame, out: number): number {
  const from = ipv4.destination(frame.l3);
  const to = ipv4.source(frame.l3);
  const length = frame.end - frame.l4;
  if (icmp.type(frame.l4) !== icmp.ECHO_REQUEST4 || !isOurs4(from) || isUnspecified4(to) || isBroadcast4(to)) return 0;
  if (icmp.code(frame.l4) !== 0 || !icmp.verify4(frame.l4, length)) return 0;
  const l3 = out + ETHERNET_HEADER;
  writeEthernet(out, sourceMac(frame.l2), ourMac, ETHERTYPE_IPV4);
  ipv4.writeIpv4(l3, ipv4.IPV4_HEADER + length, ipv4.PROTOCOL_ICMP, from, to, HOP_LIMIT, frame.trafficClass);
  icmp.writeEchoReply4(l3 + ipv4.IPV4_HEADER, frame.l4, length);
  return ETHERNET_HEADER + ipv4.IPV4_HEADER + length;
}

function answer6(frame: Frame, out: number): number {
  const length = frame.end - frame.l4;
  if (icmp.type(frame.l4) !== icmp.ECHO_REQUEST6) return 0;
  ipv6.readAddress(ipv6.destinationAt(frame.l3), asked, 0);
  ipv6.readAddress(ipv6.sourceAt(frame.l3), asker, 0);
  if (!isOurs6(asked, 0) || isUnspecified6(asker, 0)) return 0;
  if (icmp.code(frame.l4) !== 0 || !icmp.verify6(frame.l3, frame.l4, length)) return 0;
  const l3 = out + ETHERNET_HEADER;
  writeEthernet(out, sourceMac(frame.l2), ourMac, ETHERTYPE_IPV6);
  ipv6.writeIpv6(l3, length, ipv6.PROTOCOL_ICMPV6, asked, 0, asker, 0, HOP_LIMIT, frame.trafficClass, 0);
  icmp.writeEchoReply6(l3, l3 + ipv6.IPV6_HEADER, frame.l4, length);
  return ETHERNET_HEADER + ipv6.IPV6_HEADER + length;
}

/**
 * Writes at `out` the reply to the ICMP or ICMPv6 message under `frame`. Returns the bytes of the Ethernet frame (no virtio-net header; as
 * long as the request without options and padding), or 0 when it isn't a sound echo request to an address of ours. `out` must not overlap
 * the request.
 */
export function answerEcho(frame: Frame, out: number): number {
  if (isGroupMac(sourceMac(frame.l2))) return 0;
  return frame.family === 4 ? answer4(frame, out) : answer6(frame, out);
}
