/** Pipes of the fake kernel, and splice through them. */
import { ByteQueue } from './byte_queue.ts';
import { EAGAIN, EBADF, EPIPE, FakeFile } from './fake_file.ts';
import { FakeStream } from './fake_stream.ts';

/** Bytes that the fake kernel grants a pipe. */
export const FAKE_PIPE_SIZE = 1 << 18;

class FakePipe {
  readonly bytes = new ByteQueue();
  readonly capacity: number;
  closed = false;

  constructor(capacity: number) {
    this.capacity = capacity;
  }
}

export class FakePipeEnd extends FakeFile {
  readonly #pipe: FakePipe;
  readonly writes: boolean;

  constructor(pipe: FakePipe, writes: boolean) {
    super();
    this.#pipe = pipe;
    this.writes = writes;
  }

  get capacity(): number {
    return this.#pipe.capacity;
  }

  /** Bytes that it holds. */
  get length(): number {
    return this.#pipe.bytes.length;
  }

  get room(): number {
    return this.#pipe.capacity - this.#pipe.bytes.length;
  }

  poll(): number {
    return 0;
  }

  release(): void {
    this.#pipe.closed = true;
  }

  read(length: number): Uint8Array | number {
    if (this.writes) return -EBADF;
    return this.length === 0 ? -EAGAIN : this.#pipe.bytes.take(length);
  }

  peek(length: number): Uint8Array {
    return this.#pipe.bytes.peek(0, length);
  }

  write(bytes: Uint8Array): number {
    if (!this.writes) return -EBADF;
    if (this.#pipe.closed) return -EPIPE;
    const taken = bytes.subarray(0, this.room);
    this.#pipe.bytes.push(taken);
    return taken.length === 0 ? -EAGAIN : taken.length;
  }
}

/** The reading and the writing end of a new pipe. */
export function pipeEnds(capacity: number): [FakePipeEnd, FakePipeEnd] {
  const pipe = new FakePipe(capacity);
  return [new FakePipeEnd(pipe, false), new FakePipeEnd(pipe, true)];
}

/** splice with SPLICE_F_NONBLOCK between a stream and a pipe; bytes moved, 0 at the stream's end, or −errno. */
export function spliceBetween(from: FakeFile | undefined, to: FakeFile | undefined, length: number): number {
  if (from instanceof FakeStream && to instanceof FakePipeEnd) {
    if (to.room === 0) return -EAGAIN;
    const bytes = from.spliceOut(Math.min(length, to.room, from.spliceLimits.shift() ?? Number.POSITIVE_INFINITY));
    if (typeof bytes === 'number' || bytes.length === 0) return typeof bytes === 'number' ? bytes : 0;
    return to.write(bytes);
  }
  if (from instanceof FakePipeEnd && to instanceof FakeStream) {
    if (from.length === 0) return -EAGAIN;
    const sent = to.send(from.peek(length));
    if (sent > 0) from.read(sent);
    return sent;
  }
  return -EBADF;
}
