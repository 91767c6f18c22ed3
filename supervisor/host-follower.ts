/**
 * Keeps worker and guest informed about the host's network: addresses, routes, and which interface is the uplink.
 *
 * Theory of operation. After each change of the host's tables the template is looked for as at the start, and a plan is made of it with the
 * same options, so what an option has named stays. Where the two plans differ the guest's interface is changed (if we set it up), the
 * worker gets its facts anew, which it tells a guest that sets itself up, and one line says so. The guest's address stays while the host has
 * it, whatever else it gets. A family that loses its uplink keeps what it has: nothing it could be given instead leads anywhere, its
 * connections fail with the host's own error, and when the uplink is back as it was, those of before go on; router advertisements alone
 * say that there is no way out, so that a guest with both families takes the other one. Flows keep the addresses that they have begun with.
 */
import { compareHost, type HostState, laterFacts } from './config/host-change.ts';
import type { Plan, WorkerPlan } from './config/plan.ts';
import type { GuestNetwork } from './host/guest-network.ts';
import { NetlinkError } from './host/netlink.ts';
import { NetworkWatch, type WatchCalls } from './host/network-watch.ts';
import { succeedTemplate, type Template } from './host/template.ts';
import type { Log } from './log.ts';
import type { NameFollower } from './name-follower.ts';
import { UsageError } from './usage-error.ts';
import type { WorkerRoom } from './worker-room.ts';

/** Whom it tells, and what it is decided from. */
export interface HostFollowerParts {
  readonly native: WatchCalls;
  /** The host's network as it is, or an error as at the start. */
  readonly probe: (held: Template) => Template;
  readonly replan: (template: Template) => Plan;
  readonly worker: Pick<WorkerRoom, 'setFacts' | 'isOpen'>;
  /** null: the guest sets itself up. */
  readonly network: Pick<GuestNetwork, 'change'> | null;
  readonly names: Pick<NameFollower, 'remap'>;
  readonly log: Pick<Log, 'info' | 'warning'>;
  /** The worker can't be told any more; one line for people. */
  failed(line: string): void;
}

/** The network of the host of one run. */
export class HostFollower {
  readonly #parts: HostFollowerParts;
  readonly #first: WorkerPlan;
  #now: HostState;
  /** What the guest has: `#now.template`, and of families without uplink what they had. */
  #held: Template;
  #watch: NetworkWatch | null = null;

  /** `first` is what the run was started with. */
  constructor(parts: HostFollowerParts, first: HostState) {
    this.#parts = parts;
    this.#first = first.plan.worker;
    this.#now = first;
    this.#held = first.template;
  }

  /** What the guest has now. */
  get plan(): Plan {
    return this.#now.plan;
  }

  /** Index of the link that link-local addresses belong to, 0 = none. */
  get uplink(): number {
    return this.#now.plan.worker.templateInterface;
  }

  /** Follows from now on, and looks once whether something has changed since the start. */
  start(): void {
    try {
      this.#watch = new NetworkWatch(this.#parts.native, () => this.look());
    } catch (error) {
      if (!(error instanceof NetlinkError)) throw error;
      this.#parts.log.info(`changes of the host's network are not followed: the kernel refuses to tell of them (errno ${error.errno})`);
      return;
    }
    this.#watch.notice();
  }

  stop(): void {
    this.#watch?.stop();
    this.#watch = null;
  }

  /** The host's tables have changed. */
  look(): void {
    if (!this.#parts.worker.isOpen) return this.stop();
    const template = this.#probe();
    if (template === null) return;
    const held = succeedTemplate(this.#held, template);
    const plan = this.#parts.replan(held);
    // A guest that never had another way out keeps the one to this host.
    const isRouted = template.ipv6?.link !== null || held.ipv6?.link === null;
    const later = { ...plan, worker: laterFacts(this.#first, this.#now.plan.worker, plan.worker, isRouted) };
    this.#succeed({ template, plan: later });
    this.#held = held;
  }

  /** null: the tables can't be read now; the next change brings another look. */
  #probe(): Template | null {
    try {
      return this.#parts.probe(this.#held);
    } catch (error) {
      // The interface that was named is gone, or useless: nobody else's is taken in its place.
      if (error instanceof UsageError) return withoutUplink(this.#now.template);
      if (error instanceof NetlinkError) return null;
      throw error;
    }
  }

  #succeed(state: HostState): void {
    const { worker, network, names, log, failed } = this.#parts;
    const change = compareHost(this.#now, state);
    this.#now = state;
    if (change.namespace && network !== null) this.#changeNamespace(state.plan);
    try {
      if (change.worker) worker.setFacts(state.plan.worker);
    } catch (error) {
      this.stop();
      failed((error as Error).message);
      return;
    }
    // Once everybody knows.
    if (change.line !== null) log.info(change.line);
    if (change.worker) names.remap(state.plan.worker);
  }

  #changeNamespace(plan: Plan): void {
    const { network, log } = this.#parts;
    try {
      for (const line of network?.change(plan.namespace) ?? []) log.warning(line);
    } catch (error) {
      if (!(error instanceof NetlinkError)) throw error;
      log.warning(`the guest's interface keeps its addresses: it can't be changed (errno ${error.errno})`);
    }
  }
}

function withoutUplink(template: Template): Template {
  const lose = (family: Template['ipv4']): Template['ipv4'] => (family === null ? null : { ...family, link: null });
  return { ...template, ipv4: lose(template.ipv4), ipv6: lose(template.ipv6) };
}
