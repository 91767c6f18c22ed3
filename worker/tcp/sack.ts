/**
 * What the guest is told of ranges that came out of order (RFC 2018 §4), and of bytes that came twice (RFC 2883 §4).
 *
 * First the bytes that came twice, if the segment that is answered had some; then the range that was added to last, then the
 * others, the most recent first: as many as the options' 40 bytes leave room for.
 */
import { FLAGS, ROW, rows } from '../flow/row.ts';
import { sackBytes, writeSackBlock, writeSackHead } from '../wire/tcp_option.ts';
import { endsThere, rangeAdded, rangeAfter, rangeLeft, rangeRight } from './reassembly.ts';
import { AHEAD_FIRST, SACK_PERMITTED, TIMESTAMPS } from './row.ts';
import { after } from './sequence.ts';

/** Blocks that fit beside timestamps, and without them. */
const BESIDE_TIMESTAMPS = 3;
const ALONE = 4;

let duplicateOf = -1;
let duplicateLeft = 0;
let duplicateRight = 0;
/** Ranges of the answer being written, the most recent first. */
const recent = new Int32Array(ALONE);

/** The answer that is written next, for `flow`, tells that the bytes from `left` up to `right` came twice. Not where SACK isn't permitted. */
export function tellDuplicate(flow: number, left: number, right: number): void {
  if ((rows[flow * ROW + FLAGS]! & SACK_PERMITTED) === 0 || left === right) return;
  duplicateOf = flow;
  duplicateLeft = left;
  duplicateRight = right;
}

/** Puts the `most` ranges that were added to last into `recent`; how many there are. */
function collectRecent(row: number, most: number): number {
  let found = 0;
  for (let range = rows[row + AHEAD_FIRST]!; range !== 0; range = rangeAfter(range)) {
    const moment = rangeAdded(range);
    let place = found;
    while (place > 0 && after(moment, rangeAdded(recent[place - 1]!))) {
      if (place < most) recent[place] = recent[place - 1]!;
      place--;
    }
    if (place < most) recent[place] = range;
    if (found < most) found++;
  }
  return found;
}

/** Writes the option so that it ends at `end`, if the flow has something to tell; returns its bytes, 0 if not. */
export function writeSack(flow: number, end: number): number {
  const row = flow * ROW;
  const duplicate = duplicateOf === flow ? 1 : 0;
  if ((duplicate === 0 && rows[row + AHEAD_FIRST] === 0) || (rows[row + FLAGS]! & SACK_PERMITTED) === 0) return 0;
  const most = (rows[row + FLAGS]! & TIMESTAMPS) === 0 ? ALONE : BESIDE_TIMESTAMPS;
  const ranges = collectRecent(row, most - duplicate);
  const length = sackBytes(duplicate + ranges);
  const at = end - length;
  writeSackHead(at, duplicate + ranges);
  if (duplicate !== 0) writeSackBlock(at, 0, duplicateLeft, duplicateRight);
  for (let i = 0; i < ranges; i++) {
    const edge = rangeRight(recent[i]!);
    // The FIN has a number of its own, and is there as well.
    writeSackBlock(at, duplicate + i, rangeLeft(recent[i]!), endsThere(flow, edge) ? (edge + 1) | 0 : edge);
  }
  duplicateOf = -1;
  return length;
}
