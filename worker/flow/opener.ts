/**
 * Questions to the openers, and who waits for the answers.
 *
 * Theory of operation. There is an opener for each network namespace whose sockets the worker uses: the host's, and the guest's where
 * loopbacks are joined (splice/). A request is one 64-byte datagram. Its id is the flow and its generation, so an answer that comes
 * after the flow's end is recognised and its socket closed. When an opener's queue is full the flow's request is kept in
 * its ring and sent when the socket is writable again; the order is kept.
 */
import { ConnectFlag, OpenerAnswer, OpenerRequest, Verb } from '../../shared/opener.ts';
import { OPENER_ANSWER, OPENER_REQUEST } from '../../shared/limits.ts';
import { DESCRIPTORS, OPENER_IN, OPENER_OUT } from '../link/arena.ts';
import { kernel } from '../link/kernel.ts';
import { isSet } from '../wire/address.ts';
import { bytes, view } from '../wire/memory.ts';
import { source, target, targetInterface } from './forward.ts';
import { FREE, GENERATION, KIND, ROW, rows } from './row.ts';
import { changeDescriptor, EPOLLIN, EPOLLOUT } from './watch.ts';

const EAGAIN = 11;
const GENERATION_SHIFT = 18;
const FLOW_MASK = (1 << GENERATION_SHIFT) - 1;
const KEPT = 1024;

/** Whose sockets an opener makes. */
export const HOST = 0;
export const NAMESPACE = 1;
const OPENERS = 2;

const sockets = new Int32Array(OPENERS).fill(-1);
const watchData = new Int32Array(OPENERS);
const kept = new Uint8Array(OPENERS * KEPT * OPENER_REQUEST);
/** Requests sent and not answered: when there are none, nothing is to be read. */
const unanswered = new Int32Array(OPENERS);
const keptFirst = new Int32Array(OPENERS);
const keptCount = new Int32Array(OPENERS);

/** Sets the socket to an opener, HOST or NAMESPACE, and its `data` in the loop. */
export function setOpener(opener: number, fd: number, data: number): void {
  sockets[opener] = fd;
  watchData[opener] = data;
}

/** Where the kept request at `place` of the opener's ring lies in `kept`. */
function keptAt(opener: number, place: number): number {
  return (opener * KEPT + (place % KEPT)) * OPENER_REQUEST;
}

function keep(opener: number): boolean {
  if (keptCount[opener] === KEPT) return false;
  const at = keptAt(opener, keptFirst[opener]! + keptCount[opener]!);
  kept.set(bytes.subarray(OPENER_OUT, OPENER_OUT + OPENER_REQUEST), at);
  if (keptCount[opener]!++ === 0) changeDescriptor(sockets[opener]!, EPOLLIN | EPOLLOUT, watchData[opener]!);
  return true;
}

/** Of `marks`: the socket keeps who ends its connect. */
export const ASKS_WHO = 1 << 16;

/**
 * Asks for a socket to `target`, from `source` (flow/forward.ts). `verb` of `Verb`; ports in host order; `marks` of what it sends by itself:
 * hop limit, 0 = the kernel's, from bit 8 TOS or traffic class, and ASKS_WHO or not, for TCP_CONNECT; `opener` HOST or NAMESPACE.
 * Returns false when too many requests wait already, or there is no such opener.
 */
