/**
 * Timestamps of the reference guest (RFC 7323): its clock, what it echoes, and what it takes for an old duplicate.
 */
import { ACK, RST, type Segment, SYN } from './guest_frame.ts';

export class ReferenceTimestamps {
  /** Both sides have offered them: every segment carries one. */
  agreed = false;
  /** TS.Recent and Last.ACK.sent. */
  recent = 0;
  lastAckSent = 0;

  readonly #offers: boolean;
  readonly #start: number;
  readonly #clock: () => number;

  /** `start`: what the timestamp clock says at time 0 of `clock`; both tick in milliseconds. */
  constructor(offers: boolean, start: number, clock: () => number) {
    this.#offers = offers;
    this.#start = start;
    this.#clock = clock;
  }

  get now(): number {
    return (this.#start + this.#clock()) | 0;
  }

  /** The other side's SYN or SYN|ACK came. */
  begin(segment: Segment): void {
    this.agreed = this.#offers && segment.timestamp !== undefined;
    this.recent = segment.timestamp?.value ?? 0;
    this.lastAckSent = (segment.seq + 1) | 0;
  }

  /** The option of a segment that is sent now, undefined: none. `ack` is its acknowledgement number. */
  option(flags: number, ack: number): Segment['timestamp'] {
    const first = (flags & (SYN | ACK)) === SYN;
    if (!this.agreed && !(first && this.#offers)) return undefined;
    if ((flags & ACK) !== 0) this.lastAckSent = ack;
    return { value: this.now, echo: first ? 0 : this.recent };
  }

  /** RFC 7323 §3.2 and §5.3 R1: `missing` is dropped in silence, `old` is answered by an ACK and dropped. */
  judge(segment: Segment): 'fine' | 'old' | 'missing' {
    if (!this.agreed || (segment.flags & RST) !== 0) return 'fine';
    if (segment.timestamp === undefined) return 'missing';
    return ((segment.timestamp.value - this.recent) | 0) < 0 ? 'old' : 'fine';
  }

  /** RFC 7323 §4.3 (2), for a segment that is acceptable. */
  note(segment: Segment): void {
    const { timestamp } = segment;
    if (!this.agreed || timestamp === undefined || ((timestamp.value - this.recent) | 0) < 0) return;
    if (((segment.seq - this.lastAckSent) | 0) <= 0) this.recent = timestamp.value;
  }
}
