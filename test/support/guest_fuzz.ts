/**
 * A worker among a guest, far ends, an opener and a tap that do what they like: after each turn, what must hold whatever comes.
 *
 * Theory of operation. A seed decides everything. Before each batch of frames the slots they come in are filled with POISON, which no
 * frame has: were it ever sent anywhere, a length was believed that no check has seen. The same fills the parts of the arena that belong to
 * nobody: were they ever changed, something was written where it does not belong. In the end all time limits pass, and nothing
 * may be left.
 */
import { FAR, FREE, GUEST, KIND, NEWER, OLDER, ROW, rows } from '../../worker/flow/row.ts';
import { descriptorCount, find, flowCount, key, KEY_FAR, KEY_GUEST } from '../../worker/flow/table.ts';
import { PORTS, PROTOCOL } from '../../worker/flow/row.ts';
import * as arena from '../../worker/link/arena.ts';
import { bytes } from '../../worker/wire/memory.ts';
import { MAX_REASSEMBLIES } from '../../shared/limits.ts';
import { Verb } from '../../shared/opener.ts';
import { packetsWaiting } from '../../worker/fragment/store.ts';
import { FakeDatagram, type SocketError } from './fake_datagram.ts';
import { FakeStream } from './fake_stream.ts';
import { hostileFrame, Random } from './frame_mutation.ts';
import { parseFrame } from './guest_frame.ts';
import { pattern } from './tcp_dialogue.ts';
import { checkFlows } from './tcp_invariants.ts';
import { Workbench } from './workbench.ts';

const POISON = Uint8Array.from('nobody has sent this', (letter) => letter.charCodeAt(0) ^ 0x80);
/** Arena that belongs to nobody: from, to. */
const GAPS: readonly (readonly [number, number])[] = [
  [arena.SOCKET_FACTS + arena.SOCKET_FACTS_SIZE, arena.EVENTS],
  [arena.DATAGRAM_FACTS + 12 * arena.DATAGRAM_SLOTS, arena.CHANNEL_IN],
  [arena.RECEIVE_LENGTHS + 4 * arena.RECEIVE_SLOTS, arena.RECEIVE],
  [arena.TRANSMIT_PAYLOAD + 65_536, arena.FRAGMENT_FRAME],
  [arena.SPLIT + 65_536, arena.DATAGRAMS],
  ...Array.from({ length: arena.DATAGRAM_SLOTS }, (_, slot): readonly [number, number] => {
    const from = arena.DATAGRAMS + slot * arena.SLOT;
    return [from + arena.TRANSMIT_HEADROOM + 65_536, from + arena.SLOT];
  }),
  ...Array.from({ length: MAX_REASSEMBLIES }, (_, slot): readonly [number, number] => {
    const from = arena.REASSEMBLIES + slot * arena.SLOT;
    return [from + 512 + 65_535, from + arena.SLOT];
  }),
];
const ERRNOS = [1, 13, 99, 101, 110, 111, 113];
const FLOWS = 24;
const DESCRIPTORS = 16;

function poison(from: number, to: number): void {
  for (let at = from; at < to; at += POISON.length) bytes.set(POISON.subarray(0, Math.min(POISON.length, to - at)), at);
}

