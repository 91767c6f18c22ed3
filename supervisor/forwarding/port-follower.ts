/**
 * Keeps the ports of rules that scan as the services at the other side are.
 *
 * Theory of operation. While there is such a rule, the sockets of the namespace that it leads to are looked at several times a second: no
 * event tells of a socket that begins to listen. A look is a few questions over netlink, and nothing else is done where the kernel lists the
 * same ports as before. The time until the next one grows with what the look took, so it stays below a twentieth of a processor however
 * many sockets there are. A port whose opening fails is tried again at each look, since whoever has it may let go of it; that is told once,
 * until the failure is another one or the port is forwarded.
 */
import { NetlinkError } from '../host/netlink.ts';
import { PortSet } from '../host/port-set.ts';
import type { Log } from '../log.ts';
import { monotonicMs } from '../monotonic.ts';
import type { WorkerRoom } from '../worker-room.ts';
import { type ListeningPorts, portsToForward } from './automatic.ts';
import type { Forwarding } from '../control/server.ts';
import type { Listeners } from './listeners.ts';
import { listeningFault } from './listening-fault.ts';
import { describeRule, type Enabled, type ForwardingRule, sameRule } from './rule.ts';
import type { ForwardingTable } from './table.ts';

/** Milliseconds from one look to the next: with what opening a port takes, a new service is there for others within 250. */
const PERIOD_MS = 200;
/** Pauses are at least this many times as long as what the look before them took. */
const REST = 20;

export type Side = 'host' | 'guest';
export type Protocol = 'tcp' | 'udp';

/** Asks who listens in a namespace (host/socket-diagnosis.ts). */
export type Hear = (side: Side, protocol: Protocol, found: (port: number, inode: number) => void) => void;

/** The listeners (listeners.ts), as far as this is concerned. */
export type FollowedListeners = Pick<Listeners, 'apply' | 'current' | 'enabled' | 'open' | 'close' | 'isOpen' | 'flush' | 'own'>;

/** Whom it asks and tells. */
export interface PortFollowerParts {
  readonly hear: Hear;
  readonly log: Pick<Log, 'info' | 'warning' | 'debug'>;
  /** An opener or the worker can't be told any more; one line for people. */
  failed(line: string): void;
}

const NONE: readonly number[] = [];
const OTHER = { host: 'guest', guest: 'host' } as const;

/** What one rule has open, and the errno of each port that it could not open. */
interface Followed {
  readonly rule: ForwardingRule;
  readonly open: PortSet;
  readonly failures: Map<number, number>;
}

/** Follows ports, and hears of those that the worker refuses. */
export function followPorts(listeners: Listeners, worker: Pick<WorkerRoom, 'onRefused'>, parts: PortFollowerParts): PortFollower {
  const follower = new PortFollower(listeners, parts);
  worker.onRefused = (ids) => {
    listeners.refused(ids);
    follower.reconsider();
  };
  return follower;
}

/** All rules of a run, of which those that scan are followed. */
export class PortFollower implements Forwarding {
  readonly #listeners: FollowedListeners;
  readonly #parts: PortFollowerParts;
  #followed: readonly Followed[] = [];
  #timer: NodeJS.Timeout | undefined;
  #deaf = 0;
  /** Ports of others at the last look, as the kernel lists them. */
  readonly #heard = { host: { tcp: NONE, udp: NONE }, guest: { tcp: NONE, udp: NONE } };
  /** The last look that changed anything, or failed to, was followed by one that did not. */
  #isSettled = false;

  constructor(listeners: FollowedListeners, parts: PortFollowerParts) {
    this.#listeners = listeners;
    this.#parts = parts;
  }

  get enabled(): Enabled {
    return this.#listeners.enabled;
  }

  current(): ForwardingTable {
    return this.#listeners.current();
  }

