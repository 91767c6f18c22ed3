/**
 * Segments that follow each other become one, as a kernel's receive offload does it: a guest that forwards for others, or whose
 * link has no segmentation offload, sends a stream in frames of one segment each.
 *
 * Theory of operation. `frame` is the segment that has been parsed and found right. Another one is joined to it when it says nothing
 * but more bytes: the same headers, options and acknowledgement, the next sequence number, a right checksum. Then its payload goes behind
 * the first one's, `frame.end` moves, and the segment is one that a sender with TSO would have sent. A mere ACK is joined to one that acknowledges
 * less: then the newer one's word stands. Whatever differs is left for the parser, also what is wrong.
 */
import { sum, pseudoSum4, pseudoSum6 } from './checksum.ts';
import { frame } from './frame.ts';
import * as ipv4 from './ipv4.ts';
import * as ipv6 from './ipv6.ts';
import { bytes, view } from './memory.ts';
import * as tcp from './tcp.ts';
import * as vnet from './vnet.ts';

const LARGEST_PACKET = 65_535;
const FLAGS_AND_WINDOW = 12;
/** Of that word: PSH, which may differ. */
const PUSHED = tcp.PSH << 16;

/** NOP, NOP, the timestamps' kind and length: as all kernels begin them. */
const ONLY_TIMESTAMPS = 0x0101080a;
const TIMESTAMPS_LENGTH = 12;

/** Whether the segment in `frame` is one of an established connection, without IP options or extensions. */
function isPlain(): boolean {
  const header = frame.family === 4 ? ipv4.IPV4_HEADER : ipv6.IPV6_HEADER;
  return frame.gsoType === vnet.VIRTIO_NET_HDR_GSO_NONE && frame.l4 - frame.l3 === header && (tcp.flags(frame.l4) & ~tcp.PSH) === tcp.ACK;
}

/** Whether the segment in `frame` is one that others may be joined to: data that comes as any kernel sends it. */
export function canGrow(): boolean {
  return frame.end > frame.payload && isPlain();
}

/** Whether a newer ACK may take the place of the segment in `frame`: it says nothing else, and of what is missing least of all. */
export function canBeSuperseded(): boolean {
  if (frame.end !== frame.payload || !isPlain()) return false;
  const options = frame.payload - frame.l4 - tcp.TCP_HEADER;
  return options === 0 || (options === TIMESTAMPS_LENGTH && view.getInt32(frame.l4 + tcp.TCP_HEADER) === ONLY_TIMESTAMPS);
}

function sameWords(here: number, there: number, length: number): boolean {
  for (let at = 0; at < length; at += 4) if (view.getInt32(here + at) !== view.getInt32(there + at)) return false;
  return true;
}

/** The IPv4 header at `l3` differs from the frame's in length, identification and checksum only, and is right. */
function sameIpv4(l3: number, total: number): boolean {
  if (ipv4.totalLength(l3) !== total || view.getUint16(l3) !== view.getUint16(frame.l3)) return false;
  if (view.getUint16(l3 + 6) !== view.getUint16(frame.l3 + 6) || view.getUint16(l3 + 8) !== view.getUint16(frame.l3 + 8)) return false;
  return sameWords(l3 + 12, frame.l3 + 12, 8) && sum(l3, ipv4.IPV4_HEADER, 0) === 0xffff;
}

/** The IPv6 header at `l3` differs from the frame's in its length only. */
function sameIpv6(l3: number, total: number): boolean {
  if (view.getInt32(l3) !== view.getInt32(frame.l3) || ipv6.payloadLength(l3) !== total - ipv6.IPV6_HEADER) return false;
  return view.getUint16(l3 + 6) === view.getUint16(frame.l3 + 6) && sameWords(l3 + 8, frame.l3 + 8, 32);
}

/** The TCP header at `l4` says the same as the frame's, and that its payload comes next. */
function continues(l4: number): boolean {
  const here = frame.l4;
  if (view.getInt32(l4) !== view.getInt32(here) || tcp.acknowledgement(l4) !== tcp.acknowledgement(here)) return false;
  if (tcp.sequence(l4) !== ((tcp.sequence(here) + frame.end - frame.payload) | 0)) return false;
  if (((view.getInt32(l4 + FLAGS_AND_WINDOW) ^ view.getInt32(here + FLAGS_AND_WINDOW)) & ~PUSHED) !== 0) return false;
  return sameWords(l4 + tcp.TCP_HEADER, here + tcp.TCP_HEADER, frame.payload - here - tcp.TCP_HEADER);
}

