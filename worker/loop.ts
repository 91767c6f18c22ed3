/**
 * The worker's one loop. libuv's is never entered: after the start everything the process does begins here.
 *
 * One turn: wait; read the clock once; the events; flows that want another turn; timers that are due; the ACKs that are owed; the
 * watchdog's share; the log lines.
 */
import { Counter } from '../shared/counters.ts';
import { CHANNEL_FD } from '../shared/roles.ts';
import { sendJournal } from './channel.ts';
import { EXIT_OPENER, leave } from './exit.ts';
import { askingAgain, nextAgain } from './flow/again.ts';
import { nowMs, setNow } from './flow/clock.ts';
import { answerResult, answerSocket, HOST, NAMESPACE, NO_ANSWER, OPENER_GONE, receiveAnswer, sendKept } from './flow/opener.ts';
import { FREE, GENERATION, KIND, PING, REPLIES, ROW, rows, SPLICE, SPLICED_DATAGRAMS, TCP, UDP } from './flow/row.ts';
import { collectDue, due, openTimers, untilNextTimer } from './flow/timers.ts';
import { EPOLLIN, EPOLLOUT, setEpoll, watchDescriptor } from './flow/watch.ts';
import { expirePackets, untilNextExpiry } from './fragment/expiry.ts';
import { advertiseDue, LINK, linkEvent, settleCapture, settleLink } from './guest_link.ts';
import { pingOpened, pingSocketEvent, pingTimerEvent } from './icmp/ping.ts';
import { CLOCK, EVENTS, MAX_EVENTS } from './link/arena.ts';
import { counters } from './link/counters.ts';
import { kernel } from './link/kernel.ts';
import { untilAdvertisement } from './local/advertiser.ts';
import { datagramSocketOpened, LISTENERS, listenerEvent, splicedSocketOpened, untilListenersWake, wakeListeners } from './listener.ts';
import { learnFromLooks, looksBeforeSleep } from './patience.ts';
import { searchDue, untilSearch } from './search.ts';
import { splicedOpened } from './splice/connection.ts';
import { splicedDatagramsEvent, splicedDatagramsTimer } from './splice/datagram.ts';
import { spliceSocketEvent, spliceTurn } from './splice/events.ts';
import { spliceTimerEvent } from './splice/expiry.ts';
import { movedInBulk } from './splice/pump.ts';
import { flushAcknowledgements } from './tcp/acknowledge.ts';
import { opened } from './tcp/connection.ts';
import { socketEvent, timerEvent } from './tcp/events.ts';
import { udpSocketEvent, udpTimerEvent } from './udp/flow.ts';
import { repliesOpened } from './udp/group.ts';
import { repliesSocketEvent, repliesTimerEvent } from './udp/replies.ts';
import { noteActivity, untilWatchdog, watchdogTurn } from './watchdog.ts';
import { view } from './wire/memory.ts';

/** What an event is about when it is no flow. */
export const CHANNEL = -1;
export const OPENER_HOST = -3;
export const OPENER_NAMESPACE = -4;

let epoll = -1;
let channelEvent: () => void = () => {};

function readClock(): void {
  kernel.clock(CLOCK);
  setNow(view.getInt32(CLOCK, true), view.getInt32(CLOCK + 4, true));
}

/** Makes the loop's own descriptors; `onChannel` is called when the supervisor has said something. */
export function openLoop(onChannel: () => void): void {
  epoll = kernel.epollCreate();
  setEpoll(epoll);
  channelEvent = onChannel;
  watchDescriptor(CHANNEL_FD, EPOLLIN, CHANNEL);
  readClock();
  openTimers(nowMs);
}

function openerEvent(opener: number, events: number): void {
  if ((events & EPOLLOUT) !== 0) sendKept(opener);
  for (let afterOthers = false; ; afterOthers = true) {
    const flow = receiveAnswer(opener, afterOthers);
    if (flow === NO_ANSWER) return;
    if (flow === OPENER_GONE) leave(EXIT_OPENER);
    if (flow < 0) continue;
    switch (rows[flow * ROW + KIND]) {
      case TCP:
        opened(flow, answerResult, answerSocket);
        break;
      case UDP:
        datagramSocketOpened(flow, answerResult, answerSocket);
        break;
      case PING:
        pingOpened(flow, answerResult, answerSocket);
        break;
      case REPLIES:
        repliesOpened(flow, answerResult, answerSocket);
        break;
      case SPLICE:
        splicedOpened(flow, answerResult, answerSocket);
        break;
      case SPLICED_DATAGRAMS:
        splicedSocketOpened(flow, answerResult, answerSocket);
        break;
    }
  }
}

