/**
 * Watches that nothing is sent again that the guest has SACKed (RFC 6675 §5, RFC 2018 §5).
 *
 * Theory of operation. `heard` and `said` are told what reaches the worker and what it sends. The worker takes many segments in one turn, so
 * what it has heard is held against it from the next turn on: `learn` is called between turns. (Within one, `checkWrite` looks at the worker's own
 * scoreboard.) Only a SACK that it can't have passed over counts: whole, in order, neither older than another nor with older timestamps. What
 * makes a worker forget is forgotten here no later: an acknowledgement that ends within what was SACKed (RFC 2018 §8), and a second
 * timeout in a row.
 */
import { ACK, FIN, RST, type Segment, SYN } from './guest_frame.ts';
import { SequenceSet } from './sequence_set.ts';
import { describeSegment } from './tcp_watch.ts';

function later(a: number, b: number): boolean {
  return ((a - b) | 0) > 0;
}

export class SackWatch {
  /** What the worker knows the guest to have, and all that it may have been told since it last forgot. */
  readonly #told = new SequenceSet();
  readonly #perhaps = new SequenceSet();
  /** The highest acknowledgement, sequence number and timestamp of the guest; the number behind all that the worker has sent. */
  #ack: number | null = null;
  #seq = 0;
  #value: number | null = null;
  #max = 0;
  /** The number that the worker's last SYN had. */
  #iss: number | null = null;
  #heard: { segment: Segment; whole: boolean }[] = [];

  /** The worker gets `segment`; `whole`: with nothing spoilt. */
  heard(segment: Segment, whole: boolean): void {
    const { ack, flags, sack = [] } = segment;
    if ((flags & SYN) !== 0) this.#begin();
    else if ((flags & (RST | ACK)) === ACK) {
      if (this.#perhaps.ranges.some(({ left, right }) => !later(left, ack) && later(right, ack))) this.#told.clear();
      for (const { left, right } of sack) if (later(left, ack) && later(right, left)) this.#perhaps.add(left, right);
      this.#heard.push({ segment, whole });
    }
  }

  /** The worker's loop has run. */
  learn(): void {
    const heard = this.#heard;
    this.#heard = [];
    for (const { segment, whole } of heard) this.#learn(segment, whole);
  }

  #learn(segment: Segment, whole: boolean): void {
    const { ack, seq, timestamp } = segment;
    if (this.#perhaps.ranges.some(({ left, right }) => !later(left, ack) && later(right, ack))) this.#told.clear();
    const fresh = this.#ack === null || (!later(this.#ack, ack) && !later(this.#seq, seq));
    const young = timestamp === undefined || this.#value === null || !later(this.#value, timestamp.value);
    if (timestamp !== undefined && young) this.#value = timestamp.value;
    if (!fresh || !young || !whole) return;
    this.#ack = ack;
    this.#seq = seq;
    this.#told.dropBelow(ack);
    this.#perhaps.dropBelow(ack);
    for (const { left, right } of segment.sack ?? [])
      if (later(left, ack) && later(right, left) && !later(right, this.#max)) this.#told.add(left, right);
  }

  /** The worker sends `segment`. */
  said(segment: Segment): void {
    const { flags, payload, seq } = segment;
    if ((flags & (SYN | RST)) !== 0) {
      if ((flags & SYN) !== 0) {
        this.#begin();
        // Numbers of an earlier connection say nothing of this one.
        if (seq !== this.#iss) this.#perhaps.clear();
        this.#iss = seq;
      }
      this.#max = (seq + 1) | 0;
      return;
    }
    const end = (seq + payload.length + ((flags & FIN) !== 0 ? 1 : 0)) | 0;
    if (later(end, this.#max)) this.#max = end;
    if (end === seq) return;
    for (const { left, right } of this.#told.ranges)
      if (later(end, left) && later(right, seq))
        throw new Error(`${left}…${right} was SACKed and is sent again: ${describeSegment(segment)}`);
  }

  /** The worker need not trust what it was told. */
  forget(): void {
    this.learn();
    this.#told.clear();
  }

  /** A connection begins, or perhaps not, and the worker remembers more than is known here: its SYN has come before. */
  #begin(): void {
    for (const one of this.#heard) one.whole = false;
    this.#told.clear();
    this.#ack = null;
  }
}