function insist(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

function expectClean(sent: Uint8Array, where: string): void {
  insist(Buffer.from(sent.buffer, sent.byteOffset, sent.length).indexOf(POISON) < 0, `${where}: bytes that nobody has sent`);
}

/** What has been seen of one run or several. */
export interface Seen {
  frames: number;
  /** Frames of the worker, and sends to the host's side. */
  toGuest: number;
  toHost: number;
  flows: number;
}

class Fuzz {
  readonly #random: Random;
  readonly #bench: Workbench;
  #datagrams: FakeDatagram[] = [];
  #streams: FakeStream[] = [];
  readonly #seen: Seen;

  constructor(seed: number, seen: Seen) {
    this.#random = new Random(seed);
    this.#seen = seen;
    this.#bench = new Workbench({
      flows: FLOWS,
      descriptors: DESCRIPTORS,
      mtu: this.#random.pick([1280, 1500, 65_520]),
      offloads: this.#random.pick([0x67, 0x07]),
      peekOffset: this.#random.oneIn(2),
      timeouts: { handshake: 3000, idle: 8000, halfClosed: 4000, keepAlive: this.#random.pick([0, 2000]) },
      udpTimeouts: { unanswered: 2000, answered: 5000 },
    });
    for (const [from, to] of GAPS) poison(from, to);
  }

  step(): void {
    switch (this.#random.below(10)) {
      case 0:
      case 1:
        this.#answerOpener();
        break;
      case 2:
        this.#socketOfDatagrams();
        break;
      case 3:
        this.#connection();
        break;
      case 4:
        if (this.#random.oneIn(2)) this.#bench.advance(this.#random.pick([1, 50, 300, 900, 1300, 2100, 5200]));
        else this.#bench.kernel.tap.refuse = this.#random.oneIn(4) ? () => (this.#random.oneIn(2) ? 11 : 0) : () => 0;
        break;
      default:
        this.#frames();
    }
    this.check();
  }

  #frames(): void {
    poison(arena.RECEIVE, arena.TRANSMIT);
    for (let left = 1 + this.#random.below(40); left > 0; left--) {
      this.#bench.kernel.tap.send(hostileFrame(this.#random));
      this.#seen.frames++;
    }
    this.#bench.turn();
  }

  #answerOpener(): void {
    const { opener } = this.#bench.kernel;
    const request = this.#random.pick([...opener.requests.slice(0, 3), undefined]);
    if (request === undefined) {
      if (this.#random.oneIn(5)) opener.room = this.#random.below(3);
      else {
        opener.room = 0;
        opener.makeRoom(Number.POSITIVE_INFINITY);
      }
    } else if (this.#random.oneIn(5)) opener.answer(-this.#random.pick(ERRNOS), null, request);
    else if (request.verb === Verb.TCP_CONNECT) {
      const stream = new FakeStream();
      this.#streams.push(stream);
      opener.answer(0, stream, request);
    } else {
      const socket = new FakeDatagram();
      socket.mtu = this.#random.pick([1500, 9000, 65_535]);
      this.#datagrams.push(socket);
      opener.answer(request.sourcePort === 0 ? 40_000 : request.sourcePort, socket, request);
    }
    this.#bench.turn();
  }

  #error(): SocketError {
    const random = this.#random;
    return {
      errno: random.pick([...ERRNOS, 90]),
      origin: random.pick([1, 2, 3]),
      type: random.pick([1, 2, 3, 4, 11, 12]),
      code: random.below(16),
      info: random.pick([0, 576, 1280, random.next() | 0]),
      offender: Uint8Array.from([...new Array<number>(10).fill(0), 255, 255, 10, 0, 0, 9]),
      payload: pattern(random.pick([0, 7, 8, 9, 40, 1300])),
      hopLimit: random.below(256),
    };
  }

  #socketOfDatagrams(): void {
    const random = this.#random;
    this.#datagrams = this.#datagrams.filter(({ closed }) => !closed);
    const socket = random.pick([...this.#datagrams, undefined]);
    if (socket === undefined) return;
    const size = random.pick([0, 1, 8, 100, 1400, 3000, 65_507]);
    const whole = pattern(size);
    const address = Uint8Array.from([...new Array<number>(10).fill(0), 255, 255, random.pick([127, 198, 224, 0]), 0, 0, random.below(3)]);
    if (random.oneIn(4)) socket.fail(this.#error());
    else if (random.oneIn(4)) socket.failSend(this.#error());
    else {
      const distance = random.below(256);
      socket.comeFrom({ address, port: random.below(3) * 1000 }, whole, {
        segment: random.oneIn(3) && size > 100 ? 100 : 0,
        hopLimit: distance,
        trafficClass: distance,
      });
    }
    this.#bench.turn();
  }

  #connection(): void {
    const random = this.#random;
    this.#streams = this.#streams.filter(({ closed }) => !closed);
    const stream = random.pick([...this.#streams, undefined]);
    if (stream === undefined) return;
    switch (random.below(6)) {
      case 0:
      case 1:
        if (!stream.connected && !stream.dead) stream.accept();
        break;
      case 2:
        if (stream.connected) stream.write(pattern(random.pick([1, 1000, 100_000])));
        break;
      case 3:
        stream.read(random.pick([1, 100_000]));
        break;
      case 4:
        if (stream.connected) stream.end();
        break;
      default:
        if (stream.connected) stream.reset();
        else if (!stream.dead) stream.refuse(111);
    }
    this.#bench.turn();
  }

  check(): void {
    this.#bench.settle();
    checkFlows(this.#bench.kernel);
    this.#checkTable();
    this.#checkSent();
    for (const [from, to] of GAPS)
      for (let at = from; at < to; at += 4096 + 13)
        insist(bytes[at] === POISON[(at - from) % POISON.length], `byte ${at} of the arena, which is nobody's, was changed`);
    insist(packetsWaiting <= MAX_REASSEMBLIES, `${packetsWaiting} packets wait for fragments`);
  }

  #checkTable(): void {
    const taken = this.#bench.takenRows();
    insist(flowCount <= FLOWS && descriptorCount <= DESCRIPTORS, `${flowCount} flows with ${descriptorCount} descriptors`);
    insist(this.#bench.kernel.openFlows() <= descriptorCount, `${this.#bench.kernel.openFlows()} sockets, ${descriptorCount} counted`);
    const words = key.slice();
    for (const flow of taken) {
      const row = flow * ROW;
      for (let word = 0; word < 4; word++) {
        key[KEY_GUEST + word] = rows[row + GUEST + word] as number;
        key[KEY_FAR + word] = rows[row + FAR + word] as number;
      }
      insist(find(rows[row + PORTS] as number, rows[row + PROTOCOL] as number) === flow, `flow ${flow} is not found by its own key`);
      const [older, newer] = [(rows[row + OLDER] as number) - 1, (rows[row + NEWER] as number) - 1];
      if (rows[row + KIND] === 1) continue;
      if (older >= 0) insist(rows[older * ROW + KIND] !== FREE && rows[older * ROW + NEWER] === flow + 1, `the flow older than ${flow}`);
      if (newer >= 0) insist(rows[newer * ROW + KIND] !== FREE && rows[newer * ROW + OLDER] === flow + 1, `the flow younger than ${flow}`);
    }
    key.set(words);
  }

  #checkSent(): void {
    const { toGuest } = this.#bench.kernel.tap;
    this.#seen.toGuest += toGuest.length;
    for (const frame of toGuest.splice(0)) {
      expectClean(frame, 'to the guest');
      const ipv4 = frame[22] === 8 && frame[23] === 0;
      const isFragment = ipv4 ? ((frame[30] as number) & 0x3f) !== 0 || frame[31] !== 0 : frame[30] === 44;
      if ((frame[22] === 8 && frame[23] === 6) || isFragment) continue;
      const ends = { guestMac: frame.subarray(10, 16), ourMac: bytes.slice(arena.OUR_MAC, arena.OUR_MAC + 6) };
      parseFrame(frame, { ...ends, guest: frame.subarray(0, 0), far: frame.subarray(0, 0) });
    }
    for (const socket of this.#datagrams) {
      this.#seen.toHost += socket.sent.length;
      for (const datagram of socket.sent.splice(0)) expectClean(datagram, 'to the host');
    }
    for (const stream of this.#streams) expectClean(stream.outgoing.peek(0, stream.outgoing.length), 'to a connection');
  }

  /** All time limits pass. */
  end(): void {
    const { opener, tap } = this.#bench.kernel;
    this.#seen.flows +=
      this.#bench.counter('udp_flows_opened') + this.#bench.counter('ping_flows_opened') + this.#bench.counter('tcp_flows_opened');
    tap.refuse = () => 0;
    opener.room = 0;
    opener.makeRoom(Number.POSITIVE_INFINITY);
    this.#bench.settle();
    while (opener.requests.length > 0) {
      opener.answer(-110, null);
      this.#bench.settle();
    }
    // A kernel gives up by itself to connect.
    for (const stream of this.#streams) if (!stream.connected && !stream.dead && !stream.closed) stream.refuse(110);
    this.#bench.advance(300_000);
    this.check();
    const kinds = this.#bench.takenRows().map((flow) => rows[flow * ROW + KIND]);
    insist(kinds.length === 0, `flows of kinds ${kinds} are left`);
    this.#bench.expectNothingLeft();
  }
}

/** Plays `steps` steps from a seed; throws what was wrong, with the seed. */
export function fuzz(seed: number, steps: number, seen: Seen): void {
  try {
    const run = new Fuzz(seed, seen);
    for (let step = 0; step < steps; step++) run.step();
    run.end();
  } catch (error) {
    throw new Error(`RAVIOLI_SEED=${seed}: ${(error as Error).message}`, { cause: error });
  }
}