function checksumIsRight(vnetFlags: number, l3: number, l4: number, length: number): boolean {
  if ((vnetFlags & (vnet.VIRTIO_NET_HDR_F_NEEDS_CSUM | vnet.VIRTIO_NET_HDR_F_DATA_VALID)) !== 0) return true;
  const pseudo =
    frame.family === 4
      ? pseudoSum4(ipv4.source(l3), ipv4.destination(l3), ipv4.PROTOCOL_TCP, length)
      : pseudoSum6(l3, ipv4.PROTOCOL_TCP, length);
  return sum(l4, length, pseudo) === 0xffff;
}

/** Whether all before the transport header at `l4` of the frame that ends at `end` is as in `frame`, but for lengths, and right. */
function sameHeaders(l2: number, l3: number, end: number): boolean {
  // The Ethernet header is 14 bytes long: its last word overlaps the one before.
  if (!sameWords(l2, frame.l2, 12) || view.getInt32(l2 + 10) !== view.getInt32(frame.l2 + 10)) return false;
  return frame.family === 4 ? sameIpv4(l3, end - l3) : sameIpv6(l3, end - l3);
}

/**
 * Joins the frame of `length` bytes at `at`, with a virtio-net header if `hasVnet`, to the one in `frame`, for which `canGrow` is true and behind
 * whose end is room for a whole packet, or nothing but what is behind it in the same batch. False when it does not go
 * on with that, or is not right: then nothing has changed.
 */
export function join(at: number, length: number, hasVnet: boolean): boolean {
  const l2 = hasVnet ? at + vnet.VNET_HEADER : at;
  const l3 = l2 + frame.l3 - frame.l2;
  const l4 = l3 + frame.l4 - frame.l3;
  const payload = l4 + frame.payload - frame.l4;
  const end = at + length;
  const more = end - payload;
  if (more <= 0 || frame.end + more - frame.l3 > LARGEST_PACKET) return false;
  if (hasVnet && vnet.gsoType(at) !== vnet.VIRTIO_NET_HDR_GSO_NONE) return false;
  if (!sameHeaders(l2, l3, end) || !continues(l4) || !checksumIsRight(hasVnet ? vnet.flags(at) : 0, l3, l4, end - l4)) return false;
  // Before the bytes move, which in a stream is onto these headers.
  tcp.setFlags(frame.l4, tcp.flags(frame.l4) | tcp.flags(l4));
  bytes.copyWithin(frame.end, payload, end);
  frame.end += more;
  return true;
}

/** Whether at `l4` is an ACK with a header as long as that of `frame`, of the same ports and sequence number, that acknowledges more. */
function isAckAlone(l4: number, end: number, header: number): boolean {
  const here = frame.l4;
  // A short frame is padded: the packet's own length counts.
  if (end < l4 + header || view.getInt32(l4) !== view.getInt32(here) || tcp.sequence(l4) !== tcp.sequence(here)) return false;
  if (((tcp.acknowledgement(l4) - tcp.acknowledgement(here)) | 0) <= 0) return false;
  if (tcp.headerLength(l4) !== header || tcp.flags(l4) !== tcp.ACK) return false;
  return header === tcp.TCP_HEADER || view.getInt32(l4 + tcp.TCP_HEADER) === ONLY_TIMESTAMPS;
}

/**
 * Puts what the frame of `length` bytes at `at` acknowledges in the place of what the one in `frame` does, for which `canBeSuperseded` is
 * true. False when it is no newer ACK that says nothing else, or not right: then nothing has changed.
 */
export function supersede(at: number, length: number, hasVnet: boolean): boolean {
  const l2 = hasVnet ? at + vnet.VNET_HEADER : at;
  const l3 = l2 + frame.l3 - frame.l2;
  const l4 = l3 + frame.l4 - frame.l3;
  const here = frame.l4;
  const header = frame.payload - here;
  const end = at + length;
  if (!isAckAlone(l4, end, header) || !sameHeaders(l2, l3, l4 + header)) return false;
  if (!checksumIsRight(hasVnet ? vnet.flags(at) : 0, l3, l4, header)) return false;
  bytes.copyWithin(here + 8, l4 + 8, l4 + header);
  return true;
}
