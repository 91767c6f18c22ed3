/**
 * Ethernet II header: destination, source, EtherType. MAC addresses are named by their offset in the arena.
 */
import { bytes, view } from './memory.ts';

/** Bytes of the header. */
export const ETHERNET_HEADER = 14;
/** Bytes of a MAC address. */
export const MAC_BYTES = 6;

const SOURCE = 6;
const TYPE = 12;

export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_ARP = 0x0806;
export const ETHERTYPE_IPV6 = 0x86dd;

/** Offset of the destination MAC. */
export function destinationMac(at: number): number {
  return at;
}

/** Offset of the source MAC. */
export function sourceMac(at: number): number {
  return at + SOURCE;
}

export function etherType(at: number): number {
  return view.getUint16(at + TYPE);
}

export function equalMac(a: number, b: number): boolean {
  return view.getInt32(a) === view.getInt32(b) && view.getInt16(a + 4) === view.getInt16(b + 4);
}

/** Whether the MAC is a group address (multicast or broadcast), which no station may have. */
export function isGroupMac(at: number): boolean {
  return (view.getUint8(at) & 1) !== 0;
}

/** Whether the MAC is 00:00:00:00:00:00. */
export function isZeroMac(at: number): boolean {
  return (view.getInt32(at) | view.getInt16(at + 4)) === 0;
}

export function copyMac(to: number, from: number): void {
  view.setInt32(to, view.getInt32(from));
  view.setInt16(to + 4, view.getInt16(from + 4));
}

/** Sets the MAC at `at` to ff:ff:ff:ff:ff:ff. */
export function writeBroadcastMac(at: number): void {
  bytes.fill(0xff, at, at + MAC_BYTES);
}

/** Sets the MAC at `at` to that of the solicited-node group of an IPv6 address whose last word is `word` (RFC 2464 §7). */
export function writeSolicitedNodeMac(at: number, word: number): void {
  view.setInt16(at, 0x3333);
  view.setInt32(at + 2, 0xff000000 | (word & 0xffffff));
}

/** Sets the MAC at `at` to 33:33:00:00:00:01, the group of all nodes (RFC 2464 §7). */
export function writeAllNodesMac(at: number): void {
  view.setInt32(at, 0x33330000);
  view.setInt16(at + 4, 1);
}

/** Writes a header; the MACs are copied from the offsets given. */
export function writeEthernet(at: number, destination: number, source: number, type: number): void {
  copyMac(at, destination);
  copyMac(at + SOURCE, source);
  view.setInt16(at + TYPE, type);
}
