/**
 * Which bytes of a packet are there.
 *
 * Theory of operation. Fragments begin at multiples of 8, so one bit for each 8 bytes tells all, and what a fragment costs is in
 * proportion to its length alone. A fragment that claims bytes which are there is a copy when they are the same: it changes nothing.
 * Otherwise, or when two say differently where the packet ends, all of it is refused, with whatever may still come of it
 * (RFC 5722 §4, RFC 8200 §4.5): who reads half of each would read what nobody sent.
 */
import { MAX_REASSEMBLIES } from '../../shared/limits.ts';
import { bytes, view } from '../wire/memory.ts';

/** What became of a fragment. */
export const Piece = {
  /** It is kept, and others are missing. */
  KEPT: 0,
  /** It was the last that was missing. */
  LAST: 1,
  /** Its bytes are there already, the same ones. */
  COPY: 2,
  /** It contradicts another. */
  CONFLICT: 3,
} as const;
export type Piece = (typeof Piece)[keyof typeof Piece];

/** 65,536 bytes, a bit for 8. */
const WORDS = 256;
const UNKNOWN = -1;

const present = new Int32Array((MAX_REASSEMBLIES + 1) * WORDS);
/** Of each packet: bytes that are there; the end of the furthest fragment; the packet's length once its last fragment has come. */
const there = new Int32Array(MAX_REASSEMBLIES + 1);
const reach = new Int32Array(MAX_REASSEMBLIES + 1);
const total = new Int32Array(MAX_REASSEMBLIES + 1);

/** Nothing of the packet is there. */
export function clearPieces(packet: number): void {
  present.fill(0, packet * WORDS, (packet + 1) * WORDS);
  there[packet] = reach[packet] = 0;
  total[packet] = UNKNOWN;
}

/** Bytes of the packet, once it is complete. */
export function lengthOf(packet: number): number {
  return total[packet]!;
}

/** The bits from `first` to `last` that lie in word `word`. */
function maskOf(word: number, first: number, last: number): number {
  const from = Math.max(first - (word << 5), 0);
  const to = Math.min(last - (word << 5), 31);
  return (-1 << from) & (-1 >>> (31 - to));
}

/** Whether any 8 bytes from bit `first` to `last` are there. */
function anyPresent(packet: number, first: number, last: number): boolean {
  const base = packet * WORDS;
  for (let word = first >>> 5; word <= last >>> 5; word++) if ((present[base + word]! & maskOf(word, first, last)) !== 0) return true;
  return false;
}

function allPresent(packet: number, first: number, last: number): boolean {
  const base = packet * WORDS;
  for (let word = first >>> 5; word <= last >>> 5; word++) {
    const mask = maskOf(word, first, last);
    if ((present[base + word]! & mask) !== mask) return false;
  }
  return true;
}

function markPresent(packet: number, first: number, last: number): void {
  const base = packet * WORDS;
  for (let word = first >>> 5; word <= last >>> 5; word++) present[base + word]! |= maskOf(word, first, last);
}

function sameBytes(a: number, b: number, length: number): boolean {
  let at = 0;
  for (const stop = length - 3; at < stop; at += 4) if (view.getInt32(a + at) !== view.getInt32(b + at)) return false;
  for (; at < length; at++) if (bytes[a + at] !== bytes[b + at]) return false;
  return true;
}

/** Whether a fragment up to `end` agrees with what is known of the packet's length. */
function endFits(packet: number, end: number, more: boolean): boolean {
  if (total[packet] === UNKNOWN) return more || end >= reach[packet]!;
  return more ? end <= total[packet]! : end === total[packet];
}

/**
 * Puts `length` bytes from `at` where they belong: `offset` bytes behind `data`. `offset` is a multiple of 8, and so is `length` (above 0)
 * unless it is the packet's last fragment; both together are 65,535 at most. Returns a `Piece`.
 */
export function addPiece(packet: number, data: number, offset: number, length: number, at: number, more: boolean): Piece {
  const end = offset + length;
  if (!endFits(packet, end, more)) return Piece.CONFLICT;
  const first = offset >>> 3;
  const last = (end - 1) >>> 3;
  if (anyPresent(packet, first, last)) {
    const known = allPresent(packet, first, last) && end <= reach[packet]! && (more || total[packet] === end);
    return known && sameBytes(data + offset, at, length) ? Piece.COPY : Piece.CONFLICT;
  }
  markPresent(packet, first, last);
  bytes.copyWithin(data + offset, at, at + length);
  there[packet]! += length;
  if (end > reach[packet]!) reach[packet] = end;
  if (!more) total[packet] = end;
  return there[packet] === total[packet] ? Piece.LAST : Piece.KEPT;
}
