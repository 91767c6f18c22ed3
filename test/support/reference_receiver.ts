/**
 * What the reference guest has received: the stream in order, what came out of order, the window, and the SACK blocks that tell of both.
 */
import { ByteQueue } from './byte_queue.ts';
import { FIN, type SackBlock, type Segment, SYN } from './guest_frame.ts';
import { SequenceSet } from './sequence_set.ts';

/** Sequence space of a piece of data, with the FIN behind it if it has one. */
interface Held {
  seq: number;
  end: number;
  payload: Uint8Array;
}

export class ReferenceReceiver {
  /** What the application has read; in order and not read yet. */
  readonly received = new ByteQueue();
  readonly unread = new ByteQueue();
  sawEnd = false;
  nxt = 0;
  /** Right edge of the largest window announced. */
  edge = 0;
  irs = 0;
  shift = 0;
  buffer: number;

  readonly #whole: number;
  readonly #keeps: boolean;
  readonly #history = new ByteQueue();
  /** Out of order, the newest first. */
  #held: Held[] = [];
  readonly #beyond = new SequenceSet();
  #finAt: number | null = null;
  #duplicate: SackBlock | null = null;

  constructor(buffer: number, keepsOutOfOrder: boolean) {
    this.buffer = buffer;
    this.#whole = buffer;
    this.#keeps = keepsOutOfOrder;
  }

  begin(irs: number): void {
    this.irs = irs;
    this.nxt = (irs + 1) | 0;
    this.edge = (this.nxt + Math.min(this.#whole, 0xffff)) | 0;
  }

  /** RFC 9293 §3.10.7.4, first step. */
  isAcceptable(segment: Segment): boolean {
    const window = (this.edge - this.nxt) | 0;
    const length = segment.payload.length + ((segment.flags & FIN) !== 0 ? 1 : 0) + ((segment.flags & SYN) !== 0 ? 1 : 0);
    const inside = (seq: number): boolean => ((seq - this.nxt) | 0) >= 0 && ((this.edge - seq) | 0) > 0;
    if (length === 0) return window === 0 ? segment.seq === this.nxt : inside(segment.seq);
    return window > 0 && (inside(segment.seq) || inside((segment.seq + length - 1) | 0));
  }

  /** Data and FIN of a segment, in order or not. */
  take(segment: Segment): void {
    const end = (segment.seq + segment.payload.length) | 0;
    const finAt = this.#finAt;
    const fin = (segment.flags & FIN) !== 0;
    if (finAt !== null && fin && finAt !== end) throw new Error('the end of the stream has moved');
    if (finAt !== null && segment.payload.length > 0 && ((end - finAt) | 0) > 0) throw new Error('data behind the end of the stream');
    this.#compare(segment.seq, segment.payload);
    if (((segment.seq - this.nxt) | 0) > 0) {
      if (!this.#keeps) return;
      if (fin) this.#finAt = end;
      this.#hold(segment, fin);
      return;
    }
    if (fin) this.#finAt = end;
    this.#accept(segment.seq, segment.payload);
    for (let again = true; again; ) {
      again = false;
      for (const held of this.#held) again = this.#accept(held.seq, held.payload) || again;
    }
    if (this.#finAt === this.nxt && !this.sawEnd) {
      this.nxt = (this.nxt + 1) | 0;
      this.edge = (this.edge + 1) | 0;
      this.sawEnd = true;
    }
    if (this.#held.length === 0) return;
    this.#held = this.#held.filter((held) => ((held.end - this.nxt) | 0) > 0);
    this.#beyond.dropBelow(this.nxt);
  }

  /** Notes what of a segment has come before, for the next ACK (RFC 2883 §4); also of one that is all old. */
  noteDuplicate(segment: Segment): void {
    if (segment.payload.length === 0) return;
    const block = { left: segment.seq, right: (segment.seq + segment.payload.length) | 0 };
    if (((block.left - this.nxt) | 0) < 0)
      this.#duplicate = { left: block.left, right: ((block.right - this.nxt) | 0) < 0 ? block.right : this.nxt };
    else if (this.#beyond.covers(block.left, block.right)) this.#duplicate = block;
  }

  /** At most `most` SACK blocks: a duplicate first, then the island it lies in, then the one that grew last, and so on. Reports a duplicate once. */
  blocks(most: number): SackBlock[] {
    const duplicate = this.#duplicate;
    this.#duplicate = null;
    if (duplicate === null) return this.#islands(most, null);
    return [duplicate, ...this.#islands(most - 1, duplicate.left)];
  }

  /** Memory pressure: what came out of order is dropped, though it was reported (RFC 2018 §8). */
  renege(): void {
    this.#held = [];
    this.#beyond.clear();
    this.#duplicate = null;
    if (!this.sawEnd) this.#finAt = null;
  }

  /** The application reads up to `length` bytes. */
  read(length: number): void {
    this.received.push(this.unread.take(length));
  }

  /** Bytes of the window that can be announced. */
  room(): number {
    const promised = this.buffer < this.#whole ? 0 : (this.edge - this.nxt) | 0;
    return Math.max(this.buffer - this.unread.length, promised, 0);
  }

  /** The header field of the window, which is promised by this. */
  windowField(): number {
    const field = Math.min(this.room() >> this.shift, 0xffff);
    const edge = (this.nxt + (field << this.shift)) | 0;
    if (((edge - this.edge) | 0) > 0) this.edge = edge;
    return field;
  }

  #hold(segment: Segment, fin: boolean): void {
    const room = (this.edge - segment.seq) | 0;
    const payload = segment.payload.subarray(0, Math.max(room, 0));
    const whole = payload.length === segment.payload.length;
    if (payload.length === 0 && !fin) return;
    const end = (segment.seq + payload.length + (fin && whole ? 1 : 0)) | 0;
    this.#held.unshift({ seq: segment.seq, end, payload });
    this.#beyond.add(segment.seq, end);
  }

  /** What came out of order, joined: the island of `first` (RFC 2883 §4), then that of the newest piece, and so on; at most `most`. */
  #islands(most: number, first: number | null): SackBlock[] {
    const islands: SackBlock[] = [];
    const pieces = this.#held.map(({ seq }) => seq);
    for (const seq of first === null ? pieces : [first, ...pieces]) {
      if (islands.length === most) break;
      const island = this.#beyond.ranges.find(({ left, right }) => ((seq - left) | 0) >= 0 && ((right - seq) | 0) > 0);
      if (island !== undefined && !islands.some(({ left }) => left === island.left)) islands.push({ ...island });
    }
    return islands;
  }

  /** Takes what is new of `payload`; true when that was something. */
  #accept(seq: number, payload: Uint8Array): boolean {
    const old = (this.nxt - seq) | 0;
    const room = (this.edge - this.nxt) | 0;
    if (old < 0 || old >= payload.length || room <= 0 || this.sawEnd) return false;
    const fresh = payload.subarray(old, old + room);
    this.unread.push(fresh);
    this.#history.push(fresh);
    this.nxt = (this.nxt + fresh.length) | 0;
    return true;
  }

  /** Bytes that were seen before must be the same again. */
  #compare(seq: number, payload: Uint8Array): void {
    const from = (seq - this.irs - 1) | 0;
    const known = this.#history.peek(Math.max(from, 0), payload.length + Math.min(from, 0));
    for (let i = 0; i < known.length; i++) {
      if (known[i] !== payload[i - Math.min(from, 0)]) throw new Error(`byte ${from + i} of the stream has changed`);
    }
  }
}
