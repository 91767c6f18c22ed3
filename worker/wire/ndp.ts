/**
 * Neighbour Discovery messages (RFC 4861 §4): what of ICMPv6 concerns the link.
 *
 *     | Type | Code | Checksum | Reserved or flags (4) | Target address (16) | Options … |
 */
import { MAC_BYTES, copyMac } from './ethernet.ts';
import { writeAddress } from './ipv6.ts';
import { bytes, view } from './memory.ts';

export const ROUTER_SOLICITATION = 133;
export const ROUTER_ADVERTISEMENT = 134;
export const NEIGHBOUR_SOLICITATION = 135;
export const NEIGHBOUR_ADVERTISEMENT = 136;
export const REDIRECT = 137;

/** Bytes of a router solicitation before its options. */
export const ROUTER_SOLICITATION_HEADER = 8;
/** Bytes of a neighbour solicitation or advertisement before its options. */
export const NEIGHBOUR_HEADER = 24;
/** Bytes of a neighbour solicitation with its source's link-layer address. */
export const NEIGHBOUR_SOLICITATION_BYTES = 32;
/** Bytes of a neighbour advertisement with the target's link-layer address. */
export const NEIGHBOUR_ADVERTISEMENT_BYTES = 32;

/** Hop limit of every message (RFC 4861 §3.1): it can't have come through a router. */
export const NDP_HOP_LIMIT = 255;

/** Flags of an advertisement (RFC 4861 §4.4), as its second word. */
export const NA_ROUTER = 1 << 31;
export const NA_SOLICITED = 1 << 30;
export const NA_OVERRIDE = 1 << 29;

const FLAGS = 4;
const TARGET = 8;

const OPTION_SOURCE_MAC = 1;
const OPTION_TARGET_MAC = 2;

/** After `readOptions`: offset of the MAC in the source link-layer address option, -1 if there is none. */
export let sourceMacAt = -1;

/** Whether an ICMPv6 type is one of Neighbour Discovery's. */
export function isNdp(type: number): boolean {
  return type >= ROUTER_SOLICITATION && type <= REDIRECT;
}

/** Offset of the target address of a neighbour solicitation or advertisement. */
export function targetAt(at: number): number {
  return at + TARGET;
}

/**
 * Reads the options from `from` to `end`. False if one has length 0 or overruns: the packet is then dropped (RFC 4861 §4.6, §7.1.1).
 * Each step advances by at least 8 bytes.
 */
export function readOptions(from: number, end: number): boolean {
  sourceMacAt = -1;
  let at = from;
  while (at < end) {
    if (end - at < 8) return false;
    const length = view.getUint8(at + 1) << 3;
    if (length === 0 || length > end - at) return false;
    if (view.getUint8(at) === OPTION_SOURCE_MAC && length === 8) sourceMacAt = at + 2;
    at += length;
  }
  return true;
}

/**
 * Writes a neighbour advertisement with the target's MAC (32 bytes, returned) whose checksum is still to be filled. `target`: offset of the
 * 16 bytes of the target's address; `mac`: offset of its MAC.
 */
export function writeNeighbourAdvertisement(at: number, flagBits: number, target: number, mac: number): number {
  view.setInt32(at, NEIGHBOUR_ADVERTISEMENT << 24);
  view.setInt32(at + FLAGS, flagBits);
  bytes.copyWithin(at + TARGET, target, target + 16);
  view.setInt16(at + NEIGHBOUR_HEADER, (OPTION_TARGET_MAC << 8) | 1);
  copyMac(at + NEIGHBOUR_HEADER + 2, mac);
  return NEIGHBOUR_HEADER + 2 + MAC_BYTES;
}

/** Writes a neighbour solicitation with our MAC (32 bytes, returned) whose checksum is still to be filled; asks for the address in `words` from `index`. */
export function writeNeighbourSolicitation(at: number, words: Int32Array, index: number, mac: number): number {
  view.setInt32(at, NEIGHBOUR_SOLICITATION << 24);
  view.setInt32(at + FLAGS, 0);
  writeAddress(at + TARGET, words, index);
  view.setInt16(at + NEIGHBOUR_HEADER, (OPTION_SOURCE_MAC << 8) | 1);
  copyMac(at + NEIGHBOUR_HEADER + 2, mac);
  return NEIGHBOUR_HEADER + 2 + MAC_BYTES;
}
