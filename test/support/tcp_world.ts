/**
 * A guest, the worker and a far end, with a wire between the first two that loses, doubles, reorders and delays what a schedule tells.
 *
 * Theory of operation. `step` does one thing of a schedule; `heal` takes the faults away, lets both applications read and close, and
 * moves the clock from deadline to deadline until nothing more happens. What each side must have seen by then is known, because both
 * streams are patterns: every byte tells its place.
 */
import { ROW } from '../../worker/flow/row.ts';
import { EAGAIN, ECONNREFUSED, EIO, ENOBUFS } from './fake_file.ts';
import { FakeStream } from './fake_stream.ts';
import { ACK, buildSegment, type Ends, FIN, parseFrame, readSegment, RST, type Segment, SYN } from './guest_frame.ts';
import { ReferenceGuest } from './reference_guest.ts';
import { FAR_PORT, GUEST_PORT, pattern } from './tcp_dialogue.ts';
import { checkFlows, describeFlow } from './tcp_invariants.ts';
import type { Step, StepKind, WorldOptions } from './tcp_schedule.ts';
import { ENDS4, ENDS6, startFor, Workbench } from './workbench.ts';

/** Where the guest's stream begins in the pattern; the far end's begins at 0. */
const GUEST_STREAM = 77_777;
const HEAL_LIMIT_MS = 1_800_000;
/** A guest that is gone without a word is noticed after two hours when there is nothing to tell it. */
const IDLE_HEAL_LIMIT_MS = 7_300_000;
const REFUSALS = [EAGAIN, ENOBUFS, EIO];

/** One connection of the far end. */
interface Far {
  stream: FakeStream;
  written: number;
  reset: boolean;
}

export class TcpWorld {
  readonly bench: Workbench;
  readonly guest: ReferenceGuest;
  readonly fars: Far[] = [];
  guestWritten = 0;
  guestClosed = false;

  readonly #options: WorldOptions;
  readonly #ends: Ends;
  readonly #toWorker: Uint8Array[] = [];
  readonly #toGuest: Segment[] = [];
  #unanswered: FakeStream[] = [];
  #refusals = 0;
  #refusal = EAGAIN;
  /** The connection that the guest's is. */
  #main: Far | null = null;
  #workerIss = 0;
  #workerShift = 0;
  #guestShift = 0;
  #workerEdge: number | null = null;
  #guestEdge: number | null = null;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.#ends = options.ipv6 ? ENDS6 : ENDS4;
    const { mtu, peekOffset } = options;
    this.bench = new Workbench({ ...startFor(options.workerIss, this.#ends, GUEST_PORT, FAR_PORT), mtu, peekOffset });
    const ports = { sourcePort: GUEST_PORT, destinationPort: FAR_PORT };
    this.guest = new ReferenceGuest(
      { ...options, ...ports },
      (segment) => this.#send(segment),
      () => this.#now(),
    );
    this.bench.kernel.tap.refuse = () => (this.#refusals > 0 && this.#refusals-- > 0 ? this.#refusal : 0);
    this.guest.connect();
  }

  /** Does one thing; afterwards, unless told otherwise, the worker's loop runs and the invariants are checked. */
  step(step: Step): void {
    this.#act(step);
    if (step.turns) this.#settle();
  }

  #settle(): void {
    this.bench.settle();
    this.#observe();
    checkFlows(this.bench.kernel);
  }

  get far(): Far | undefined {
    return this.#main ?? this.fars.at(-1);
  }

  #act({ kind, n }: Step): void {
    switch (kind) {
      case 'guestWrite':
        return this.#guestWrite(n);
      case 'guestRead':
        return this.guest.read(n);
      case 'guestShrink':
        this.guest.receiver.buffer = Math.max(this.#options.buffer - n, 100);
        return;
      case 'guestClose':
        this.guestClosed = true;
        return this.guest.close();
      case 'guestReset':
        return this.guest.reset();
      case 'refuse':
        this.#refusals = n % 5;
        this.#refusal = REFUSALS[n % 3] as number;
        return;
      case 'advance':
        return this.#advance(n);
      case 'run':
        for (let rounds = n % 8; rounds > 0; rounds--) this.#exchange();
        return;
      case 'storm':
        return this.#storm(n);
      default:
        if (kind.startsWith('host') || kind === 'answer' || kind === 'accept' || kind === 'limitSend') this.#actFar(kind, n);
        else this.#actWire(kind, n);
    }
  }

  /** Some rounds on a bad wire: `seed` tells what is lost, doubled, late or refused, and when time passes. */
  #storm(seed: number): void {
    let state = seed | 1;
    const chance = (of: number): boolean => {
      state = Math.imul(state, 1_664_525) + 1_013_904_223;
      return (state >>> 16) % of === 0;
    };
    for (let rounds = 0; rounds < 12; rounds++) {
      if (chance(6)) this.#refusals = 1;
      for (const toGuest of [true, false]) {
        const queue: unknown[] = toGuest ? this.#toGuest : this.#toWorker;
        for (let left = queue.length; left > 0; left--) {
          if (chance(5)) queue.shift();
          else if (chance(8)) queue.push(queue[0]);
          else if (chance(5)) queue.push(queue.shift());
          else this.#pass(toGuest, 0);
        }
      }
      if (chance(4)) this.guest.read(500);
      if (chance(4)) this.far?.stream.read(700);
      if (chance(3)) this.#advance(chance(2) ? 250 : 1100);
      this.#settle();
    }
  }

  #guestWrite(n: number): void {
    if (this.guestClosed || this.guest.over) return;
    this.guest.write(pattern(n, GUEST_STREAM + this.guestWritten));
    this.guestWritten += n;
  }

