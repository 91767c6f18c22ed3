/**
 * The listening sockets of the rules: made by the openers, given to the worker, taken back.
 *
 * Theory of operation. A listener is one port of one rule, and has one socket, or two where the kernel has none for both families. The
 * supervisor never keeps a descriptor: it asks an opener, hands over, and remembers the number under which the worker knows
 * it. What is asked for is collected until `flush`, so that thousands of ports are some dozens of messages. A listener that stays when rules
 * are replaced is not touched: who waits in its queue is not lost.
 *
 * Flows and listeners share the worker's descriptors, and only the worker knows how many flows there are. So it may refuse listeners; from
 * then on no more are made than it says it has room for, until that is plenty.
 */
import type { ravioli } from '../../shared/channel.gen.js';
import { ANY_IPV4, ANY_IPV6, familyOf, formatAddress, isLinkLocal, LOOPBACK_IPV4, LOOPBACK_IPV6 } from '../../shared/addresses.ts';
import { MAX_PASSED_DESCRIPTORS } from '../../shared/limits.ts';
import type { ListenQuestion, Opener, OpenerReply } from '../opener.ts';
import { descriptorFault, type DescriptorSupply } from './descriptor-demand.ts';
import { listeningFault } from './listening-fault.ts';
import { LoopbackPorts } from './loopback-ports.ts';
import { OwnSockets } from './own-sockets.ts';
import { countPorts } from './port-range.ts';
import { type Enabled, type ForwardingRule, sameRule } from './rule.ts';
import { EMPTY_TABLE, type ForwardingTable } from './table.ts';

const EPERM = 1;
const ENODEV = 19;
const EMFILE = 24;
const EOPNOTSUPP = 95;
const EAFNOSUPPORT = 97;
/** Loopback is the first link of every network namespace. */
const LOOPBACK_LINK = 1;
const PROTOCOLS = { tcp: 6, udp: 17 } as const;
const NONE = new Uint8Array(0);
/** Questions that an opener is asked before its answers are taken; its queue holds ten. */
const WINDOW = 8;
/** A message is full with so many. */
const BATCH = MAX_PASSED_DESCRIPTORS - (MAX_PASSED_DESCRIPTORS % WINDOW);
/** Room for so many listeners more needs no counting. */
const PLENTY = BATCH;

/** The worker, as far as listeners are concerned. */
export interface ListenerRoom {
  /** The descriptors are closed here. */
  giveListeners(listeners: readonly ravioli.Listener.$Properties[], descriptors: readonly number[]): void;
  takeListeners(ids: readonly number[]): void;
  /** Resolves when the worker has done what was said before, with how many listeners more it has descriptors for. */
  settled(): Promise<number>;
}

/** An opener, as far as listeners are concerned. */
export type ListeningOpener = Pick<Opener, 'postListener' | 'collectListener' | 'setPorts'>;

/** What listeners are made of. */
export interface ListenerParts {
  readonly openers: { readonly host: ListeningOpener; readonly guest: ListeningOpener | null };
  readonly worker: ListenerRoom;
  /** What may be forwarded at all. */
  readonly enabled: Enabled;
  readonly descriptors: DescriptorSupply;
  /** Addresses may be ones that the host does not have yet. */
  readonly freeBind: boolean;
  /** Index of the link that IPv6 link-local addresses are of when a rule names none. */
  readonly uplink: () => number;
  /** Index of a link of the host by its name; null = there is none. */
  interfaceIndex(name: string): number | null;
  /** Inode of a descriptor (fstat), by which its socket is known among others. */
  inodeOf(descriptor: number): number;
}

interface Listening {
  readonly ids: readonly number[];
  readonly inodes: readonly number[];
  readonly rule: ForwardingRule;
  readonly port: number;
}

