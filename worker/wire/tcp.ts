/**
 * TCP header (RFC 9293 §3.1); the options are in tcp_option.ts.
 *
 *     0                   1                   2                   3
 *     |          Source port          |       Destination port        |
 *     |                        Sequence number                        |
 *     |                    Acknowledgment number                      |
 *     |Offset | Rsrvd |    Flags      |            Window             |
 *     |           Checksum            |        Urgent pointer         |
 */
import { view } from './memory.ts';
import { Verdict } from './verdict.ts';

/** Bytes of a header without options. */
export const TCP_HEADER = 20;
/** From the header to its checksum field, for `writeVnet`. */
export const TCP_CHECKSUM = 16;

const DESTINATION_PORT = 2;
const SEQUENCE = 4;
const ACKNOWLEDGEMENT = 8;
const DATA_OFFSET = 12;
const FLAGS = 13;
const WINDOW = 14;
const URGENT = 18;

export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const PSH = 0x08;
export const ACK = 0x10;
export const URG = 0x20;
export const ECE = 0x40;
export const CWR = 0x80;

export function sourcePort(at: number): number {
  return view.getUint16(at);
}

export function destinationPort(at: number): number {
  return view.getUint16(at + DESTINATION_PORT);
}

/** Sequence number, int32. */
export function sequence(at: number): number {
  return view.getInt32(at + SEQUENCE);
}

/** Acknowledgment number, int32. */
export function acknowledgement(at: number): number {
  return view.getInt32(at + ACKNOWLEDGEMENT);
}

/** Bytes of the header with its options. */
export function headerLength(at: number): number {
  return (view.getUint8(at + DATA_OFFSET) >>> 4) << 2;
}

export function flags(at: number): number {
  return view.getUint8(at + FLAGS);
}

/** Writes the flags of a header that is there. */
export function setSequence(at: number, seq: number): void {
  view.setInt32(at + SEQUENCE, seq);
}

export function setFlags(at: number, bits: number): void {
  view.setUint8(at + FLAGS, bits);
}

/** Window field, unscaled. */
export function window(at: number): number {
  return view.getUint16(at + WINDOW);
}

export function checksum(at: number): number {
  return view.getUint16(at + TCP_CHECKSUM);
}

export function urgent(at: number): number {
  return view.getUint16(at + URGENT);
}

/** Checks the header with `available` bytes of IP payload from `at`. */
export function check(at: number, available: number): number {
  if (available < TCP_HEADER) return Verdict.BAD_TCP;
  const header = headerLength(at);
  return header < TCP_HEADER || header > available ? Verdict.BAD_TCP : Verdict.OK;
}

/** Writes a header; `headerBytes` counts the options, which are written separately. Checksum and urgent pointer are 0. */
export function writeTcp(
  at: number,
  from: number,
  to: number,
  seq: number,
  ack: number,
  headerBytes: number,
  flagBits: number,
  windowField: number,
): void {
  view.setInt32(at, (from << 16) | to);
  view.setInt32(at + SEQUENCE, seq);
  view.setInt32(at + ACKNOWLEDGEMENT, ack);
  view.setInt32(at + DATA_OFFSET, (headerBytes << 26) | (flagBits << 16) | windowField);
  view.setInt32(at + TCP_CHECKSUM, 0);
}

/** Sets the checksum field: the complement of the whole sum, or, for NEEDS_CSUM, the pseudo-header sum as it is. */
export function setChecksum(at: number, value: number): void {
  view.setInt16(at + TCP_CHECKSUM, value);
}