function flowEvent(flow: number, events: number): void {
  switch (rows[flow * ROW + KIND]) {
    case TCP:
      socketEvent(flow, events);
      break;
    case UDP:
      udpSocketEvent(flow, events);
      break;
    case PING:
      pingSocketEvent(flow, events);
      break;
    case REPLIES:
      repliesSocketEvent(flow);
      break;
    case SPLICE:
      spliceSocketEvent(flow, events);
      break;
    case SPLICED_DATAGRAMS:
      splicedDatagramsEvent(flow, events);
      break;
  }
}

function dispatch(at: number): void {
  const events = view.getInt32(at, true);
  const data = view.getInt32(at + 4, true);
  switch (data) {
    case LINK:
      linkEvent(events);
      return;
    case OPENER_HOST:
      openerEvent(HOST, events);
      return;
    case OPENER_NAMESPACE:
      openerEvent(NAMESPACE, events);
      return;
    case CHANNEL:
      channelEvent();
      return;
  }
  if (data <= LISTENERS) {
    listenerEvent(LISTENERS - data);
    return;
  }
  // An event that was queued before its flow ended in this same turn.
  if (rows[data * ROW + KIND] === FREE || rows[data * ROW + GENERATION] !== view.getInt32(at + 8, true)) counters[Counter.stale_events]!++;
  else flowEvent(data, events);
}

/** True when there were any. */
function timersDue(): boolean {
  for (let any = false; ; ) {
    const count = collectDue(nowMs);
    if (count > 0) any = true;
    for (let i = 0; i < count; i++) {
      const flow = due[i]!;
      switch (rows[flow * ROW + KIND]) {
        case TCP:
          timerEvent(flow);
          break;
        case UDP:
          udpTimerEvent(flow);
          break;
        case PING:
          pingTimerEvent(flow);
          break;
        case REPLIES:
          repliesTimerEvent(flow);
          break;
        case SPLICE:
          spliceTimerEvent(flow);
          break;
        case SPLICED_DATAGRAMS:
          splicedDatagramsTimer(flow);
          break;
      }
    }
    if (count < due.length) return any;
  }
}

/** Events, within `timeout` ms (−1 = for ever); looks for them before it sleeps where that pays. */
function awaitEvents(timeout: number): number {
  const looks = movedInBulk() || timeout === 0 ? 0 : looksBeforeSleep();
  if (looks > 0) {
    let count = 0;
    for (let look = 0; look < looks && count === 0; look++) count = kernel.epollWait(epoll, EVENTS, MAX_EVENTS, 0);
    learnFromLooks(count);
    if (count !== 0) return count;
  }
  return kernel.epollWait(epoll, EVENTS, MAX_EVENTS, timeout);
}

function sooner(a: number, b: number): number {
  return a < 0 || b < 0 ? Math.max(a, b) : Math.min(a, b);
}

/** Milliseconds until somebody wants a turn, −1 = nobody. */
function untilNextTurn(): number {
  if (askingAgain() > 0) return 0;
  const timers = sooner(sooner(untilNextTimer(nowMs), untilWatchdog()), untilNextExpiry());
  return sooner(sooner(sooner(timers, untilListenersWake()), untilAdvertisement()), untilSearch());
}

/** One turn: what has happened until now, and what has come due. */
export function turn(): void {
  const count = awaitEvents(untilNextTurn());
  readClock();
  counters[Counter.wakeups]!++;
  for (let i = 0; i < count; i++) dispatch(EVENTS + i * 12);
  for (let left = askingAgain(); left > 0; left--) {
    const flow = nextAgain();
    if (flow < 0) continue;
    if (rows[flow * ROW + KIND] === SPLICE) spliceTurn(flow);
    else flowEvent(flow, EPOLLIN);
  }
  const timers = timersDue();
  expirePackets();
  wakeListeners();
  advertiseDue();
  searchDue();
  if (timers || count > 0) noteActivity();
  flushAcknowledgements();
  watchdogTurn(count < MAX_EVENTS);
  flushAcknowledgements();
  settleLink();
  settleCapture();
  sendJournal();
}

/** Runs until the process ends. */
export function runLoop(): never {
  for (;;) turn();
}
