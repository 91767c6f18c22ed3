/**
 * struct virtio_net_hdr (virtio 1.2 §5.1.6), 10 bytes without num_buffers: the offload facts of a frame on the tap.
 * Fields are in host order, which is little-endian on every machine this runs on.
 *
 * Every field written here is computed by us; none is ever passed on from a header that the guest wrote.
 */
import { VNET_HEADER } from '../../shared/limits.ts';
import { view } from './memory.ts';
import { Verdict } from './verdict.ts';

export { VNET_HEADER };

const FLAGS = 0;
const GSO_TYPE = 1;
const HEADER_LENGTH = 2;
const GSO_SIZE = 4;
const CHECKSUM_START = 6;
const CHECKSUM_OFFSET = 8;

/** The checksum field holds the pseudo-header sum; the rest is to be added. */
export const VIRTIO_NET_HDR_F_NEEDS_CSUM = 1;
/** The checksum was verified by the sender's kernel. */
export const VIRTIO_NET_HDR_F_DATA_VALID = 2;

export const VIRTIO_NET_HDR_GSO_NONE = 0;
export const VIRTIO_NET_HDR_GSO_TCPV4 = 1;
export const VIRTIO_NET_HDR_GSO_TCPV6 = 4;
export const VIRTIO_NET_HDR_GSO_UDP_L4 = 5;
/** Bit beside a TCP type: the first segment carries CWR. */
export const VIRTIO_NET_HDR_GSO_ECN = 0x80;

export function flags(at: number): number {
  return view.getUint8(at + FLAGS);
}

/** GSO type with the ECN bit. */
export function gsoType(at: number): number {
  return view.getUint8(at + GSO_TYPE);
}

/** Payload bytes of each segment. */
export function gsoSize(at: number): number {
  return view.getUint16(at + GSO_SIZE, true);
}

/** Bytes of all headers, a hint only. */
export function headerLength(at: number): number {
  return view.getUint16(at + HEADER_LENGTH, true);
}

export function checksumStart(at: number): number {
  return view.getUint16(at + CHECKSUM_START, true);
}

export function checksumOffset(at: number): number {
  return view.getUint16(at + CHECKSUM_OFFSET, true);
}

/** Whether the offload facts can be understood: a type we asked the kernel for, and a segment size with it. */
export function check(at: number): number {
  switch (gsoType(at) & ~VIRTIO_NET_HDR_GSO_ECN) {
    case VIRTIO_NET_HDR_GSO_NONE:
      return Verdict.OK;
    case VIRTIO_NET_HDR_GSO_TCPV4:
    case VIRTIO_NET_HDR_GSO_TCPV6:
    case VIRTIO_NET_HDR_GSO_UDP_L4:
      return gsoSize(at) === 0 ? Verdict.BAD_VNET : Verdict.OK;
    default:
      return Verdict.BAD_VNET;
  }
}

/**
 * Writes a header. `headersLength`: bytes of Ethernet, IP and TCP or UDP headers; `segmentSize`: payload per segment (0 without GSO);
 * `start`: from the Ethernet header to the TCP or UDP header; `offset`: from there to the checksum field (16 TCP, 6 UDP).
 */
export function writeVnet(
  at: number,
  flagBits: number,
  type: number,
  headersLength: number,
  segmentSize: number,
  start: number,
  offset: number,
): void {
  view.setUint8(at + FLAGS, flagBits);
  view.setUint8(at + GSO_TYPE, type);
  view.setInt16(at + HEADER_LENGTH, headersLength, true);
  view.setInt16(at + GSO_SIZE, segmentSize, true);
  view.setInt16(at + CHECKSUM_START, start, true);
  view.setInt16(at + CHECKSUM_OFFSET, offset, true);
}

/** Writes a header without any offload: the frame is as it should be on the wire. */
export function writeVnetPlain(at: number): void {
  view.setInt32(at, 0);
  view.setInt32(at + 4, 0);
  view.setInt16(at + 8, 0);
}
