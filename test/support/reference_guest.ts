/**
 * A TCP endpoint as a guest's kernel has one: small, slow and by the book (RFC 9293, 7323, 2018), to test the worker against.
 *
 * Theory of operation. `receive` takes a segment of the worker, `timer` the time; what is to be sent goes to `output`. Sequence numbers
 * are int32. It connects, listens, or does both at once (a simultaneous open). What it gets it checks: bytes that differ from those
 * seen before at the same place, an end of the stream that moves, or an ACK of something never sent throws. Both streams are its
 * sender's (reference_sender.ts) and its receiver's (reference_receiver.ts) affair, this file knows how the connection stands.
 */
import { ACK, FIN, RST, type Segment, SYN } from './guest_frame.ts';
import { ReferenceReceiver } from './reference_receiver.ts';
import { ReferenceSender } from './reference_sender.ts';
import { ReferenceTimestamps } from './reference_timestamps.ts';
import type { GuestOptions } from './tcp_schedule.ts';

const MAX_RETRIES = 40;
const TIME_WAIT_MS = 60_000;
/** So many answers in such a time to segments that bring nothing and are not acceptable: two ends that think so of each other would never stop. */
const CHALLENGE_MS = 500;
const MOST_CHALLENGES = 10;
/** Bytes that timestamps take from each segment. */
const TIMESTAMP_BYTES = 12;
const NONE = new Uint8Array(0);

type Ending = 'done' | 'refused' | 'reset' | 'aborted' | 'gave-up';

export class ReferenceGuest {
  /** How the connection stands: `done` when both FINs are through, `reset` by the worker, `aborted` by the guest itself. */
  state: 'closed' | 'listen' | 'syn-sent' | 'syn-received' | 'open' | Ending = 'closed';
  readonly sender: ReferenceSender;
  readonly receiver: ReferenceReceiver;
  readonly timestamps: ReferenceTimestamps;
  /** Both sides have offered SACK. */
  sackAgreed = false;

  readonly #options: GuestOptions;
  readonly #output: (segment: Segment) => void;
  readonly #clock: () => number;
  #peerSyn: Segment | null = null;
  #closedFirst = false;
  #timeWaitEnd = 0;
  #challengesUntil = 0;
  #challenges = 0;

