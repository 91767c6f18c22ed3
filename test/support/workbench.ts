/**
 * The worker's loop on a test's bench: real worker, fake kernel, clock moved by hand.
 *
 * The worker's state lives in its modules, so there is one worker per process; each bench starts it anew.
 */
import { EPOLLIN, watchDescriptor } from '../../worker/flow/watch.ts';
import { askingAgain, nextAgain } from '../../worker/flow/again.ts';
import { forgetNeighbours } from '../../worker/flow/neighbours.ts';
import { setObserved } from '../../worker/flow/observed.ts';
import { setForwarding, setResolvers } from '../../worker/flow/forward.ts';
import { flowHash, setHashKey } from '../../worker/flow/hash.ts';
import { dropOldest, oldestRecord, setLogLevel } from '../../worker/flow/journal.ts';
import { setLoopbacks } from '../../worker/flow/loopback.ts';
import { HOST, NAMESPACE, sendKept, setOpener } from '../../worker/flow/opener.ts';
import { bindRows, coldRows, KIND, ROW, rows } from '../../worker/flow/row.ts';
import { flowCount, key, KEY_FAR, KEY_GUEST, openTable, rowsInUse } from '../../worker/flow/table.ts';
import { openUnanswered } from '../../worker/flow/unanswered.ts';
import { openWaiting } from '../../worker/flow/waiting.ts';
import { openReassemblies, packetsWaiting } from '../../worker/fragment/store.ts';
import { setProtocols } from '../../worker/guest.ts';
import { ARENA_SIZE, BUFFER_BLOCK_COUNT, GUEST_MAC, OUR_MAC } from '../../worker/link/arena.ts';
import { counters } from '../../worker/link/counters.ts';
import { bindKernel } from '../../worker/link/kernel.ts';
import { setLinkMtu } from '../../worker/link/mtu.ts';
import { takeTap, watchLink } from '../../worker/guest_link.ts';
import { openAdvertiser } from '../../worker/local/advertiser.ts';
import { setDhcp } from '../../worker/local/dhcp.ts';
import { setDhcpv6 } from '../../worker/local/dhcpv6.ts';
import { openMemberships } from '../../worker/local/groups.ts';
import { setIdentity } from '../../worker/local/identity.ts';
import { openNames, setNames } from '../../worker/local/names.ts';
import { openRouter, setRouter } from '../../worker/local/router.ts';
import { OPENER_HOST, OPENER_NAMESPACE, openLoop, turn } from '../../worker/loop.ts';
import { setSpliceTimeouts } from '../../worker/splice/expiry.ts';
import { openPipes, pipesFree } from '../../worker/splice/pipes.ts';
import { flushAcknowledgements } from '../../worker/tcp/acknowledge.ts';
import { openToGuest } from '../../worker/tcp/inbound.ts';
import { openReassembly, rangesTaken } from '../../worker/tcp/reassembly.ts';
import { blocksTaken, buffersTaken, keep, openReceiveBuffers, releaseBuffer } from '../../worker/tcp/receive_buffer.ts';
import { blocksSacked, openScoreboard } from '../../worker/tcp/scoreboard.ts';
import { setTimeouts, type Timeouts } from '../../worker/tcp/timeout.ts';
import { setPeekOffset } from '../../worker/tcp/transmit.ts';
import { type DatagramTimeouts, setDatagramTimeouts } from '../../worker/flow/idle.ts';
import { openWatchdog } from '../../worker/watchdog.ts';
import { bindMemory, bytes } from '../../worker/wire/memory.ts';
import { Counter, type CounterName } from '../../shared/counters.ts';
import { addressFromBytes, parseAddress } from '../../shared/addresses.ts';
import { DEFAULT_TCP_TIMEOUTS, DEFAULT_UDP_TIMEOUTS, FLOW_ROW_BYTES } from '../../shared/limits.ts';
import { LogLevel } from '../../shared/messages.ts';
import { FakeKernel } from './fake_kernel.ts';
import type { FakeStream } from './fake_stream.ts';
import { type Ends, type Packet, parseFrame } from './guest_frame.ts';

const MAC = { our: new Uint8Array([0x9a, 0x55, 0x9a, 0x55, 0x9a, 0x55]), guest: new Uint8Array([2, 0, 0, 0, 0, 7]) };

function address(text: string): Uint8Array {
  const parsed = parseAddress(text);
  if (parsed === null) throw new Error(`${text} is no address`);
  return parsed;
}

/** The guest and some host far away. */
export const ENDS4: Ends = {
  guest: address('192.0.2.2').slice(12),
  far: address('198.51.100.7').slice(12),
  guestMac: MAC.guest,
  ourMac: MAC.our,
};
export const ENDS6: Ends = { guest: address('2001:db8::2'), far: address('2001:db8:ffff::7'), guestMac: MAC.guest, ourMac: MAC.our };

export const MAPPED_LOOPBACK4 = '192.0.2.1';

