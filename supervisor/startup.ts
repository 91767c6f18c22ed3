/**
 * Brings the rooms up: everything that takes time is begun before the result of anything is awaited.
 *
 * The worker's jail goes first: its runtime needs longest to load. While it does, the host's tables are read, the plan is made, the
 * command's jail makes its namespaces (the command waits in them), the openers start, and the guest's interface is made and configured.
 * Then the dialogue with the worker: Hello, Config, the pivot, Seal, Sealed; the kernel is asked whether that is true; and only then is the
 * worker given the descriptors that carry the guest's bytes.
 */
import { fstatSync, openSync, readFileSync } from 'node:fs';
import type { Native } from '../native/supervisor.d.ts';
import { RESERVED_DESCRIPTORS } from '../shared/limits.ts';
import { LogLevel } from '../shared/messages.ts';
import { Verb } from '../shared/opener.ts';
import { GrantKind } from '../shared/roles.ts';
import { bannerLines, machineBannerLines } from './config/banner.ts';
import type { Options } from './config/options.ts';
import { type HostFacts, makePlan, type Plan } from './config/plan.ts';
import type { Forwarding } from './control/server.ts';
import type { EarlyWorker } from './early.ts';
import { explain } from './explain.ts';
import { Listeners } from './forwarding/listeners.ts';
import { GuestNetwork } from './host/guest-network.ts';
import { configureNamespace, type NamespaceFacts, raiseLoopback } from './host/namespace.ts';
import { NetlinkDialogue } from './host/netlink.ts';
import { hear, NETLINK_SOCK_DIAG } from './host/socket-diagnosis.ts';
import { NETLINK_ROUTE } from './host/network-watch.ts';
import { linkIndex, noTemplate, probeTemplate, type Template } from './host/template.ts';
import { collectSockets, type HandedSocket, prepareSocket, readFirstUnprivileged, refusePrivileged } from './host/handed-sockets.ts';
import { HandedOpener } from './forwarding/handed-opener.ts';
import { followPorts, type Hear } from './forwarding/port-follower.ts';
import { readHostFacts } from './host-facts.ts';
import { HostFollower } from './host-follower.ts';
import { openNamespaces, watchNamespace } from './join.ts';
import type { Ending, LifecycleEvent } from './lifecycle.ts';
import type { Log } from './log.ts';
import type { MachineSocket } from './machine-socket.ts';
import { setOutbound } from './outbound.ts';
import { NameFollower } from './name-follower.ts';
import { Opener } from './opener.ts';
import { randomBytes } from './random-bytes.ts';
import type { Installation } from './runtime.ts';
import { type Child, type Control, JailStep, type JoinedNamespaces, Spawner } from './spawn.ts';
import { isTunAccessible } from './tun-device.ts';
import { UsageError } from './usage-error.ts';
import { WorkerRoom } from './worker-room.ts';

/** Every call with it fails with EBADF. */
const NO_DESCRIPTOR = -1;

/** What start-up needs of the run around it. */
export interface Surroundings {
  readonly native: Native;
  readonly installation: Installation;
  readonly mode: 'pasta' | 'passt';
  readonly options: Options;
  readonly log: Log;
  /** The worker that the launcher has started; null when there is none. */
  readonly early: EarlyWorker | null;
  /** The file for the guest's frames, which the worker gets; null when there is none. */
  readonly capture: number | null;
  /** Where machines connect, already there; null: the guest is a namespace. */
  readonly machine: MachineSocket | null;
  /** Sockets on low ports that rules will ask for. */
  readonly lowPorts: readonly HandedSocket[];
  /** Takes a child into the run's care; `onEnd` is called when it has ended. */
  adopt(pid: number, onEnd: (ending: Ending) => void): Child;
  /** Tells the lifecycle. */
  emit(event: LifecycleEvent): void;
  /** A status of the worker, while it runs. */
  status(counters: readonly number[], flows: number): void;
  /** The worker's link to a machine has ended. */
  linkGone(errno: number): void;
  /** Remembers when a step was done, for --debug. */
  mark(step: string): void;
  /** Starts the command's jail under this host name, and gives its control socket. */
  startCommand(spawner: Spawner, hostname: string): Promise<Control>;
}

/** The rooms once they run. */
export interface Rooms {
  readonly worker: WorkerRoom;
  /** The waiting command; null when a namespace was joined. */
  readonly command: { readonly pid: number; readonly control: Control } | null;
  /** Inode of the guest's network namespace; null: the guest is a machine. */
  readonly guest: number | null;
  /** Which ports lead where. */
  readonly forwarding: Forwarding;
  /** Begins to hear of changes of the host's network, and looks once for those that came before. */
  followHost(): void;
  /** What the guest has now, and its interface's address; null: the guest is a machine. */
  readonly plan: () => Plan;
  readonly guestMac: Uint8Array | null;
  /** Lines about what was set up, for people. */
  readonly banner: readonly string[];
  /** What the kernel was found to offer, for --debug. */
  readonly features: readonly string[];
}

