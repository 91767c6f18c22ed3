/**
 * Answers solicitations of the guest (RFC 4861): for neighbours, since we have every address but its own (§7.2), and for routers, which we
 * are (§6.2). Advertisements and redirects of the guest are ignored.
 */
import { isAnothers } from '../flow/neighbours.ts';
import { equalWords, isLoopback6, isMapped, isMulticast6, isUnspecified6 } from '../wire/address.ts';
import { ETHERNET_HEADER, ETHERTYPE_IPV6, isGroupMac, sourceMac, writeAllNodesMac, writeEthernet } from '../wire/ethernet.ts';
import type { Frame } from '../wire/frame.ts';
import * as icmp from '../wire/icmp.ts';
import { destinationAt, equalAddress, IPV6_HEADER, PROTOCOL_ICMPV6, readAddress, sourceAt, writeIpv6 } from '../wire/ipv6.ts';
import * as ndp from '../wire/ndp.ts';
import { advertisementAskedFor } from './advertiser.ts';
import { readFarewell } from './former.ts';
import { guest6, isDefended6, linkLocal, ourMac } from './identity.ts';
import { advertises, writeFarewell, writeRouterAdvertisement } from './router.ts';

/** ff02::1 */
const ALL_NODES = Int32Array.of(0xff020000, 0, 0, 1);

const asker = new Int32Array(4);
const target = new Int32Array(4);
const destination = new Int32Array(4);

/** Bytes of the message before its options, 0 = it is no solicitation. */
function headerOf(type: number): number {
  if (type === ndp.NEIGHBOUR_SOLICITATION) return ndp.NEIGHBOUR_HEADER;
  return type === ndp.ROUTER_SOLICITATION ? ndp.ROUTER_SOLICITATION_HEADER : 0;
}

/** The checks that every message must pass (RFC 4861 §6.1.1, §7.1.1). */
function isValidSolicitation(frame: Frame): boolean {
  const at = frame.l4;
  const length = frame.end - at;
  const header = headerOf(icmp.type(at));
  return (
    header > 0 &&
    icmp.code(at) === 0 &&
    frame.hopLimit === ndp.NDP_HOP_LIMIT &&
    length >= header &&
    ndp.readOptions(at + header, frame.end) &&
    icmp.verify6(frame.l3, at, length)
  );
}

/** Whether `target` is an address that we stand for: not the guest's own, nor one that nobody has. */
function isAnswerable(): boolean {
  if (isMulticast6(target, 0) || isUnspecified6(target, 0) || isLoopback6(target, 0) || isMapped(target, 0)) return false;
  return !equalWords(target, 0, guest6, 0);
}

/** Writes the headers of a message of `length` bytes to `to`, `isGroup`: which is ff02::1; and its checksum. Returns the bytes of the frame. */
function complete(out: number, frame: Frame, from: Int32Array, to: Int32Array, length: number): number {
  const l3 = out + ETHERNET_HEADER;
  writeEthernet(out, sourceMac(frame.l2), ourMac, ETHERTYPE_IPV6);
  if (to === ALL_NODES) writeAllNodesMac(out);
  return completePacket(l3, from, to, length);
}

function completePacket(l3: number, from: Int32Array, to: Int32Array, length: number): number {
  writeIpv6(l3, length, PROTOCOL_ICMPV6, from, 0, to, 0, ndp.NDP_HOP_LIMIT, 0, 0);
  icmp.fillChecksum6(l3, l3 + IPV6_HEADER, length);
  return ETHERNET_HEADER + IPV6_HEADER + length;
}

/**
 * RFC 4861 §7.1.1: who has no address yet asks the group of the target, and says no MAC. It wants to know whether the address is free (RFC
 * 4862 §5.4): those that have a meaning on this link are not, all others are the guest's to take.
 */
function isTaken(frame: Frame): boolean {
  readAddress(destinationAt(frame.l3), destination, 0);
  const isGroup =
    destination[0] === ALL_NODES[0] &&
    destination[1] === 0 &&
    destination[2] === 1 &&
    destination[3] === (0xff000000 | (target[3] as number) | 0);
  return isGroup && ndp.sourceMacAt < 0 && isDefended6(target, 0);
}

function answerNeighbour(frame: Frame, out: number): number {
  const targetAt = ndp.targetAt(frame.l4);
  readAddress(targetAt, target, 0);
  if (!isAnswerable() || equalAddress(targetAt, asker, 0)) return 0;
  if (!isDefended6(target, 0) && isAnothers(target, 0, sourceMac(frame.l2))) return 0;
  const isUnknown = isUnspecified6(asker, 0);
  if (isUnknown && !isTaken(frame)) return 0;
  // Router: without it the guest would drop us from its default routers (RFC 4861 §7.2.5).
  const flags = ndp.NA_ROUTER | ndp.NA_OVERRIDE | (isUnknown ? 0 : ndp.NA_SOLICITED);
  const length = ndp.writeNeighbourAdvertisement(out + ETHERNET_HEADER + IPV6_HEADER, flags, targetAt, ourMac);
  const from = isUnspecified6(linkLocal, 0) ? target : linkLocal;
  return complete(out, frame, from, isUnknown ? ALL_NODES : asker, length);
}

/** RFC 4861 §6.2.6 (not: a random delay, because no other router answers on this link). */
function answerRouter(frame: Frame, out: number): number {
  if (!advertises || equalWords(asker, 0, linkLocal, 0)) return 0;
  if (!isUnspecified6(asker, 0))
    return complete(out, frame, linkLocal, asker, writeRouterAdvertisement(out + ETHERNET_HEADER + IPV6_HEADER, false));
  // RFC 4861 §6.1.1.
  if (ndp.sourceMacAt >= 0) return 0;
  return advertisementAskedFor() ? advertiseToAll(out) : 0;
}

/** Writes at `out` the router advertisement for everybody on the link. Returns the bytes of the Ethernet frame (at most 1514, no virtio-net header). */
export function advertiseToAll(out: number): number {
  return completeToAll(out, linkLocal, writeRouterAdvertisement(out + ETHERNET_HEADER + IPV6_HEADER, true));
}

/** Writes at `out` what the router says that we were under a former address, of farewellCount() the one at `index`. Returns as advertiseToAll. */
export function sayFarewell(index: number, out: number): number {
  readFarewell(index, asker);
  return completeToAll(out, asker, writeFarewell(out + ETHERNET_HEADER + IPV6_HEADER));
}

function completeToAll(out: number, from: Int32Array, length: number): number {
  writeEthernet(out, ourMac, ourMac, ETHERTYPE_IPV6);
  writeAllNodesMac(out);
  return completePacket(out + ETHERNET_HEADER, from, ALL_NODES, length);
}

/**
 * Writes at `out` the answer to the ICMPv6 message under `frame`: the neighbour advertisement (86 bytes of Ethernet frame, no virtio-net
 * header), or the router advertisement (at most 1514). Returns its bytes, or 0 when there is nothing to say. `out` must not overlap the frame.
 */
export function answerNdp(frame: Frame, out: number): number {
  if (!isValidSolicitation(frame) || isGroupMac(sourceMac(frame.l2))) return 0;
  readAddress(sourceAt(frame.l3), asker, 0);
  if (isMulticast6(asker, 0)) return 0;
  return icmp.type(frame.l4) === ndp.ROUTER_SOLICITATION ? answerRouter(frame, out) : answerNeighbour(frame, out);
}
