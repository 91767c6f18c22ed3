/**
 * Watches what one end of a connection (the worker) says to the other (the guest), and throws at the first thing it may not say.
 *
 * Theory of operation. `heard` is told each segment that reached the worker, `said` each that the worker sends, in that order. So it is
 * known what the worker may know: which bytes it was given, up to where it may send, and which timestamps it may echo. A SYN of either
 * side with another number begins a connection.
 */
import { ACK, FIN, RST, type SackBlock, type Segment, SYN } from './guest_frame.ts';
import { SequenceSet } from './sequence_set.ts';

function insist(holds: boolean, what: string, segment: Segment): void {
  if (!holds) throw new Error(`${what}: ${describeSegment(segment)}`);
}

/** A segment in words, for the message of a failure. */
export function describeSegment({ seq, ack, flags, window, payload, sack, timestamp }: Segment): string {
  const names = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG'].filter((_, bit) => (flags & (1 << bit)) !== 0).join('|');
  const blocks = (sack ?? []).map(({ left, right }) => `${left}…${right}`).join(' ');
  const stamp = timestamp === undefined ? '' : ` ts=${timestamp.value},${timestamp.echo}`;
  return `${names} seq=${seq} ack=${ack} win=${window} len=${payload.length}${stamp}${blocks === '' ? '' : ` sack=${blocks}`}`;
}

function later(a: number, b: number): boolean {
  return ((a - b) | 0) > 0;
}

/** Payload and control bits that take a sequence number. */
function lengthOf({ payload, flags }: Segment): number {
  return payload.length + ((flags & SYN) !== 0 ? 1 : 0) + ((flags & FIN) !== 0 ? 1 : 0);
}

/** Bytes of options in the header of a segment that is no SYN. */
function optionBytesOf({ timestamp, sack }: Segment): number {
  return (timestamp === undefined ? 0 : 12) + (sack === undefined || sack.length === 0 ? 0 : 4 + 8 * sack.length);
}

export class TcpWatch {
  /** Worker's initial sequence number, null before its SYN. */
  iss: number | null = null;
  #guestSyn: Segment | null = null;
  #syn: Segment | null = null;
  /** Right edges: of what the worker has announced, and of what it may send. */
  #edge: number | null = null;
  #guestEdge: number | null = null;
  #given = new SequenceSet();
  /** The same since the worker last began: it may still know the connection before when that of a new SYN is not begun. */
  #givenSince = new SequenceSet();
  #lastValue: number | null = null;
  #lastEcho: number | null = null;
  readonly #values = new Set<number>();

