/**
 * A guest, the worker and a far end, with a wire between the first two that loses, doubles, reorders and delays what a schedule tells.
 *
 * Theory of operation. `step` does one thing of a schedule; tcp_ending.ts then takes the faults away, lets both applications read and
 * close, moves the clock from deadline to deadline until nothing more happens, and says what both sides must have seen. That is known,
 * because all streams are patterns: every byte tells its place. A guest whose connection is over may open the next one from the same
 * port; each connection is remembered with the far end it had.
 */
import { FD, FLAGS, KIND, ROW, rows, TCP } from '../../worker/flow/row.ts';
import { ISS, RETRIES, SND_MAX, SND_UNA, TIME_WAIT } from '../../worker/tcp/row.ts';
import { EAGAIN, ECONNREFUSED, EIO, ENOBUFS } from './fake_file.ts';
import { checkWrite } from './scoreboard_check.ts';
import { FakeStream } from './fake_stream.ts';
import { type Ends, FIN, RST, type Segment, SYN } from './guest_frame.ts';
import { ReferenceGuest } from './reference_guest.ts';
import { FAR_PORT, GUEST_PORT, pattern } from './tcp_dialogue.ts';
import { injectFault } from './tcp_faults.ts';
import { checkFlows } from './tcp_invariants.ts';
import type { Step, StepKind, WorldOptions } from './tcp_schedule.ts';
import { flight, storm } from './tcp_storm.ts';
import { TcpWire } from './tcp_wire.ts';
import { ENDS4, ENDS6, startFor, Workbench } from './workbench.ts';

/** Where the guest's first stream begins in the pattern, and how far apart streams begin; the far ends' begin at 0. */
const GUEST_STREAM = 77_777;
const STREAM_STEP = 7919;
const REFUSALS = [EAGAIN, ENOBUFS, EIO];
/** A port is used again a second later at the earliest, as kernels do. */
const REUSE_MS = 1100;

/** One connection of the far end. */
export interface Far {
  stream: FakeStream;
  /** Where its stream begins in the pattern, and how much of it was written. */
  base: number;
  written: number;
  /** It was reset by the far end. */
  reset: boolean;
  /** It was opened by the far end. */
  calls: boolean;
}

/** One connection of the guest, and the far end it got. */
export interface Connection {
  guest: ReferenceGuest;
  far: Far | null;
  base: number;
  written: number;
  /** The guest knew the connection no more while the worker did not know that all of the far end's bytes had arrived: it may fear for them. */
  forgotten: boolean;
}

export class TcpWorld {
  readonly bench: Workbench;
  readonly wire: TcpWire;
  readonly options: WorldOptions;
  readonly fars: Far[] = [];
  readonly connections: Connection[] = [];
  /** Frames that the tap refuses from now on. */
  refusals = 0;

  readonly #ends: Ends;
  #unanswered: FakeStream[] = [];
  #refusal = EAGAIN;
  #called = false;
  /** The far end whose bytes the worker sends, and which one each of the worker's initial sequence numbers was for. */
  #speaker: Far | null = null;
  readonly #speakers = new Map<number, Far>();