/** All listeners of a run. */
export class Listeners {
  readonly #parts: ListenerParts;
  readonly #listening = new Map<string, Listening>();
  readonly #own = { host: { tcp: new OwnSockets(), udp: new OwnSockets() }, guest: { tcp: new OwnSockets(), udp: new OwnSockets() } };
  readonly #freeIds: number[] = [];
  readonly #ports: LoopbackPorts;
  #nextId = 0;
  #given: { facts: ravioli.Listener.$Properties; descriptor: number }[] = [];
  #taken: number[] = [];
  #table: ForwardingTable = EMPTY_TABLE;
  /** Listeners that the worker has room for; Infinity: nothing is known against it. */
  #room = Number.POSITIVE_INFINITY;
  #isAskingForRoom = false;
  /** The worker has not said yet that it took what it was given last. */
  #isUnsettled = false;
  /** What the worker refused since the rules were put in force. */
  #refusals: Listening[] = [];

  constructor(parts: ListenerParts) {
    this.#parts = parts;
    this.#ports = new LoopbackPorts((use, range, permitted) => parts.openers.host.setPorts(use, range, permitted));
  }

  /** Listeners that are open. */
  get count(): number {
    return this.#listening.size;
  }

  get enabled(): Enabled {
    return this.#parts.enabled;
  }

  /** The rules in force. */
  current(): ForwardingTable {
    return this.#table;
  }

  /** What we listen on in a namespace. */
  own(side: 'host' | 'guest', protocol: 'tcp' | 'udp'): OwnSockets {
    return this.#own[side][protocol];
  }

  isOpen(rule: ForwardingRule, port: number): boolean {
    return this.#listening.has(nameOf(rule, port));
  }

