/**
 * Packets to the guest that are larger than its link's MTU, in fragments as the far host would send them (RFC 791 §3.2, RFC 8200 §4.5):
 * datagrams and echo replies that the host's kernel has put together.
 *
 * Theory of operation. `beginFragments` looks at a frame of ours, without options and extension headers, and completes its UDP checksum:
 * the guest's kernel can complete none over several packets. `nextFragment` then writes one after the other beside the frame, which stays as
 * it is. Identifications are counted on, from a start that nobody knows, so the fragments of 65,536 packets in turn can not be mixed up.
 */
import { FRAGMENT_FRAME } from '../link/arena.ts';
import { linkMtu } from '../link/mtu.ts';
import { LINK_HEADER } from '../link/link.ts';
import { complement, sum } from '../wire/checksum.ts';
import { ETHERNET_HEADER, ETHERTYPE_IPV4, etherType } from '../wire/ethernet.ts';
import * as ipv4 from '../wire/ipv4.ts';
import { FRAGMENT, FRAGMENT_HEADER, writeFragment6 } from '../wire/ipv6-extension.ts';
import * as ipv6 from '../wire/ipv6.ts';
import { bytes, view } from '../wire/memory.ts';
import * as vnet from '../wire/vnet.ts';

/** Where `nextFragment` writes the IP header. */
const L3 = FRAGMENT_FRAME + LINK_HEADER + ETHERNET_HEADER;

let identification = 0;

/** The packet at hand: its headers, link header first, and data; how much of those was written. */
let source = 0;
let isIpv4 = false;
let header = 0;
let data = 0;
let length = 0;
let done = 0;
let most = 0;

/** Bytes of the frame that `nextFragment` has written at FRAGMENT_FRAME. */
export let fragmentFrameLength = 0;

/** Sets where identifications begin. */
export function setIdentification(first: number): void {
  identification = first | 0;
}

/** True when the frame of ours at `at` must go in fragments: it is no superframe, and its IP packet of `packet` bytes is larger than the MTU. */
export function exceedsLink(at: number, packet: number): boolean {
  return packet > linkMtu && vnet.gsoType(at) === vnet.VIRTIO_NET_HDR_GSO_NONE;
}

/** Completes the checksum that was left to the guest's kernel. */
function completeChecksum(): void {
  if ((vnet.flags(source) & vnet.VIRTIO_NET_HDR_F_NEEDS_CSUM) === 0) return;
  const start = source + LINK_HEADER + vnet.checksumStart(source);
  // RFC 768: a sum that is zero is sent as all ones.
  const checksum = complement(sum(start, data + length - start, 0)) || 0xffff;
  view.setInt16(start + vnet.checksumOffset(source), checksum);
}

/** The frame of `total` bytes from `at`, link header first, is to be fragmented. */
export function beginFragments(at: number, total: number): void {
  const l3 = at + LINK_HEADER + ETHERNET_HEADER;
  source = at;
  isIpv4 = etherType(at + LINK_HEADER) === ETHERTYPE_IPV4;
  header = isIpv4 ? ipv4.IPV4_HEADER : ipv6.IPV6_HEADER;
  data = l3 + header;
  length = at + total - data;
  done = 0;
  most = (linkMtu - header - (isIpv4 ? 0 : FRAGMENT_HEADER)) & ~7;
  identification = (identification + 1) | 0;
  completeChecksum();
}

/** Writes the next fragment at FRAGMENT_FRAME, `fragmentFrameLength` bytes; false when there was none left. */
export function nextFragment(): boolean {
  if (done === length) return false;
  const piece = Math.min(most, length - done);
  const more = done + piece < length;
  let at = L3 + header;
  bytes.copyWithin(FRAGMENT_FRAME, source, data);
  vnet.writeVnetPlain(FRAGMENT_FRAME);
  if (isIpv4) ipv4.writeFragment4(L3, header + piece, identification & 0xffff, done, more);
  else {
    writeFragment6(at, ipv6.nextHeader(L3), done, more, identification);
    ipv6.writeNext(L3, FRAGMENT, FRAGMENT_HEADER + piece);
    at += FRAGMENT_HEADER;
  }
  bytes.copyWithin(at, data + done, data + done + piece);
  done += piece;
  fragmentFrameLength = at + piece - FRAGMENT_FRAME;
  return true;
}
