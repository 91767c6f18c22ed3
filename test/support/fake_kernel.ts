/**
 * A kernel for the worker, in TypeScript, whose every event is the test's own doing: nothing happens by itself, no time passes.
 *
 * Files (fake_stream, fake_datagram, fake_opener, fake_tap, fake_channel, fake_pipe) know what they are, and fake_epoll who waits for
 * them; this file knows descriptors and the clock.
 */
import type { Native } from '../../native/worker.d.ts';
import { CHANNEL_FD } from '../../shared/roles.ts';
import { FakeChannel } from './fake_channel.ts';
import { addressedFacts, type Batch, FakeDatagram } from './fake_datagram.ts';
import { FakeEpoll } from './fake_epoll.ts';
import { FakeListener } from './fake_listener.ts';
import { EAGAIN, EBADF, EINVAL, EMFILE, EMSGSIZE, type FakeFile } from './fake_file.ts';
import { FakeOpener } from './fake_opener.ts';
import { FAKE_PIPE_SIZE, FakePipeEnd, pipeEnds, spliceBetween } from './fake_pipe.ts';
import { FakeStream } from './fake_stream.ts';
import { FakeTap } from './fake_tap.ts';
import { sum16 } from './guest_frame.ts';

const SOL_SOCKET = 1;
const SOL_UDP = 17;
const UDP_SEGMENT = 103;
const SO_ERROR = 4;
const SO_PEEK_OFF = 42;
const MSG_PEEK = 2;
const SHUT_WR = 1;
const FIRST_FD = 100;

/** Calls that a test can make fail; on a connection's socket only. */
export type FaultyCall =
  | 'send'
  | 'receive'
  | 'peekBehind'
  | 'discard'
  | 'setOption'
  | 'getOption'
  | 'getOptionBytes'
  | 'shutdown'
  | 'epollControl';

export class FakeKernel implements Native {
  /** Microseconds since the fake machine started; below 2⁵³. */
  now = 0;
  readonly tap = new FakeTap();
  readonly opener = new FakeOpener();
  readonly namespaceOpener = new FakeOpener();
  readonly channel = new FakeChannel();
  readonly tapFd: number;
  readonly openerFd: number;
  readonly namespaceOpenerFd: number;
  /** Calls that reached the kernel, by name. */
  readonly calls = new Map<string, number>();
  /** How many pipes the user may still have, and how many bytes each. */
  pipesLeft = 1024;
  pipeSize = FAKE_PIPE_SIZE;
  /** Timeout of the last epoll_wait, ms. */
  lastTimeout = 0;

  /** What the next call of a name fails with, and which calls have failed so far. */
  readonly faults = new Map<FaultyCall, number[]>();
  readonly failed: string[] = [];

  #bytes = new Uint8Array(0);
  #view = new DataView(new ArrayBuffer(0));
  readonly #files = new Map<number, FakeFile>();
  readonly #epoll = new FakeEpoll();

  constructor() {
    this.#files.set(CHANNEL_FD, this.channel);
    this.tapFd = this.install(this.tap);
    this.openerFd = this.install(this.opener);
    this.namespaceOpenerFd = this.install(this.namespaceOpener);
  }

