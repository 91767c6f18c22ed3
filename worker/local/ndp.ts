/**
 * Answers neighbour solicitations of the guest (RFC 4861 §7.2): we have every address but its own. Router solicitations get no answer
 * here: a namespace that we configured needs none, and advertisements belong with DHCPv6. Advertisements and redirects of the guest are
 * ignored.
 */
import { equalWords, isLoopback6, isMapped, isMulticast6, isUnspecified6 } from '../wire/address.ts';
import { ETHERNET_HEADER, ETHERTYPE_IPV6, isGroupMac, sourceMac, writeEthernet } from '../wire/ethernet.ts';
import type { Frame } from '../wire/frame.ts';
import * as icmp from '../wire/icmp.ts';
import { equalAddress, IPV6_HEADER, PROTOCOL_ICMPV6, readAddress, sourceAt, writeIpv6 } from '../wire/ipv6.ts';
import * as ndp from '../wire/ndp.ts';
import { guest6, linkLocal, ourMac } from './identity.ts';

const asker = new Int32Array(4);
const target = new Int32Array(4);

/** The checks that every message must pass (RFC 4861 §7.1.1). */
function isValidSolicitation(frame: Frame): boolean {
  const at = frame.l4;
  const length = frame.end - at;
  return (
    icmp.type(at) === ndp.NEIGHBOUR_SOLICITATION &&
    icmp.code(at) === 0 &&
    frame.hopLimit === ndp.NDP_HOP_LIMIT &&
    length >= ndp.NEIGHBOUR_HEADER &&
    ndp.readOptions(at + ndp.NEIGHBOUR_HEADER, frame.end) &&
    icmp.verify6(frame.l3, at, length)
  );
}

/** Whether `target` is an address that we stand for: not the guest's own, nor one that nobody has. */
function isAnswerable(): boolean {
  if (isMulticast6(target, 0) || isUnspecified6(target, 0) || isLoopback6(target, 0) || isMapped(target, 0)) return false;
  return !equalWords(target, 0, guest6, 0);
}

/**
 * Writes at `out` the neighbour advertisement that answers the ICMPv6 message under `frame`. Returns the bytes of the Ethernet frame (86,
 * no virtio-net header), or 0 when there is nothing to say. Duplicate address detection (source ::) gets no answer: the address is the
 * guest's to take.
 */
export function answerNdp(frame: Frame, out: number): number {
  if (!isValidSolicitation(frame)) return 0;
  readAddress(sourceAt(frame.l3), asker, 0);
  readAddress(ndp.targetAt(frame.l4), target, 0);
  if (isUnspecified6(asker, 0) || isMulticast6(asker, 0) || equalAddress(ndp.targetAt(frame.l4), asker, 0) || !isAnswerable()) return 0;
  const guestMac = sourceMac(frame.l2);
  if (isGroupMac(guestMac)) return 0;
  const l3 = out + ETHERNET_HEADER;
  const l4 = l3 + IPV6_HEADER;
  const from = isUnspecified6(linkLocal, 0) ? target : linkLocal;
  writeEthernet(out, guestMac, ourMac, ETHERTYPE_IPV6);
  writeIpv6(l3, ndp.NEIGHBOUR_ADVERTISEMENT_BYTES, PROTOCOL_ICMPV6, from, 0, asker, 0, ndp.NDP_HOP_LIMIT, 0, 0);
  // Router: without it the guest would drop us from its default routers (RFC 4861 §7.2.5).
  const length = ndp.writeNeighbourAdvertisement(l4, ndp.NA_ROUTER | ndp.NA_SOLICITED | ndp.NA_OVERRIDE, ndp.targetAt(frame.l4), ourMac);
  icmp.fillChecksum6(l3, l4, length);
  return ETHERNET_HEADER + IPV6_HEADER + length;
}
