/**
 * The supervisor's end of the dialogue with the worker (shared/channel.proto, shared/permits.ts).
 *
 * Theory of operation. The worker parses hostile packets, so whatever comes from it is taken for the words of an attacker. One datagram
 * is one `Envelope`; it must be exactly the bytes that our own encoder gives for what was decoded (so no unknown field, no field twice,
 * no two bodies, no lengthened varint), its body must be permitted in the phase the dialogue is in, it may carry no descriptor, and its
 * values must lie in their ranges. The first datagram that is anything else ends the dialogue: `violation` is called once, nothing is
 * read after it, and the lifecycle kills the worker. The phase advances only here, with the bodies that were sent and received.
 */
import { Reader } from 'protobufjs/minimal.js';
import type { Native } from '../native/supervisor.d.ts';
import { ravioli } from '../shared/channel.gen.js';
import { COUNTERS } from '../shared/counters.ts';
import { FLOW_STATES } from '../shared/flow-state.ts';
import { FLOWS_PER_PAGE, MAX_ENVELOPE, MAX_FLOWS, MAX_LISTENERS, MAX_PASSED_DESCRIPTORS } from '../shared/limits.ts';
import { LogLevel, MessageId } from '../shared/messages.ts';
import { EACH, PERMITTED_FROM_SUPERVISOR, PERMITTED_FROM_WORKER, Phase } from '../shared/permits.ts';
import { CHANNEL_VERSION } from '../shared/roles.ts';

export type Envelope = ravioli.Envelope;
export type Body = NonNullable<Envelope['body']>;

/** Integers that one log message may carry. */
const MAX_LOG_VALUES = 16;

/** How long a worker may leave its queue full. */
const PATIENCE_MS = 5000;

/** Datagrams read per wake-up, so that a worker that floods the channel can't keep the supervisor from its other work. */
const DATAGRAMS_PER_WAKE = 64;

/** The phase that a body, sent or received, leads to; bodies that aren't here leave the phase as it is. */
const NEXT_PHASE: Readonly<Partial<Record<Body, Phase>>> = {
  hello: Phase.GREETED,
  config: Phase.CONFIGURED,
  seal: Phase.SEALING,
  sealed: Phase.SEALED,
  start: Phase.RUNNING,
  drain: Phase.DRAINING,
};

const LOG_LEVELS: ReadonlySet<number> = new Set(Object.values(LogLevel));
const MESSAGES: ReadonlySet<number> = new Set(Object.values(MessageId));

/** What was wrong with a datagram of the worker; the message is one clause without a full stop. */
export class Violation extends Error {}

/**
 * Decodes one datagram of the worker.
 * @throws Violation when it isn't the one and only encoding of a permitted body with values in their ranges.
 */
export function decodeFromWorker(bytes: Uint8Array, phase: Phase): Envelope & { body: Body } {
  if (bytes.length === 0 || bytes.length > MAX_ENVELOPE) {
    throw new Violation(`a datagram of ${bytes.length} bytes`);
  }
  const envelope = decode(bytes);
  const body = envelope.body;
  if (body === undefined) {
    throw new Violation('an envelope without a body');
  }
  const again = ravioli.Envelope.encode(envelope).finish();
  if (again.length !== bytes.length || again.some((byte, index) => byte !== bytes[index])) {
    throw new Violation(`a ${body} that is not in its canonical form`);
  }
  if (!PERMITTED_FROM_WORKER[phase].includes(body)) {
    throw new Violation(`a ${body} in phase ${phase}`);
  }
  checkValues(envelope);
  return envelope as Envelope & { body: Body };
}

function decode(bytes: Uint8Array): Envelope {
  const reader = Reader.create(bytes);
  // Without this the unknown fields are kept, encoded again, and the comparison would not see them.
  reader.discardUnknown = true;
  try {
    return ravioli.Envelope.decode(reader) as Envelope;
  } catch {
    throw new Violation('a datagram that is not an envelope');
  }
}

function checkValues(envelope: Envelope): void {
  const { hello, log, status, noRoom, flows } = envelope;
  if (hello && hello.version !== CHANNEL_VERSION) {
    throw new Violation(`version ${hello.version} of the channel, not ${CHANNEL_VERSION}`);
  }
  if (log) {
    if (!LOG_LEVELS.has(log.level ?? 0) || !MESSAGES.has(log.message ?? 0) || (log.values?.length ?? 0) > MAX_LOG_VALUES) {
      throw new Violation(`log message ${log.message} of level ${log.level}`);
    }
  }
  if (noRoom && ((noRoom.ids?.length ?? 0) > MAX_PASSED_DESCRIPTORS || noRoom.ids?.some((id) => id >= MAX_LISTENERS))) {
    throw new Violation('refusals of listeners that there can not be');
  }
  if (status && (status.counters?.length !== COUNTERS.length || !status.counters.every((n) => Number.isFinite(n) && n >= 0))) {
    throw new Violation('a status with impossible counters');
  }
  if (flows && !isPage(flows)) {
    throw new Violation('a list of flows that there can not be');
  }
}

const PROTOCOLS: ReadonlySet<number> = new Set([1, 6, 17, 58]);
const PORT_FIELDS = ['guestPort', 'farPort', 'hostPort'] as const;
const MAX_PORT = 65_535;

