/** UDP and ping sockets of the fake kernel; the test plays who they are connected to. */
import { EAGAIN, EINVAL, EMSGSIZE, EPOLLERR, EPOLLIN, EPOLLOUT, FakeFile } from './fake_file.ts';

/** IPv4 and UDP; and UDP_MAX_SEGMENTS. */
const HEADERS = 28;
const LARGEST = 65_535;
const MOST_SEGMENTS = 64;

/** What one receive call gives: one datagram, or several of `segment` bytes that UDP_GRO has joined. */
export interface Batch {
  bytes: Uint8Array;
  segment: number;
  sender?: Sender;
  trafficClass?: number;
  hopLimit?: number;
}

/** Who has sent to a socket that is connected to nobody: 16 bytes of address, and the port. */
export interface Sender {
  address: Uint8Array;
  port: number;
  /** Which of our addresses it has asked, and by which link it came; told where a listener hears it. */
  to?: Uint8Array;
  link?: number;
}

/** The 48 bytes that receiveAddressed stores for a batch (native/worker.d.ts). */
export function addressedFacts({ sender, segment, trafficClass }: Batch): Uint8Array {
  if (sender === undefined) throw new Error('a datagram of nobody');
  const facts = new DataView(new ArrayBuffer(48));
  const bytes = new Uint8Array(facts.buffer);
  bytes.set(sender.address);
  facts.setInt32(16, sender.port, true);
  bytes.set(sender.to ?? new Uint8Array(16), 20);
  facts.setInt32(36, sender.link ?? 0, true);
  facts.setInt32(40, segment, true);
  facts.setInt32(44, trafficClass ?? 0, true);
  return bytes;
}

/** An entry of a socket's error queue: struct sock_extended_err, who complains (16 bytes), and the payload in error. */
export interface SocketError {
  errno: number;
  origin: number;
  type: number;
  code: number;
  info: number;
  offender: Uint8Array;
  payload: Uint8Array;
  /** Of the ICMP error, as IP_RECVTTL tells. */
  hopLimit?: number;
}

export class FakeDatagram extends FakeFile {
  /** Datagrams the worker has sent. */
  readonly sent: Uint8Array[] = [];
  /** errno of the next sends. */
  readonly sendErrors: number[] = [];
  /** Bytes of each call that has sent something. */
  readonly calls: number[] = [];
  /** Calls that were refused as too large. */
  refused = 0;
  /** UDP_SEGMENT of the socket. */
  segment = 0;
  /** Of the path: bytes of an IP packet. */
  mtu = 65_535;
  /** Options by level and name, as they are now; and of each datagram sent, as they were then. */
  readonly options = new Map<string, number>();
  readonly sentWith: ReadonlyMap<string, number>[] = [];
  /** Every option that was set, in order. */
  readonly changes: string[] = [];
  closed = false;
  readonly #incoming: Batch[] = [];
  readonly #errors: SocketError[] = [];
  /** sk_err: reported once, by whichever call comes first. */
  #pending = 0;
  readonly #refusals: SocketError[] = [];

  poll(): number {
    return EPOLLOUT | (this.#incoming.length > 0 ? EPOLLIN : 0) | (this.#errors.length > 0 || this.#pending !== 0 ? EPOLLERR : 0);
  }

  release(): void {
    this.closed = true;
  }

  send(bytes: Uint8Array): number {
    if (this.#pending !== 0) return -this.takeError();
    const refused = this.#refusals.shift();
    if (refused !== undefined) {
      this.#errors.push(refused);
      return -refused.errno;
    }
    const errno = this.sendErrors.shift();
    if (errno !== undefined) return -errno;
    // The kernel fragments a datagram that exceeds the path's MTU, but not one of a socket with UDP_SEGMENT.
    const each = this.segment > 0 ? Math.min(this.segment, bytes.length) : 0;
    if (each + HEADERS > this.mtu || (this.segment > 0 && bytes.length + HEADERS > LARGEST)) return this.#refuse();
    if (this.segment > 0 && bytes.length > MOST_SEGMENTS * this.segment) return -EINVAL;
    this.calls.push(bytes.length);
    const first = this.sent.length;
    if (each === 0) this.sent.push(bytes.slice());
    for (let at = 0; each > 0 && at < bytes.length; at += each) this.sent.push(bytes.slice(at, at + each));
    for (let count = first; count < this.sent.length; count++) this.sentWith.push(new Map(this.options));
    return bytes.length;
  }

  #refuse(): number {
    this.refused++;
    return -EMSGSIZE;
  }

  setSegment(value: number): number {
    if (value < 0 || value > 65_535) return -EINVAL;
    this.segment = value;
    return 0;
  }

  setOption(level: number, name: number, value: number): number {
    this.options.set(`${level}.${name}`, value);
    this.changes.push(`${level}.${name}`);
    return 0;
  }

  /** The next batch, or −errno. */
  receive(): Batch | number {
    if (this.#pending !== 0) return -this.takeError();
    return this.#incoming.shift() ?? -EAGAIN;
  }

  /** Takes the oldest entry of the error queue; what is reported next is the errno of the one behind it. */
  receiveError(): SocketError | undefined {
    const error = this.#errors.shift();
    if (error !== undefined) this.#pending = this.#errors[0]?.errno ?? 0;
    return error;
  }

  takeError(): number {
    const errno = this.#pending;
    this.#pending = 0;
    return errno;
  }

  /** The far end answers; `segment` > 0: several datagrams that the kernel has joined. */
  answer(bytes: Uint8Array, segment = 0, hopLimit = 0): void {
    this.#incoming.push({ bytes, segment, hopLimit });
    this.wake(EPOLLIN);
  }

  /** The far end answers with a TOS or traffic class. */
  answerMarked(bytes: Uint8Array, segment: number, trafficClass: number): void {
    this.#incoming.push({ bytes, segment, hopLimit: 0, trafficClass });
    this.wake(EPOLLIN);
  }

  /** Somebody sends to a socket that is connected to nobody. */
  answerFrom(address: Uint8Array, port: number, bytes: Uint8Array): void {
    this.#incoming.push({ bytes, segment: 0, sender: { address, port } });
    this.wake(EPOLLIN);
  }

  /** Somebody sends to a listener; the same, with what it tells, and what the kernel tells of it. */
  comeFrom(sender: Sender, bytes: Uint8Array, facts: Partial<Batch> = {}): void {
    this.#incoming.push({ bytes, segment: 0, sender, ...facts });
    this.wake(EPOLLIN);
  }

  /** The next send finds out that it can't be. */
  failSend(error: SocketError): void {
    this.#refusals.push(error);
  }

  /** An error comes for something that was sent. */
  fail(error: SocketError): void {
    this.#errors.push(error);
    this.#pending = error.errno;
    this.wake(EPOLLERR);
  }
}
