/**
 * The worker as the supervisor handles it: started, greeted, configured, sealed and looked at, then given what carries the guest's bytes.
 * Each method is one step of the dialogue; the channel refuses any other order.
 */
import type { ravioli } from '../shared/channel.gen.js';
import { FLOW_ROW_BYTES, MAX_FLOWS } from '../shared/limits.ts';
import type { LogLevel } from '../shared/messages.ts';
import type { GrantKind } from '../shared/roles.ts';
import { type Body, type Envelope, WorkerChannel } from './channel.ts';
import type { EarlyWorker } from './early.ts';
import { Questions } from './questions.ts';
import { Control, JailStep, type Spawner } from './spawn.ts';
import type { Surroundings } from './startup.ts';
import { whatIsUnsealed } from './verify.ts';

function startJail({ native, mode, options }: Surroundings, spawner: Spawner): EarlyWorker {
  const [channel, channelEnd] = native.socketPair();
  const [control, controlEnd] = native.socketPair();
  return { jail: spawner.worker(mode, options.isolation, channelEnd, controlEnd), channel, control };
}

/** One worker. */
export class WorkerRoom {
  readonly #around: Surroundings;
  readonly #channel: WorkerChannel;
  readonly #control: Control;
  readonly #pid: Promise<number>;
  readonly #awaited = new Map<Body, (envelope: Envelope) => void>();
  readonly #hello: Promise<Envelope>;
  readonly #settling: ((room: number) => void)[] = [];
  readonly #questions: Questions;
  #refused: (ids: readonly number[]) => void = () => {};
  #adopted: number | null = null;

