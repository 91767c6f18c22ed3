/**
 * TCP options: MSS (RFC 9293 §3.2), window scale and timestamps (RFC 7323 §2.2, §3.2), SACK permitted and SACK (RFC 2018 §2, §3).
 *
 * `readOptions` leaves what it finds in the exported ints. Nearly all segments carry either none, or timestamps alone in the
 * layout of RFC 7323 appendix A, which is recognised by one comparison.
 */
import { view } from './memory.ts';
import { headerLength, TCP_HEADER } from './tcp.ts';

const END = 0;
const NOP = 1;
const MSS = 2;
const WINDOW_SCALE = 3;
const SACK_PERMITTED = 4;
const SACK = 5;
const TIMESTAMPS = 8;

const SACK_BLOCK = 8;
/** NOP, NOP, timestamps, length 10: as nearly everybody aligns them. */
const ALIGNED_TIMESTAMPS = (NOP << 24) | (NOP << 16) | (TIMESTAMPS << 8) | 10;

/** Bytes that timestamps take in every segment once they are agreed on. */
export const TIMESTAMPS_BYTES = 12;
/** RFC 7323 §2.3: a larger shift is used as 14. */
const MAX_WINDOW_SCALE = 14;

/** MSS offered, −1 if none. */
export let optionMss = -1;
/** Window shift 0…14, −1 if none. */
export let optionWindowScale = -1;
export let optionSackPermitted = false;
export let optionTimestamps = false;
/** TSval and TSecr, int32; only with `optionTimestamps`. */
export let timestampValue = 0;
export let timestampEcho = 0;
/** How many SACK blocks there are, 0…4, and where the first begins. */
export let sackBlocks = 0;
let sackAt = 0;

/** Left edge of SACK block `i`, int32. */
export function sackLeft(i: number): number {
  return view.getInt32(sackAt + i * SACK_BLOCK);
}

/** Right edge of SACK block `i`: the number behind its last byte, int32. */
export function sackRight(i: number): number {
  return view.getInt32(sackAt + i * SACK_BLOCK + 4);
}

function takeTimestamps(at: number): void {
  optionTimestamps = true;
  timestampValue = view.getInt32(at + 2);
  timestampEcho = view.getInt32(at + 6);
}

/** Takes one option of kind `kind` and `length` bytes; a length that doesn't fit the kind leaves the option unread. */
function readOption(kind: number, at: number, length: number): void {
  switch (kind) {
    case MSS:
      if (length === 4) optionMss = view.getUint16(at + 2);
      break;
    case WINDOW_SCALE:
      if (length === 3) optionWindowScale = Math.min(view.getUint8(at + 2), MAX_WINDOW_SCALE);
      break;
    case SACK_PERMITTED:
      if (length === 2) optionSackPermitted = true;
      break;
    case SACK:
      if ((length - 2) % SACK_BLOCK === 0) {
        sackBlocks = (length - 2) / SACK_BLOCK;
        sackAt = at + 2;
      }
      break;
    case TIMESTAMPS:
      if (length === 10) takeTimestamps(at);
      break;
  }
}

/**
 * Reads the options of the (checked) header at `at`. An option with length 0 or 1 or past the end of the header ends the walk
 * (RFC 9293 §3.1 MUST-7).
 */
export function readOptions(at: number): void {
  optionMss = -1;
  optionWindowScale = -1;
  optionSackPermitted = false;
  optionTimestamps = false;
  sackBlocks = 0;
  const end = at + headerLength(at);
  let option = at + TCP_HEADER;
  if (end - option === TIMESTAMPS_BYTES && view.getInt32(option) === ALIGNED_TIMESTAMPS) {
    takeTimestamps(option + 2);
    return;
  }
  while (option < end) {
    const kind = view.getUint8(option);
    if (kind === END) return;
    if (kind === NOP) {
      option += 1;
      continue;
    }
    if (end - option < 2) return;
    const length = view.getUint8(option + 1);
    if (length < 2 || length > end - option) return;
    readOption(kind, option, length);
    option += length;
  }
}

/** Bytes of the options that `writeSynOptions` writes. */
export function synOptionsBytes(windowScale: number, sackPermitted: boolean, timestamps: boolean): number {
  return 4 + (windowScale < 0 ? 0 : 4) + (timestamps ? TIMESTAMPS_BYTES : sackPermitted ? 4 : 0);
}

/**
 * Writes the options of a SYN (behind the 20 bytes): MSS always; the window scale unless it is negative; SACK permitted;
 * timestamps with `value` and `echo`. Each is aligned with NOPs, SACK permitted takes the place of those before the timestamps.
 */
export function writeSynOptions(
  at: number,
  mss: number,
  windowScale: number,
  sackPermitted: boolean,
  timestamps: boolean,
  value: number,
  echo: number,
): void {
  view.setInt32(at, (MSS << 24) | (4 << 16) | mss);
  let next = at + 4;
  if (timestamps) {
    writeTimestamps(next, value, echo);
    if (sackPermitted) view.setInt16(next, (SACK_PERMITTED << 8) | 2);
    next += TIMESTAMPS_BYTES;
  } else if (sackPermitted) {
    view.setInt32(next, (NOP << 24) | (NOP << 16) | (SACK_PERMITTED << 8) | 2);
    next += 4;
  }
  if (windowScale >= 0) view.setInt32(next, (NOP << 24) | (WINDOW_SCALE << 16) | (3 << 8) | windowScale);
}

/** Writes aligned timestamps: TIMESTAMPS_BYTES. */
export function writeTimestamps(at: number, value: number, echo: number): void {
  view.setInt32(at, ALIGNED_TIMESTAMPS);
  view.setInt32(at + 4, value);
  view.setInt32(at + 8, echo);
}

/** Bytes of an aligned SACK option with `blocks` blocks, 1…4. */
export function sackBytes(blocks: number): number {
  return 4 + blocks * SACK_BLOCK;
}

/** Writes the head of an aligned SACK option; the blocks follow by `writeSackBlock`. */
export function writeSackHead(at: number, blocks: number): void {
  view.setInt32(at, (NOP << 24) | (NOP << 16) | (SACK << 8) | (2 + blocks * SACK_BLOCK));
}

/** Writes block `i` of the aligned SACK option at `at`. */
export function writeSackBlock(at: number, i: number, left: number, right: number): void {
  view.setInt32(at + 4 + i * SACK_BLOCK, left);
  view.setInt32(at + 8 + i * SACK_BLOCK, right);
}
