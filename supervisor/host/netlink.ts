/**
 * Netlink: datagrams to messages and back, and a dialogue that waits for each answer.
 *
 * Theory of operation. The kernel handles a datagram of requests one by one within `send` and has queued every acknowledgement when
 * that returns, so a dialogue of start-up needs no event loop: a batch is one `send` and as many `receive` as there are answers. A socket
 * belongs to the network namespace it was made in; a dialogue on the guest's socket configures the guest's namespace from outside.
 * Nothing else may use the socket meanwhile. Answers with another sequence number (of a dialogue that was given up) are skipped.
 */
import type { Native } from '../../native/supervisor.d.ts';

export const MessageType = {
  ERROR: 2,
  DONE: 3,
  NEWLINK: 16,
  GETLINK: 18,
  SETLINK: 19,
  NEWADDR: 20,
  DELADDR: 21,
  GETADDR: 22,
  NEWROUTE: 24,
  DELROUTE: 25,
  GETROUTE: 26,
} as const;

export const RequestFlag = { REQUEST: 0x1, ACK: 0x4, DUMP: 0x300, REPLACE: 0x100, EXCL: 0x200, CREATE: 0x400 } as const;

/** Flag of an answer: the table changed during the dump. */
const DUMP_INTERRUPTED = 0x10;

const HEADER = 16;
const ATTRIBUTE_HEADER = 4;
/** Bits of an attribute's type that are flags (nested, network byte order). */
const ATTRIBUTE_TYPE = 0x3fff;

/** The kernel builds no larger datagram for a dump. */
const RECEIVE_BYTES = 65_536;
/** An answer that takes longer than this never comes. */
const ANSWER_MS = 5_000;
/** Requests of one datagram: their acknowledgements must fit in the socket's receive buffer. */
const BATCH_REQUESTS = 64;
const BATCH_BYTES = 32_768;
const DUMP_ATTEMPTS = 5;

export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly payload: Uint8Array;
}

export interface NetlinkAttribute {
  readonly type: number;
  readonly data: Uint8Array;
}

export interface NetlinkRequest {
  readonly type: number;
  /** Beyond REQUEST and ACK. */
  readonly flags: number;
  /** Fixed header and attributes. */
  readonly payload: Uint8Array;
}

/** The kernel's refusal, or a datagram that is no netlink. `errno` is positive; 0 = malformed. */
export class NetlinkError extends Error {
  override readonly name = 'NetlinkError';
  readonly errno: number;

  constructor(errno: number, what: string) {
    super(what);
    this.errno = errno;
  }
}

/** The messages of a received datagram. Throws NetlinkError when a length is impossible. */
export function parseMessages(datagram: Uint8Array): NetlinkMessage[] {
  const view = viewOf(datagram);
  const messages: NetlinkMessage[] = [];
  for (let at = 0; at < datagram.length; ) {
    const length = messageLength(view, at);
    messages.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      payload: datagram.subarray(at + HEADER, at + length),
    });
    at += aligned(length);
  }
  return messages;
}

/** The attributes from `offset` on. Throws NetlinkError when a length is impossible, so the walk always advances. */
export function parseAttributes(payload: Uint8Array, offset: number): NetlinkAttribute[] {
  const view = viewOf(payload);
  const attributes: NetlinkAttribute[] = [];
  for (let at = offset; at + ATTRIBUTE_HEADER <= payload.length; ) {
    const length = view.getUint16(at, true);
    if (length < ATTRIBUTE_HEADER || at + length > payload.length)
      throw new NetlinkError(0, `netlink attribute of ${length} bytes at ${at}`);
    const type = view.getUint16(at + 2, true) & ATTRIBUTE_TYPE;
    attributes.push({ type, data: payload.subarray(at + ATTRIBUTE_HEADER, at + length) });
    at += aligned(length);
  }
  return attributes;
}