export interface BenchOptions {
  mtu?: number;
  flows?: number;
  descriptors?: number;
  peekOffset?: boolean;
  /** TUNSETOFFLOAD bits of the tap. */
  offloads?: number;
  logLevel?: number;
  /** How many pipes the kernel lets the worker have. */
  pipes?: number;
  /** Limits of time of TCP connections, ms; default: the product's. */
  timeouts?: Partial<Timeouts>;
  /** The same of UDP flows. */
  udpTimeouts?: Partial<DatagramTimeouts>;
  protocols?: Partial<Record<'ipv4' | 'ipv6' | 'tcp' | 'udp' | 'icmp' | 'ndp', boolean>>;
  /** The address that the guest was given; default: that of ENDS4. */
  guest4?: string;
  /** Microseconds on the clock at the start. */
  clock?: number;
  /** The two words of the hash key. */
  hashKey?: readonly [number, number];
}

/** What cold rows are full of before they are used. */
export const UNTOUCHED = 0x5a5a5a5a;
const ALL_OFFLOADS = 0x67;
const arena = new ArrayBuffer(ARENA_SIZE);
/** Each bench starts an hour after the one before, so that nothing of an earlier one is recent. */
let nextClock = 3_600_000_000;

/** Empties what modules of the worker keep beside the tables. */
function forgetEarlierBench(): void {
  while (askingAgain() > 0) nextAgain();
  flushAcknowledgements();
  while (oldestRecord() >= 0) dropOldest();
  openUnanswered();
  openWaiting();
  forgetNeighbours();
}

export class Workbench {
  readonly kernel = new FakeKernel();
  readonly #pipes: number;

  constructor(options: BenchOptions = {}) {
    this.kernel.now = options.clock ?? nextClock;
    nextClock += 3_600_000_000;
    bindKernel(this.kernel);
    this.kernel.bindArena(arena);
    bindMemory(arena);
    const flows = options.flows ?? 32;
    bindRows(new ArrayBuffer(flows * FLOW_ROW_BYTES));
    // What earlier flows of a row have left: who uses it first clears it.
    coldRows.fill(UNTOUCHED);
    openTable(flows, options.descriptors ?? flows);
    openReceiveBuffers();
    openReassembly();
    openReassemblies();
    openWatchdog(flows);
    openScoreboard();
    openMemberships();
    this.kernel.pipesLeft = options.pipes ?? this.kernel.pipesLeft;
    this.#pipes = openPipes();
    counters.fill(0);
    const [first, second] = options.hashKey ?? [0x01020304, 0x05060708];
    setHashKey(first, second);
    bytes.set(MAC.our, OUR_MAC);
    bytes.set(MAC.guest, GUEST_MAC);
    this.#configure(options);
    openLoop(() => {});
    takeTap(this.kernel.tapFd, options.offloads ?? ALL_OFFLOADS);
    watchLink();
    setOpener(HOST, this.kernel.openerFd, OPENER_HOST);
    watchDescriptor(this.kernel.openerFd, EPOLLIN, OPENER_HOST);
    sendKept(HOST);
    setOpener(NAMESPACE, this.kernel.namespaceOpenerFd, OPENER_NAMESPACE);
    watchDescriptor(this.kernel.namespaceOpenerFd, EPOLLIN, OPENER_NAMESPACE);
    sendKept(NAMESPACE);
    this.kernel.opener.requests.length = 0;
    forgetEarlierBench();
  }