  constructor(options: GuestOptions, output: (segment: Segment) => void, clock: () => number) {
    this.#options = options;
    this.#output = output;
    this.#clock = clock;
    this.sender = new ReferenceSender(options, clock, (seq, flags, payload) => this.#emit(seq, flags, payload));
    this.receiver = new ReferenceReceiver(options.buffer, options.keepsOutOfOrder);
    this.timestamps = new ReferenceTimestamps(options.timestamps, options.timestampStart, clock);
  }

  // The application.

  connect(): void {
    this.state = 'syn-sent';
    this.sender.syn();
    this.#sendSyn();
  }

  listen(): void {
    this.state = 'listen';
  }

  write(bytes: Uint8Array): void {
    if (this.sender.finWanted || this.over) return;
    this.sender.toSend.push(bytes);
    if (this.state === 'open') this.sender.push();
  }

  /** Reads up to `length` bytes; tells the worker when that opens the window again. */
  read(length: number): void {
    const before = this.receiver.room();
    this.receiver.read(length);
    if (this.state !== 'open' || this.receiver.sawEnd) return;
    const worth = Math.min(this.sender.mss, this.receiver.buffer >> 1);
    if (before < worth && this.receiver.room() >= worth) this.#acknowledge();
  }

  close(): void {
    if (this.sender.finWanted || this.over) return;
    this.sender.finWanted = true;
    this.#closedFirst = !this.receiver.sawEnd;
    if (this.state === 'open') this.sender.push();
  }

  /** RFC 9293 §3.8.4: asks whether the other end is still there, with a byte of garbage if told so (RFC 1122 §4.2.3.6). */
  keepAlive(garbage = false): void {
    if (this.state !== 'open') return;
    if (garbage) this.#emit((this.sender.una - 1) | 0, ACK, new Uint8Array(1));
    else this.sender.probe();
  }

  /** Sends its FIN once more, whether or not it was acknowledged. */
  repeatFin(): void {
    if (this.state === 'open' || this.inTimeWait) this.sender.repeatFin();
  }

  reset(): void {
    if (this.over || this.state === 'closed') return;
    if (this.state === 'open' || this.state === 'syn-received') this.#emit(this.sender.nxt, RST | ACK, NONE);
    this.#finish('aborted');
  }

  get over(): boolean {
    return !['closed', 'listen', 'syn-sent', 'syn-received', 'open'].includes(this.state);
  }

  get inTimeWait(): boolean {
    return this.state === 'done' && this.#closedFirst && this.#clock() < this.#timeWaitEnd;
  }

  /** True when `segment` is this connection's affair though `next` listens at the same port: all in TIME-WAIT but a newer SYN (RFC 6191). */
  mayKeep(segment: Segment, next: ReferenceGuest): boolean {
    if (next.state !== 'listen' || !this.inTimeWait) return false;
    if ((segment.flags & (SYN | ACK | RST)) !== SYN) return true;
    const { timestamp } = segment;
    const newer = this.timestamps.agreed && timestamp !== undefined && ((timestamp.value - this.timestamps.recent) | 0) > 0;
    return !newer && ((segment.seq - this.receiver.nxt) | 0) <= 0;
  }

  /** When `timer` wants to be called, ms; null: never. */
  get deadline(): number | null {
    return this.sender.timerAt;
  }

  // The wire.

  timer(): void {
    const { sender } = this;
    if (sender.timerAt === null || this.#clock() < sender.timerAt) return;
    if (++sender.retries > MAX_RETRIES) {
      this.#finish('gave-up');
      return;
    }
    sender.backOff();
    if (this.state === 'syn-sent') this.#sendSyn();
    else if (this.state === 'syn-received') this.#sendSynAck();
    else sender.expire();
  }

  receive(segment: Segment): void {
    switch (this.state) {
      case 'listen':
        return this.#receiveInListen(segment);
      case 'syn-sent':
        return this.#receiveInSynSent(segment);
      case 'syn-received':
        return this.#receiveInSynReceived(segment);
      case 'open':
        return this.#receiveInOpen(segment);
      default:
        if (this.inTimeWait) this.#receiveInOpen(segment);
        else if ((segment.flags & RST) === 0) this.#answerStray(segment);
    }
  }

  #receiveInListen(segment: Segment): void {
    if ((segment.flags & RST) !== 0 || this.#options.answer === 'silence') return;
    if ((segment.flags & ACK) !== 0) return this.#answerStray(segment);
    if ((segment.flags & SYN) === 0) return;
    if (this.#options.answer === 'reset') {
      this.#answerStray(segment);
      return this.#finish('refused');
    }
    this.#begin(segment);
    this.sender.syn();
    this.state = 'syn-received';
    this.#sendSynAck();
  }

  #receiveInSynSent(segment: Segment): void {
    const hasAck = (segment.flags & ACK) !== 0;
    if (hasAck && segment.ack !== this.sender.nxt) {
      if ((segment.flags & RST) === 0) this.#answerStray(segment);
      return;
    }
    if ((segment.flags & RST) !== 0) {
      if (hasAck) this.#finish('refused');
      return;
    }
    if ((segment.flags & SYN) === 0) return;
    this.#begin(segment);
    if (hasAck) {
      this.#establish(segment, segment.window);
      this.#acknowledge();
      this.sender.push();
    } else {
      this.state = 'syn-received';
      this.#sendSynAck();
    }
  }

  /** RFC 9293 §3.10.7.4 in SYN-RECEIVED, with the SYN|ACK of a simultaneous open taken as §3.5 draws it. */
  #receiveInSynReceived(segment: Segment): void {
    const crossed = (segment.flags & SYN) !== 0 && segment.seq === this.receiver.irs;
    if (crossed && (segment.flags & ACK) === 0) return this.#sendSynAck();
    const verdict = this.timestamps.judge(segment);
    if (verdict === 'missing') return;
    if (verdict === 'old' || !(crossed || this.receiver.isAcceptable(segment))) {
      if ((segment.flags & RST) === 0) this.#answerUnacceptable(segment);
      return;
    }
    if ((segment.flags & RST) !== 0) {
      if (segment.seq === this.receiver.nxt) this.#finish('refused');
      else this.#acknowledge();
      return;
    }
    if ((segment.flags & SYN) !== 0 && !crossed) return this.#acknowledge();
    if ((segment.flags & ACK) === 0) return;
    if (segment.ack !== this.sender.nxt) return this.#answerStray(segment);
    this.timestamps.note(segment);
    this.#establish(segment, segment.window << (crossed ? 0 : this.sender.shift));
    if (crossed) this.#acknowledge();
    else this.#takeText(segment);
    this.sender.push();
  }

  #receiveInOpen(segment: Segment): void {
    const verdict = this.timestamps.judge(segment);
    if (verdict === 'missing') return;
    if (verdict === 'old' || !this.receiver.isAcceptable(segment)) {
      if ((segment.flags & RST) !== 0) return;
      if (this.#tellsDuplicates) this.receiver.noteDuplicate(segment);
      return this.#answerUnacceptable(segment);
    }
    if ((segment.flags & RST) !== 0) {
      if (segment.seq === this.receiver.nxt) {
        // RFC 9293 §3.10.7.4: in CLOSING, LAST-ACK and TIME-WAIT a reset only ends the waiting.
        this.#timeWaitEnd = 0;
        if (this.state === 'open') this.#finish(this.receiver.sawEnd && this.sender.finSeq !== null ? 'done' : 'reset');
      } else this.#acknowledge();
      return;
    }
    if ((segment.flags & SYN) !== 0) return this.#acknowledge();
    if ((segment.flags & ACK) === 0) return;
    const beyond = (segment.ack - this.sender.max) | 0;
    if (beyond > 0) throw new Error(`the worker acknowledged ${beyond} bytes that were never sent`);
    this.timestamps.note(segment);
    this.sender.takeAck(segment);
    this.#takeText(segment);
    if (this.state === 'open') this.sender.push();
  }