/** A fixed header and attributes as one payload; each attribute padded to four bytes. */
export function buildPayload(header: Uint8Array, attributes: readonly NetlinkAttribute[]): Uint8Array {
  const start = aligned(header.length);
  let size = start;
  for (const { data } of attributes) size += aligned(ATTRIBUTE_HEADER + data.length);
  const payload = new Uint8Array(size);
  const view = viewOf(payload);
  payload.set(header);
  let at = start;
  for (const { type, data } of attributes) {
    view.setUint16(at, ATTRIBUTE_HEADER + data.length, true);
    view.setUint16(at + 2, type, true);
    payload.set(data, at + ATTRIBUTE_HEADER);
    at += aligned(ATTRIBUTE_HEADER + data.length);
  }
  return payload;
}

/** Requests as one datagram with sequence numbers from `sequence` on; `flags` are added to those of each request. */
export function buildDatagram(requests: readonly NetlinkRequest[], flags: number, sequence: number): Uint8Array {
  const size = requests.reduce((sum, { payload }) => sum + aligned(HEADER + payload.length), 0);
  const datagram = new Uint8Array(size);
  const view = viewOf(datagram);
  let at = 0;
  for (const [order, request] of requests.entries()) {
    view.setUint32(at, HEADER + request.payload.length, true);
    view.setUint16(at + 4, request.type, true);
    view.setUint16(at + 6, request.flags | flags, true);
    view.setUint32(at + 8, sequence + order, true);
    datagram.set(request.payload, at + HEADER);
    at += aligned(HEADER + request.payload.length);
  }
  return datagram;
}

/** An attribute of four bytes, native order. */
export function uint32Attribute(type: number, value: number): NetlinkAttribute {
  const data = new Uint8Array(4);
  viewOf(data).setUint32(0, value, true);
  return { type, data };
}

