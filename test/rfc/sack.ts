/** What the two ends of a connection tell each other by SACK, counted from where a stream stands. */
import { ACK, type SackBlock, type Segment } from '../support/guest_frame.ts';
import { type Dialogue, pattern } from '../support/tcp_dialogue.ts';

/** The guest sends the bytes of its stream from `from` up to `to`; what it is answered by. The stream stands where it stood. */
export function piece(dialogue: Dialogue, from: number, to: number, flags = ACK): Segment[] {
  return dialogue.send(flags, { seq: (dialogue.seq + from) | 0, payload: pattern(to - from, from) });
}

/** The blocks that the guest is told of by `segment`. */
export function blocks(dialogue: Dialogue, segment: Segment | undefined): [number, number][] {
  return (segment?.sack ?? []).map(({ left, right }) => [(left - dialogue.seq) | 0, (right - dialogue.seq) | 0]);
}

/** Blocks of an ACK of the guest: thousands of bytes behind the number `start`. */
export function thousands(start: number, ...ranges: readonly (readonly [number, number])[]): SackBlock[] {
  return ranges.map(([first, behind]) => ({ left: (start + first * 1000) | 0, right: (start + behind * 1000) | 0 }));
}

/** The data of segments: where each begins behind the number `start`, and its bytes. */
export function spans(segments: readonly Segment[], start: number): [number, number][] {
  return segments.filter(({ payload }) => payload.length > 0).map(({ seq, payload }) => [(seq - start) | 0, payload.length]);
}