  #configure(options: BenchOptions): void {
    const none = new Uint8Array(0);
    const facts = {
      guestAddress4: options.guest4 === undefined ? addressFromBytes(ENDS4.guest) : address(options.guest4),
      guestAddress6: ENDS6.guest,
      gateway4: address(MAPPED_LOOPBACK4),
      gateway6: none,
      ourLinkLocal: address('fe80::1'),
      mapHostLoopback4: address(MAPPED_LOOPBACK4),
      mapHostLoopback6: none,
      mapGuestAddress4: none,
      mapGuestAddress6: none,
      templateInterface: 3,
    };
    setForwarding(facts);
    setLoopbacks({ splices: false, guestLoopback: false });
    setObserved(facts);
    setResolvers({ forward4: none, forward6: none, host4: none, host6: none });
    setIdentity(OUR_MAC, facts);
    setDhcp({ ...facts, dhcp: true, prefixLength4: 24, advertisedMtu: 65_520, hostname: 'guest', fqdn: 'guest.example.org', renewal4: 0 });
    setDhcpv6({ ...facts, dhcpv6: true, fqdn: 'guest.example.org', renewal6: 0 });
    openAdvertiser(1);
    openRouter();
    setRouter({ ...facts, ra: false, dhcpv6: true, defaultRouter6: true, advertisedMtu: 65_520, routes6: [] });
    openNames();
    setNames([address('192.0.2.53'), address('2001:db8::53')], ['example.org', 'a.example.org']);
    setLinkMtu(options.mtu ?? 1500);
    const offset = options.peekOffset ?? true;
    setPeekOffset(offset, offset);
    setLogLevel(options.logLevel ?? LogLevel.INFO);
    setTimeouts({ ...DEFAULT_TCP_TIMEOUTS, ...options.timeouts });
    setSpliceTimeouts({ ...DEFAULT_TCP_TIMEOUTS, ...options.timeouts });
    setDatagramTimeouts({ ...DEFAULT_UDP_TIMEOUTS, ...options.udpTimeouts });
    setProtocols({ ipv4: true, ipv6: true, tcp: true, udp: true, icmp: true, ndp: true, ...options.protocols });
  }

  /** The guest sends frames, and the worker's loop takes one turn. */
  deliver(...frames: Uint8Array[]): void {
    for (const frame of frames) this.kernel.tap.send(frame);
    turn();
  }

  turn(): void {
    turn();
  }

  /** The far end has connected to the guest's port: the worker is given `stream`. False when it would not have it. */
  openToGuest(ends: Ends, guestPort: number, farPort: number, stream: FakeStream): boolean {
    const fd = this.kernel.install(stream);
    const words = new DataView(Uint8Array.from([...addressFromBytes(ends.guest), ...addressFromBytes(ends.far)]).buffer);
    for (let i = 0; i < 4; i++) {
      key[KEY_GUEST + i] = words.getInt32(4 * i);
      key[KEY_FAR + i] = words.getInt32(16 + 4 * i);
    }
    return openToGuest(fd, (guestPort << 16) | farPort);
  }

  /** Turns until there is nothing left to do at this moment. */
  settle(): void {
    for (let turns = 0; this.kernel.anyReady() || askingAgain() > 0; turns++) {
      if (turns > 1000) throw new Error('the worker spins');
      turn();
    }
  }

  /** Milliseconds until the worker wants to be woken: −1 never. */
  wait(): number {
    this.settle();
    turn();
    return this.kernel.lastTimeout;
  }

  /** Time passes; the worker is woken whenever it asked for. */
  advance(milliseconds: number): void {
    const until = this.kernel.now + milliseconds * 1000;
    for (let turns = 0; ; turns++) {
      if (turns > 10_000) throw new Error('the worker asks for ever more turns');
      const wait = this.wait();
      const left = Math.ceil((until - this.kernel.now) / 1000);
      if (wait < 0 || wait > left) break;
      this.kernel.now += wait * 1000;
      turn();
    }
    this.kernel.now = until;
    turn();
  }

  /** What the worker has sent to the guest since last asked. */
  packets(ends: Ends): Packet[] {
    return this.kernel.tap.toGuest.splice(0).map((frame) => parseFrame(frame, ends));
  }

  counter(name: CounterName): number {
    return counters[Counter[name]] as number;
  }

  flows(): number {
    return flowCount;
  }

  /** Flows whose row is taken. */
  takenRows(): number[] {
    return Array.from({ length: rowsInUse() }, (_, flow) => flow).filter((flow) => rows[flow * ROW + KIND] !== 0);
  }

  /** Has rows that are not in use hold all blocks of receive buffers that are left; the bench needs one flow for each block. */
  exhaustReceiveBuffers(): void {
    for (let flow = rows.length / ROW - 1; blocksTaken < BUFFER_BLOCK_COUNT; flow--) keep(flow, 0, 0, 1, true);
  }

  /** Gives those back. */
  returnReceiveBuffers(): void {
    const inUse = this.takenRows();
    for (let flow = rows.length / ROW - 1; flow >= 0; flow--) if (!inUse.includes(flow)) releaseBuffer(flow);
  }

  /** Fails unless every descriptor, row and block of a receive buffer was given back. For the end of a test. */
  expectNothingLeft(): void {
    if (flowCount !== 0 || this.takenRows().length !== 0) throw new Error(`${flowCount} flows are left`);
    if (this.kernel.openFlows() !== 0) throw new Error(`${this.kernel.openFlows()} sockets are left open`);
    if (buffersTaken + blocksTaken + rangesTaken + blocksSacked !== 0)
      throw new Error(
        `${buffersTaken} receive buffers, ${blocksTaken} blocks, ${rangesTaken} ranges, ${blocksSacked} entries of scoreboards are lost`,
      );
    if (pipesFree !== this.#pipes || this.kernel.bytesInPipes() !== 0) throw new Error('a pipe is kept, or not empty');
    if (packetsWaiting !== 0) throw new Error(`${packetsWaiting} packets wait for fragments`);
    rows.fill(0);
  }
}

/** A hash key and a clock with which the flow of `ends` and `ports` gets the initial sequence number `iss`. */
export function startFor(iss: number, ends: Ends, guestPort: number, farPort: number): { hashKey: [number, number]; clock: number } {
  const words = new Int32Array(8);
  const view = new DataView(Uint8Array.from([...addressFromBytes(ends.guest), ...addressFromBytes(ends.far)]).buffer);
  for (let i = 0; i < 8; i++) words[i] = view.getInt32(4 * i);
  for (let key = 1; ; key++) {
    setHashKey(key, 0);
    const steps = (iss - flowHash(words, 0, 4, (guestPort << 16) | farPort, 0x106)) >>> 0;
    if (steps < 2 ** 30) return { hashKey: [key, 0], clock: steps * 4 };
  }
}
