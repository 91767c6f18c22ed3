/**
 * The wire between the guest and the worker: what is on it, in which order, and what happens to it there. Each segment that gets through
 * is watched (tcp_watch.ts).
 */
import { buildError, buildSegment, type Ends, FIN, PSH, parseFrame, readSegment, type Segment, SYN } from './guest_frame.ts';
import { SackWatch } from './sack_watch.ts';
import { TcpWatch } from './tcp_watch.ts';
import type { Workbench } from './workbench.ts';

/** A frame on its way to the worker, and what the guest has said in it. */
interface Outgoing {
  segment: Segment;
  frame: Uint8Array;
  damaged: boolean;
}

const L4_IPV4 = 44;
const L4_IPV6 = 64;
/** What routers tell of the next link; 0: nothing (RFC 1191 §7). */
const MTUS = [0, 300, 576, 1000, 1300] as const;
/** The option that is never spoilt: without it a guest is sent larger packets than it can take. */
const MSS = 2;

/** What a superframe is cut into; only the last has PSH and FIN. */
function packetsOf(segment: Segment): Segment[] {
  const { gsoSize, payload, flags, seq } = segment;
  if (gsoSize === 0) return [segment];
  return Array.from({ length: Math.ceil(payload.length / gsoSize) }, (_, index) => {
    const from = index * gsoSize;
    const last = from + gsoSize >= payload.length;
    const part = payload.subarray(from, from + gsoSize);
    return { ...segment, gsoSize: 0, seq: (seq + from) | 0, payload: part, flags: last ? flags : flags & ~(PSH | FIN) };
  });
}

export class TcpWire {
  readonly watch = new TcpWatch();
  readonly sackWatch = new SackWatch();
  /** Called with each segment of the worker, before it is on the wire. */
  seen: (segment: Segment) => void = () => {};

  /** Whether a SYN of the guest may be damaged, too. */
  damagesSyn = false;
  /** Whether superframes of the worker are cut into packets. */
  cuts = false;

  readonly #bench: Workbench;
  readonly #ends: Ends;
  readonly #toWorker: Outgoing[] = [];
  readonly #toGuest: Segment[] = [];

  constructor(bench: Workbench, ends: Ends) {
    this.#bench = bench;
    this.#ends = ends;
  }

  /** How many are on their way. */
  count(toGuest: boolean): number {
    return this.#queue(toGuest).length;
  }

  /** The guest sends. */
  send(segment: Segment): void {
    this.#toWorker.push({ segment, frame: buildSegment(this.#ends, segment), damaged: false });
  }

  /** Takes what the worker has sent. */
  collect(): void {
    for (const frame of this.#bench.kernel.tap.toGuest.splice(0)) {
      const segment = this.#watched(frame);
      if (segment !== null) this.#toGuest.push(...(this.cuts ? packetsOf(segment) : [segment]));
    }
  }

  /** The tap refuses `frame`, behind all others so far: the worker has said it all the same. */
  refused(frame: Uint8Array): void {
    this.collect();
    this.#watched(frame);
  }

  /** The segment of a frame of the worker; null when it is none. */
  read(frame: Uint8Array): Segment | null {
    const packet = parseFrame(frame, this.#ends);
    return packet.protocol === 6 ? readSegment(packet) : null;
  }

  /** The segment of a frame of the worker, found right; null: an ICMP error about a connection that could not be made. */
  #watched(frame: Uint8Array): Segment | null {
    const segment = this.read(frame);
    if (segment === null) return null;
    this.watch.said(segment);
    this.seen(segment);
    this.sackWatch.said(segment);
    return segment;
  }

  /** Hands frame `at` to the worker; its loop has not run then. */
  passToWorker(at: number): void {
    const [outgoing] = this.#toWorker.splice(at, 1);
    if (outgoing === undefined) return;
    // What was sent before this arrives was said before.
    this.collect();
    this.watch.heard(outgoing.segment);
    this.sackWatch.heard(outgoing.segment, !outgoing.damaged);
    this.#bench.kernel.tap.send(outgoing.frame);
  }

  /** Takes segment `at` off the wire for the guest. */
  takeForGuest(at: number): Segment | undefined {
    return this.#toGuest.splice(at, 1)[0];
  }

  /** What one packet may suffer: `drop`, `double`, `last` (it goes behind all others). */
  disturb(toGuest: boolean, how: 'drop' | 'double' | 'last', at: number, place = 0): void {
    const queue: unknown[] = this.#queue(toGuest);
    if (queue.length === 0) return;
    const index = at % queue.length;
    if (how === 'double') queue.splice(place % queue.length, 0, queue[index]);
    else {
      const [taken] = queue.splice(index, 1);
      if (how === 'last') queue.push(taken);
    }
  }

  /** A router behind the guest loses a segment and says that it is too big: `n` chooses which, and how large packets may be. */
  complain(n: number): void {
    const segment = this.#toGuest[n % Math.max(this.#toGuest.length, 1)];
    if (segment === undefined) return;
    this.#toGuest.splice(this.#toGuest.indexOf(segment), 1);
    const [type, code] = this.#ends.guest.length === 4 ? [3, 4] : [2, 0];
    const mtu = MTUS[(n >>> 4) % MTUS.length] as number;
    const { sourcePort, destinationPort, seq } = segment;
    this.#bench.kernel.tap.send(buildError(this.#ends, type as number, code as number, mtu, 6, [sourcePort, destinationPort, seq]));
  }

  /** All that is on the wire is lost. */
  clear(): void {
    this.#toWorker.length = 0;
    this.#toGuest.length = 0;
  }

  /** Spoils the length of an option, or the length of the header, of a frame of the guest: `n` chooses which, and how. */
  damage(n: number): void {
    const outgoing = this.#toWorker[n % Math.max(this.#toWorker.length, 1)];
    // What answers a SYN of the worker, and is not understood, leads to two ends that disagree: checksums are there against that.
    if (outgoing === undefined || outgoing.damaged || ((outgoing.segment.flags & SYN) !== 0 && !this.damagesSyn)) return;
    const frame = outgoing.frame.slice();
    const l4 = this.#ends.guest.length === 4 ? L4_IPV4 : L4_IPV6;
    const end = l4 + ((frame[l4 + 12] as number) >> 4) * 4;
    const lengths: number[] = [];
    for (let at = l4 + 20; at < end; at += frame[at] === 1 ? 1 : (frame[at + 1] as number))
      if (frame[at] !== 1 && frame[at] !== MSS) lengths.push(at + 1);
    const which = lengths[n % (lengths.length + 1)];
    if (which === undefined) frame[l4 + 12] = [0, 0x10, 0x40][(n >>> 4) % 3] as number;
    else frame[which] = [0, 1, 41, 255][(n >>> 4) % 4] as number;
    const at = this.#toWorker.indexOf(outgoing);
    this.#toWorker[at] = { ...outgoing, frame, damaged: true };
  }

  #queue(toGuest: boolean): unknown[] {
    return toGuest ? this.#toGuest : this.#toWorker;
  }
}