/** A tap in the guest's namespace. */
interface Tap {
  readonly descriptor: number;
  /** TUN_F_* that its kernel took. */
  readonly offloads: number;
}

/** The guest's namespace, ready to be used. */
interface PreparedGuest {
  /** null where nothing goes by frames. */
  readonly tap: Tap | null;
  readonly facts: NamespaceFacts;
  readonly opener: Opener;
  /** The worker's end of the opener's other socket. */
  readonly worker: number;
  /** A socket that tells of the namespace's sockets; NO_DESCRIPTOR where the kernel has none. */
  readonly diagnosis: number;
  /** Inode of the network namespace. */
  readonly identity: number;
  /** The command's process; null: the namespace was there. */
  readonly pid: number | null;
  /** What can be changed of it later; null: it sets itself up. */
  readonly network: GuestNetwork | null;
}

/** Whom frames are for before the machine has spoken. */
const BROADCAST_MAC = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff);

/** One start-up. */
export class Startup {
  readonly #around: Surroundings;
  readonly #native: Native;
  readonly #spawner: Spawner;
  readonly #peekOffset: { readonly 4: boolean; readonly 6: boolean };
  #handed: readonly HandedSocket[] = [];

  constructor(around: Surroundings) {
    this.#around = around;
    this.#native = around.native;
    this.#peekOffset = { 4: this.#native.probePeekOffset(4) === 1, 6: this.#native.probePeekOffset(6) === 1 };
    const nothing = openSync('/dev/null', 'r+');
    this.#spawner = new Spawner(around.native, around.installation, {
      nothing,
      // A room may hold nothing of the user's, but whoever asks for --debug wants to see why one can't start. (Who waits for a run to go
      // into the background waits for the end of its stderr too.)
      complaints: around.log.level >= LogLevel.DEBUG && around.options.foreground ? 2 : nothing,
    });
  }

  /**
   * Starts everything up to the moment when the command may go.
   * @throws UsageError or Error with one line for people.
   */
  async run(): Promise<Rooms> {
    const { machine, mode, options, log, mark } = this.#around;
    const limit = this.#native.raiseDescriptorLimit();
    const maxDescriptors = limit - RESERVED_DESCRIPTORS;
    const worker = new WorkerRoom(this.#around, this.#spawner, maxDescriptors);
    mark('worker started');
    if (maxDescriptors < RESERVED_DESCRIPTORS) {
      throw new UsageError(`the limit on open files is ${limit}, which leaves none for flows; raise it with 'ulimit -Hn 4096' as root`);
    }
    this.#handed = this.#collectSockets();
    const facts = readHostFacts(this.#handed);
    const template = this.#template(null);
    const plan = makePlan(options, template, facts);
    for (const line of [...options.warnings, ...plan.warnings]) {
      log.warning(line);
    }
    mark('plan made');
    const control = mode === 'pasta' && options.guest === null ? await this.#around.startCommand(this.#spawner, plan.hostname) : null;
    const host = this.#startHostOpener(plan);
    mark('command and opener started');
    const guest = mode === 'pasta' ? await this.#namespaceGuest(plan, control) : null;
    seal(host.opener);
    mark('guest configured');
    const guestMac = guest?.facts.mac ?? BROADCAST_MAC;
    await worker.configure(this.#config(plan, guestMac));
    mark('worker configured');
    await worker.seal(readFileSync(`${this.#around.installation.root}/dist/worker.filter`));
    mark('worker sealed');
    const { capture } = this.#around;
    // Before the link, which has another way where its frames are recorded.
    if (capture !== null) worker.grant(GrantKind.CAPTURE, options.captureSpliced ? 1 : 0, capture);
    worker.grant(GrantKind.OPENER_HOST, 0, host.worker);
    if (guest !== null) {
      if (guest.tap !== null) worker.grant(GrantKind.TAP, guest.tap.offloads, guest.tap.descriptor);
      worker.grant(GrantKind.OPENER_NAMESPACE, 0, guest.worker);
    }
    const failed = (line: string): void => this.#around.emit({ type: 'failed', line });
    const follower = this.#follow({ template, plan }, facts, { opener: host.opener, worker, failed }, guest?.network ?? null);
    const listeners = this.#listeners(plan, () => follower.uplink, host.opener, guest?.opener ?? null, worker, limit);
    const forwarding = followPorts(listeners, worker, { hear: this.#hear(guest?.diagnosis ?? NO_DESCRIPTOR), log, failed });
    const fault = await forwarding.apply(plan.forwarding);
    if (fault !== null) {
      throw new UsageError(fault);
    }
    mark('listeners bound');
    worker.start();
    machine?.start((descriptor, isTap) => worker.lend(GrantKind.STREAM, isTap ? 1 : 0, descriptor));
    mark('ready');
    const features = this.#features(guest?.tap ?? null, maxDescriptors);
    const command = control === null || guest === null || guest.pid === null ? null : { pid: guest.pid, control };
    const banner = guest === null ? machineBannerLines(plan, machine?.path ?? null) : bannerLines(plan, guestMac);
    const followHost = (): void => (plan.worker.taps ? follower.start() : undefined);
    const known = { plan: () => follower.plan, guestMac: guest?.facts.mac ?? null };
    return { worker, command, guest: guest?.identity ?? null, forwarding, followHost, banner, features, ...known };
  }

  #features(tap: Tap | null, descriptors: number): string[] {
    const offloads = tap === null ? 'no tap' : `offloads of the tap: 0x${tap.offloads.toString(16)} (TUN_F_*)`;
    return [
      `${offloads}; descriptors for flows: ${descriptors}`,
      `SO_PEEK_OFF for TCP: IPv4 ${this.#peekOffset[4]}, IPv6 ${this.#peekOffset[6]}`,
    ];
  }

  /** Asks the kernel about the host's network. */
  #hostRoutes<Answer>(ask: (netlink: NetlinkDialogue) => Answer): Answer {
    const socket = this.#native.netlinkSocket(NETLINK_ROUTE);
    if (socket < 0) {
      throw new UsageError(explain('netlink', -socket));
    }
    try {
      return ask(new NetlinkDialogue(this.#native, socket));
    } finally {
      this.#native.close(socket);
    }
  }

  /** @throws UsageError about a socket that was handed in and can't be used. */
  #collectSockets(): HandedSocket[] {
    const numbers = this.#around.options.listenFd.map(({ which }) => which).filter((which) => typeof which === 'number');
    const sockets = collectSockets(this.#native, process.env, process.pid, numbers);
    for (const socket of sockets) {
      refusePrivileged(socket, readFirstUnprivileged());
      prepareSocket(this.#native, socket);
    }
    return sockets;
  }

  /** The host's network as it is now; `held` is what it was, if anything. */
  #template(held: Template | null): Template {
    const { options } = this.#around;
    return options.spliceOnly ? noTemplate(options) : this.#hostRoutes((netlink) => probeTemplate(netlink, options, held));
  }

  /** The namespace of a command or process, with a tap in it. */
  async #namespaceGuest(plan: Plan, control: Control | null): Promise<PreparedGuest> {
    const { native, emit, options } = this.#around;
    const { guest } = options;
    if (guest !== null) {
      const joined = openNamespaces(native, guest);
      if (options.quitsWithNamespace) watchNamespace(native, guest, () => emit({ type: 'guestGone' }));
      return this.#prepareGuest(plan, joined, null);
    }
    const pid = await this.#commandPid(control as Control);
    this.#around.mark('guest exists');
    const user = options.userNamespace ? `/proc/${pid}/ns/user` : null;
    const joined = openNamespaces(native, { pid, network: `/proc/${pid}/ns/net`, user });
    return this.#prepareGuest(plan, joined, pid);
  }

  /** The process of our command, which has made all its namespaces when it says that it is ready. */
  async #commandPid(control: Control): Promise<number> {
    const made = await control.expect(JailStep.PID);
    await control.expect(JailStep.READY);
    return made;
  }

  /** The host's opener, which will be sealed when it has answered. */
  #startHostOpener(plan: Plan): { opener: Opener; worker: number } {
    const { log, options } = this.#around;
    const host = this.#startOpener('host', plan, null);
    const indexOf = (name: string): number | null => this.#hostRoutes((netlink) => linkIndex(netlink, name));
    for (const line of setOutbound(host.opener, options, indexOf)) log.warning(line);
    host.opener.post(Verb.SEAL);
    return host;
  }

  /** Follows the host's resolvers from now on, and what will follow its network. */
  #follow(
    first: { template: Template; plan: Plan },
    facts: HostFacts,
    told: { opener: Opener; worker: WorkerRoom; failed: (line: string) => void },
    network: GuestNetwork | null,
  ): HostFollower {
    const { options, log } = this.#around;
    const names = new NameFollower({ ...told, options, log, mapping: first.plan.worker }, first.plan.nameService);
    names.start();
    const replan = (now: Template): Plan => makePlan(options, now, facts);
    const probe = (held: Template): Template => this.#template(held);
    return new HostFollower({ ...told, native: this.#native, log, names, network, probe, replan }, first);
  }

  /** Gives the opener and the worker's end of its other socket. */
  #startOpener(place: 'host' | 'guest', plan: Plan, join: JoinedNamespaces | null): { opener: Opener; worker: number } {
    const { mode, adopt, emit } = this.#around;
    const [ours, theirs] = this.#native.socketPair();
    const [worker, workerEnd] = this.#native.socketPair();
    const mapped = { ipv4: plan.worker.mapHostLoopback4.length > 0, ipv6: plan.worker.mapHostLoopback6.length > 0 };
    // The guest's loopback is the guest's own: what is forwarded to it may end there.
    const loopback = join === null || join.isHost ? mapped : { ipv4: true, ipv6: true };
    const pid = this.#spawner.opener(mode, loopback, theirs, workerEnd, join);
    adopt(pid, (ending) => emit({ type: 'openerEnded', place, ending }));
    return { opener: new Opener(this.#native, ours, place, join?.names), worker };
  }

  /** Makes the tap in the guest's namespace and configures it, then seals the opener that did it. */
  #prepareGuest(plan: Plan, joined: JoinedNamespaces, pid: number | null): PreparedGuest {
    const { opener, worker } = this.#startOpener('guest', plan, joined);
    if (plan.worker.taps) {
      opener.post(Verb.TAP, plan.namespace.interfaceName);
    }
    opener.post(Verb.NETLINK);
    opener.post(Verb.SOCKET_DIAGNOSIS);
    opener.post(Verb.SEAL);
    const tap = plan.worker.taps ? this.#takeTap(opener, plan.namespace.interfaceName) : null;
    const { result, descriptor: netlink } = opener.collect(Verb.NETLINK);
    if (result < 0 || netlink === null) {
      throw new UsageError(explain('netlink', -result));
    }
    const { descriptor: diagnosis } = opener.collect(Verb.SOCKET_DIAGNOSIS);
    const dialogue = new NetlinkDialogue(this.#native, netlink);
    const facts = tap === null ? raiseLoopback(dialogue) : configureNamespace(dialogue, plan.namespace);
    seal(opener);
    const network = tap === null || !plan.namespace.configure ? null : new GuestNetwork(dialogue, facts.index, plan.namespace);
    if (network === null) this.#native.close(netlink);
    for (const line of facts.warnings) {
      this.#around.log.warning(line);
    }
    return { tap, facts, opener, worker, diagnosis: diagnosis ?? NO_DESCRIPTOR, identity: joined.identity, pid, network };
  }

  #takeTap(opener: Opener, name: string): Tap {
    const { result: offloads, descriptor } = opener.collect(Verb.TAP);
    this.#around.mark('tap made');
    if (offloads < 0 || descriptor === null) {
      const step = isTunAccessible() ? 'create-tap' : 'open-tun';
      throw new UsageError(explain(step, -offloads, name));
    }
    if (this.#around.options.guest === null) {
      // The namespace is the command's and ends with it. Removing the device before that would hold the worker's end, and ours, for the
      // 20-40 ms of the kernel's grace periods; with the namespace it happens in the background.
      this.#native.keepTap(descriptor);
    }
    return { descriptor, offloads };
  }

  /** Who listens on which ports, as the kernel tells of each namespace. */
  #hear(guest: number): Hear {
    const host = this.#native.netlinkSocket(NETLINK_SOCK_DIAG);
    const dialogues = { host: new NetlinkDialogue(this.#native, host), guest: new NetlinkDialogue(this.#native, guest) };
    return (side, protocol, found) => hear(dialogues[side], protocol, found);
  }

  #listeners(plan: Plan, uplink: () => number, host: Opener, guest: Opener | null, worker: WorkerRoom, limit: number): Listeners {
    const { ipv4, ipv6, tcp, udp } = plan.worker;
    return new Listeners({
      openers: { host: new HandedOpener(host, [...this.#handed, ...this.#around.lowPorts]), guest },
      worker,
      enabled: { ipv4, ipv6, tcp, udp, scan: guest !== null },
      // As many as are kept for the worker itself are left to flows.
      descriptors: { limit, listeners: limit - 2 * RESERVED_DESCRIPTORS },
      freeBind: this.#around.options.freebind,
      uplink,
      inodeOf: (descriptor) => fstatSync(descriptor).ino,
      interfaceIndex: (name) => this.#hostRoutes((netlink) => linkIndex(netlink, name)),
    });
  }

  #config(plan: Plan, guestMac: Uint8Array): Parameters<WorkerRoom['configure']>[0] {
    return {
      ...plan.worker,
      guestMac,
      secret: randomBytes(16),
      peekOffset4: this.#peekOffset[4],
      peekOffset6: this.#peekOffset[6],
    };
  }
}

function seal(opener: Opener): void {
  const { result } = opener.collect(Verb.SEAL);
  if (result !== 0) {
    throw new Error(`an opener can't be sealed (errno ${-result})`);
  }
}
