/**
 * Reports of group membership: IGMP (RFC 1112, RFC 2236 §2, RFC 3376 §4.2) and MLD (RFC 2710 §3, RFC 3810 §5.2). The two are
 * the same but for type numbers and the length of addresses.
 *
 *     version 1, 2 of IGMP; 1 of MLD     | Type | … | Checksum | (MLD: delay, reserved) | Group |
 *     version 3 of IGMP; 2 of MLD        | Type | … | Checksum | Reserved | Records M | M records
 *     a record                           | Type | Words of auxiliary data | Sources N | Group | N addresses | auxiliary data |
 */
import { view } from './memory.ts';

export const PROTOCOL_IGMP = 2;
/** Bytes of the shortest IGMP message, and of the part in front of records. */
export const REPORT_HEADER = 8;

export const IGMP_REPORT1 = 0x12;
export const IGMP_REPORT2 = 0x16;
export const IGMP_LEAVE = 0x17;
export const IGMP_REPORT3 = 0x22;
export const MLD_REPORT1 = 131;
export const MLD_DONE = 132;
export const MLD_REPORT2 = 143;

/** Types of records (RFC 3376 §4.2.12, RFC 3810 §5.2.12). */
export const MODE_IS_INCLUDE = 1;
export const MODE_IS_EXCLUDE = 2;
export const CHANGE_TO_INCLUDE = 3;
export const CHANGE_TO_EXCLUDE = 4;
export const ALLOW_NEW_SOURCES = 5;
export const BLOCK_OLD_SOURCES = 6;

const IGMP_GROUP = 4;
const RECORDS = 6;
const MLD_GROUP = 8;
const AUXILIARY = 1;
const SOURCES = 2;
const RECORD_GROUP = 4;

/** Offset of the group of a message without records; `bytes` of an address, 4 or 16. −1 when the message ends before. */
export function groupAt(at: number, end: number, bytes: number): number {
  const group = at + (bytes === 4 ? IGMP_GROUP : MLD_GROUP);
  return group + bytes <= end ? group : -1;
}

/** How many records a message says it has. */
export function recordCount(at: number): number {
  return view.getUint16(at + RECORDS);
}

export function recordType(at: number): number {
  return view.getUint8(at);
}

/** How many sources a record names. */
export function recordSources(at: number): number {
  return view.getUint16(at + SOURCES);
}

/** Offset of a record's group. */
export function recordGroupAt(at: number): number {
  return at + RECORD_GROUP;
}

/** Offset of a record's source `index`. */
export function recordSourceAt(at: number, index: number, bytes: number): number {
  return at + RECORD_GROUP + bytes * (1 + index);
}

/** Where the record at `at` ends; −1 when that is behind `end`. */
export function recordEnd(at: number, end: number, bytes: number): number {
  if (at + RECORD_GROUP + bytes > end) return -1;
  const next = at + RECORD_GROUP + bytes * (1 + recordSources(at)) + 4 * view.getUint8(at + AUXILIARY);
  return next <= end ? next : -1;
}
