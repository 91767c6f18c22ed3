/**
 * A TCP endpoint as a guest's kernel has one: small, slow and by the book (RFC 9293), to test the worker against.
 *
 * Theory of operation. `receive` takes a segment of the worker, `timer` the time; what is to be sent goes to `output`. Sequence numbers
 * are int32. It checks the worker as it goes: a segment beyond any window that was announced, bytes that differ from those seen
 * before at the same place, an end of the stream that moves, or an ACK of something never sent throws.
 */
import { ByteQueue } from './byte_queue.ts';
import { ACK, FIN, PSH, RST, type Segment, SYN } from './guest_frame.ts';
import type { GuestOptions } from './tcp_schedule.ts';

const SUPERFRAME_HEADERS = 60;
const FIRST_TIMEOUT = 1000;
const MIN_TIMEOUT = 200;
const MAX_TIMEOUT = 60_000;
const MAX_RETRIES = 40;

export class ReferenceGuest {
  /** How the connection stands: `done` when both FINs are through, `reset` by the worker, `aborted` by the guest itself. */
  state: 'closed' | 'syn-sent' | 'open' | 'done' | 'refused' | 'reset' | 'aborted' | 'gave-up' = 'closed';
  /** What the application has read. */
  readonly received = new ByteQueue();
  /** In order and not read yet. */
  readonly unread = new ByteQueue();
  sawEnd = false;
  sndUna: number;
  sndNxt: number;
  sndMax: number;
  sndWnd = 0;
  rcvNxt = 0;
  /** Right edge of the largest window announced. */
  rcvEdge = 0;
  irs = 0;
  /** Bytes of the receive buffer; when it gets smaller, so does the window (RFC 9293 §3.8.6: discouraged, and to be survived). */
  buffer: number;

  readonly #options: GuestOptions;
  readonly #output: (segment: Segment) => void;
  readonly #clock: () => number;
  readonly #toSend = new ByteQueue();
  readonly #history = new ByteQueue();
  readonly #outOfOrder: { seq: number; payload: Uint8Array }[] = [];
  #mss: number;
  #sndShift = 0;
  #rcvShift = 0;
  #wl1 = 0;
  #wl2 = 0;
  #finWanted = false;
  #finSeq: number | null = null;
  #finAcked = false;
  #peerFinAt: number | null = null;
  #closedFirst = false;
  #timerAt: number | null = null;
  #timeout = FIRST_TIMEOUT;
  #retries = 0;
  #duplicates = 0;

  constructor(options: GuestOptions, output: (segment: Segment) => void, clock: () => number) {
    this.#options = options;
    this.#output = output;
    this.#clock = clock;
    this.#mss = options.mss;
    this.buffer = options.buffer;
    this.sndUna = options.iss | 0;
    this.sndNxt = options.iss | 0;
    this.sndMax = options.iss | 0;
  }

  // The application.

  connect(): void {
    this.state = 'syn-sent';
    this.sndNxt = (this.sndUna + 1) | 0;
    this.sndMax = this.sndNxt;
    this.#sendSyn();
    this.#arm();
  }