  get #tellsDuplicates(): boolean {
    return this.sackAgreed && this.#options.tellsDuplicates;
  }

  #takeText(segment: Segment): void {
    const { receiver } = this;
    if (segment.payload.length > 0 || (segment.flags & FIN) !== 0) {
      if (this.#tellsDuplicates) receiver.noteDuplicate(segment);
      receiver.take(segment);
      this.#acknowledge();
    }
    if (this.state === 'open' && this.sender.finAcked && receiver.sawEnd) this.#finish('done');
  }

  #begin(segment: Segment): void {
    const { windowScale, mss, sack } = this.#options;
    this.#peerSyn = segment;
    this.receiver.begin(segment.seq);
    this.timestamps.begin(segment);
    this.sackAgreed = sack && segment.sackPermitted === true;
    const scaled = windowScale >= 0 && segment.windowScale !== undefined;
    this.sender.shift = scaled ? (segment.windowScale as number) : 0;
    this.receiver.shift = scaled ? windowScale : 0;
    this.sender.mss = Math.min(mss, segment.mss ?? 536) - (this.timestamps.agreed ? TIMESTAMP_BYTES : 0);
  }

  #establish(segment: Segment, window: number): void {
    this.sender.begin(segment, window);
    this.state = 'open';
  }

  #answerStray(segment: Segment): void {
    const length = segment.payload.length + ((segment.flags & SYN) !== 0 ? 1 : 0) + ((segment.flags & FIN) !== 0 ? 1 : 0);
    const { sourcePort, destinationPort } = this.#options;
    const reset = { sourcePort, destinationPort, window: 0, payload: NONE, gsoSize: 0 };
    if ((segment.flags & ACK) !== 0) this.#output({ ...reset, seq: segment.ack, ack: 0, flags: RST });
    else this.#output({ ...reset, seq: 0, ack: (segment.seq + length) | 0, flags: RST | ACK });
  }

  #answerUnacceptable(segment: Segment): void {
    if (segment.payload.length === 0 && (segment.flags & (SYN | FIN)) === 0) {
      if (this.#clock() >= this.#challengesUntil) {
        this.#challengesUntil = this.#clock() + CHALLENGE_MS;
        this.#challenges = 0;
      }
      if (this.#challenges++ >= MOST_CHALLENGES) return;
    }
    this.#acknowledge();
  }

  #acknowledge(): void {
    // Not SND.NXT, which goes back when data is sent again: the worker would take the window for an old one.
    this.#emit(this.sender.max, ACK, NONE);
  }

  #sendSyn(): void {
    this.#emitSyn(SYN, this.#options);
  }

  /** Only what the SYN has offered, too (RFC 7323 §2.2, §3.2; RFC 2018 §2). */
  #sendSynAck(): void {
    const { mss, windowScale } = this.#options;
    const scale = this.#peerSyn?.windowScale === undefined ? -1 : windowScale;
    this.#emitSyn(SYN | ACK, { mss, windowScale: scale, sack: this.sackAgreed });
  }

  #emitSyn(flags: number, { mss, windowScale, sack }: Pick<GuestOptions, 'mss' | 'windowScale' | 'sack'>): void {
    const { sourcePort, destinationPort, iss, buffer } = this.#options;
    const ack = (flags & ACK) !== 0 ? this.receiver.nxt : 0;
    this.#output({
      sourcePort,
      destinationPort,
      seq: iss | 0,
      ack,
      flags,
      window: Math.min(buffer, 0xffff),
      mss,
      windowScale: windowScale < 0 ? undefined : windowScale,
      sackPermitted: sack || undefined,
      timestamp: this.timestamps.option(flags, ack),
      payload: NONE,
      gsoSize: 0,
    });
  }

  #emit(seq: number, flags: number, payload: Uint8Array): void {
    const { sourcePort, destinationPort } = this.#options;
    const { sender, receiver, timestamps } = this;
    const window = (flags & RST) !== 0 ? 0 : receiver.windowField();
    const ack = (flags & ACK) !== 0 ? receiver.nxt : 0;
    const sack = this.sackAgreed && (flags & RST) === 0 ? this.#blocksFor(payload) : [];
    const gsoSize = payload.length > sender.mss ? sender.mss : 0;
    const timestamp = timestamps.option(flags, ack);
    this.#output({ sourcePort, destinationPort, seq, ack, flags, window, timestamp, sack, payload, gsoSize });
  }

  /** As many SACK blocks as fit the header, on data only where they fit the segment as well. */
  #blocksFor(payload: Uint8Array): Segment['sack'] {
    const most = this.timestamps.agreed ? 3 : 4;
    return payload.length + 4 + 8 * most > this.sender.mss ? [] : this.receiver.blocks(most);
  }

  #finish(state: Ending): void {
    this.state = state;
    this.#timeWaitEnd = this.#clock() + TIME_WAIT_MS;
    this.sender.timerAt = null;
  }
}