  /**
   * Starts the worker's jail, unless the launcher has; its runtime loads from now on. The worker may hold `maxDescriptors` sockets.
   */
  constructor(around: Surroundings, spawner: Spawner, maxDescriptors: number) {
    const { native } = around;
    this.#around = around;
    const { jail, channel, control } = around.early ?? startJail(around, spawner);
    this.#control = new Control(native, control, 'the worker');
    this.#channel = new WorkerChannel(native, channel, {
      message: (envelope) => this.#take(envelope),
      violation: (reason) => this.#broken(reason),
      // Its end follows, and says more.
      closed: () => {},
    });
    this.#questions = new Questions({
      send: (question, facts, id) => this.#channel.send({ [question]: facts }, [], id),
      broken: (reason) => this.#broken(reason),
    });
    this.#hello = this.#await('hello');
    this.#giveMemory(maxDescriptors);
    around.adopt(jail, () => this.#failOfJail());
    this.#pid = this.#adoptWorker();
    // Whoever needs the pid gets the reason; a start-up that failed before nobody asks.
    this.#pid.catch(() => {});
  }

  /** Waits for the worker's greeting and sends it the facts. */
  async configure(config: ravioli.Config.$Properties): Promise<void> {
    await this.#hello;
    this.#around.mark('worker greeted');
    this.#channel.send({ config });
  }

  /** Before it has greeted: it takes it as soon as it can. */
  #giveMemory(maxDescriptors: number): void {
    const { native } = this.#around;
    const columns = native.memfd('flows', MAX_FLOWS * FLOW_ROW_BYTES);
    try {
      this.#channel.send({ memory: { maxFlows: MAX_FLOWS, maxDescriptors } }, [columns]);
    } catch {
      // Its jail has failed already, and will be heard; a worker without this leaves at the next message.
    }
    native.close(columns);
  }

  /**
   * Empties its root, has it install `filter`, and asks the kernel whether every thread is sealed.
   * @throws Error when it isn't.
   */
  async seal(filter: Uint8Array): Promise<void> {
    const pid = await this.#pid;
    this.#control.proceed();
    await this.#control.expect(JailStep.PIVOTED);
    this.#around.mark('worker pivoted');
    const sealed = this.#await('sealed');
    this.#channel.send({ seal: { filter } });
    const result = (await sealed).sealed?.result ?? -1;
    if (result !== 0) {
      throw new Error(`the worker can't install its filter (errno ${-result})`);
    }
    const missing = whatIsUnsealed(pid);
    if (missing !== null) {
      throw new Error(`the worker is not sealed: ${missing}`);
    }
  }

  /** Gives a descriptor, which is closed here. */
  grant(kind: (typeof GrantKind)[keyof typeof GrantKind], value: number, descriptor: number): void {
    this.lend(kind, value, descriptor);
    this.#around.native.close(descriptor);
  }

  /** The same with a descriptor that stays open here. */
  lend(kind: (typeof GrantKind)[keyof typeof GrantKind], value: number, descriptor: number): void {
    this.#channel.send({ grant: { kind, value } }, [descriptor]);
  }

  start(): void {
    this.#channel.send({ start: {} });
  }

  /** Its process, once its jail has named it. */
  get pid(): number | null {
    return this.#adopted;
  }

  /** False once the dialogue has ended. */
  get isOpen(): boolean {
    return this.#channel.isOpen;
  }

  /** Says again what depends on the host's network. */
  setFacts(facts: ravioli.Config.$Properties): void {
    this.#channel.send({ facts });
  }

  /** Says where the guest's DNS goes from now on. */
  setResolvers(resolvers: ravioli.Resolvers.$Properties): void {
    this.#channel.send({ resolvers });
  }

  /** Gives listening sockets and their facts in the same order; they are closed here. */
  giveListeners(listeners: readonly ravioli.Listener.$Properties[], descriptors: readonly number[]): void {
    this.#channel.send({ listeners: { listeners: [...listeners] } }, descriptors);
    for (const descriptor of descriptors) this.#around.native.close(descriptor);
  }

  /** Has listeners closed. */
  takeListeners(ids: readonly number[]): void {
    this.#channel.send({ unlisten: { ids: [...ids] } });
  }

  /** Who is told of listeners that the worker has no descriptors for. */
  set onRefused(refused: (ids: readonly number[]) => void) {
    this.#refused = refused;
  }

  /** Resolves when the worker has done what it was told before, with how many listeners more it has descriptors for. */
  settled(): Promise<number> {
    return new Promise((resolve) => {
      this.#settling.push(resolve);
      this.#channel.send({ settle: {} });
    });
  }

  /** Asks for the counters; the answer goes to `Surroundings.status`. */
  requestStatus(): void {
    this.#channel.send({ statusRequest: {} });
  }

  /** The counters, in the order of shared/counters.ts, and how many flows there are. */
  async status(): Promise<{ readonly counters: readonly number[]; readonly flows: number }> {
    const { status } = await this.#questions.ask('statusRequest');
    return { counters: status?.counters ?? [], flows: status?.flows ?? 0 };
  }

  /** The flows in row `first` of the table and behind it, as far as a page goes; `next` is the row to go on from, 0 at the end. */
  async flows(first: number): Promise<{ readonly next: number; readonly flows: readonly ravioli.Flow.$Properties[] }> {
    const { flows } = await this.#questions.ask('flowsRequest', { first });
    const next = flows?.next ?? 0;
    if (next !== 0 && next <= first) this.#broken('a list of flows that goes in a circle');
    return { next: next > first ? next : 0, flows: flows?.flows ?? [] };
  }

  close(): void {
    this.#channel.close();
    this.#control.close();
  }

  /** The worker is our child though its jail made it: watched from the moment its pid is known. */
  async #adoptWorker(): Promise<number> {
    const pid = await this.#control.expect(JailStep.PID);
    this.#adopted = pid;
    this.#around.adopt(pid, (ending) => {
      const failure = this.#control.failure();
      this.#around.emit(failure === null ? { type: 'workerEnded', ending } : { type: 'failed', line: failure });
    });
    return pid;
  }

  /** The jail's parent half ends after the pivot, or because something failed. */
  #failOfJail(): void {
    const failure = this.#control.failure();
    if (failure !== null) {
      this.#fail(failure);
    }
  }

  #take(envelope: Envelope & { body: Body }): void {
    const waiting = this.#awaited.get(envelope.body);
    if ((envelope.id ?? 0) !== 0) {
      this.#questions.answered(envelope);
    } else if (waiting !== undefined) {
      this.#awaited.delete(envelope.body);
      waiting(envelope);
    } else if (envelope.log) {
      const { level, message, values } = envelope.log;
      this.#around.log.fromWorker((level ?? 0) as LogLevel, message ?? 0, values ?? []);
    } else if (envelope.linkGone) {
      this.#around.linkGone(envelope.linkGone.errno ?? 0);
    } else if (envelope.settled) {
      this.#settling.shift()?.(envelope.settled.room ?? 0);
    } else if (envelope.noRoom) {
      this.#refused(envelope.noRoom.ids ?? []);
    } else if (envelope.status) {
      this.#around.status(envelope.status.counters ?? [], envelope.status.flows ?? 0);
    }
  }

  #await(body: Body): Promise<Envelope> {
    return new Promise((resolve) => this.#awaited.set(body, resolve));
  }

  #broken(reason: string): void {
    this.#fail(`the worker broke the dialogue (${reason}); it was stopped`);
  }

  #fail(line: string): void {
    this.#around.emit({ type: 'failed', line });
  }
}
