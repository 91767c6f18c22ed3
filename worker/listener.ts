/**
 * Forwarded ports: sockets that others come to, and what becomes of who comes.
 *
 * Theory of operation. The supervisor gives a listening socket with its facts (shared/channel.proto `Listener`) and may take it back; the
 * worker accepts connections and hears datagrams on it, and can do nothing else with it. Who comes to a port of the host from afar is
 * presented to the guest by frames, under its own address and port (flow/forward.ts `showComer`); who comes from a loopback is connected
 * with the other side without any (flow/loopback.ts, splice/).
 *
 * Listeners are watched level-triggered: what one turn leaves is there in the next. When there is no descriptor left for a
 * connection, its listener is left alone for a while (`wakeListeners`): it would wake us for ever.
 */
import { Counter } from '../shared/counters.ts';
import { LARGEST_DATAGRAM, MAX_LISTENERS } from '../shared/limits.ts';
import { nowMs } from './flow/clock.ts';
import { FAR, FD, FLAGS, GENERATION, KIND, ROW, rows } from './flow/row.ts';
import { askFrom, isGroup, setTarget, showComer, target } from './flow/forward.ts';
import { askedMatters, crosses, crossOver } from './flow/loopback.ts';
import { addressGuest } from './flow/observed.ts';
import { freeDescriptors, key, KEY_FAR, KEY_GUEST, reserveDescriptors } from './flow/table.ts';
import { makeRoom } from './flow/unanswered.ts';
import { changeDescriptor, EPOLLIN, watchDescriptor } from './flow/watch.ts';
import { COMER, HEARD, TRANSMIT_PAYLOAD } from './link/arena.ts';
import { counters } from './link/counters.ts';
import { kernel } from './link/kernel.ts';
import { searchFor } from './search.ts';
import { spliceConnection } from './splice/connection.ts';
import { endSplicedFlowsOf, spliceDatagram, splicedDatagramsOpened, splicedListener } from './splice/datagram.ts';
import { openToGuest } from './tcp/inbound.ts';
import { endFlowsOf, udpOpened } from './udp/flow.ts';
import { datagramFromHost } from './udp/inbound.ts';
import { FROM_HOST, LISTENER } from './udp/row.ts';
import { isLinkLocal6, isMapped, isSet, setWords } from './wire/address.ts';
import { PROTOCOL_UDP } from './wire/ipv4.ts';
import { view } from './wire/memory.ts';

/** What an event of listener `id` is about: LISTENERS − id. */
export const LISTENERS = -16;

/** Connections and batches of datagrams that one listener may bring in one turn. */
const COMERS_AT_ONCE = 64;
const STARVED_MS = 100;
const EAGAIN = 11;
const ENFILE = 23;
const EMFILE = 24;
const ENOMEM = 12;
const ENOBUFS = 105;

/** Fields of a listener. */
const SOCKET = 0;
const PORT = 1;
const TARGET_PORT = 2;
const IS_UDP = 3;
const IS_GUESTS = 4;
/** Four words, all zero: the guest under the address it is known by. */
const TARGET = 5;
const WORDS = 9;

let listeners = new Int32Array(64 * WORDS).fill(-1);
/** Listeners that are not watched for want of descriptors, and the moment (ms) when they are again. */
const starved: number[] = [];
let wakeAt = 0;
let taps = true;

/** How forwarded ports are served, once, from the configuration. `frames`: by frames to the guest. */
export function setForwardedPorts(wanted: { frames: boolean }): void {
  taps = wanted.frames;
}

/** The facts of a listener as they come with its descriptor. */
export interface ListenerFacts {
  readonly id: number;
  readonly protocol: number;
  readonly guest: boolean;
  readonly port: number;
  readonly targetPort: number;
  /** 16 bytes, or empty. */
  readonly target: Uint8Array;
}

/**
 * Begins to serve a listener, whose descriptor is taken over. False when it can't be, for want of descriptors above all: then it is closed.
 * What flows hold stays theirs, but for those that nobody has answered.
 */
export function openListener(facts: ListenerFacts, fd: number): boolean {
  if (freeDescriptors() === 0) makeRoom();
  if (freeDescriptors() > 0 && facts.id >= 0 && facts.id < MAX_LISTENERS && watchDescriptor(fd, EPOLLIN, LISTENERS - facts.id) >= 0) {
    enter(facts, fd);
    return true;
  }
  kernel.close(fd);
  return false;
}