  #actFar(kind: StepKind, n: number): void {
    if (kind === 'answer') return this.#answerOpener();
    const far = this.far;
    if (far === undefined) return;
    const { stream } = far;
    if (kind === 'accept') this.#accept(stream);
    if (!stream.connected) return;
    if (kind === 'hostWrite' && !stream.dead && !stream.closed && !stream.farEnded) {
      stream.write(pattern(n, far.written));
      far.written += n;
    } else if (kind === 'hostRead') stream.read(n);
    else if (kind === 'hostClose') stream.end();
    else if (kind === 'hostReset' && !stream.closed) {
      far.reset = true;
      stream.reset();
    } else if (kind === 'limitSend') stream.sendLimits.push(n % 700);
  }

  #answerOpener(): void {
    if (this.bench.kernel.opener.requests.length === 0) return;
    const stream = new FakeStream();
    stream.hasPeekOffset = this.#options.peekOffset;
    stream.sendBuffer = this.#options.sendBuffer;
    stream.overhead = this.#options.overhead;
    this.fars.push({ stream, written: 0, reset: false });
    this.#unanswered.push(stream);
    this.bench.kernel.opener.answer(0, stream);
  }

  #accept(stream: FakeStream): void {
    const at = this.#unanswered.indexOf(stream);
    if (at < 0) return;
    this.#unanswered.splice(at, 1);
    if (stream.closed) return;
    if (this.#options.refused) stream.refuse(ECONNREFUSED);
    else stream.accept();
  }

  #actWire(kind: StepKind, n: number): void {
    const toGuest = kind.endsWith('Guest');
    const queue: unknown[] = toGuest ? this.#toGuest : this.#toWorker;
    if (queue.length === 0) return;
    const at = n % queue.length;
    if (kind.startsWith('drop')) queue.splice(at, 1);
    else if (kind.startsWith('double')) queue.splice((n * 7) % queue.length, 0, queue[at]);
    else if (kind.startsWith('pick')) this.#pass(toGuest, at);
    else for (let left = Math.min(n, queue.length); left > 0; left--) this.#pass(toGuest, 0);
  }

  #pass(toGuest: boolean, at: number): void {
    if (toGuest) {
      const [segment] = this.#toGuest.splice(at, 1);
      if (segment === undefined) return;
      this.guest.receive(segment);
      if (this.guest.state === 'open' && this.#main === null) this.#main = this.fars.at(-1) ?? null;
      return;
    }
    const [frame] = this.#toWorker.splice(at, 1);
    if (frame === undefined) return;
    this.#noteWindow(readSegment(parseGuestFrame(frame)));
    this.bench.kernel.tap.send(frame);
  }

  #send(segment: Segment): void {
    this.#toWorker.push(buildSegment(this.#ends, segment));
  }

  /** Everything on the wire arrives, the worker runs. */
  #exchange(): boolean {
    const busy = this.#toWorker.length + this.#toGuest.length > 0;
    for (let left = this.#toGuest.length; left > 0; left--) this.#pass(true, 0);
    for (let left = this.#toWorker.length; left > 0; left--) this.#pass(false, 0);
    this.#settle();
    return busy || this.#toWorker.length + this.#toGuest.length > 0;
  }

  #advance(milliseconds: number): void {
    for (let left = milliseconds; ; ) {
      const guest = this.#untilGuest();
      const wait = guest === null ? left : Math.min(guest, left);
      this.bench.advance(wait);
      this.guest.timer();
      left -= wait;
      if (left <= 0) return;
    }
  }

  /** Whole milliseconds until the guest's timer is due. */
  #untilGuest(): number | null {
    return this.guest.deadline === null ? null : Math.max(this.guest.deadline - this.#now(), 0);
  }

  #now(): number {
    return Math.floor(this.bench.kernel.now / 1000);
  }

  /** A window that the guest announces, and that the worker now may know of. */
  #noteWindow(segment: Segment): void {
    if ((segment.flags & SYN) !== 0) {
      this.#guestShift = segment.windowScale ?? 0;
      return;
    }
    if ((segment.flags & ACK) === 0) return;
    const edge = (segment.ack + (segment.window << (this.#workerShift < 0 ? 0 : this.#guestShift))) | 0;
    if (this.#guestEdge === null || ((edge - this.#guestEdge) | 0) > 0) this.#guestEdge = edge;
  }

  /** Takes what the worker has sent, and looks whether it may be. */
  #observe(): void {
    for (const frame of this.bench.kernel.tap.toGuest.splice(0)) {
      const segment = readSegment(parseFrame(frame, this.#ends));
      this.#toGuest.push(segment);
      if ((segment.flags & SYN) !== 0) {
        this.#workerIss = segment.seq;
        this.#workerShift = segment.windowScale ?? -1;
        this.#workerEdge = null;
        this.#guestEdge = null;
      } else if ((segment.flags & RST) === 0) this.#check(segment);
    }
  }

  #check(segment: Segment): void {
    const shift = Math.max(this.#workerShift, 0);
    const edge = (segment.ack + (segment.window << shift)) | 0;
    if (this.#workerEdge !== null && ((this.#workerEdge - edge) | 0) >= 1 << shift)
      throw new Error(`the window has shrunk by ${(this.#workerEdge - edge) | 0}`);
    if (this.#workerEdge === null || ((edge - this.#workerEdge) | 0) > 0) this.#workerEdge = edge;
    const from = (segment.seq - this.#workerIss - 1) | 0;
    const end = from + segment.payload.length;
    if (segment.payload.length > 0) {
      const beyond = this.#guestEdge === null ? 0 : (segment.seq + segment.payload.length - this.#guestEdge) | 0;
      if (beyond > 0) throw new Error(`${beyond} bytes were sent beyond the guest's window`);
      if (Buffer.compare(segment.payload, pattern(segment.payload.length, from)) !== 0)
        throw new Error(`wrong bytes were sent from ${from} on`);
    }
    const far = this.far;
    if (far !== undefined && end > far.written + 1) throw new Error(`${end} bytes were sent of ${far.written}`);
    if ((segment.flags & FIN) !== 0 && end !== far?.written) throw new Error(`the stream of ${far?.written} bytes was ended at ${end}`);
  }

  /** No more faults: everything that is due happens, both applications read everything and close. */
  heal(): void {
    this.#refusals = 0;
    this.guest.receiver.buffer = this.#options.buffer;
    const start = this.bench.kernel.now;
    for (let quiet = 0; quiet < 3; ) {
      this.#answerOpener();
      for (const { stream } of this.fars) {
        this.#accept(stream);
        stream.sendLimits.length = 0;
        if (!stream.connected) continue;
        stream.read(1 << 20);
        stream.end();
      }
      this.guest.read(1 << 20);
      this.guest.close();
      this.guestClosed = true;
      if (this.#exchange() || this.fars.some(({ stream }) => stream.outgoing.length > 0)) {
        quiet = 0;
        continue;
      }
      const wait = this.#soonest();
      // A reset that was lost is not sent again: the guest has to ask.
      if (wait !== null) this.#advance(wait);
      else if (quiet++ === 0) this.guest.keepAlive();
      this.#settle();
      if (this.bench.kernel.now - start > (this.guest.state === 'aborted' ? IDLE_HEAL_LIMIT_MS : HEAL_LIMIT_MS) * 1000)
        throw new Error(
          `no end is reached in half an hour: the guest is ${this.guest.state}, ${this.bench
            .takenRows()
            .map((flow) => describeFlow(flow * ROW))
            .join()}`,
        );
    }
  }

  /** Milliseconds until either side's next deadline; null when there is none. */
  #soonest(): number | null {
    const guest = this.#untilGuest();
    const wait = this.bench.wait();
    if (guest === null) return wait < 0 ? null : wait;
    return wait < 0 ? guest : Math.min(guest, wait);
  }

  /** What both ends must finally have seen. */
  expectHonesty(): void {
    const { guest } = this;
    const far = this.#main;
    if (!guest.over) throw new Error(`the guest's connection is still ${guest.state}`);
    if (guest.state === 'gave-up') throw new Error('the guest has given up');
    const received = guest.receiver.received.peek(0, Number.MAX_SAFE_INTEGER);
    const farReceived = far?.stream.farReceived.peek(0, Number.MAX_SAFE_INTEGER) ?? new Uint8Array(0);
    if (Buffer.compare(received, pattern(received.length)) !== 0) throw new Error('the guest has received other bytes than were sent');
    if (Buffer.compare(farReceived, pattern(farReceived.length, GUEST_STREAM)) !== 0)
      throw new Error('the far end has received other bytes than were sent');
    if (guest.state === 'done' && far !== null && !far.reset) {
      if (received.length !== far.written) throw new Error(`the guest has received ${received.length} of ${far.written} bytes`);
      if (farReceived.length !== this.guestWritten)
        throw new Error(`the far end has received ${farReceived.length} of ${this.guestWritten} bytes`);
      if (!far.stream.farSawEnd || far.stream.farSawReset) throw new Error('the far end has not seen the end of the stream');
    } else if (guest.state === 'reset' && far !== null && !far.reset) throw new Error('the guest was reset and nobody has asked for it');
    else if (guest.state === 'aborted' && far !== null && !far.reset && !far.stream.farSawReset) {
      // A guest that gives up when everything was said already does no harm.
      if (!far.stream.farSawEnd || farReceived.length !== this.guestWritten) throw new Error('the far end was not told of the reset');
    }
    for (const { stream } of this.fars) if (!stream.closed) throw new Error('a socket was left open');
    this.bench.expectNothingLeft();
  }
}

/** The guest's own frame has no offload facts to check. */
function parseGuestFrame(frame: Uint8Array): Parameters<typeof readSegment>[0] {
  const ipv4 = frame[22] === 8;
  const header = ipv4 ? 20 : 40;
  const none = new Uint8Array(0);
  return { family: ipv4 ? 4 : 6, protocol: 6, source: none, destination: none, gsoType: 0, gsoSize: 0, l4: frame.subarray(24 + header) };
}
