/**
 * One TCP connection through the worker, segment by segment: the test says what the guest sends and sees what the worker answers.
 */
import { KIND, ROW, rows } from '../../worker/flow/row.ts';
import { FakeStream } from './fake_stream.ts';
import { ACK, buildSegment, type Ends, readSegment, type Segment, SYN } from './guest_frame.ts';
import { type BenchOptions, ENDS4, startFor, Workbench } from './workbench.ts';

export const GUEST_PORT = 40_000;
export const FAR_PORT = 443;

export interface DialogueOptions extends BenchOptions {
  ends?: Ends;
  /** The guest's initial sequence number and the worker's. */
  guestIss?: number;
  workerIss?: number;
  mss?: number;
  windowScale?: number;
  window?: number;
  /** Whether the guest's SYN offers SACK, and timestamps (RFC 7323 §3.2). */
  sackPermitted?: boolean;
  timestamps?: boolean;
  /** The guest's timestamp clock at the start of the bench's; it ticks each millisecond. */
  timestampStart?: number;
}

const PERIOD = 0x10000;
const PATTERN = Uint8Array.from({ length: PERIOD }, (_, i) => (i * 31 + (i >>> 8) * 7) & 255);

/** `length` bytes that tell their place: byte i is a function of `from + i`, and the same again 64 KiB further. */
export function pattern(length: number, from = 0): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; ) {
    const place = (from + at) & (PERIOD - 1);
    const part = PATTERN.subarray(place, place + length - at);
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

export class Dialogue {
  readonly bench: Workbench;
  readonly ends: Ends;
  readonly stream = new FakeStream();
  readonly options: DialogueOptions;
  /** What the guest sends next, and what it has seen of the worker. */
  seq: number;
  ack = 0;
  window: number;
  /** Whether both sides have offered timestamps; TS.Recent and Last.ACK.sent of RFC 7323 §4.3. */
  timestampsAgreed = false;
  timestampEcho = 0;
  lastAckSent = 0;
  readonly #clockStart: number;

  constructor(options: DialogueOptions = {}) {
    this.options = options;
    this.ends = options.ends ?? ENDS4;
    const start = options.workerIss === undefined ? {} : startFor(options.workerIss, this.ends, GUEST_PORT, FAR_PORT);
    this.bench = new Workbench({ ...start, ...options });
    this.stream.hasPeekOffset = options.peekOffset ?? true;
    this.seq = (options.guestIss ?? 1000) | 0;
    this.window = options.window ?? 65_535;
    this.#clockStart = this.bench.kernel.now;
  }

  /** The guest's timestamp clock, int32. */
  timestampNow(): number {
    return ((this.options.timestampStart ?? 1_000_000) + Math.floor((this.bench.kernel.now - this.#clockStart) / 1000)) | 0;
  }

  /** The timestamp option of a segment that the guest sends now, undefined where there is none. */
  #timestamp(flags: number): { value: number; echo: number } | undefined {
    const offers = (flags & SYN) !== 0 && this.options.timestamps === true;
    if (!offers && !this.timestampsAgreed) return undefined;
    return { value: this.timestampNow(), echo: (flags & ACK) !== 0 ? this.timestampEcho : 0 };
  }

  /** What an honest guest remembers of a segment of the worker (RFC 7323 §4.3). */
  #note(segment: Segment): Segment {
    const { timestamp } = segment;
    if ((segment.flags & SYN) !== 0) {
      this.timestampsAgreed = this.options.timestamps === true && timestamp !== undefined;
      this.timestampEcho = timestamp?.value ?? 0;
    } else if (timestamp !== undefined && ((timestamp.value - this.timestampEcho) | 0) >= 0 && ((segment.seq - this.lastAckSent) | 0) <= 0)
      this.timestampEcho = timestamp.value;
    return segment;
  }

  /** A frame of the guest; what isn't given is what an honest guest would say now. */
  frame(flags: number, given: Partial<Segment> = {}): Uint8Array {
    if ((flags & ACK) !== 0) this.lastAckSent = given.ack ?? this.ack;
    return buildSegment(this.ends, {
      sourcePort: GUEST_PORT,
      destinationPort: FAR_PORT,
      seq: this.seq,
      ack: (flags & ACK) !== 0 ? this.ack : 0,
      flags,
      window: this.window,
      timestamp: this.#timestamp(flags),
      payload: new Uint8Array(0),
      gsoSize: 0,
      ...given,
    });
  }

  /** The guest sends a segment; the answers of the worker. */
  send(flags: number, given: Partial<Segment> = {}): Segment[] {
    this.bench.deliver(this.frame(flags, given));
    return this.seen();
  }

  /** The guest sends the next bytes of its stream, and counts them as sent. */
  sendData(payload: Uint8Array, flags = ACK): Segment[] {
    const frame = this.frame(flags, { payload });
    this.seq = (this.seq + payload.length) | 0;
    this.bench.deliver(frame);
    return this.seen();
  }

  /** What the worker has sent to the guest since last asked, all turns taken. */
  seen(): Segment[] {
    this.bench.settle();
    return this.bench.packets(this.ends).map((packet) => this.#note(readSegment(packet)));
  }

  /** The guest's SYN; the request it leads to waits at the opener. */
  sendSyn(): Segment[] {
    const answers = this.send(SYN, this.#synOptions());
    this.seq = (this.seq + 1) | 0;
    return answers;
  }

  #synOptions(): Partial<Segment> {
    const { mss = 1460, windowScale = 7, sackPermitted } = this.options;
    return { mss: mss < 0 ? undefined : mss, windowScale: windowScale < 0 ? undefined : windowScale, sackPermitted };
  }

  /** Opens the connection; returns the worker's SYN|ACK. */
  establish(): Segment {
    this.sendSyn();
    this.bench.kernel.opener.answer(0, this.stream);
    this.bench.settle();
    this.stream.accept();
    const [synAck] = this.seen();
    if (synAck === undefined) throw new Error('no SYN|ACK came');
    this.ack = (synAck.seq + 1) | 0;
    this.send(ACK);
    return synAck;
  }

  /** The far end has connected to the guest's port: the worker's SYN. The guest has not answered. */
  callGuest(): Segment {
    this.stream.accept();
    if (!this.bench.openToGuest(this.ends, GUEST_PORT, FAR_PORT, this.stream)) throw new Error('the worker would not call the guest');
    const [syn] = this.seen();
    if (syn === undefined) throw new Error('no SYN came');
    this.ack = (syn.seq + 1) | 0;
    return syn;
  }

  /** Opens the connection from the host's side, the guest answering by SYN|ACK; returns the worker's SYN. */
  establishFromHost(): Segment {
    const syn = this.callGuest();
    this.send(SYN | ACK, this.#synOptions());
    this.seq = (this.seq + 1) | 0;
    return syn;
  }

  /** The row of the connection; −1 when it has ended. */
  row(): number {
    const [flow] = this.bench.takenRows();
    return flow === undefined || rows[flow * ROW + KIND] !== 1 ? -1 : flow * ROW;
  }

  /** The guest acknowledges everything up to `ack`. */
  acknowledge(ack: number): Segment[] {
    this.ack = ack | 0;
    return this.send(ACK);
  }
}