export function requestSocket(
  verb: number,
  flow: number,
  family: number,
  sourcePort: number,
  destinationPort: number,
  marks: number,
  opener: number = HOST,
): boolean {
  const at = OPENER_OUT;
  bytes.fill(0, at, at + OPENER_REQUEST);
  view.setInt32(at + OpenerRequest.ID, flow | (rows[flow * ROW + GENERATION]! << GENERATION_SHIFT), true);
  view.setUint8(at + OpenerRequest.VERB, verb);
  view.setUint8(at + OpenerRequest.FAMILY, family);
  view.setUint8(at + OpenerRequest.HOP_LIMIT, marks & 0xff);
  view.setUint8(at + OpenerRequest.TRAFFIC_CLASS, (marks >>> 8) & 0xff);
  view.setInt32(at + OpenerRequest.INTERFACE, targetInterface, true);
  view.setUint16(at + OpenerRequest.SOURCE_PORT, sourcePort, true);
  view.setUint16(at + OpenerRequest.DESTINATION_PORT, destinationPort, true);
  for (let i = 0; i < 4; i++) view.setInt32(at + OpenerRequest.SOURCE + 4 * i, source[i]!);
  // Who asks from an address of its own answers somebody, and may have been heard already.
  if (verb === Verb.UDP_CONNECT && isSet(source, 0)) view.setUint8(at + OpenerRequest.FLAGS, ConnectFlag.KEEP);
  if ((marks & ASKS_WHO) !== 0) view.setUint8(at + OpenerRequest.FLAGS, ConnectFlag.ERRORS);
  if (family === 4) view.setInt32(at + OpenerRequest.SOURCE + 8, 0xffff);
  for (let i = 0; i < 4; i++) view.setInt32(at + OpenerRequest.DESTINATION + 4 * i, target[i]!);
  if (keptCount[opener]! > 0) return keep(opener);
  const result = kernel.send(sockets[opener]!, at, OPENER_REQUEST, 0);
  if (result === OPENER_REQUEST) {
    unanswered[opener]!++;
    return true;
  }
  return result === -EAGAIN && keep(opener);
}

/** The opener's queue has room: sends what was kept. */
export function sendKept(opener: number): void {
  while (keptCount[opener]! > 0) {
    const from = keptAt(opener, keptFirst[opener]!);
    bytes.set(kept.subarray(from, from + OPENER_REQUEST), OPENER_OUT);
    if (kernel.send(sockets[opener]!, OPENER_OUT, OPENER_REQUEST, 0) < 0) return;
    unanswered[opener]!++;
    keptFirst[opener] = (keptFirst[opener]! + 1) % KEPT;
    keptCount[opener]!--;
  }
  changeDescriptor(sockets[opener]!, EPOLLIN, watchData[opener]!);
}

/** After `receiveAnswer`: the opener's result, ≥ 0 or −errno. */
export let answerResult = 0;
/** After `receiveAnswer`: the socket, or −1. It is the caller's to keep or close. */
export let answerSocket = -1;

/** No more answers for now; the opener is gone; an answer to a flow that has ended (already cleared away). */
export const NO_ANSWER = -1;
export const OPENER_GONE = -2;
export const STALE_ANSWER = -3;

/** Takes one answer of an opener: the flow it is for, or NO_ANSWER, OPENER_GONE, STALE_ANSWER. */
export function receiveAnswer(opener: number, afterOthers: boolean): number {
  // A first look is always worth it: the opener's end shows there.
  if (afterOthers && unanswered[opener] === 0) return NO_ANSWER;
  const length = kernel.receiveWithDescriptors(sockets[opener]!, OPENER_IN, OPENER_ANSWER, DESCRIPTORS, 1);
  if (length === -EAGAIN) return NO_ANSWER;
  if (length !== OPENER_ANSWER) return OPENER_GONE;
  unanswered[opener]!--;
  answerSocket = view.getInt32(DESCRIPTORS, true) === 1 ? view.getInt32(DESCRIPTORS + 4, true) : -1;
  answerResult = view.getInt32(OPENER_IN + OpenerAnswer.RESULT, true);
  const id = view.getInt32(OPENER_IN + OpenerAnswer.ID, true);
  const flow = id & FLOW_MASK;
  const row = flow * ROW;
  if (row < rows.length && rows[row + KIND] !== FREE && rows[row + GENERATION] === id >>> GENERATION_SHIFT) return flow;
  if (answerSocket >= 0) kernel.close(answerSocket);
  return STALE_ANSWER;
}
