/** What the sockets of a spliced connection tell. */
import { FD, FLAGS, ROW, rows } from '../flow/row.ts';
import { EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDHUP } from '../flow/watch.ts';
import { kernel } from '../link/kernel.ts';
import { captureOpening, capturesSpliced } from './capture.ts';
import { abort } from './ending.ts';
import { noteMovement, scheduleExpiry } from './expiry.ts';
import { pump } from './pump.ts';
import { BLOCKED, CONNECTING, ENDED, LEADER, MORE_BEHIND, PEER, READABLE, TURN_ASKED } from './row.ts';

const SOL_SOCKET = 1;
const SO_ERROR = 4;

/** What the socket has to read, from its events. */
function noteReadable(row: number, events: number): void {
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLPRI)) === 0 || (rows[row + FLAGS]! & ENDED) !== 0) return;
  rows[row + FLAGS]! |= READABLE;
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLPRI)) !== 0) rows[row + FLAGS]! |= MORE_BEHIND;
}

/** The socket of `flow` has failed: what it still has to say is said, then the other one fails, too. */
function fail(flow: number): void {
  const row = flow * ROW;
  do {
    rows[row + FLAGS]! &= ~TURN_ASKED;
    if (!pump(flow)) return;
  } while ((rows[row + FLAGS]! & TURN_ASKED) !== 0);
  abort(flow, Math.max(kernel.getOption(rows[row + FD]!, SOL_SOCKET, SO_ERROR), 0));
}

/** The opened socket is connected: both directions begin. */
function connected(flow: number): void {
  const leader = rows[flow * ROW + LEADER]!;
  rows[flow * ROW + FLAGS]! &= ~CONNECTING;
  rows[leader * ROW + FLAGS]! &= ~CONNECTING;
  scheduleExpiry(leader);
  if (capturesSpliced) captureOpening(leader);
  if (pump(leader)) pump(flow);
}

function connectingEvent(flow: number, events: number): void {
  const row = flow * ROW;
  if ((events & EPOLLERR) !== 0) {
    abort(flow, Math.max(kernel.getOption(rows[row + FD]!, SOL_SOCKET, SO_ERROR), 0));
    return;
  }
  noteReadable(row, events);
  if (rows[row + LEADER] !== flow && (events & EPOLLOUT) !== 0) connected(flow);
}

/** Events of the flow's socket. */
export function spliceSocketEvent(flow: number, events: number): void {
  const row = flow * ROW;
  noteMovement(flow);
  if ((rows[row + FLAGS]! & CONNECTING) !== 0) {
    connectingEvent(flow, events);
    return;
  }
  noteReadable(row, events);
  if ((events & EPOLLERR) !== 0) {
    fail(flow);
    return;
  }
  const peer = rows[row + PEER]!;
  if ((events & EPOLLOUT) !== 0 && (rows[peer * ROW + FLAGS]! & BLOCKED) !== 0) {
    rows[peer * ROW + FLAGS]! &= ~BLOCKED;
    if (!pump(peer)) return;
  }
  pump(flow);
}

/** The turn that the flow has asked for. */
export function spliceTurn(flow: number): void {
  rows[flow * ROW + FLAGS]! &= ~TURN_ASKED;
  pump(flow);
}