  /** Opens ports of `rule`, those that are not open yet; an errno for each that can't be. Nothing of it is there before `flush`. */
  open(rule: ForwardingRule, ports: readonly number[]): Map<number, number> {
    const failed = new Map<number, number>();
    const wanted = ports.filter((port) => !this.isOpen(rule, port));
    const link = this.#linkOf(rule);
    if (link === null) return new Map(wanted.map((port) => [port, ENODEV]));
    const room = Math.max(Math.min(this.#parts.descriptors.listeners - this.#listening.size, this.#room), 0);
    if (this.#room < wanted.length) this.#askForRoom();
    for (const port of wanted.splice(room)) failed.set(port, EMFILE);
    for (let at = 0; at < wanted.length; at += WINDOW) {
      const window = wanted.slice(at, at + WINDOW);
      const answers = this.#ask(
        rule,
        window.map((port) => this.#question(rule, port, link)),
      );
      answers.forEach(({ result, descriptor }, index) => {
        const port = window[index] as number;
        const errno =
          descriptor === null ? this.#openSingly(rule, this.#question(rule, port, link), -result) : this.#add(rule, port, [descriptor]);
        if (errno !== 0) failed.set(port, errno);
      });
      if (this.#given.length >= BATCH) this.#give();
    }
    return failed;
  }

  close(rule: ForwardingRule, port: number): void {
    const listening = this.#listening.get(nameOf(rule, port));
    if (listening !== undefined) this.#forget(listening);
  }

  #forget(listening: Listening): void {
    const { rule, port } = listening;
    this.#listening.delete(nameOf(rule, port));
    this.#taken.push(...listening.ids);
    for (const inode of listening.inodes) this.#own[rule.side][rule.protocol].remove(inode);
    this.#need(listening, 'release');
  }

  /**
   * The worker has no descriptors for these. They are taken back all the same: one of the numbers may have been given anew by now.
   */
  refused(ids: readonly number[]): void {
    const numbers = new Set(ids);
    for (const listening of [...this.#listening.values()]) {
      if (!listening.ids.some((id) => numbers.has(id))) continue;
      this.#forget(listening);
      this.#refusals.push(listening);
    }
    this.#room = 0;
    this.flush();
  }

  async #settle(): Promise<void> {
    const room = await this.#parts.worker.settled();
    this.#isUnsettled = false;
    this.#room = room >= PLENTY ? Number.POSITIVE_INFINITY : room;
  }

  #askForRoom(): void {
    if (this.#isAskingForRoom) return;
    this.#isAskingForRoom = true;
    void this.#settle().then(() => {
      this.#isAskingForRoom = false;
    });
  }

  /** What was opened and closed becomes true. */
  flush(): void {
    this.#ports.settle();
    if (this.#given.length > 0) this.#give();
    if (this.#taken.length === 0) return;
    this.#parts.worker.takeListeners(this.#taken);
    this.#freeIds.push(...this.#taken);
    this.#taken = [];
  }

  /**
   * Puts other rules in place of all. Listeners of rules that scan are left to whoever looks, but for those of rules that are gone. When a
   * rule that is not weak can't be, all is as before, and the result says why in a line for people; else it is null.
   *
   * What need not wait for the port of another is opened first, so a failure there touches nothing that was open. One that shows only when
   * ports have been vacated interrupts the listeners of these, and no others.
   */
  async apply(table: ForwardingTable): Promise<string | null> {
    const before = this.#table;
    const after = rulesOf(table);
    const shortage = descriptorFault(after, this.#parts.descriptors);
    if (shortage !== null) return shortage;
    this.#refusals = [];
    if (Number.isFinite(this.#room)) await this.#settle();
    const gone = this.#notOf(after);
    const vacated = new Set(gone.map(({ rule, port }) => portNameOf(rule, port)));
    // There may be no room for old and new at once.
    const old = rulesOf(before).filter((rule) => !after.some((other) => sameRule(other, rule)));
    const isRoomy = descriptorFault([...old, ...after], this.#parts.descriptors) === null;
    let fault = this.#openAll(after, (rule, port) => isRoomy && !vacated.has(portNameOf(rule, port)));
    if (fault === null && (gone.length > 0 || !isRoomy)) {
      await this.#closeAll(gone);
      fault = this.#openAll(after, () => true);
    }
    fault ??= await this.#refusalOf(after);
    if (fault === null) {
      this.#table = table;
      return null;
    }
    const made = this.#notOf(rulesOf(before));
    if (made.length > 0) await this.#closeAll(made);
    for (const { rule, port } of gone) this.open(rule, [port]);
    this.flush();
    return fault;
  }

  /** Has the worker take what was opened; a line about the first listener that it refused and that must be. */
  async #refusalOf(rules: readonly ForwardingRule[]): Promise<string | null> {
    this.flush();
    if (this.#isUnsettled) await this.#settle();
    const refusal = this.#refusals.find(({ rule }) => !rule.weak && rules.some((other) => sameRule(other, rule)));
    return refusal === undefined ? null : listeningFault(refusal.rule, refusal.port, EMFILE);
  }

  /** Listeners of other rules than these. */
  #notOf(rules: readonly ForwardingRule[]): readonly Listening[] {
    return [...this.#listening.values()].filter(({ rule }) => !rules.some((other) => sameRule(other, rule)));
  }

  /** Closes listeners; their ports are free only when the worker has done so. */
  async #closeAll(listening: readonly Listening[]): Promise<void> {
    for (const { rule, port } of listening) this.close(rule, port);
    this.flush();
    await this.#settle();
  }

  /** Opens those ports of every rule that does not scan that are `wanted`; a line about the first that can't be and must. */
  #openAll(rules: readonly ForwardingRule[], wanted: (rule: ForwardingRule, port: number) => boolean): string | null {
    for (const rule of rules) {
      if (rule.scan) continue;
      const ports = Array.from({ length: countPorts(rule) }, (_, index) => rule.first + index);
      const failed = this.open(
        rule,
        ports.filter((port) => wanted(rule, port)),
      );
      const [first] = failed;
      if (first !== undefined && (!rule.weak || failed.size === ports.length)) return listeningFault(rule, first[0], first[1]);
    }
    return null;
  }

  #ask({ side }: ForwardingRule, questions: readonly ListenQuestion[]): OpenerReply[] {
    const opener = this.#parts.openers[side];
    if (opener === null) return questions.map(() => ({ result: -EOPNOTSUPP, descriptor: null }));
    for (const question of questions) opener.postListener(question);
    return questions.map(({ protocol }) => opener.collectListener(protocol));
  }

  /** Index of the link that the rule names, 0: none is named, null: it is not there. */
  #linkOf({ side, interfaceName, address }: ForwardingRule): number | null {
    if (interfaceName === null) return address !== null && isLinkLocal(address) && familyOf(address) === 6 ? this.#parts.uplink() : 0;
    return side === 'guest' ? LOOPBACK_LINK : this.#parts.interfaceIndex(interfaceName);
  }

  #question({ protocol, address, side }: ForwardingRule, port: number, link: number): ListenQuestion {
    const { ipv4, ipv6 } = this.#parts.enabled;
    const both = address === null && ipv4 && ipv6;
    return {
      protocol,
      port,
      address: address ?? (ipv6 ? ANY_IPV6 : ANY_IPV4),
      both,
      freeBind: this.#parts.freeBind && side === 'host',
      link,
    };
  }

  /** A socket for both families failed with `errno`: where the kernel is to blame, one for each is tried. 0 or the errno. */
  #openSingly(rule: ForwardingRule, question: ListenQuestion, errno: number): number {
    const { port } = question;
    if (question.both && errno === EAFNOSUPPORT) {
      const [{ result, descriptor }] = this.#ask(rule, [{ ...question, both: false, address: ANY_IPV4 }]) as [OpenerReply];
      return descriptor === null ? -result : this.#add(rule, port, [descriptor]);
    }
    // Before Linux 5.7 only root binds a socket to a link; the two addresses of the loopback come to the same.
    if (rule.side !== 'guest' || errno !== EPERM) return errno;
    const families = [this.enabled.ipv4 ? LOOPBACK_IPV4 : null, this.enabled.ipv6 ? LOOPBACK_IPV6 : null].filter(
      (address) => address !== null,
    );
    const answers = this.#ask(
      rule,
      families.map((address) => ({ ...question, both: false, link: 0, address })),
    );
    const descriptors = answers.map(({ descriptor }) => descriptor).filter((descriptor) => descriptor !== null);
    return descriptors.length === 0 ? -(answers[0]?.result ?? -errno) : this.#add(rule, port, descriptors);
  }