/** An attribute of text with its terminating zero. */
export function textAttribute(type: number, text: string): NetlinkAttribute {
  return { type, data: new TextEncoder().encode(`${text}\0`) };
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** What a dialogue needs of the native addon. */
export type NetlinkCalls = Pick<Native, 'send' | 'receive' | 'waitReadable'>;

/** Questions and answers on one netlink socket, which stays the caller's to close. */
export class NetlinkDialogue {
  readonly #calls: NetlinkCalls;
  readonly #fd: number;
  #sequence = 1;

  constructor(calls: NetlinkCalls, fd: number) {
    this.#calls = calls;
    this.#fd = fd;
  }

  /** Sends the requests together; gives 0 or the positive errno of each, in their order. Throws NetlinkError when the socket fails. */
  execute(requests: readonly NetlinkRequest[]): number[] {
    const results: number[] = [];
    for (let from = 0; from < requests.length; ) {
      const batch = batchFrom(requests, from);
      const first = this.#send(batch, RequestFlag.REQUEST | RequestFlag.ACK);
      const answers = new Map<number, number>();
      while (answers.size < batch.length) {
        for (const message of this.#receive()) {
          const isOurs = message.sequence >= first && message.sequence < first + batch.length;
          if (isOurs && message.type === MessageType.ERROR) answers.set(message.sequence, errnoOf(message));
        }
      }
      for (let order = 0; order < batch.length; order++) results.push(answers.get(first + order) as number);
      from += batch.length;
    }
    return results;
  }

  /** One request whose answer is a message of its own. Throws NetlinkError with the kernel's errno. */
  get(request: NetlinkRequest): NetlinkMessage {
    const sequence = this.#send([request], RequestFlag.REQUEST);
    for (;;) {
      for (const message of this.#receive()) {
        if (message.sequence !== sequence) continue;
        if (message.type === MessageType.ERROR) throw new NetlinkError(errnoOf(message), `netlink request ${request.type} was refused`);
        return message;
      }
    }
  }

  /** A whole table. Asks again when it changed meanwhile. Throws NetlinkError. */
  dump(type: number, header: Uint8Array): NetlinkMessage[] {
    for (let attempt = 1; ; attempt++) {
      const messages = this.#dumpOnce(type, header);
      const interrupted = messages.some((message) => (message.flags & DUMP_INTERRUPTED) !== 0);
      if (!interrupted || attempt === DUMP_ATTEMPTS) return messages.filter((message) => message.type !== MessageType.DONE);
    }
  }

  #dumpOnce(type: number, header: Uint8Array): NetlinkMessage[] {
    const sequence = this.#send([{ type, flags: 0, payload: header }], RequestFlag.REQUEST | RequestFlag.DUMP);
    const table: NetlinkMessage[] = [];
    for (;;) {
      for (const message of this.#receive()) {
        if (message.sequence !== sequence) continue;
        if (message.type === MessageType.ERROR) throw new NetlinkError(errnoOf(message), `netlink dump ${type} was refused`);
        table.push(message);
        if (message.type === MessageType.DONE) return table;
      }
    }
  }

  /**
   * Walks through a table that is too long, or looked at too often, for a message object each: `visit` gets the fixed part and the
   * attributes of each as a place in `view`. A table that changes meanwhile is not asked for again. Throws NetlinkError.
   */
  walk(type: number, header: Uint8Array, visit: (view: DataView, from: number, to: number) => void): void {
    const sequence = this.#send([{ type, flags: 0, payload: header }], RequestFlag.REQUEST | RequestFlag.DUMP);
    for (;;) {
      const datagram = this.#receiveDatagram();
      const view = viewOf(datagram);
      for (let at = 0; at < datagram.length; ) {
        const length = messageLength(view, at);
        const kind = view.getUint32(at + 8, true) === sequence ? view.getUint16(at + 4, true) : 0;
        if (kind === type) visit(view, at + HEADER, at + length);
        else if (kind === MessageType.ERROR || kind === MessageType.DONE) return endOfWalk(view, at, length, type);
        at += aligned(length);
      }
    }
  }

  #send(requests: readonly NetlinkRequest[], flags: number): number {
    const first = this.#sequence;
    this.#sequence += requests.length;
    const result = this.#calls.send(this.#fd, buildDatagram(requests, flags, first));
    if (result < 0) throw new NetlinkError(-result, 'netlink send failed');
    return first;
  }

  #receive(): NetlinkMessage[] {
    return parseMessages(this.#receiveDatagram());
  }

  #receiveDatagram(): Uint8Array {
    for (;;) {
      const received = this.#calls.receive(this.#fd, RECEIVE_BYTES);
      if (received instanceof Uint8Array) return received;
      if (typeof received === 'number') throw new NetlinkError(-received, 'netlink receive failed');
      const ready = this.#calls.waitReadable(this.#fd, ANSWER_MS);
      if (ready < 0) throw new NetlinkError(-ready, 'waiting for netlink failed');
      if (ready === 0) throw new NetlinkError(110, 'netlink gave no answer');
    }
  }
}

function batchFrom(requests: readonly NetlinkRequest[], from: number): readonly NetlinkRequest[] {
  let bytes = 0;
  let to = from;
  while (to < requests.length && to - from < BATCH_REQUESTS) {
    bytes += aligned(HEADER + (requests[to] as NetlinkRequest).payload.length);
    if (bytes > BATCH_BYTES && to > from) break;
    to++;
  }
  return requests.slice(from, to);
}

/** Bytes of the message at `at`, its header included. */
function messageLength(view: DataView, at: number): number {
  const length = at + HEADER <= view.byteLength ? view.getUint32(at, true) : 0;
  if (length < HEADER || at + length > view.byteLength) throw new NetlinkError(0, `netlink message of ${length} bytes at ${at}`);
  return length;
}

/** Both last messages of a table begin with a number, which is negative when there was no table or not all of it. */
function endOfWalk(view: DataView, at: number, length: number, type: number): void {
  const result = length >= HEADER + 4 ? view.getInt32(at + HEADER, true) : 0;
  if (result < 0) throw new NetlinkError(-result, `netlink dump ${type} was refused`);
}

/** 0 for an acknowledgement, else the positive errno. */
function errnoOf(message: NetlinkMessage): number {
  if (message.payload.length < 4) throw new NetlinkError(0, 'netlink error message without a number');
  return Math.abs(viewOf(message.payload).getInt32(0, true));
}

function aligned(length: number): number {
  return (length + 3) & ~3;
}