  /** Puts other rules in place of all, as the listeners do, and looks at once. */
  async apply(table: ForwardingTable): Promise<string | null> {
    this.stop();
    const fault = await this.#listeners.apply(table);
    const { host, guest } = this.#listeners.current();
    this.#isSettled = false;
    this.#followed = [...host, ...guest].filter(({ scan }) => scan).map((rule) => this.#resume(rule));
    if (this.#followed.length > 0) this.#lookAndWait();
    return fault;
  }

  /** A rule that was followed before goes on with what it has open, unless that was closed since. */
  #resume(rule: ForwardingRule): Followed {
    const before = this.#followed.find((followed) => sameRule(followed.rule, rule));
    const open = [...(before?.open ?? [])].filter((port) => this.#listeners.isOpen(rule, port));
    return { rule, open: PortSet.of(open), failures: before?.failures ?? new Map<number, number>() };
  }

  /** The listeners have lost some: the worker had no room for them. */
  reconsider(): void {
    for (const { rule, open } of this.#followed) for (const port of [...open]) if (!this.#listeners.isOpen(rule, port)) open.delete(port);
    this.#isSettled = false;
  }

  /** No look follows until the next `apply`. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  #lookAndWait(): void {
    const begun = monotonicMs();
    try {
      this.look();
    } catch (error) {
      this.#parts.failed((error as Error).message);
      return;
    }
    const took = monotonicMs() - begun;
    this.#timer = setTimeout(() => this.#lookAndWait(), Math.max(PERIOD_MS, REST * took));
  }

  /** One look at what is listened on, and what follows from it. */
  look(): void {
    try {
      // All is heard before anything is opened, so that one rule's socket is never the service of the next.
      const isNews = [this.#isNews('host', 'tcp'), this.#isNews('host', 'udp'), this.#isNews('guest', 'tcp'), this.#isNews('guest', 'udp')];
      if (isNews.includes(true) || !this.#isSettled) this.#adjustAll();
      this.#deaf = 0;
    } catch (error) {
      if (!(error instanceof NetlinkError)) throw error;
      this.#isSettled = false;
      if (this.#deaf !== error.errno)
        this.#parts.log.warning(`the kernel does not tell who listens (errno ${error.errno}): see 'modprobe tcp_diag udp_diag'`);
      this.#deaf = error.errno;
    }
  }

  /** Hears what others listen on, as far as a rule asks for it; true when it is not what was heard before. */
  #isNews(side: Side, protocol: Protocol): boolean {
    const isAsked = this.#followed.some(({ rule }) => rule.side !== side && (protocol === 'tcp' || rule.protocol === 'udp'));
    const before = this.#heard[side][protocol];
    const services: number[] = [];
    const own = this.#listeners.own(side, protocol);
    own.beginWalk();
    if (isAsked) this.#parts.hear(side, protocol, (port, inode) => !own.isOwn(inode) && services.push(port));
    own.endWalk();
    this.#heard[side][protocol] = services;
    return services.length !== before.length || services.some((port, at) => port !== before[at]);
  }

  #adjustAll(): void {
    const { host, guest } = this.#heard;
    const services = {
      host: { tcp: PortSet.of(host.tcp), udp: PortSet.of(host.udp) },
      guest: { tcp: PortSet.of(guest.tcp), udp: PortSet.of(guest.udp) },
    };
    this.#isSettled = true;
    for (const followed of this.#followed) this.#adjust(followed, services[OTHER[followed.rule.side]]);
    this.#listeners.flush();
  }

  #adjust(followed: Followed, services: ListeningPorts): void {
    const { rule, open, failures } = followed;
    const side = OTHER[rule.side];
    const own = { tcp: this.#listeners.own(side, 'tcp').ports, udp: this.#listeners.own(side, 'udp').ports };
    const wanted = portsToForward(rule, services, own, open);
    for (const port of open) if (!wanted.has(port)) this.#close(followed, port);
    for (const port of failures.keys()) if (!wanted.has(port)) failures.delete(port);
    const missing = [...wanted].filter((port) => !open.has(port));
    if (missing.length > 0) this.#open(followed, missing);
  }

  #close({ rule, open }: Followed, port: number): void {
    this.#isSettled = false;
    this.#listeners.close(rule, port);
    open.delete(port);
    this.#parts.log.debug(`${nameOf(rule, port)} is closed: nobody listens at the other side`);
  }

  #open({ rule, open, failures }: Followed, ports: readonly number[]): void {
    const failed = this.#listeners.open(rule, ports);
    this.#isSettled = false;
    for (const port of ports) {
      const errno = failed.get(port);
      if (errno === undefined) {
        open.add(port);
        failures.delete(port);
        this.#parts.log.debug(`${nameOf(rule, port)} is open: somebody listens at the other side`);
      } else if (failures.get(port) !== errno) {
        failures.set(port, errno);
        this.#parts.log.info(`${listeningFault(rule, port, errno)} (tried again while somebody listens at the other side)`);
      }
    }
  }
}

function nameOf(rule: ForwardingRule, port: number): string {
  return describeRule({ ...rule, first: port, last: port, targetFirst: port - rule.first + rule.targetFirst });
}
