/**
 * IPv6 extension headers (RFC 8200 §4): walked to find the upper-layer protocol. Every step advances by at least 8 bytes
 * and there are at most `MAX_EXTENSIONS` steps.
 */
import { view } from './memory.ts';
import { Verdict } from './verdict.ts';

/** RFC 8200 §4.1 knows 7 occurrences of distinct headers in a sensible packet; one more is room enough. */
export const MAX_EXTENSIONS = 8;

const HOP_BY_HOP = 0;
const ROUTING = 43;
export const FRAGMENT = 44;
const AUTHENTICATION = 51;
const DESTINATION_OPTIONS = 60;
const MOBILITY = 135;
const HOST_IDENTITY = 139;
const SHIM6 = 140;

/** Bytes of a fragment header (RFC 8200 §4.5). */
export const FRAGMENT_HEADER = 8;
const OFFSET_AND_MORE = 0xfff9;
const OFFSET = 0xfff8;
const MORE = 1;
const SEGMENTS_LEFT = 3;

const PAD1 = 0;
/** The two high bits of an option's type: what a node that doesn't know it must do; 0 = skip (RFC 8200 §4.2). */
const UNKNOWN_ACTION = 0xc0;

/** After `walk`: the upper-layer protocol (59, "no next header", included). */
export let protocol = 0;
/** After `walk`: offset of the upper-layer header. */
export let upper = 0;
/** After `walk`: offset of the fragment header that was met last, -1 without one. */
export let fragmentAt = -1;

/** Whether a next-header value is one of the extension headers that `walk` steps over. */
export function isExtension(header: number): boolean {
  switch (header) {
    case HOP_BY_HOP:
    case ROUTING:
    case FRAGMENT:
    case AUTHENTICATION:
    case DESTINATION_OPTIONS:
    case MOBILITY:
    case HOST_IDENTITY:
    case SHIM6:
      return true;
    default:
      return false;
  }
}

/** Whether all options between `from` and `end` are whole and may be skipped when unknown. */
function checkOptions(from: number, end: number): boolean {
  let at = from;
  while (at < end) {
    const type = view.getUint8(at);
    if (type === PAD1) {
      at += 1;
      continue;
    }
    if (end - at < 2 || (type & UNKNOWN_ACTION) !== 0) return false;
    at += 2 + view.getUint8(at + 1);
  }
  return at === end;
}

/** Whether the header of kind `kind` at `at`, `length` bytes long, lets the packet pass; `first`: it follows the fixed header. */
function checkBody(kind: number, at: number, length: number, first: boolean): boolean {
  switch (kind) {
    case HOP_BY_HOP:
      return first && checkOptions(at + 2, at + length);
    case DESTINATION_OPTIONS:
      return checkOptions(at + 2, at + length);
    case ROUTING:
      // We are the destination; more hops would be for another node (RFC 8200 §4.4, RFC 5095 §3).
      return view.getUint8(at + SEGMENTS_LEFT) === 0;
    default:
      return true;
  }
}

/**
 * Walks the chain that begins with header `next` at `start` and ends before `end`; leaves the result in `protocol` and `upper`.
 * A fragment header with offset 0 and no more fragments is a whole packet (RFC 6946 §4); any other is Verdict.FRAGMENT, with the header
 * at `fragmentAt`.
 */
export function walk(next: number, start: number, end: number): number {
  let kind = next;
  let at = start;
  fragmentAt = -1;
  for (let steps = 0; isExtension(kind); steps++) {
    if (steps === MAX_EXTENSIONS || end - at < 8) return Verdict.BAD_IPV6_EXTENSION;
    let length = FRAGMENT_HEADER;
    if (kind === FRAGMENT) {
      fragmentAt = at;
      if ((view.getUint16(at + 2) & OFFSET_AND_MORE) !== 0) return Verdict.FRAGMENT;
    } else {
      const units = view.getUint8(at + 1);
      // RFC 4302 §2.2: the one header whose length counts 4-byte units.
      length = kind === AUTHENTICATION ? (units + 2) << 2 : (units + 1) << 3;
      if (length > end - at || !checkBody(kind, at, length, steps === 0)) return Verdict.BAD_IPV6_EXTENSION;
    }
    kind = view.getUint8(at);
    at += length;
  }
  protocol = kind;
  upper = at;
  return Verdict.OK;
}

/** Next header of the fragment header at `at`: that of the first fragment counts for the packet. */
export function fragmentNext(at: number): number {
  return view.getUint8(at);
}

/** Where the fragment's data belong behind the headers that every fragment repeats, in bytes. */
export function fragmentOffset(at: number): number {
  return view.getUint16(at + 2) & OFFSET;
}

export function moreFragments(at: number): boolean {
  return (view.getUint16(at + 2) & MORE) !== 0;
}

/** 32 bits that the fragments of one packet share. */
export function fragmentId(at: number): number {
  return view.getInt32(at + 4);
}

/** Writes a fragment header; `offset` in bytes. */
export function writeFragment6(at: number, next: number, offset: number, more: boolean, id: number): void {
  view.setInt32(at, (next << 24) | offset | (more ? MORE : 0));
  view.setInt32(at + 4, id);
}
