/**
 * What the reference guest has to send: its stream until it is acknowledged, the other side's window, what was lost and is sent again.
 *
 * Theory of operation. No congestion window: the wire is what tests want to see full. Recovery is by SACK where that is agreed
 * (RFC 6675, without the pipe), else by three duplicate ACKs and partial ones (RFC 6582); a timeout forgets what was
 * reported by SACK (RFC 2018 §8) and goes back to what is unacknowledged.
 */
import { ByteQueue } from './byte_queue.ts';
import { ACK, FIN, PSH, type Segment } from './guest_frame.ts';
import { SequenceSet } from './sequence_set.ts';
import type { GuestOptions } from './tcp_schedule.ts';

const SUPERFRAME_HEADERS = 100;
const FIRST_TIMEOUT = 1000;
const MIN_TIMEOUT = 200;
const MAX_TIMEOUT = 60_000;
const DUPLICATE_THRESHOLD = 3;
/** Segments sent again for one ACK. */
const BURST = 4;

function later(a: number, b: number): boolean {
  return ((a - b) | 0) > 0;
}

export class ReferenceSender {
  una: number;
  nxt: number;
  max: number;
  wnd = 0;
  mss: number;
  shift = 0;
  finWanted = false;
  finAcked = false;
  finSeq: number | null = null;
  readonly toSend = new ByteQueue();
  /** When the retransmission timer is due, ms; null: it doesn't run. */
  timerAt: number | null = null;
  timeout = FIRST_TIMEOUT;
  retries = 0;

  readonly #options: GuestOptions;
  readonly #clock: () => number;
  readonly #emit: (seq: number, flags: number, payload: Uint8Array) => void;
  #wl1 = 0;
  #wl2 = 0;
  #duplicates = 0;
  /** What the other side holds beyond `una`. */
  readonly #sacked = new SequenceSet();
  /** `max` when the present recovery began, null outside one; what it has sent again ends before `#resent`. */
  #recover: number | null = null;
  #resent = 0;

  constructor(options: GuestOptions, clock: () => number, emit: (seq: number, flags: number, payload: Uint8Array) => void) {
    this.#options = options;
    this.#clock = clock;
    this.#emit = emit;
    this.mss = options.mss;
    this.una = options.iss | 0;
    this.nxt = this.una;
    this.max = this.una;
  }

  /** The SYN goes out. */
  syn(): void {
    this.nxt = (this.una + 1) | 0;
    this.max = this.nxt;
    this.arm();
  }

  /** The SYN was acknowledged by `segment`. */
  begin(segment: Segment, window: number): void {
    this.una = segment.ack;
    this.wnd = window;
    this.#wl1 = segment.seq;
    this.#wl2 = segment.ack;
    this.timerAt = null;
    this.timeout = FIRST_TIMEOUT;
    this.retries = 0;
  }

  arm(): void {
    this.timerAt = this.#clock() + this.timeout;
  }

  /** The timer was due: it runs on, for longer. */
  backOff(): void {
    this.timeout = Math.min(this.timeout * 2, MAX_TIMEOUT);
    this.arm();
  }

