/**
 * TCP header (RFC 9293 §3.1) and the options of a SYN.
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

const OPTION_END = 0;
const OPTION_NOP = 1;
const OPTION_MSS = 2;
const OPTION_WINDOW_SCALE = 3;
const OPTION_SACK_PERMITTED = 4;
const OPTION_TIMESTAMPS = 8;

/** RFC 7323 §2.3: a larger shift is used as 14. */
const MAX_WINDOW_SCALE = 14;

/** After `readSynOptions`: MSS that was offered, -1 if none. */
export let synMss = -1;
/** After `readSynOptions`: window shift 0…14, -1 if none. */
export let synWindowScale = -1;
/** After `readSynOptions`: 1 if SACK is permitted (RFC 2018 §2), else 0. */
export let synSackPermitted = 0;
/** After `readSynOptions`: 1 if timestamps were offered (RFC 7323 §3.2), else 0. */
export let synTimestamps = 0;

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

/** Takes one option of kind `kind` and `length` bytes; a length that doesn't fit the kind leaves the option unread. */
function readSynOption(kind: number, at: number, length: number): void {
  switch (kind) {
    case OPTION_MSS:
      if (length === 4) synMss = view.getUint16(at + 2);
      break;
    case OPTION_WINDOW_SCALE:
      if (length === 3) synWindowScale = Math.min(view.getUint8(at + 2), MAX_WINDOW_SCALE);
      break;
    case OPTION_SACK_PERMITTED:
      if (length === 2) synSackPermitted = 1;
      break;
    case OPTION_TIMESTAMPS:
      if (length === 10) synTimestamps = 1;
      break;
  }
}

/**
 * Reads the options of the (checked) header at `at` into the `syn…` ints. An option with length 0 or 1 or past the end of the header ends
 * the walk (RFC 9293 §3.1 MUST-7).
 */
export function readSynOptions(at: number): void {
  synMss = -1;
  synWindowScale = -1;
  synSackPermitted = 0;
  synTimestamps = 0;
  const end = at + headerLength(at);
  let option = at + TCP_HEADER;
  while (option < end) {
    const kind = view.getUint8(option);
    if (kind === OPTION_END) return;
    if (kind === OPTION_NOP) {
      option += 1;
      continue;
    }
    if (end - option < 2) return;
    const length = view.getUint8(option + 1);
    if (length < 2 || length > end - option) return;
    readSynOption(kind, option, length);
    option += length;
  }
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

/** Writes the options of a SYN (behind the 20 bytes): MSS, and the window scale unless it is negative. Returns their bytes: 4 or 8. */
export function writeTcpSynOptions(at: number, mss: number, windowScale: number): number {
  view.setInt32(at, (OPTION_MSS << 24) | (4 << 16) | mss);
  if (windowScale < 0) return 4;
  view.setInt32(at + 4, (OPTION_NOP << 24) | (OPTION_WINDOW_SCALE << 16) | (3 << 8) | windowScale);
  return 8;
}