  constructor(options: WorldOptions) {
    this.options = options;
    this.#ends = options.ipv6 ? ENDS6 : ENDS4;
    const { mtu, peekOffset, keepAlive } = options;
    this.bench = new Workbench({
      ...startFor(options.workerIss, this.#ends, GUEST_PORT, FAR_PORT),
      mtu,
      peekOffset,
      timeouts: { keepAlive },
    });
    this.wire = new TcpWire(this.bench, this.#ends);
    this.wire.seen = (segment) => this.#check(segment);
    this.wire.cuts = options.cuts;
    this.wire.damagesSyn = options.opener === 'guest';
    this.bench.kernel.tap.refuse = (frame) => {
      this.#checkWrite(frame);
      return this.#mayRefuse(frame);
    };
    this.#newConnection(options.iss, options.opener === 'host');
  }

  /** Does one thing; afterwards, unless told otherwise, the worker's loop runs and the invariants are checked. */
  step(step: Step): void {
    this.#act(step);
    if (step.turns) this.settle();
  }

  settle(): void {
    this.bench.settle();
    this.wire.collect();
    this.wire.sackWatch.learn();
    checkFlows(this.bench.kernel);
  }

  get connection(): Connection {
    return this.connections.at(-1) as Connection;
  }

  get guest(): ReferenceGuest {
    return this.connection.guest;
  }

  get far(): Far | undefined {
    return this.connection.far ?? this.fars.at(-1);
  }

  get now(): number {
    return Math.floor(this.bench.kernel.now / 1000);
  }

  #act({ kind, n }: Step): void {
    if (kind.startsWith('guest')) return this.#actGuest(kind, n);
    if (kind.startsWith('host') || kind === 'accept' || kind === 'limitSend') return this.#actFar(kind, n);
    switch (kind) {
      case 'answer':
        return this.answerOpener();
      case 'call':
        return this.call();
      case 'refuse':
        this.refusals = n % 5;
        this.#refusal = REFUSALS[n % 3] as number;
        return;
      case 'fail':
        return injectFault(this.bench.kernel, n);
      case 'advance':
        return this.advance(n);
      case 'run':
        for (let rounds = n % 8; rounds > 0; rounds--) this.exchange();
        return;
      case 'storm':
        return storm(this, n);
      case 'flight':
        return flight(this, n);
      case 'finish':
        return this.#finish(n);
      default:
        return this.#actWire(kind, n);
    }
  }

  #actGuest(kind: StepKind, n: number): void {
    const { guest } = this;
    switch (kind) {
      case 'guestWrite':
        return this.#guestWrite(n);
      case 'guestRead':
        return guest.read(n);
      case 'guestClose':
        return guest.close();
      case 'guestReset':
        return guest.reset();
      case 'guestShrink':
        guest.receiver.buffer = Math.max(this.options.buffer - n, 100);
        return;
      case 'guestRenege':
        return guest.receiver.renege();
      case 'guestKeepAlive':
        return guest.keepAlive(n % 2 === 1);
      case 'guestRepeatFin':
        return guest.repeatFin();
      default:
        if (guest.over) this.#reopen(false);
    }
  }