  /** The worker gets `segment`, or a copy whose options it can't read. */
  heard(segment: Segment): void {
    if (segment.timestamp !== undefined) this.#values.add(segment.timestamp.value);
    if ((segment.flags & RST) !== 0) return;
    if ((segment.flags & SYN) !== 0) {
      if (this.#guestSyn?.seq !== segment.seq) this.#given = new SequenceSet();
      this.#guestSyn = segment;
    }
    const end = (segment.seq + lengthOf(segment)) | 0;
    this.#given.add(segment.seq, end);
    this.#givenSince.add(segment.seq, end);
    if ((segment.flags & ACK) === 0) return;
    const scaled = (segment.flags & SYN) === 0 && this.#syn?.windowScale !== undefined;
    const edge = (segment.ack + (segment.window << (scaled ? (this.#guestSyn?.windowScale ?? 0) : 0))) | 0;
    if (this.#guestEdge === null || later(edge, this.#guestEdge)) this.#guestEdge = edge;
  }

  /** The worker sends `segment`. */
  said(segment: Segment): void {
    if ((segment.flags & RST) !== 0) return;
    if ((segment.flags & SYN) !== 0) this.#begin(segment);
    else if (this.#syn === null) return;
    this.#checkTimestamp(segment);
    if ((segment.flags & ACK) !== 0) {
      this.#checkAck(segment);
      this.#checkSack(segment);
      this.#checkWindow(segment);
    }
    this.#checkData(segment);
  }

  #begin(segment: Segment): void {
    const answers = (segment.flags & ACK) !== 0;
    insist(segment.mss !== undefined && segment.mss >= 48, 'a SYN without MSS', segment);
    if (answers) {
      const { windowScale, sackPermitted, timestamp } = this.#guestSyn ?? segment;
      insist(segment.windowScale === undefined || windowScale !== undefined, 'a window scale that was not offered', segment);
      insist(segment.sackPermitted === undefined || sackPermitted === true, 'SACK that was not offered', segment);
      insist(segment.timestamp === undefined || timestamp !== undefined, 'a timestamp that was not offered', segment);
    }
    if (segment.seq === this.iss) {
      const options = ({ mss, windowScale, sackPermitted }: Segment): string => `${mss} ${windowScale} ${sackPermitted}`;
      const same = this.#syn !== null && options(this.#syn) === options(segment);
      insist(same || (answers && ((this.#syn?.flags ?? 0) & ACK) === 0), 'a SYN that was repeated with other options', segment);
    } else {
      this.iss = segment.seq;
      this.#givenSince = new SequenceSet();
      this.#edge = null;
      this.#guestEdge = null;
      this.#lastEcho = null;
      this.#lastValue = null;
    }
    this.#syn = segment;
  }

  #checkTimestamp(segment: Segment): void {
    const offered = this.#syn?.timestamp !== undefined;
    const agreed = offered && this.#guestSyn?.timestamp !== undefined;
    const { timestamp } = segment;
    if ((segment.flags & SYN) === 0)
      insist((timestamp !== undefined) === agreed, 'a timestamp missing, or one that was not agreed on', segment);
    if (timestamp === undefined) return;
    insist(this.#lastValue === null || !later(this.#lastValue, timestamp.value), 'a timestamp that goes back', segment);
    this.#lastValue = timestamp.value;
    if ((segment.flags & ACK) === 0) return;
    insist(this.#values.has(timestamp.echo), 'an echo of what was never sent', segment);
    insist(this.#lastEcho === null || !later(this.#lastEcho, timestamp.echo), 'an echo that goes back', segment);
    this.#lastEcho = timestamp.echo;
  }

  #checkAck(segment: Segment): void {
    const first = this.#guestSyn?.seq;
    if (first === undefined) return;
    insist(!later(segment.ack, this.#given.endFrom(first)), 'an ACK of what was never given', segment);
  }

  /** RFC 2018 §3, §4 and RFC 2883 §4. */
  #checkSack(segment: Segment): void {
    const blocks = segment.sack ?? [];
    if (blocks.length === 0) return;
    const agreed = this.#syn?.sackPermitted === true && this.#guestSyn?.sackPermitted === true;
    insist(agreed, 'SACK that was not agreed on', segment);
    for (const { left, right } of blocks) {
      insist(later(right, left), 'an empty SACK block', segment);
      insist(this.#given.covers(left, right) || this.#givenSince.covers(left, right), 'SACK of what was never given', segment);
    }
    const [first, second] = blocks as [SackBlock, SackBlock | undefined];
    const below = !later(first.right, segment.ack);
    const within = second !== undefined && !later(second.left, first.left) && !later(first.right, second.right);
    const islands = below || within ? blocks.slice(1) : blocks;
    for (const { left } of islands) insist(later(left, segment.ack), 'a SACK block at or below the ACK', segment);
    const sorted = [...islands].sort((a, b) => (a.left - b.left) | 0);
    for (let i = 1; i < sorted.length; i++) {
      const [before, behind] = [sorted[i - 1] as SackBlock, sorted[i] as SackBlock];
      insist(later(behind.left, before.right), 'SACK blocks that touch', segment);
    }
  }

  #checkWindow(segment: Segment): void {
    const scaled = (segment.flags & SYN) === 0 && this.#guestSyn?.windowScale !== undefined;
    const shift = scaled ? (this.#syn?.windowScale ?? 0) : 0;
    const edge = (segment.ack + (segment.window << shift)) | 0;
    const shrunk = this.#edge === null ? 0 : (this.#edge - edge) | 0;
    insist(shrunk < 1 << shift, `the window has shrunk by ${shrunk}`, segment);
    if (this.#edge === null || later(edge, this.#edge)) this.#edge = edge;
  }

  #checkData(segment: Segment): void {
    if (segment.payload.length === 0) return;
    const optionBytes = optionBytesOf(segment);
    const beyond = this.#guestEdge === null ? 0 : (segment.seq + segment.payload.length - this.#guestEdge) | 0;
    // RFC 9293 §3.8.6.1: a closed window may be asked for with a byte.
    const probes = segment.payload.length === 1 && beyond === 1;
    insist(beyond <= 0 || probes, `${beyond} bytes were sent beyond the guest's window`, segment);
    const each = segment.gsoSize > 0 ? segment.gsoSize : segment.payload.length;
    const most = this.#guestSyn?.mss ?? 1220;
    insist(each + optionBytes <= most, `a packet of ${each} bytes and ${optionBytes} of options where ${most} are allowed`, segment);
  }
}