  write(bytes: Uint8Array): void {
    if (this.#finWanted || this.over) return;
    this.#toSend.push(bytes);
    if (this.state === 'open') this.#push();
  }

  /** Reads up to `length` bytes; tells the worker when that opens the window again. */
  read(length: number): void {
    const before = this.#windowRoom();
    this.received.push(this.unread.take(length));
    if (this.state !== 'open' || this.sawEnd) return;
    const worth = Math.min(this.#mss, this.buffer >> 1);
    if (before < worth && this.#windowRoom() >= worth) this.#acknowledge();
  }

  close(): void {
    if (this.#finWanted || this.over) return;
    this.#finWanted = true;
    this.#closedFirst = !this.sawEnd;
    if (this.state === 'open') this.#push();
  }

  /** RFC 9293 §3.8.4: asks whether the other end is still there. */
  keepAlive(): void {
    if (this.state === 'open') this.#emit((this.sndUna - 1) | 0, ACK, new Uint8Array(0), 0);
  }

  reset(): void {
    if (this.over || this.state === 'closed') return;
    if (this.state === 'open') this.#emit(this.sndNxt, RST | ACK, new Uint8Array(0), 0);
    this.#finish('aborted');
  }

  get over(): boolean {
    return this.state !== 'syn-sent' && this.state !== 'open' && this.state !== 'closed';
  }

  get finAcked(): boolean {
    return this.#finAcked;
  }

  /** When `timer` wants to be called, ms; null: never. */
  get deadline(): number | null {
    return this.#timerAt;
  }

  // The wire.

  timer(): void {
    if (this.#timerAt === null || this.#clock() < this.#timerAt) return;
    if (++this.#retries > MAX_RETRIES) {
      this.#finish('gave-up');
      return;
    }
    this.#timeout = Math.min(this.#timeout * 2, MAX_TIMEOUT);
    this.#arm();
    if (this.state === 'syn-sent') this.#sendSyn();
    else if (this.sndMax !== this.sndUna) {
      this.sndNxt = this.sndUna;
      this.#sendOne(this.#mss);
    } else if (this.#toSend.length > 0) {
      if (this.#options.probesWithData) this.#sendOne(1);
      else this.#emit((this.sndUna - 1) | 0, ACK, new Uint8Array(0), 0);
    } else this.#timerAt = null;
  }

  receive(segment: Segment): void {
    if (this.state === 'syn-sent') this.#receiveInSynSent(segment);
    else if (this.state === 'open' || (this.state === 'done' && this.#closedFirst)) this.#receiveInOpen(segment);
    else if ((segment.flags & RST) === 0) this.#answerStray(segment);
  }

  #receiveInSynSent(segment: Segment): void {
    const acceptable = (segment.flags & ACK) !== 0 && segment.ack === this.sndNxt;
    if ((segment.flags & ACK) !== 0 && !acceptable) {
      if ((segment.flags & RST) === 0) this.#answerStray(segment);
      return;
    }
    if ((segment.flags & RST) !== 0) {
      if (acceptable) this.#finish('refused');
      return;
    }
    if (!acceptable || (segment.flags & SYN) === 0) return;
    this.irs = segment.seq;
    this.rcvNxt = (segment.seq + 1) | 0;
    this.rcvEdge = (this.rcvNxt + Math.min(this.#options.buffer, 0xffff)) | 0;
    const scaled = this.#options.windowScale >= 0 && segment.windowScale !== undefined;
    this.#sndShift = scaled ? (segment.windowScale as number) : 0;
    this.#rcvShift = scaled ? this.#options.windowScale : 0;
    this.#mss = Math.min(this.#options.mss, segment.mss ?? 536);
    this.sndUna = segment.ack;
    this.sndWnd = segment.window;
    this.#wl1 = segment.seq;
    this.#wl2 = segment.ack;
    this.state = 'open';
    this.#timerAt = null;
    this.#timeout = FIRST_TIMEOUT;
    this.#retries = 0;
    this.#acknowledge();
    this.#push();
  }

  #receiveInOpen(segment: Segment): void {
    if (!this.#isAcceptable(segment)) {
      if ((segment.flags & RST) === 0) this.#acknowledge();
      return;
    }
    if ((segment.flags & RST) !== 0) {
      if (segment.seq === this.rcvNxt) {
        // RFC 9293 §3.10.7.4: in CLOSING, LAST-ACK and TIME-WAIT a reset only ends the waiting.
        if (this.state === 'open') this.#finish(this.sawEnd && this.#finSeq !== null ? 'done' : 'reset');
      } else this.#acknowledge();
      return;
    }
    if ((segment.flags & SYN) !== 0) {
      this.#acknowledge();
      return;
    }
    if ((segment.flags & ACK) === 0 || !this.#takeAck(segment)) return;
    const told = this.rcvNxt;
    this.#takeData(segment);
    if (segment.payload.length > 0 || (segment.flags & FIN) !== 0 || told !== this.rcvNxt) this.#acknowledge();
    this.#finishWhenThrough();
    if (this.state === 'open') this.#push();
  }

  #finishWhenThrough(): void {
    if (this.state === 'open' && this.#finAcked && this.sawEnd) this.#finish('done');
  }

  /** RFC 9293 §3.4, table 6. */
  #isAcceptable(segment: Segment): boolean {
    const window = (this.rcvEdge - this.rcvNxt) | 0;
    const length = segment.payload.length + ((segment.flags & FIN) !== 0 ? 1 : 0) + ((segment.flags & SYN) !== 0 ? 1 : 0);
    const inside = (seq: number): boolean => ((seq - this.rcvNxt) | 0) >= 0 && ((this.rcvEdge - seq) | 0) > 0;
    if (length === 0) return window === 0 ? segment.seq === this.rcvNxt : inside(segment.seq);
    return window > 0 && (inside(segment.seq) || inside((segment.seq + length - 1) | 0));
  }

  #takeAck(segment: Segment): boolean {
    const { ack } = segment;
    if (((ack - this.sndMax) | 0) > 0) throw new Error(`the worker acknowledged ${(ack - this.sndMax) | 0} bytes that were never sent`);
    const window = segment.window << this.#sndShift;
    if (((ack - this.sndUna) | 0) > 0) this.#acknowledged(ack);
    else if (ack === this.sndUna && segment.payload.length === 0 && window === this.sndWnd && this.sndMax !== this.sndUna) {
      if (++this.#duplicates === 3) {
        const next = this.sndNxt;
        this.sndNxt = this.sndUna;
        this.#sendOne(this.#mss);
        if (((next - this.sndNxt) | 0) > 0) this.sndNxt = next;
      }
    }
    const newer = ((segment.seq - this.#wl1) | 0) > 0 || (segment.seq === this.#wl1 && ((ack - this.#wl2) | 0) >= 0);
    if (((ack - this.sndUna) | 0) >= 0 && newer) {
      if (this.sndWnd === 0 && window > 0) this.#timeout = FIRST_TIMEOUT;
      this.sndWnd = window;
      this.#wl1 = segment.seq;
      this.#wl2 = ack;
      this.#retries = 0;
    }
    return true;
  }

  #acknowledged(ack: number): void {
    let bytes = (ack - this.sndUna) | 0;
    if (this.#finSeq !== null && ((ack - this.#finSeq) | 0) > 0) {
      bytes--;
      this.#finAcked = true;
    }
    this.#toSend.drop(bytes);
    this.sndUna = ack;
    if (((this.sndNxt - ack) | 0) < 0) this.sndNxt = ack;
    this.#duplicates = 0;
    this.#retries = 0;
    this.#timeout = Math.max(MIN_TIMEOUT, Math.min(this.#timeout, FIRST_TIMEOUT));
    this.#timerAt = null;
    if (this.sndUna !== this.sndMax) this.#arm();
  }

  #takeData(segment: Segment): void {
    const end = (segment.seq + segment.payload.length) | 0;
    const finAt = this.#peerFinAt;
    if (finAt !== null && (segment.flags & FIN) !== 0 && finAt !== end) throw new Error('the end of the stream has moved');
    if (finAt !== null && segment.payload.length > 0 && ((end - finAt) | 0) > 0) throw new Error('data behind the end of the stream');
    if ((segment.flags & FIN) !== 0) this.#peerFinAt = end;
    this.#compare(segment.seq, segment.payload);
    if (((segment.seq - this.rcvNxt) | 0) > 0) {
      if (this.#options.keepsOutOfOrder) this.#outOfOrder.push({ seq: segment.seq, payload: segment.payload });
      if (!this.#options.keepsOutOfOrder && (segment.flags & FIN) !== 0) this.#peerFinAt = null;
      return;
    }
    this.#accept(segment.seq, segment.payload);
    for (let again = true; again; ) {
      again = false;
      for (const held of this.#outOfOrder) again = this.#accept(held.seq, held.payload) || again;
    }
    if (this.#peerFinAt === this.rcvNxt && !this.sawEnd) {
      this.rcvNxt = (this.rcvNxt + 1) | 0;
      this.rcvEdge = (this.rcvEdge + 1) | 0;
      this.sawEnd = true;
    }
  }

  /** Takes what is new of `payload`; true when that was something. */
  #accept(seq: number, payload: Uint8Array): boolean {
    const old = (this.rcvNxt - seq) | 0;
    const room = (this.rcvEdge - this.rcvNxt) | 0;
    if (old < 0 || old >= payload.length || room <= 0 || this.sawEnd) return false;
    const fresh = payload.subarray(old, old + room);
    this.unread.push(fresh);
    this.#history.push(fresh);
    this.rcvNxt = (this.rcvNxt + fresh.length) | 0;
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

  #answerStray(segment: Segment): void {
    const length = segment.payload.length + ((segment.flags & SYN) !== 0 ? 1 : 0) + ((segment.flags & FIN) !== 0 ? 1 : 0);
    const none = new Uint8Array(0);
    if ((segment.flags & ACK) !== 0) this.#emit(segment.ack, RST, none, 0);
    else this.#emit(0, RST | ACK, none, 0, (segment.seq + length) | 0);
  }

  /** Sends what may be sent. */
  #push(): void {
    for (;;) {
      const room = (this.sndUna + this.sndWnd - this.sndNxt) | 0;
      const left = this.#toSend.length - ((this.sndNxt - this.sndUna) | 0);
      const most = this.#options.superframe === 0 ? this.#mss : Math.max(this.#options.superframe - SUPERFRAME_HEADERS, this.#mss);
      if (left > 0 && room <= 0) {
        if (this.sndNxt === this.sndUna && this.#timerAt === null) this.#arm();
        return;
      }
      if (left <= 0 && !(this.#finWanted && (this.#finSeq === null || this.sndNxt === this.#finSeq))) return;
      this.#sendOne(Math.min(most, Math.max(room, 0)));
    }
  }

  /** Sends up to `most` bytes from SND.NXT on, with the FIN when that is its place. */
  #sendOne(most: number): void {
    const sent = (this.sndNxt - this.sndUna) | 0;
    const payload = this.#toSend.peek(sent, most).slice();
    const seq = this.sndNxt;
    this.sndNxt = (seq + payload.length) | 0;
    let flags = ACK | (payload.length > 0 ? PSH : 0);
    if (this.#finWanted && sent + payload.length === this.#toSend.length) {
      this.#finSeq = this.sndNxt;
      this.sndNxt = (this.sndNxt + 1) | 0;
      flags |= FIN;
    }
    if (((this.sndNxt - this.sndMax) | 0) > 0) this.sndMax = this.sndNxt;
    if (this.#timerAt === null) this.#arm();
    this.#emit(seq, flags, payload, payload.length > this.#mss ? this.#mss : 0);
  }

  #windowRoom(): number {
    const promised = this.buffer < this.#options.buffer ? 0 : (this.rcvEdge - this.rcvNxt) | 0;
    return Math.max(this.buffer - this.unread.length, promised, 0);
  }

  #windowField(): number {
    const field = Math.min(this.#windowRoom() >> this.#rcvShift, 0xffff);
    const edge = (this.rcvNxt + (field << this.#rcvShift)) | 0;
    if (((edge - this.rcvEdge) | 0) > 0) this.rcvEdge = edge;
    return field;
  }

  #acknowledge(): void {
    // Not SND.NXT, which goes back when data is sent again: the worker would take the window for an old one.
    this.#emit(this.sndMax, ACK, new Uint8Array(0), 0);
  }

  #sendSyn(): void {
    const { mss, windowScale, buffer, sourcePort, destinationPort, iss } = this.#options;
    this.#output({
      sourcePort,
      destinationPort,
      seq: iss | 0,
      ack: 0,
      flags: SYN,
      window: Math.min(buffer, 0xffff),
      mss,
      windowScale: windowScale < 0 ? undefined : windowScale,
      payload: new Uint8Array(0),
      gsoSize: 0,
    });
  }

  #emit(seq: number, flags: number, payload: Uint8Array, gsoSize: number, ack = this.rcvNxt): void {
    const { sourcePort, destinationPort } = this.#options;
    const window = (flags & RST) !== 0 ? 0 : this.#windowField();
    this.#output({ sourcePort, destinationPort, seq, ack: (flags & ACK) !== 0 ? ack : 0, flags, window, payload, gsoSize });
  }

  #arm(): void {
    this.#timerAt = this.#clock() + this.#timeout;
  }

  #finish(state: 'done' | 'refused' | 'reset' | 'aborted' | 'gave-up'): void {
    this.state = state;
    this.#timerAt = null;
  }
}