function isPage({ next, flows }: ravioli.Flows.$Properties): boolean {
  return (next ?? 0) < MAX_FLOWS && (flows?.length ?? 0) <= FLOWS_PER_PAGE && (flows ?? []).every(isFlow);
}

function isFlow(flow: ravioli.Flow.$Properties): boolean {
  const isAddress = (address: Uint8Array | null | undefined, isRequired: boolean): boolean =>
    address?.length === 16 || (!isRequired && (address?.length ?? 0) === 0);
  return (
    PROTOCOLS.has(flow.protocol ?? 0) &&
    FLOW_STATES.has(flow.state ?? 0) &&
    isAddress(flow.guest, !flow.spliced) &&
    isAddress(flow.far, !flow.spliced) &&
    isAddress(flow.host, false) &&
    PORT_FIELDS.every((field) => (flow[field] ?? 0) <= MAX_PORT) &&
    [flow.fromGuest, flow.toGuest].every((bytes) => Number.isSafeInteger(bytes) && (bytes as number) >= 0)
  );
}

/** What the owner of a channel is told. */
export interface ChannelEvents {
  /** A datagram that passed every check. */
  message(envelope: Envelope & { body: Body }): void;
  /** The worker broke the dialogue; nothing more is read. Once. */
  violation(reason: string): void;
  /** The worker's end is closed. Once. */
  closed(): void;
}

/** The dialogue with one worker. */
export class WorkerChannel {
  readonly #native: Native;
  readonly #socket: number;
  readonly #events: ChannelEvents;
  readonly #watcher: { stop(): void };
  #phase: Phase = Phase.STARTED;
  #open = true;

  /**
   * Listens on `socket`, a non-blocking SOCK_SEQPACKET descriptor that belongs to the channel from now on.
   */
  constructor(native: Native, socket: number, events: ChannelEvents) {
    this.#native = native;
    this.#socket = socket;
    this.#events = events;
    this.#watcher = native.watch(socket, () => this.#readable());
  }

  get phase(): Phase {
    return this.#phase;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /**
   * Sends one body with its descriptors, which stay the caller's. `id` comes back with the answer.
   * @throws Error when the body isn't permitted in this phase, has the wrong number of descriptors, or the socket refuses it.
   */
  send(body: { [K in Body]?: NonNullable<ravioli.Envelope.$Properties[K]> }, descriptors: readonly number[] = [], id = 0): void {
    const name = Object.keys(body)[0] as Body;
    const expected = PERMITTED_FROM_SUPERVISOR[this.#phase][name];
    const fits =
      expected === EACH ? descriptors.length >= 1 && descriptors.length <= MAX_PASSED_DESCRIPTORS : expected === descriptors.length;
    if (!fits) {
      throw new Error(`the worker may not be sent ${name} with ${descriptors.length} descriptors in phase ${this.#phase}`);
    }
    const bytes = ravioli.Envelope.encode(id === 0 ? body : { id, ...body }).finish();
    let result = this.#native.sendWithDescriptors(this.#socket, bytes, descriptors);
    // The queue holds ten datagrams or so, and the worker takes one in some microseconds.
    if (isTryAgain(result) && this.#native.waitWritable(this.#socket, PATIENCE_MS) === 1) {
      result = this.#native.sendWithDescriptors(this.#socket, bytes, descriptors);
    }
    if (result < 0) {
      throw new Error(`the worker can't be sent ${name}: errno ${-result}`);
    }
    this.#phase = NEXT_PHASE[name] ?? this.#phase;
  }

  /** Stops listening and closes the socket. */
  close(): void {
    if (this.#open) {
      this.#open = false;
      this.#watcher.stop();
      this.#native.close(this.#socket);
    }
  }

  #readable(): void {
    for (let count = 0; this.#open && count < DATAGRAMS_PER_WAKE; count++) {
      const datagram = this.#native.receiveWithDescriptors(this.#socket, MAX_ENVELOPE);
      if (typeof datagram === 'number' && isTryAgain(datagram)) {
        return;
      }
      if (datagram === null || isReset(datagram)) {
        this.close();
        this.#events.closed();
        return;
      }
      this.#take(datagram);
    }
  }

  #take(datagram: { bytes: Uint8Array; fds: number[] } | number): void {
    try {
      if (typeof datagram === 'number') {
        throw new Violation(`a truncated datagram (errno ${-datagram})`);
      }
      for (const fd of datagram.fds) {
        this.#native.close(fd);
      }
      if (datagram.fds.length > 0) {
        throw new Violation(`${datagram.fds.length} descriptors`);
      }
      const envelope = decodeFromWorker(datagram.bytes, this.#phase);
      this.#phase = NEXT_PHASE[envelope.body] ?? this.#phase;
      this.#events.message(envelope);
    } catch (error) {
      if (!(error instanceof Violation)) {
        throw error;
      }
      this.close();
      this.#events.violation(error.message);
    }
  }
}

function isTryAgain(result: number): boolean {
  const EAGAIN = 11;
  const EINTR = 4;
  return result === -EAGAIN || result === -EINTR;
}

function isReset(result: unknown): boolean {
  const ECONNRESET = 104;
  return result === -ECONNRESET;
}
