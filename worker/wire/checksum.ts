/**
 * The Internet checksum (RFC 1071) over headers and small messages. Payloads on links that need them are summed by the addon.
 *
 * A `sum` is the folded 16-bit one's complement sum, not complemented; a `checksum` is its complement, as a header carries it.
 */
import { view } from './memory.ts';

/** What is longer is summed by the addon, where there is one. */
const LONG = 256;
let sumLong: ((offset: number, length: number, seed: number) => number) | null = null;

/** Lends the addon's sum to long ranges. */
export function setSumOfLong(addon: (offset: number, length: number, seed: number) => number): void {
  sumLong = addon;
}

/** Folds a sum (below 2³²) to 16 bits. The first step leaves at most 0x1fffe, so the second is the last. */
export function fold(total: number): number {
  const folded = (total >>> 16) + (total & 0xffff);
  return (folded >>> 16) + (folded & 0xffff);
}

/** The header's checksum for a folded sum. */
export function complement(folded: number): number {
  return ~folded & 0xffff;
}

/**
 * Sum of `length` bytes (0…65535) from `offset`, added to the folded `seed`. An odd last byte counts as the high half of a word
 * (RFC 1071 §4.1).
 * `offset` must be an even distance from the start of what is summed.
 */
export function sum(offset: number, length: number, seed: number): number {
  if (length > LONG && sumLong !== null) return sumLong(offset, length, seed);
  let total = seed;
  let at = offset;
  const end = offset + length;
  // 64 KiB of split words stay below 2³², which `fold` takes.
  for (const stop = end - 3; at < stop; at += 4) {
    const word = view.getInt32(at);
    total += (word >>> 16) + (word & 0xffff);
  }
  if (end - at >= 2) {
    total += view.getUint16(at);
    at += 2;
  }
  if (at < end) total += view.getUint8(at) << 8;
  return fold(total);
}

/** Pseudo-header sum for IPv4 (RFC 9293 §3.1, RFC 768); `length` in bytes is that of the TCP or UDP header and payload. */
export function pseudoSum4(source: number, destination: number, protocol: number, length: number): number {
  return fold(
    (source >>> 16) + (source & 0xffff) + (destination >>> 16) + (destination & 0xffff) + protocol + (length >>> 16) + (length & 0xffff),
  );
}

/** Pseudo-header sum for IPv6 (RFC 8200 §8.1), addresses taken from the IPv6 header at `l3`; `length` is that of the upper-layer packet. */
export function pseudoSum6(l3: number, protocol: number, length: number): number {
  return sum(l3 + 8, 32, fold(protocol + (length >>> 16) + (length & 0xffff)));
}

/** Where UDP has its checksum. */
const UDP_CHECKSUM = 6;

/**
 * Completes the checksum at `offset` of the TCP or UDP header at `l4`, `length` bytes with what follows, which holds the pseudo-header's sum.
 * RFC 768: UDP sends a checksum of zero as all ones. TCP has no such rule, and dissectors call it wrong there.
 */
export function completeChecksum(l4: number, length: number, offset: number): void {
  const checksum = complement(sum(l4, length, 0));
  view.setUint16(l4 + offset, checksum === 0 && offset === UDP_CHECKSUM ? 0xffff : checksum);
}
