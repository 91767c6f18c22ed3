/**
 * Answers ARP requests of the guest (RFC 826): we have every address but its own, yet defend only what stands for somebody.
 */
import { isClaimed4 } from '../flow/forward.ts';
import { isAnothers4 } from '../flow/neighbours.ts';
import { isBroadcast4, isLoopback4, isMulticast4, isUnspecified4 } from '../wire/address.ts';
import * as arp from '../wire/arp.ts';
import { ETHERNET_HEADER, ETHERTYPE_ARP, isGroupMac, writeEthernet } from '../wire/ethernet.ts';
import { isGuest4, ourMac } from './identity.ts';

/** Whether somebody on a link may have the address at all. */
function isAnswerable(target: number): boolean {
  return !isUnspecified4(target) && !isLoopback4(target) && !isMulticast4(target) && !isBroadcast4(target);
}

/**
 * Writes at `out` the answer to the ARP packet whose Ethernet header is at `l2` and which parsed OK. Returns the bytes of the frame
 * (42, no virtio-net header), or 0 when there is nothing to say: not a request, an announcement (RFC 5227 §2.3), the guest's own address,
 * a probe for one that nobody has, or one of another of its link.
 */
export function answerArp(l2: number, out: number): number {
  const request = l2 + ETHERNET_HEADER;
  if (arp.operation(request) !== arp.ARP_REQUEST) return 0;
  const asker = arp.senderMac(request);
  const sender = arp.senderAddress(request);
  const target = arp.targetAddress(request);
  if (sender === target || isGuest4(target) || !isAnswerable(target) || isGroupMac(asker)) return 0;
  // A probe asks whether the address can be taken (RFC 5227 §2.1.1): a guest may have others than the one that it was given.
  if (isUnspecified4(sender) && !isClaimed4(target)) return 0;
  if (!isClaimed4(target) && isAnothers4(target, asker)) return 0;
  writeEthernet(out, asker, ourMac, ETHERTYPE_ARP);
  arp.writeArp(out + ETHERNET_HEADER, arp.ARP_REPLY, ourMac, target, asker, sender);
  return ETHERNET_HEADER + arp.ARP_PACKET;
}
