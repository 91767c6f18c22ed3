/**
 * A TCP socket of the fake kernel, and the far end of its connection, which the test plays.
 *
 * Theory of operation. What follows is what the worker can tell apart of Linux's tcp_recvmsg, tcp_sendmsg and tcp_poll. SO_PEEK_OFF
 * moves on with each peek and back with each read. A send takes bytes while the accounted memory is below the buffer, so it may be
 * partial; then, and when poll finds no room, the socket notes that somebody waits for space (SOCK_NOSPACE), and only then does
 * space make an event, once two thirds of the buffer are free or less is in use. The end of the stream makes an event of its own.
 */
import { ByteQueue } from './byte_queue.ts';
import type { SocketError } from './fake_datagram.ts';
import {
  EAGAIN,
  ECONNRESET,
  ENOTCONN,
  EOPNOTSUPP,
  EPIPE,
  EPOLLERR,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLPRI,
  EPOLLRDHUP,
  FakeFile,
} from './fake_file.ts';

const SOL_SOCKET = 1;
const SO_MEMINFO = 55;
const IPPROTO_TCP = 6;
const TCP_INFO = 11;

export class FakeStream extends FakeFile {
  /** SO_SNDBUF as the kernel doubles it, and what each queued byte counts for in it. */
  sendBuffer = 87_040;
  overhead = 2;
  /** Whether the kernel has SO_PEEK_OFF for TCP (Linux ≥ 6.9). */
  hasPeekOffset = true;
  /** The next sends take at most so much each (0: EAGAIN, unless the queue is empty), whatever the room: memory pressure. */
  readonly sendLimits: number[] = [];
  /** The next splices out of it move at most so much each: what lies in many small pieces fills a pipe early. */
  readonly spliceLimits: number[] = [];
  /** Where in the stream of the far end its urgent byte lies (SO_OOBINLINE); −1 = nowhere. */
  urgentMark = -1;