  /** The retransmission timer was due: what is unacknowledged is sent again, or the window asked for. */
  expire(): void {
    this.#sacked.clear();
    this.#recover = null;
    this.#duplicates = 0;
    if (this.max !== this.una) {
      this.nxt = this.una;
      this.#sendOne(Math.min(this.mss, (this.max - this.una) | 0));
    } else if (this.toSend.length > 0) {
      if (this.#options.probesWithData) this.#sendOne(1);
      else this.probe();
    } else this.timerAt = null;
  }

  /** A segment just left of the window: the other side says where it stands. */
  probe(): void {
    this.#emit((this.una - 1) | 0, ACK, new Uint8Array(0));
  }

  /** The ACK field, the window and the SACK blocks of a segment that is acceptable. */
  takeAck(segment: Segment): void {
    const { ack } = segment;
    const window = segment.window << this.shift;
    const outstanding = this.max !== this.una;
    const advances = later(ack, this.una);
    const news = this.#takeBlocks(segment);
    if (advances) this.#acknowledged(ack);
    else if (ack === this.una && segment.payload.length === 0 && (segment.flags & FIN) === 0 && outstanding) {
      if (window === this.wnd || news) this.#duplicates++;
    }
    this.#recoverLost();
    const newer = later(segment.seq, this.#wl1) || (segment.seq === this.#wl1 && !later(this.#wl2, ack));
    // What acknowledges more than all before it is the newest, also when its data is an older one's, sent again.
    if (!later(this.una, ack) && (advances || newer)) {
      if (this.wnd === 0 && window > 0) {
        this.timeout = FIRST_TIMEOUT;
        if (this.timerAt !== null) this.arm();
        // What was sent into the closed window was dropped, the byte of a probe as well.
        this.nxt = this.una;
      }
      this.wnd = window;
      this.#wl1 = segment.seq;
      this.#wl2 = ack;
      this.retries = 0;
    }
  }

  /** Sends what may be sent. */
  push(): void {
    for (;;) {
      this.#skipSacked();
      const room = (this.una + this.wnd - this.nxt) | 0;
      const left = this.toSend.length - ((this.nxt - this.una) | 0);
      const most = this.#options.superframe === 0 ? this.mss : Math.max(this.#options.superframe - SUPERFRAME_HEADERS, this.mss);
      if (left > 0 && room <= 0) {
        if (this.nxt === this.una && this.timerAt === null) this.arm();
        return;
      }
      if (left <= 0 && !(this.finWanted && (this.finSeq === null || this.nxt === this.finSeq))) return;
      this.#sendOne(Math.min(most, Math.max(room, 0)));
    }
  }

  /** Sends the FIN once more, though it may be acknowledged. */
  repeatFin(): void {
    if (this.finSeq !== null) this.#emit(this.finSeq, ACK | FIN, new Uint8Array(0));
  }

  #acknowledged(ack: number): void {
    let bytes = (ack - this.una) | 0;
    if (this.finSeq !== null && later(ack, this.finSeq)) {
      bytes--;
      this.finAcked = true;
    }
    this.toSend.drop(bytes);
    this.una = ack;
    if (later(ack, this.nxt)) this.nxt = ack;
    if (later(ack, this.#resent)) this.#resent = ack;
    this.#sacked.dropBelow(ack);
    this.#duplicates = 0;
    this.retries = 0;
    this.timeout = Math.max(MIN_TIMEOUT, Math.min(this.timeout, FIRST_TIMEOUT));
    this.timerAt = null;
    if (this.una !== this.max) this.arm();
    if (this.#recover !== null && !later(this.#recover, ack)) this.#recover = null;
  }

  /** Notes SACK blocks; true when one tells something new. */
  #takeBlocks(segment: Segment): boolean {
    let news = false;
    for (const { left, right } of segment.sack ?? []) {
      // What lies below the ACK is a duplicate (RFC 2883 §4), what we never sent is nonsense.
      if (!later(right, segment.ack) || !later(right, this.una) || later(right, this.max) || !later(right, left)) continue;
      if (this.#sacked.covers(left, right)) continue;
      news = true;
      this.#sacked.add(left, right);
    }
    return news;
  }

  #recoverLost(): void {
    if (this.una === this.max) return;
    if (this.#recover === null) {
      if (this.#duplicates < DUPLICATE_THRESHOLD) return;
      this.#recover = this.max;
      this.#resent = this.una;
    }
    if (this.#sacked.ranges.length > 0) this.#fillHoles();
    else if (this.#resent === this.una) this.#resend(this.una, this.mss);
  }

  /** Sends again what lies below the highest SACKed byte and isn't SACKed (RFC 6675 §4 NextSeg). */
  #fillHoles(): void {
    let from = this.#resent;
    let burst = BURST;
    for (const { left, right } of this.#sacked.ranges) {
      while (later(left, from) && burst-- > 0) from = this.#resend(from, Math.min(this.mss, (left - from) | 0));
      if (burst <= 0) return;
      if (later(right, from)) from = right;
    }
    this.#resent = from;
  }

  /** Sends up to `most` bytes from `seq` again, and leaves SND.NXT where it is; what lies behind them. */
  #resend(seq: number, most: number): number {
    const next = this.nxt;
    this.nxt = seq;
    this.#sendOne(Math.min(most, (this.max - seq) | 0));
    this.#resent = this.nxt;
    if (later(next, this.nxt)) this.nxt = next;
    return this.#resent;
  }

  #skipSacked(): void {
    for (const { left, right } of this.#sacked.ranges) if (!later(left, this.nxt) && later(right, this.nxt)) this.nxt = right;
  }

  /** Sends up to `most` bytes from `nxt` on, with the FIN when that is its place. */
  #sendOne(most: number): void {
    const sent = (this.nxt - this.una) | 0;
    const hole = this.#sacked.ranges.find(({ left }) => later(left, this.nxt));
    const limit = hole === undefined ? most : Math.min(most, (hole.left - this.nxt) | 0);
    const payload = this.toSend.peek(sent, limit).slice();
    const seq = this.nxt;
    this.nxt = (seq + payload.length) | 0;
    let flags = ACK | (payload.length > 0 ? PSH : 0);
    if (this.finWanted && sent + payload.length === this.toSend.length) {
      this.finSeq = this.nxt;
      this.nxt = (this.nxt + 1) | 0;
      flags |= FIN;
    }
    if (later(this.nxt, this.max)) this.max = this.nxt;
    if (this.timerAt === null) this.arm();
    this.#emit(seq, flags, payload);
  }
}
