/**
 * Tells when links, addresses or routes of a network namespace have changed.
 *
 * Theory of operation. The kernel sends a message of each change to a socket that has joined the groups of rtnetlink(7). What it says is
 * not read: whoever wants to know reads the tables anew, so a message that was lost for want of room (ENOBUFS) is as good as any. Programs
 * change a network in many steps, so the caller is told when there was silence for a moment, or when that has not come for a while; and
 * the more time its last look took, the longer it is left alone, so that a router whose routes change all the time does not occupy us.
 */
import type { Native } from '../../native/supervisor.d.ts';
import { monotonicMs } from '../monotonic.ts';
import { NetlinkDialogue, NetlinkError } from './netlink.ts';
import { linkRequest } from './rtnetlink.ts';

export const NETLINK_ROUTE = 0;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
/** RTNLGRP_* (linux/rtnetlink.h): links, and the addresses and routes of both families. */
const GROUPS = [1, 5, 7, 9, 11];
const LOOPBACK_INDEX = 1;

/** Silence that ends a change, and how long it is waited for, ms. */
const SETTLE_MS = 100;
const MOST_MS = 1000;
/** How much longer than the last look the next one is away. */
const REST = 50;
/** Messages taken per wake-up. */
const MESSAGES_PER_WAKE = 1024;
/** The rest of a message is cut off: nobody reads it. */
const MESSAGE_BYTES = 16;
const EMSGSIZE = 90;
const EINTR = 4;
const ENOBUFS = 105;

/** What the watch needs of the native addon. */
export type WatchCalls = Pick<
  Native,
  'netlinkSocket' | 'setSocketOption' | 'send' | 'receive' | 'waitReadable' | 'setSocketOption' | 'watch' | 'close'
>;

/** A watched namespace: ours. */
export class NetworkWatch {
  readonly #calls: WatchCalls;
  readonly #socket: number;
  readonly #changed: () => void;
  readonly #watcher: { stop(): void };
  #settling: NodeJS.Timeout | undefined;
  #latest = 0;
  #notBefore = 0;
  #stopped = false;

  /**
   * Begins to watch; `changed` is called some time after each change, and not before this has returned.
   * @throws NetlinkError when the kernel gives no such socket.
   */
  constructor(calls: WatchCalls, changed: () => void) {
    this.#calls = calls;
    this.#changed = changed;
    this.#socket = calls.netlinkSocket(NETLINK_ROUTE);
    if (this.#socket < 0) throw new NetlinkError(-this.#socket, 'no netlink socket');
    try {
      this.#join();
    } catch (error) {
      calls.close(this.#socket);
      throw error;
    }
    this.#watcher = calls.watch(this.#socket, () => this.#drain());
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    clearTimeout(this.#settling);
    this.#watcher.stop();
    this.#calls.close(this.#socket);
  }

  /** Calls `changed` as after a change. */
  notice(): void {
    if (this.#stopped) return;
    const now = monotonicMs();
    if (this.#settling === undefined) this.#latest = Math.max(now + MOST_MS, this.#notBefore);
    clearTimeout(this.#settling);
    const delay = Math.max(SETTLE_MS, this.#notBefore - now);
    this.#settling = setTimeout(() => this.#tell(), Math.max(Math.min(delay, this.#latest - now), 0));
  }

  #tell(): void {
    this.#settling = undefined;
    const from = monotonicMs();
    this.#changed();
    const to = monotonicMs();
    this.#notBefore = to + REST * (to - from);
  }

  /** A socket hears groups only once it has an address of its own, which its first request gives it. */
  #join(): void {
    new NetlinkDialogue(this.#calls, this.#socket).get(linkRequest(LOOPBACK_INDEX));
    for (const group of GROUPS) {
      const result = this.#calls.setSocketOption(this.#socket, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group);
      if (result < 0) throw new NetlinkError(-result, `no netlink group ${group}`);
    }
  }

  #drain(): void {
    for (let count = 0; count < MESSAGES_PER_WAKE; count++) {
      const message = this.#calls.receive(this.#socket, MESSAGE_BYTES);
      if (message === null) break;
      if (typeof message === 'number' && ![-EMSGSIZE, -ENOBUFS, -EINTR].includes(message)) return this.stop();
    }
    this.notice();
  }
}