  /** Where it was asked: 16 bytes. */
  localAddress: Uint8Array = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1);
  localPort = 0;
  /** What TCP_INFO tells. */
  bytesAcked = 0;
  bytesReceived = 0;

  /** From the far end, not yet taken by the worker. */
  readonly incoming = new ByteQueue();
  /** From the worker, not yet taken by the far end. */
  readonly outgoing = new ByteQueue();
  peekOffset = -1;
  noSpace = false;
  connected = false;
  closed = false;
  /** Options of the IP layer by level and name, as they are now. */
  readonly options = new Map<string, number>();
  /** Everything the far end has read so far. */
  readonly farReceived = new ByteQueue();
  farSawEnd = false;
  farSawReset = false;
  /** How many bytes the worker has taken out of `incoming`. */
  taken = 0;

  #farEnded = false;
  #shutWrite = false;
  #dead = false;
  #abortive = false;
  #error = 0;
  readonly #errors: SocketError[] = [];

  /** What getsockopt(2) gives of a structure of at most `length` bytes: SO_MEMINFO, TCP_INFO; null: there is no such. */
  facts(level: number, name: number, length: number): Uint8Array | null {
    const facts = new DataView(new ArrayBuffer(Math.min(length, 232)));
    if (level === SOL_SOCKET && name === SO_MEMINFO && length === 36) {
      facts.setInt32(12, this.sendBuffer, true);
      facts.setInt32(20, this.accounted(), true);
    } else if (level === IPPROTO_TCP && name === TCP_INFO) {
      facts.setBigUint64(120, BigInt(this.bytesAcked), true);
      facts.setBigUint64(128, BigInt(this.bytesReceived), true);
    } else return null;
    return new Uint8Array(facts.buffer);
  }

  poll(): number {
    let mask = 0;
    if (this.#dead || (this.#farEnded && this.#shutWrite)) mask |= EPOLLHUP;
    if (this.#farEnded || this.#dead) mask |= EPOLLIN | EPOLLRDHUP;
    if (this.connected || this.#dead) {
      if (this.incoming.length > 0) mask |= EPOLLIN;
      if (this.urgentMark >= this.taken && this.incoming.length > 0) mask |= EPOLLPRI;
      if (this.#shutWrite || this.#dead) mask |= EPOLLOUT;
      else if (this.#isWritable()) mask |= EPOLLOUT;
      else this.noSpace = true;
    }
    if (this.#error !== 0) mask |= EPOLLERR;
    return mask;
  }

  release(): void {
    this.closed = true;
    if (!this.connected || this.#dead) return;
    // Both ends' FINs are through: the kernel's socket is closed already, and nothing more is sent.
    if (this.#farEnded && this.#shutWrite && this.farSawEnd) return;
    // Unread data makes Linux send a reset, too.
    if (this.#abortive || this.incoming.length > 0) {
      this.farSawReset = !this.farSawEnd || this.#abortive;
      this.outgoing.drop(this.outgoing.length);
      this.#dead = true;
    } else this.#shutWrite = true;
  }

  // The worker's side.

  send(bytes: Uint8Array): number {
    if (this.#error !== 0) return -this.takeError();
    if (!this.connected) return -EAGAIN;
    if (this.#shutWrite || this.#dead) return -EPIPE;
    const room = Math.max(Math.ceil((this.sendBuffer - this.accounted()) / this.overhead), 0);
    // Under pressure a kernel still takes something into an empty queue, or nothing would ever make the event.
    const limit = Math.max(this.sendLimits.shift() ?? Number.POSITIVE_INFINITY, this.outgoing.length === 0 ? 1 : 0);
    const taken = Math.min(room, limit, bytes.length);
    this.outgoing.push(bytes.subarray(0, taken));
    if (taken < bytes.length) this.noSpace = true;
    return taken === 0 && bytes.length > 0 ? -EAGAIN : taken;
  }

  /** Peeks from the peek offset on; returns the bytes or −errno. */
  peek(length: number): Uint8Array | number {
    const from = Math.max(this.peekOffset, 0);
    if (this.incoming.length > from) {
      const bytes = this.incoming.peek(from, this.#beforeMark(from, length));
      if (this.peekOffset >= 0) this.peekOffset += bytes.length;
      return bytes;
    }
    return this.#nothing();
  }

  /** recvmsg with MSG_PEEK over the first `skip` bytes; returns what lies behind them, or −errno. */
  peekBehind(skip: number, length: number): Uint8Array | number {
    if (this.incoming.length === 0) return this.#nothing();
    return this.incoming.length > skip ? this.incoming.peek(skip, length) : -EAGAIN;
  }

  /** Takes bytes out of the queue; returns how many, or −errno. */
  discard(length: number): number {
    const taken = Math.min(this.#beforeMark(0, length), this.incoming.length);
    if (taken === 0 && length > 0) {
      const nothing = this.#nothing();
      return typeof nothing === 'number' ? nothing : 0;
    }
    this.incoming.drop(taken);
    this.taken += taken;
    if (this.peekOffset >= 0) this.peekOffset = Math.max(this.peekOffset - taken, 0);
    return taken;
  }

  /** recv without MSG_PEEK: takes bytes out of the queue; the bytes, or −errno. */
  consume(length: number): Uint8Array | number {
    const bytes = this.incoming.peek(0, this.#beforeMark(0, length)).slice();
    if (bytes.length === 0) return this.#nothing();
    this.discard(bytes.length);
    return bytes;
  }

  /** splice: as `consume`, but it stops for good at the urgent byte, as if there was nothing behind. */
  spliceOut(length: number): Uint8Array | number {
    if (this.urgentMark !== this.taken || this.incoming.length === 0) return this.consume(length);
    return this.#farEnded ? new Uint8Array(0) : -EAGAIN;
  }

  /** How much of `length` bytes from `from` of the queue on one read gives: it ends at the mark unless it begins there or behind. */
  #beforeMark(from: number, length: number): number {
    const left = this.urgentMark - this.taken - from;
    return left > 0 ? Math.min(length, left) : length;
  }

  setPeekOffset(value: number): number {
    if (!this.hasPeekOffset) return -EOPNOTSUPP;
    this.peekOffset = value;
    return 0;
  }

  setOption(level: number, name: number, value: number): number {
    this.options.set(`${level}.${name}`, value);
    return 0;
  }

  /** Takes the oldest entry of the error queue. */
  receiveError(): SocketError | undefined {
    return this.#errors.shift();
  }

  shutdownWrite(): number {
    if (!this.connected || this.#dead) return -ENOTCONN;
    this.#shutWrite = true;
    if (this.#farEnded) this.wake(0);
    return 0;
  }

  setAbortive(): void {
    this.#abortive = true;
  }

  takeError(): number {
    const error = this.#error;
    this.#error = 0;
    return error;
  }

  /** SK_MEMINFO_WMEM_QUEUED. */
  accounted(): number {
    return this.outgoing.length * this.overhead;
  }

  // The far end's side.

  accept(): void {
    this.connected = true;
    this.wake(EPOLLOUT);
  }

  refuse(errno: number): void {
    this.#fail(errno);
  }

  /** Somebody on the way refuses what the socket tried. */
  refuseBy(error: SocketError): void {
    this.#errors.push(error);
    this.#fail(error.errno);
  }

  write(bytes: Uint8Array): void {
    if (this.closed || this.#dead || this.#farEnded) return;
    this.incoming.push(bytes);
    this.wake(EPOLLIN);
  }

  /** The far end has no more to say. */
  end(): void {
    if (this.#farEnded || this.#dead) return;
    this.#farEnded = true;
    this.wake(0);
  }

  /** The far end resets. */
  reset(): void {
    if (this.#dead) return;
    this.outgoing.drop(this.outgoing.length);
    this.#fail(ECONNRESET);
  }

  /** The far end reads up to `length` bytes. */
  read(length: number): void {
    this.farReceived.push(this.outgoing.take(length));
    if (this.outgoing.length === 0 && this.#shutWrite && !this.#dead) this.farSawEnd = true;
    if (this.noSpace && !this.closed && this.#isWritable()) {
      this.noSpace = false;
      this.wake(EPOLLOUT);
    }
  }

  get farEnded(): boolean {
    return this.#farEnded;
  }

  get dead(): boolean {
    return this.#dead;
  }

  #fail(errno: number): void {
    this.#dead = true;
    this.#error = errno;
    this.wake(0);
  }

  /** sk_stream_is_writeable. */
  #isWritable(): boolean {
    return this.sendBuffer - this.accounted() >= this.accounted() >> 1;
  }

  #nothing(): Uint8Array | number {
    if (this.#error !== 0) return -this.takeError();
    if (this.#farEnded || this.#dead) return new Uint8Array(0);
    return this.connected ? -EAGAIN : -ENOTCONN;
  }
}