  /** The worker writes `frame` to the tap at this moment. */
  #checkWrite(frame: Uint8Array): void {
    const { iss } = this.wire.watch;
    const row = iss === null ? -1 : this.#rowOf(iss);
    const segment = this.wire.read(frame);
    if (row >= 0 && segment !== null) checkWrite(row, segment);
  }

  /** The errno for a frame of the worker that the tap refuses, 0 for one that it takes. */
  #mayRefuse(frame: Uint8Array): number {
    if (this.refusals === 0) return 0;
    this.refusals--;
    this.wire.refused(frame);
    return this.#refusal;
  }

  /** Both applications close, and the wire is good for `rounds`. */
  #finish(rounds: number): void {
    this.guest.close();
    if (this.far?.stream.connected === true) this.far.stream.end();
    for (let left = rounds; left > 0; left--) {
      this.exchange();
      this.guest.read(1 << 20);
      this.far?.stream.read(1 << 20);
    }
  }

  #newConnection(iss: number, listens: boolean): void {
    const options = { ...this.options, iss, sourcePort: GUEST_PORT, destinationPort: FAR_PORT };
    const guest = new ReferenceGuest(
      options,
      (segment) => this.wire.send(segment),
      () => this.now,
    );
    const base = GUEST_STREAM + this.connections.length * STREAM_STEP;
    this.connections.push({ guest, far: null, base, written: 0, forgotten: false });
    if (listens) guest.listen();
    else guest.connect();
  }

  /** The guest's port is used again: by the guest itself, or by the far end. */
  #reopen(byFar: boolean): void {
    const { guest } = this;
    // Without timestamps only time protects a connection from what is left of the one before.
    if (!guest.timestamps.agreed) this.wire.clear();
    this.advance(REUSE_MS);
    const row = this.#rowOf(guest.receiver.irs);
    // One number is the FIN's.
    if (row >= 0 && (((rows[row + SND_MAX] as number) - (rows[row + SND_UNA] as number)) | 0) > 1) this.connection.forgotten = true;
    this.#newConnection((guest.sender.max + 100_000) | 0, byFar);
    if (!byFar) return;
    this.#called = false;
    this.call();
  }

  #guestWrite(n: number): void {
    const { connection } = this;
    const { guest } = connection;
    if (guest.sender.finWanted || guest.over) return;
    guest.write(pattern(n, connection.base + connection.written));
    connection.written += n;
  }

  #actFar(kind: StepKind, n: number): void {
    const { far } = this;
    if (far === undefined) return;
    const { stream } = far;
    if (kind === 'accept') this.accept(stream);
    if (!stream.connected) return;
    if ((kind === 'hostWrite' || kind === 'hostUrgent') && !stream.dead && !stream.closed && !stream.farEnded) {
      if (kind === 'hostUrgent') stream.urgentMark = stream.taken + stream.incoming.length + (n >> 1);
      stream.write(pattern(n, far.base + far.written));
      far.written += n;
    } else if (kind === 'hostRead') stream.read(n);
    else if (kind === 'hostClose') stream.end();
    else if (kind === 'hostReset' && !stream.closed) {
      far.reset = true;
      stream.reset();
    } else if (kind === 'limitSend') stream.sendLimits.push(n % 700);
    else if (kind === 'hostReopen' && this.guest.over && stream.closed && this.options.opener !== 'guest') this.#reopen(true);
  }

  #newFar(calls: boolean): FakeStream {
    const stream = new FakeStream();
    stream.hasPeekOffset = this.options.peekOffset;
    stream.sendBuffer = this.options.sendBuffer;
    stream.overhead = this.options.overhead;
    this.fars.push({ stream, base: this.fars.length * STREAM_STEP, written: 0, reset: false, calls });
    return stream;
  }

  answerOpener(): void {
    if (this.bench.kernel.opener.requests.length === 0) return;
    const stream = this.#newFar(false);
    this.#unanswered.push(stream);
    this.bench.kernel.opener.answer(0, stream);
  }

  accept(stream: FakeStream): void {
    const at = this.#unanswered.indexOf(stream);
    if (at < 0) return;
    this.#unanswered.splice(at, 1);
    if (stream.closed) return;
    if (this.options.refused) stream.refuse(ECONNREFUSED);
    else stream.accept();
  }

  /** The far end calls the guest, once. */
  call(): void {
    if (this.#called || this.options.opener === 'guest') return;
    this.#called = true;
    // Not within the same tick of the clock that initial numbers are made of as the connection before.
    if (this.fars.length > 0) {
      this.bench.kernel.now += 4;
      this.bench.turn();
    }
    const stream = this.#newFar(true);
    stream.accept();
    const taken = this.bench.openToGuest(this.#ends, GUEST_PORT, FAR_PORT, stream);
    if (!taken && !(stream.closed && stream.farSawReset)) throw new Error('a call was refused and the far end not reset');
  }

  #actWire(kind: StepKind, n: number): void {
    if (kind === 'damageToWorker') return this.wire.damage(n);
    if (kind === 'tooBig') return this.wire.complain(n);
    const toGuest = kind.endsWith('Guest');
    const count = this.wire.count(toGuest);
    if (count === 0) return;
    if (kind.startsWith('drop')) this.wire.disturb(toGuest, 'drop', n);
    else if (kind.startsWith('double')) this.wire.disturb(toGuest, 'double', n, n * 7);
    else if (kind.startsWith('pick')) this.pass(toGuest, n % count);
    else for (let left = Math.min(n, count); left > 0; left--) this.pass(toGuest, 0);
  }

  /** Packet `at` of those on their way arrives. */
  pass(toGuest: boolean, at: number): void {
    if (!toGuest) return this.wire.passToWorker(at);
    const segment = this.wire.takeForGuest(at);
    if (segment === undefined) return;
    const { connection } = this;
    // It answers by a reset, and the worker can't know that it has everything.
    if (connection.guest.state === 'done' && !connection.guest.inTimeWait && segment.payload.length > 0) connection.forgotten = true;
    const before = this.connections.at(-2)?.guest;
    if (before?.mayKeep(segment, connection.guest)) return before.receive(segment);
    connection.guest.receive(segment);
    if (connection.guest.state === 'open' && connection.far === null)
      connection.far = this.#speakers.get(connection.guest.receiver.irs) ?? null;
  }

  /** The row of the worker's flow that began with `iss` and has a socket; −1 when there is none. */
  #rowOf(iss: number): number {
    const flow = this.bench.takenRows().find((one) => {
      const row = one * ROW;
      return rows[row + KIND] === TCP && ((rows[row + FLAGS] as number) & TIME_WAIT) === 0 && rows[row + ISS] === iss;
    });
    return flow === undefined ? -1 : flow * ROW;
  }

  /** The far end of the worker's flow that began with `iss`. */
  #farOfFlow(iss: number): Far | undefined {
    const row = this.#rowOf(iss);
    const file = row < 0 ? undefined : this.bench.kernel.file(rows[row + FD] as number);
    return this.fars.find(({ stream }) => stream === file);
  }

  /** Everything on the wire arrives, the worker runs. False when there was nothing. */
  exchange(): boolean {
    const busy = this.wire.count(true) + this.wire.count(false) > 0;
    for (let left = this.wire.count(true); left > 0; left--) this.pass(true, 0);
    for (let left = this.wire.count(false); left > 0; left--) this.pass(false, 0);
    this.settle();
    return busy || this.wire.count(true) + this.wire.count(false) > 0;
  }

  advance(milliseconds: number): void {
    for (let left = milliseconds; ; ) {
      const guest = this.untilGuest();
      const wait = guest === null ? left : Math.min(guest, left);
      this.bench.advance(wait);
      this.guest.timer();
      left -= wait;
      if (left <= 0) return;
    }
  }

  /** Whole milliseconds until the guest's timer is due. */
  untilGuest(): number | null {
    return this.guest.deadline === null ? null : Math.max(this.guest.deadline - this.now, 0);
  }

  /** What the worker sends must be the far end's stream, no byte further, and end where that ends. */
  #check(segment: Segment): void {
    if ((segment.flags & SYN) !== 0) {
      this.#speaker = this.#farOfFlow(segment.seq) ?? this.#speakers.get(segment.seq) ?? this.fars.at(-1) ?? null;
      if (this.#speaker !== null) this.#speakers.set(segment.seq, this.#speaker);
    }
    const { iss } = this.wire.watch;
    const row = iss === null ? -1 : this.#rowOf(iss);
    if (row < 0 || (rows[row + RETRIES] as number) > 1) this.wire.sackWatch.forget();
    if ((segment.flags & (SYN | RST)) !== 0 || iss === null) return;
    const far = this.#speaker;
    const from = (segment.seq - iss - 1) | 0;
    const end = from + segment.payload.length;
    if (far === null) throw new Error('something is sent for nobody');
    if (Buffer.compare(segment.payload, pattern(segment.payload.length, far.base + from)) !== 0)
      throw new Error(`wrong bytes were sent from ${from} on`);
    if (end > far.written + 1) throw new Error(`${end} bytes were sent of ${far.written}`);
    if ((segment.flags & FIN) !== 0 && end !== far.written) throw new Error(`the stream of ${far.written} bytes was ended at ${end}`);
  }
}