  /** Gives a file the lowest free descriptor. */
  install(file: FakeFile): number {
    let fd = FIRST_FD;
    while (this.#files.has(fd)) fd++;
    this.#files.set(fd, file);
    return fd;
  }

  /** The next call `name` on a connection's socket that no earlier word is about fails with `errno`. */
  failNext(name: FaultyCall, errno: number): void {
    this.faults.set(name, [...(this.faults.get(name) ?? []), errno]);
  }

  /** The file behind a descriptor; undefined when that is not open. */
  file(fd: number): FakeFile | undefined {
    return this.#files.get(fd);
  }

  /** Open descriptors beside channel, tap and openers. */
  openFlows(): number {
    return [...this.#files.values()].filter((file) => !(file instanceof FakePipeEnd)).length - 4;
  }

  /** Bytes that lie in pipes. */
  bytesInPipes(): number {
    return [...this.#files.values()].reduce((sum, file) => sum + (file instanceof FakePipeEnd && file.writes ? file.length : 0), 0);
  }

  /** Which events the descriptor is watched for; 0 when it isn't. */
  watchedFor(fd: number): number {
    return this.#epoll.eventsOf(fd);
  }

  /** Whether an event of the descriptor waits to be taken. */
  isReady(fd: number): boolean {
    return this.#epoll.isReady(fd);
  }

  /** Whether any event waits to be taken. */
  anyReady(): boolean {
    return this.#epoll.anyReady();
  }

  bindArena(arena: ArrayBuffer): number {
    this.#bytes = new Uint8Array(arena);
    this.#view = new DataView(arena);
    return 0;
  }

  mapShared(): ArrayBuffer {
    throw new Error('the columns are bound by the test');
  }

  seal(): number {
    return 0;
  }

  clock(offset: number): number {
    this.#view.setInt32(offset, Math.floor(this.now / 1000) | 0, true);
    this.#view.setInt32(offset + 4, this.now | 0, true);
    return 0;
  }

  /** The fake machine was started at the beginning of 1970. */
  wallClock(offset: number): number {
    this.#view.setInt32(offset, Math.floor(this.now / 1_000_000) | 0, true);
    this.#view.setInt32(offset + 4, this.now % 1_000_000, true);
    return 0;
  }

  epollCreate(): number {
    return FIRST_FD - 1;
  }

  epollControl(_epoll: number, operation: number, fd: number, events: number, data: number, generation: number): number {
    const file = this.#files.get(fd);
    const fault = this.#fault('epollControl', file);
    if (fault !== 0) return -fault;
    if (file === undefined) return -EBADF;
    return this.#epoll.control(operation, fd, file, events, data, generation);
  }

  epollWait(_epoll: number, offset: number, maxEvents: number, timeoutMs: number): number {
    this.#count('epollWait');
    this.lastTimeout = timeoutMs;
    const happened = this.#epoll.wait(maxEvents);
    for (const [index, event] of happened.entries())
      for (const [field, value] of [event.events, event.data, event.generation].entries())
        this.#view.setInt32(offset + 12 * index + 4 * field, value, true);
    return happened.length;
  }

  read(fd: number, offset: number, length: number): number {
    const file = this.#files.get(fd);
    return file instanceof FakePipeEnd ? this.#store(file.read(length), offset, length) : -EBADF;
  }

  write(fd: number, offset: number, length: number): number {
    const file = this.#files.get(fd);
    if (file instanceof FakePipeEnd) return file.write(this.#range(offset, length));
    return file === this.tap ? this.tap.write(this.#range(offset, length)) : -EBADF;
  }

  makePipe(size: number, ends: number): number {
    if (this.pipesLeft-- <= 0) return -EMFILE;
    const [reading, writing] = pipeEnds(Math.min(size, this.pipeSize));
    this.#view.setInt32(ends, this.install(reading), true);
    this.#view.setInt32(ends + 4, this.install(writing), true);
    return reading.capacity;
  }

  splice(fd: number, to: number, length: number): number {
    this.#count('splice');
    return spliceBetween(this.#files.get(fd), this.#files.get(to), length);
  }

  readPackets(fd: number, offset: number, slot: number, lengths: number, count: number, enough: number): number {
    if (this.#files.get(fd) !== this.tap) return -EBADF;
    let total = 0;
    for (let i = 0; i < count; i++) {
      const frame = this.tap.read();
      if (typeof frame === 'number') return i > 0 ? i : frame;
      this.#range(offset + i * slot, slot).set(frame);
      this.#view.setInt32(lengths + 4 * i, frame.length, true);
      total += frame.length;
      if (total >= enough) return i + 1;
    }
    return count;
  }

  send(fd: number, offset: number, length: number, _flags: number): number {
    const file = this.#files.get(fd);
    const fault = this.#fault('send', file);
    if (fault !== 0) return -fault;
    const bytes = this.#range(offset, length);
    if (file instanceof FakeStream || file instanceof FakeDatagram || file instanceof FakeOpener || file instanceof FakeChannel)
      return file.send(bytes);
    return -EBADF;
  }

  receive(fd: number, offset: number, length: number, flags: number): number {
    const file = this.#files.get(fd);
    const fault = this.#fault('receive', file);
    if (fault !== 0) return -fault;
    if (file instanceof FakeStream) {
      return this.#store((flags & MSG_PEEK) !== 0 ? file.peek(length) : file.consume(length), offset, length);
    }
    if (!(file instanceof FakeDatagram)) return -EBADF;
    const batch = file.receive();
    return typeof batch === 'number' ? batch : this.#store(batch.bytes, offset, length);
  }

  discard(fd: number, length: number): number {
    const file = this.#files.get(fd);
    const fault = this.#fault('discard', file);
    if (fault !== 0) return -fault;
    return file instanceof FakeStream ? file.discard(length) : -EBADF;
  }

  peekBehind(fd: number, skip: number, offset: number, length: number): number {
    const file = this.#files.get(fd);
    const fault = this.#fault('peekBehind', file);
    if (fault !== 0) return -fault;
    if (skip < 0 || skip > 1 << 24) return -EINVAL;
    return file instanceof FakeStream ? this.#store(file.peekBehind(skip, length), offset, length) : -EBADF;
  }

  receiveWithDescriptors(fd: number, offset: number, length: number, fds: number, maxFds: number): number {
    const opener = this.#files.get(fd);
    if (!(opener instanceof FakeOpener)) return -EAGAIN;
    const answer = opener.take();
    if (answer === undefined) return opener.gone ? 0 : -EAGAIN;
    if (maxFds < 1 || answer.bytes.length > length) return -EMSGSIZE;
    this.#view.setInt32(fds, answer.file === null ? 0 : 1, true);
    if (answer.file !== null) this.#view.setInt32(fds + 4, this.install(answer.file), true);
    return this.#store(answer.bytes, offset, length);
  }

  receiveSegments(fd: number, offset: number, length: number, facts: number): number {
    return this.#receiveDatagram(fd, offset, length, (batch) => {
      this.#view.setInt32(facts, batch.segment, true);
      this.#view.setInt32(facts + 4, batch.trafficClass ?? 0, true);
    });
  }
  receiveBatch(fd: number, offset: number, slot: number, length: number, count: number, facts: number): number {
    for (let index = 0; index < count; index++) {
      const received = this.receiveSegments(fd, offset + index * slot, length, facts + 12 * index + 4);
      if (received < 0) return index > 0 ? index : received;
      this.#view.setInt32(facts + 12 * index, received, true);
    }
    return count;
  }

  receiveFrom(fd: number, offset: number, length: number, source: number): number {
    return this.#receiveDatagram(fd, offset, length, (batch) => this.#range(source, 20).set(addressedFacts(batch).subarray(0, 20)));
  }

  localName(fd: number, name: number): number {
    const file = this.#files.get(fd);
    if (!(file instanceof FakeStream)) return -EBADF;
    this.#range(name, 20).set(file.localAddress);
    this.#view.setInt32(name + 16, file.localPort, true);
    return 0;
  }

  accept(fd: number, peer: number): number {
    const file = this.#files.get(fd);
    const comer = file instanceof FakeListener ? file.accept() : -EBADF;
    if (typeof comer === 'number') return comer;
    this.#range(peer, 16).set(comer.address);
    this.#view.setInt32(peer + 16, comer.port, true);
    return this.install(comer.file);
  }

  receiveAddressed(fd: number, offset: number, length: number, facts: number): number {
    return this.#receiveDatagram(fd, offset, length, (batch) => this.#range(facts, 48).set(addressedFacts(batch)));
  }
  receiveDistant(fd: number, offset: number, length: number, hopLimit: number): number {
    return this.#receiveDatagram(fd, offset, length, (batch) => this.#view.setInt32(hopLimit, batch.hopLimit ?? 0, true));
  }
  receiveError(fd: number, offset: number, length: number, record: number): number {
    const file = this.#files.get(fd);
    if (!(file instanceof FakeDatagram || file instanceof FakeStream)) return -EBADF;
    const error = file.receiveError();
    if (error === undefined) return -EAGAIN;
    const { errno, origin, type, code, info } = error;
    for (const [at, value] of [errno, origin, type, code, info].entries()) this.#view.setInt32(record + 4 * at, value, true);
    this.#range(record + 20, 16).set(error.offender);
    this.#view.setInt32(record + 36, error.hopLimit ?? 0, true);
    return this.#store(error.payload, offset, length);
  }

  getOption(fd: number, level: number, name: number): number {
    const file = this.#files.get(fd);
    const fault = this.#fault('getOption', file);
    if (fault !== 0) return -fault;
    if (level !== SOL_SOCKET || name !== SO_ERROR) return -EINVAL;
    return file instanceof FakeStream || file instanceof FakeDatagram ? file.takeError() : -EBADF;
  }

  setOption(fd: number, level: number, name: number, value: number): number {
    const file = this.#files.get(fd);
    this.#count('setOption');
    const fault = this.#fault('setOption', file);
    if (fault !== 0) return -fault;
    if (file instanceof FakeDatagram && level === SOL_UDP && name === UDP_SEGMENT) return file.setSegment(value);
    if (file instanceof FakeDatagram) return file.setOption(level, name, value);
    if (!(file instanceof FakeStream)) return -EBADF;
    return level === SOL_SOCKET && name === SO_PEEK_OFF ? file.setPeekOffset(value) : file.setOption(level, name, value);
  }

  getOptionBytes(fd: number, level: number, name: number, offset: number, length: number): number {
    const file = this.#files.get(fd);
    const fault = this.#fault('getOptionBytes', file);
    if (fault !== 0) return -fault;
    if (!(file instanceof FakeStream)) return -EBADF;
    const facts = file.facts(level, name, length);
    if (facts === null) return -EINVAL;
    this.#range(offset, facts.length).set(facts);
    return facts.length;
  }

  setAbortive(fd: number): number {
    const file = this.#files.get(fd);
    if (!(file instanceof FakeStream)) return -EBADF;
    file.setAbortive();
    return 0;
  }

  shutdown(fd: number, how: number): number {
    const file = this.#files.get(fd);
    const fault = this.#fault('shutdown', file);
    if (fault !== 0) return -fault;
    if (how !== SHUT_WR) return -EINVAL;
    return file instanceof FakeStream ? file.shutdownWrite() : -EBADF;
  }

  close(fd: number): number {
    const file = this.#files.get(fd);
    if (file === undefined) throw new Error(`descriptor ${fd} was closed twice`);
    this.#epoll.forget(fd);
    this.#files.delete(fd);
    file.release();
    return 0;
  }

  checksum(offset: number, length: number, seed: number): number {
    return sum16(this.#range(offset, length), seed);
  }

  /** Takes what waits in a socket of datagrams, and first tells of it. */
  #receiveDatagram(fd: number, offset: number, length: number, tell: (batch: Batch) => void): number {
    const file = this.#files.get(fd);
    const batch = file instanceof FakeDatagram ? file.receive() : -EBADF;
    if (typeof batch === 'number') return batch;
    tell(batch);
    return this.#store(batch.bytes, offset, length);
  }

  /** A checked range of the arena. */
  #range(offset: number, length: number): Uint8Array {
    if (offset < 0 || length < 0 || offset + length > this.#bytes.length) throw new Error(`range ${offset}+${length} leaves the arena`);
    return this.#bytes.subarray(offset, offset + length);
  }

  #store(bytes: Uint8Array | number, offset: number, length: number): number {
    if (typeof bytes === 'number') return bytes;
    const stored = bytes.subarray(0, length);
    this.#range(offset, length).set(stored);
    return stored.length;
  }

  /** The errno that the test wants of this call, 0: it goes its way. */
  #fault(name: FaultyCall, file: FakeFile | undefined): number {
    this.#count(name);
    const errno = file instanceof FakeStream ? this.faults.get(name)?.shift() : undefined;
    if (errno === undefined) return 0;
    this.failed.push(`${name}: ${errno}`);
    return errno;
  }

  #count(name: string): void {
    this.calls.set(name, (this.calls.get(name) ?? 0) + 1);
  }
}