  #add(rule: ForwardingRule, port: number, descriptors: readonly number[]): number {
    const ids = descriptors.map((descriptor) => {
      const id = this.#freeIds.pop() ?? this.#nextId++;
      const facts = {
        id,
        protocol: PROTOCOLS[rule.protocol],
        guest: rule.side === 'guest',
        port,
        targetPort: port - rule.first + rule.targetFirst,
        target: rule.target ?? NONE,
      };
      this.#given.push({ facts, descriptor });
      this.#room--;
      return id;
    });
    const inodes = descriptors.map((descriptor) => this.#parts.inodeOf(descriptor));
    for (const inode of inodes) this.#own[rule.side][rule.protocol].add(port, inode);
    const listening = { ids, inodes, rule, port };
    this.#listening.set(nameOf(rule, port), listening);
    this.#need(listening, 'need');
    return 0;
  }

  /** Ports of the host's loopback that go with a listener: the target of the guest's, the answers of the host's. */
  #need({ rule, port }: Listening, change: 'need' | 'release'): void {
    if (rule.side === 'guest') this.#ports[change](`reach-${rule.protocol}`, port - rule.first + rule.targetFirst);
    else if (rule.protocol === 'udp') this.#ports[change]('answer-udp', port);
  }

  #give(): void {
    for (let at = 0; at < this.#given.length; at += BATCH) {
      const batch = this.#given.slice(at, at + BATCH);
      this.#parts.worker.giveListeners(
        batch.map(({ facts }) => facts),
        batch.map(({ descriptor }) => descriptor),
      );
    }
    this.#given = [];
    this.#isUnsettled = true;
  }
}

function rulesOf({ host, guest }: ForwardingTable): readonly ForwardingRule[] {
  return [...host, ...guest];
}

/** Two listeners on the same port of a protocol can be in each other's way, whatever their addresses. */
function portNameOf({ side, protocol }: ForwardingRule, port: number): string {
  return `${side} ${protocol} ${port}`;
}

/** Two listeners of the same name can't be at the same time. */
function nameOf({ side, protocol, address, interfaceName }: ForwardingRule, port: number): string {
  return `${side} ${protocol} ${address === null ? '*' : formatAddress(address)} ${interfaceName ?? '*'} ${port}`;
}
