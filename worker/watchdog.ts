/**
 * Looks for connections that have stopped by a mistake of ours, sets them going again, and counts them.
 *
 * Theory of operation. That a flow with something to do always has an event or a timer coming is proved by tests, not by this
 * file; it is there for what they have missed. While there is activity the flow table is walked once a second, SLICE rows a turn:
 * each TCP row is checked for what its fields alone tell (tcp/stall.ts), and a flow that has moved and is quiet since the last walk
 * is looked at once: does its socket hold what no event has told of? What does is only a suspect, since the event may be
 * under way; it is a stall when a whole wait later nothing has come. Then its watch is made anew, and the kernel tells again.
 * Of a spliced connection only its fields are looked at (splice/stall.ts).
 *
 * ROUNDS walks after the last activity there is nothing left to see, and the worker sleeps for as long as it likes.
 */
import { Counter } from '../shared/counters.ts';
import { Stall } from '../shared/messages.ts';
import { nowMs } from './flow/clock.ts';
import { logStall } from './flow/journal.ts';
import { GENERATION, KIND, ROW, rows, SPLICE, TCP } from './flow/row.ts';
import { flowCount, rowsInUse } from './flow/table.ts';
import { watchFlowAgain } from './flow/watch.ts';
import { counters } from './link/counters.ts';
import { repairSplice } from './splice/stall.ts';
import { awaitsRoom, isConnecting, isConnection, isOverlooked, isQuietSince, progressOf, repairStall } from './tcp/stall.ts';

/** Milliseconds from the beginning of one walk to that of the next. */
const INTERVAL = 1000;
/** One for flows that were active until now, one for those that are quiet since. */
const ROUNDS = 2;
/** Rows of one turn: some microseconds. */
const SLICE = 256;
/** Sockets that are looked at in one turn. */
const MOST_LOOKS = 16;

/** What `progressOf` said of each flow when its socket was looked at last. */
let lookedAt = new Int32Array(0);
const suspects = new Int32Array(MOST_LOOKS);
const generations = new Int32Array(MOST_LOOKS);
let suspectCount = 0;
/** Walks that are still to be made, the moment of the next, and the next row of the present one; −1 = none is under way. */
let rounds = 0;
let walkAt = 0;
let cursor = -1;
let began = 0;
let beganBefore = 0;

/** Forgets all; the table is new and has `flows` rows. */
export function openWatchdog(flows: number): void {
  lookedAt = new Int32Array(flows);
  suspectCount = 0;
  rounds = 0;
  cursor = -1;
}

/** Something has happened in this turn. */
export function noteActivity(): void {
  if (flowCount === 0) return;
  if (rounds === 0 && cursor < 0) walkAt = (nowMs + INTERVAL) | 0;
  rounds = ROUNDS;
}

/** Milliseconds until the watchdog wants a turn: 0 at once, −1 never. */
export function untilWatchdog(): number {
  if (cursor >= 0 || suspectCount > 0) return 0;
  return rounds === 0 ? -1 : Math.max((walkAt - nowMs) | 0, 0);
}

function repaired(flow: number, stall: Stall): void {
  const count = ++counters[Counter.tcp_stalls_repaired]!;
  logStall(flow, stall, count);
}

/** Whoever still holds what was not told, though all events of a wait have been taken, has lost its event. */
function judgeSuspects(): void {
  const count = suspectCount;
  suspectCount = 0;
  for (let i = 0; i < count; i++) {
    const flow = suspects[i]!;
    if (!isConnection(flow, generations[i]!) || !isOverlooked(flow)) continue;
    repaired(flow, Stall.EVENT);
    watchFlowAgain(flow);
  }
}

/** Looks at the socket of a flow that has fallen quiet; true when that took a system call. */
function look(flow: number): boolean {
  const progress = progressOf(flow);
  if (lookedAt[flow] === progress || !isQuietSince(flow, beganBefore)) return false;
  // Room may come at any time without anything moving.
  if (!awaitsRoom(flow)) lookedAt[flow] = progress;
  const generation = rows[flow * ROW + GENERATION]!;
  if (isConnecting(flow)) watchFlowAgain(flow);
  else if (isOverlooked(flow)) {
    suspects[suspectCount] = flow;
    generations[suspectCount++] = generation;
  }
  return true;
}

function walk(): void {
  const end = Math.min(cursor + SLICE, rowsInUse());
  let looks = 0;
  for (; cursor < end && looks < MOST_LOOKS; cursor++) {
    const kind = rows[cursor * ROW + KIND];
    const stall = kind === TCP ? repairStall(cursor) : kind === SPLICE ? repairSplice(cursor) : Stall.NONE;
    if (stall !== Stall.NONE) repaired(cursor, stall);
    else if (kind === TCP && look(cursor)) looks++;
  }
  if (cursor < rowsInUse()) return;
  cursor = -1;
  walkAt = (nowMs + INTERVAL) | 0;
}

/**
 * The watchdog's part of a turn, at its end, when no ACK is owed. `drained` = the turn's wait has brought every event that there was.
 */
export function watchdogTurn(drained: boolean): void {
  if (suspectCount > 0) {
    if (drained) judgeSuspects();
    return;
  }
  if (cursor < 0) {
    if (rounds === 0 || ((walkAt - nowMs) | 0) > 0) return;
    rounds--;
    cursor = 0;
    beganBefore = began;
    began = nowMs;
  }
  walk();
}
