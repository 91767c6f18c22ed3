/**
 * A guest ten milliseconds away whose host always has more to say, and that gets all but what a test tells: whole round trips
 * at a time, as in the figures of the standards about congestion.
 */
import { rows } from '../../worker/flow/row.ts';
import { CWND, SND_MAX, SND_UNA } from '../../worker/tcp/row.ts';
import { ACK, type Segment } from './guest_frame.ts';
import { Dialogue, pattern } from './tcp_dialogue.ts';

/** Bytes of a segment, segments in flight (all that the window allows), and ms of a round trip. */
export const MSS = 1000;
export const FLIGHT = 60;
export const TRIP = 10;

/** Loses nothing. */
export const nothing = (): boolean => false;

export function payloadBytes(segments: readonly Segment[]): number {
  return segments.reduce((sum, { payload }) => sum + payload.length, 0);
}

export class LossyGuest {
  readonly dialogue: Dialogue;
  readonly row: number;
  readonly start: number;
  readonly #sack: boolean;
  /** Segments that have come, by their number from the start of the stream. */
  readonly #have = new Set<number>();
  #written = 0;

  constructor({ sack = true, window = FLIGHT * MSS }: { sack?: boolean; window?: number } = {}) {
    this.#sack = sack;
    this.dialogue = new Dialogue({ windowScale: 0, mss: MSS, mtu: 1500, sackPermitted: sack, timestamps: false, window });
    this.dialogue.establish();
    this.row = this.dialogue.row();
    this.start = this.dialogue.ack;
    this.write();
  }

  write(): void {
    const wanted = ((this.dialogue.ack - this.start) | 0) + 3 * FLIGHT * MSS;
    this.dialogue.stream.write(pattern(wanted - this.#written, this.#written));
    this.#written = wanted;
  }

  /** One round trip: what was sent comes, but for what `lost` says, and is acknowledged segment by segment. Returns what went out in turn. */
  trip(sent: readonly Segment[], lost: (segment: number) => boolean): Segment[] {
    this.dialogue.bench.advance(TRIP);
    const next: Segment[] = [...this.dialogue.seen()];
    for (const { seq, payload } of sent) {
      for (let at = 0; at < payload.length; at += MSS) {
        const number = Math.floor(((seq + at - this.start) | 0) / MSS);
        if (lost(number)) continue;
        this.#have.add(number);
        next.push(...this.#acknowledge(number));
      }
    }
    this.write();
    next.push(...this.dialogue.seen());
    return next.filter(({ payload }) => payload.length > 0);
  }

  #acknowledge(newest: number): Segment[] {
    let ack = this.first;
    while (this.#have.delete(ack)) ack++;
    this.dialogue.ack = (this.start + ack * MSS) | 0;
    if (newest < ack || !this.#sack) return this.dialogue.send(ACK);
    let [left, right] = [newest, newest + 1];
    while (this.#have.has(left - 1)) left--;
    while (this.#have.has(right)) right++;
    return this.dialogue.send(ACK, { sack: [{ left: (this.start + left * MSS) | 0, right: (this.start + right * MSS) | 0 }] });
  }

  /** Goes on until the worker knows the round trip; returns what is on its way then. */
  settle(): Segment[] {
    let sent = this.dialogue.seen();
    for (let trips = 0; trips < 40; trips++) sent = this.trip(sent, nothing);
    return sent;
  }

  /** The number of the first segment that has not come. */
  get first(): number {
    return Math.floor(((this.dialogue.ack - this.start) | 0) / MSS);
  }

  get window(): number {
    return rows[this.row + CWND] as number;
  }

  /** Bytes sent and not acknowledged. */
  get outstanding(): number {
    return ((rows[this.row + SND_MAX] as number) - (rows[this.row + SND_UNA] as number)) | 0;
  }
}