function enter(facts: ListenerFacts, fd: number): void {
  while ((facts.id + 1) * WORDS > listeners.length) {
    const more = new Int32Array(2 * listeners.length).fill(-1);
    more.set(listeners);
    listeners = more;
  }
  const at = facts.id * WORDS;
  listeners[at + SOCKET] = fd;
  listeners[at + PORT] = facts.port;
  listeners[at + TARGET_PORT] = facts.targetPort;
  listeners[at + IS_UDP] = facts.protocol === PROTOCOL_UDP ? 1 : 0;
  listeners[at + IS_GUESTS] = facts.guest ? 1 : 0;
  setWords(listeners.subarray(at + TARGET, at + TARGET + 4), facts.target);
  reserveDescriptors(1);
}

/** Closes listeners. Connections that they have brought go on, flows of datagrams don't (udp/flow.ts). */
export function closeListeners(ids: readonly number[]): void {
  for (const id of ids) close(id);
  const isGone = (id: number): boolean => listeners[id * WORDS + SOCKET]! < 0;
  endFlowsOf(isGone);
  endSplicedFlowsOf(isGone);
}

function close(id: number): void {
  const at = id * WORDS;
  if (at >= listeners.length || listeners[at + SOCKET]! < 0) return;
  kernel.close(listeners[at + SOCKET]!);
  listeners[at + SOCKET] = -1;
  reserveDescriptors(-1);
}

const comer = new Int32Array(4);
const asked = new Int32Array(4);
const aim = new Int32Array(4);

function readWords(at: number, words: Int32Array): void {
  for (let word = 0; word < 4; word++) words[word] = view.getInt32(at + 4 * word);
}

/** Puts the comer, as the guest shall see it, and whom it is for into `key`. False when the guest is not to be reached by frames. */
function present(at: number, family: number): boolean {
  if (!taps || listeners[at + IS_GUESTS] !== 0) return false;
  for (let word = 0; word < 4; word++) key[KEY_FAR + word] = comer[word]!;
  if (!showComer(key, KEY_FAR, family)) return false;
  const fromLink = listeners[at + IS_UDP] !== 0 ? isLinkLocal6(key, KEY_FAR) : isLinkLocal6(comer, 0);
  if (!addressGuest(family, family === 6 && fromLink)) return false;
  if (isSet(listeners, at + TARGET)) {
    for (let word = 0; word < 4; word++) key[KEY_GUEST + word] = listeners[at + TARGET + word]!;
    if ((family === 4) !== isMapped(key, KEY_GUEST)) return false;
  }
  searchFor(family);
  return true;
}

function refuse(fd: number): void {
  counters[Counter.comers_refused]!++;
  kernel.setAbortive(fd);
  kernel.close(fd);
}

/** True when the comer goes from loopback to loopback. Sets `aim`. */
function goesAcross(at: number, family: number): boolean {
  for (let word = 0; word < 4; word++) aim[word] = listeners[at + TARGET + word]!;
  return crosses(listeners[at + IS_GUESTS] !== 0, comer, family, aim);
}

/** Decides where the connection `fd` goes on the other side. */
function findWayAcross(at: number, fd: number, family: number): boolean {
  const ofGuest = listeners[at + IS_GUESTS] !== 0;
  asked.fill(0);
  if (askedMatters(ofGuest) && kernel.localName(fd, HEARD) >= 0) readWords(HEARD, asked);
  return crossOver(ofGuest, comer, asked, family, aim);
}

function takeConnection(at: number, fd: number): void {
  readWords(COMER, comer);
  const family = isMapped(comer, 0) ? 4 : 6;
  if (goesAcross(at, family) && findWayAcross(at, fd, family))
    spliceConnection(listeners[at + IS_GUESTS]!, fd, isMapped(target, 0) ? 4 : 6, listeners[at + TARGET_PORT]!);
  else if (present(at, family)) openToGuest(fd, (listeners[at + TARGET_PORT]! << 16) | view.getInt32(COMER + 16, true));
  else refuse(fd);
}

function isExhaustion(errno: number): boolean {
  return errno === EMFILE || errno === ENFILE || errno === ENOMEM || errno === ENOBUFS;
}

function acceptConnections(id: number): void {
  const at = id * WORDS;
  for (let count = 0; count < COMERS_AT_ONCE; count++) {
    const fd = kernel.accept(listeners[at + SOCKET]!, COMER);
    if (fd >= 0) takeConnection(at, fd);
    else if (isExhaustion(-fd)) {
      changeDescriptor(listeners[at + SOCKET]!, 0, LISTENERS - id);
      if (starved.push(id) === 1) wakeAt = (nowMs + STARVED_MS) | 0;
      return;
    } else if (fd === -EAGAIN) return;
  }
}

/** The flow whose socket has heard what is being taken, though it is not connected yet; −1: the listener has. */
let hearer = -1;

