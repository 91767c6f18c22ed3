/**
 * Asks who on the guest's link has an address: ARP requests (RFC 826) and neighbour solicitations (RFC 4861 §7.2.2). A guest that has never
 * sent a frame can't be reached otherwise; its kernel takes no connection from a frame that is for everybody.
 */
import { equalWords, isUnspecified6, MAPPED_WORD } from '../wire/address.ts';
import * as arp from '../wire/arp.ts';
import {
  ETHERNET_HEADER,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV6,
  writeBroadcastMac,
  writeEthernet,
  writeSolicitedNodeMac,
} from '../wire/ethernet.ts';
import * as icmp from '../wire/icmp.ts';
import { IPV6_HEADER, PROTOCOL_ICMPV6, writeIpv6 } from '../wire/ipv6.ts';
import * as ndp from '../wire/ndp.ts';
import { gateway4, linkLocal, ourMac } from './identity.ts';

/** RFC 4291 §2.7.1: ff02::1:ff00:0, to which the last 24 bits of the address belong. */
const solicitedNode = Int32Array.of(0xff020000 | 0, 0, 1, 0);

function writeArpRequest(out: number, address: number): number {
  writeBroadcastMac(out);
  writeEthernet(out, out, ourMac, ETHERTYPE_ARP);
  // Without a gateway it is a probe (RFC 5227 §2.1.1), which is answered as well.
  const us = gateway4[2] === MAPPED_WORD ? gateway4[3]! : 0;
  arp.writeArp(out + ETHERNET_HEADER, arp.ARP_REQUEST, ourMac, us, out, address);
  return ETHERNET_HEADER + arp.ARP_PACKET;
}

function writeNeighbourSolicitation(out: number, words: Int32Array, at: number): number {
  if (isUnspecified6(linkLocal, 0) || equalWords(words, at, linkLocal, 0)) return 0;
  const l3 = out + ETHERNET_HEADER;
  const l4 = l3 + IPV6_HEADER;
  solicitedNode[3] = 0xff000000 | (words[at + 3]! & 0xffffff);
  writeSolicitedNodeMac(out, words[at + 3]!);
  writeEthernet(out, out, ourMac, ETHERTYPE_IPV6);
  writeIpv6(l3, ndp.NEIGHBOUR_SOLICITATION_BYTES, PROTOCOL_ICMPV6, linkLocal, 0, solicitedNode, 0, ndp.NDP_HOP_LIMIT, 0, 0);
  const length = ndp.writeNeighbourSolicitation(l4, words, at, ourMac);
  icmp.fillChecksum6(l3, l4, length);
  return ETHERNET_HEADER + IPV6_HEADER + length;
}

/**
 * Writes at `out` the frame that asks who has the address in four words of `words` from `at`. Returns its bytes (42 or 86, no virtio-net
 * header), or 0 when we have no address to ask from.
 */
export function askWhoHas(family: number, words: Int32Array, at: number, out: number): number {
  return family === 4 ? writeArpRequest(out, words[at + 3]!) : writeNeighbourSolicitation(out, words, at);
}
