/**
 * UDP header (RFC 768): ports, length of header and payload, checksum.
 */
import { view } from './memory.ts';
import { Verdict } from './verdict.ts';

/** Bytes of the header. */
export const UDP_HEADER = 8;
/** From the header to its checksum field, for `writeVnet`. */
export const UDP_CHECKSUM = 6;

const DESTINATION_PORT = 2;
const LENGTH = 4;

export function sourcePort(at: number): number {
  return view.getUint16(at);
}

export function destinationPort(at: number): number {
  return view.getUint16(at + DESTINATION_PORT);
}

/** Bytes of header and payload; of the whole superframe where the kernel left segmentation to us. */
export function length(at: number): number {
  return view.getUint16(at + LENGTH);
}

export function checksum(at: number): number {
  return view.getUint16(at + UDP_CHECKSUM);
}

/** Checks the header with `available` bytes of IP payload from `at`. Length 0 would be a jumbogram (RFC 2675 §4), which we don't take. */
export function check(at: number, available: number): number {
  if (available < UDP_HEADER) return Verdict.BAD_UDP;
  const total = length(at);
  return total < UDP_HEADER || total > available ? Verdict.BAD_UDP : Verdict.OK;
}

/** Writes a header; `total` counts header and payload. The checksum is 0: none on IPv4, still to be set on IPv6. */
export function writeUdp(at: number, from: number, to: number, total: number): void {
  view.setInt32(at, (from << 16) | to);
  view.setInt32(at + LENGTH, total << 16);
}

/**
 * Sets the checksum field as it is to be: a computed 0 was made 0xffff by the caller (RFC 768); for NEEDS_CSUM it is the pseudo-header
 * sum, not complemented.
 */
export function setChecksum(at: number, value: number): void {
  view.setInt16(at + UDP_CHECKSUM, value);
}