function takeDatagramAcross(id: number, family: number, port: number, length: number): void {
  const at = id * WORDS;
  const side = listeners[at + IS_GUESTS]!;
  if (hearer >= 0) for (let word = 0; word < 4; word++) asked[word] = rows[hearer * ROW + FAR + word]!;
  for (let word = 0; word < 4; word++) {
    key[KEY_GUEST + word] = comer[word]!;
    key[KEY_FAR + word] = asked[word]!;
  }
  const ports = (port << 16) | listeners[at + PORT]!;
  spliceDatagram(side, family, ports, listeners[at + TARGET_PORT]!, aim, id, length, view.getInt32(HEARD + 40, true));
}

/** The datagram, or those, just received by the listener, or by a socket that it gave to a flow, of `length` bytes in all. */
function takeDatagram(id: number, length: number): void {
  const at = id * WORDS;
  readWords(HEARD, comer);
  readWords(HEARD + 20, asked);
  const family = isMapped(comer, 0) ? 4 : 6;
  const port = view.getInt32(HEARD + 16, true);
  if (port === 0 || isGroup(asked, 0, family)) return;
  if (goesAcross(at, family)) {
    takeDatagramAcross(id, family, port, length);
    return;
  }
  setTarget(comer, family, view.getInt32(HEARD + 36, true));
  askFrom(asked);
  if (!present(at, family)) {
    counters[Counter.comers_refused]!++;
    return;
  }
  const ports = (listeners[at + TARGET_PORT]! << 16) | port;
  datagramFromHost(ports, listeners[at + PORT]!, port, length, view.getInt32(HEARD + 40, true), view.getInt32(HEARD + 44, true) & 0xff, id);
}

/** Takes what has come to `socket` of listener `id`, or of its flow. */
function hear(id: number, socket: number): void {
  for (let batch = 0; batch < COMERS_AT_ONCE; batch++) {
    const length = kernel.receiveAddressed(socket, TRANSMIT_PAYLOAD, LARGEST_DATAGRAM, HEARD);
    if (length === -EAGAIN) return;
    if (length >= 0) takeDatagram(id, length);
  }
}

/** Something has come to listener `id`. */
export function listenerEvent(id: number): void {
  const socket = listeners[id * WORDS + SOCKET]!;
  // It was closed in this same turn.
  if (socket === undefined || socket < 0) return;
  if (listeners[id * WORDS + IS_UDP] !== 0) hear(id, socket);
  else acceptConnections(id);
}

/**
 * An opener has made `socket` for a flow that listener `id` hears for: what the listener still has is older than what the new socket
 * hears. And that may be from others until it was connected: they are told apart by their addresses. False when the flow had to make room
 * for what was heard, and the socket is closed.
 */
function hearBefore(flow: number, id: number, socket: number): boolean {
  const row = flow * ROW;
  const kind = rows[row + KIND]!;
  const generation = rows[row + GENERATION]!;
  const listening = listeners[id * WORDS + SOCKET]!;
  if (listening >= 0) hear(id, listening);
  hearer = flow;
  hear(id, socket);
  hearer = -1;
  if (rows[row + KIND] === kind && rows[row + GENERATION] === generation && rows[row + FD]! < 0) return true;
  kernel.close(socket);
  return false;
}

/** The opener's answer for a UDP flow, which may be one of a listener. */
export function datagramSocketOpened(flow: number, result: number, socket: number): void {
  const row = flow * ROW;
  const heard = result >= 0 && socket >= 0 && (rows[row + FLAGS]! & FROM_HOST) !== 0;
  if (!heard || hearBefore(flow, rows[row + LISTENER]!, socket)) udpOpened(flow, result, socket);
}

/** The opener's answer for one of the two sockets of datagrams from loopback to loopback. */
export function splicedSocketOpened(flow: number, result: number, socket: number): void {
  const id = result >= 0 && socket >= 0 ? splicedListener(flow) : -1;
  if (id < 0 || hearBefore(flow, id, socket)) splicedDatagramsOpened(flow, result, socket);
}

/** Milliseconds until a listener is to be watched again, −1 = none. */
export function untilListenersWake(): number {
  return starved.length === 0 ? -1 : Math.max((wakeAt - nowMs) | 0, 0);
}

/** Listeners that had to stop for want of descriptors are watched again, when it is time. */
export function wakeListeners(): void {
  if (untilListenersWake() !== 0) return;
  for (let id = starved.pop(); id !== undefined; id = starved.pop()) {
    const socket = listeners[id * WORDS + SOCKET]!;
    if (socket >= 0) changeDescriptor(socket, EPOLLIN, LISTENERS - id);
  }
}
