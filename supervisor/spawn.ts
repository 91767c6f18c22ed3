/**
 * Starts the processes: worker, openers and command, each through its jail, and tells when they end.
 *
 * All of them are our children (the worker too: its jail makes it with CLONE_PARENT), each is watched through a pidfd and reaped here,
 * and libuv knows of none. A jail speaks on its control socket (native/jail.h): datagrams of two int32, `step` and `value`.
 */
import type { Native } from '../native/supervisor.d.ts';
import { processName } from '../shared/roles.ts';
import { bytesOf } from './environment.ts';
import { explain, type Step } from './explain.ts';
import type { Ending } from './lifecycle.ts';
import type { NamespaceNames } from './opener.ts';
import { type Installation, type Isolation, workerCommand } from './runtime.ts';
import { UsageError } from './usage-error.ts';

/** What a jail reports while all goes well: native/jail.h. */
export const JailStep = { PID: 1, PIVOTED: 2, READY: 3 } as const;

/** Steps from here on have failed, with the errno as value. */
const FIRST_FAILURE = 100;

/** Failures that have a cure. */
const EXPLAINED: Readonly<Record<number, Step>> = {
  101: 'create-user-namespace',
  102: 'map-ids',
  103: 'run-command',
  104: 'create-namespaces',
  105: 'create-namespaces',
  106: 'create-namespaces',
};

interface JailMessage {
  readonly step: number;
  readonly value: number;
}

/** Bytes of one message of a jail. */
const JAIL_MESSAGE = 8;

/** One child process. */
export class Child {
  readonly pid: number;
  readonly #native: Native;
  #ending: Ending | null = null;

  /** Watches the child `pid`; `onEnd` is called once, after it has been reaped. */
  constructor(native: Native, pid: number, onEnd: (ending: Ending) => void) {
    this.pid = pid;
    this.#native = native;
    const pidfd = native.pidfd(pid);
    if (pidfd < 0) {
      throw new Error(`process ${pid} can't be watched (errno ${-pidfd})`);
    }
    const watcher = native.watch(pidfd, () => {
      const ending = native.reap(pid);
      if (ending === null) {
        return;
      }
      watcher.stop();
      native.close(pidfd);
      this.#ending = typeof ending === 'number' ? { code: 1, signal: 0 } : ending;
      onEnd(this.#ending);
    });
  }

  /** Null while it runs. */
  get ending(): Ending | null {
    return this.#ending;
  }

  /** Sends a signal; nothing once it has ended, so a reused pid is never hit. */
  kill(signal: number): void {
    if (this.#ending === null) {
      this.#native.kill(this.pid, signal);
    }
  }
}

/** Our end of a jail's control socket. */
export class Control {
  readonly #native: Native;
  readonly #socket: number;
  readonly #room: string;
  readonly #watcher: { stop(): void };
  readonly #received: JailMessage[] = [];
  #waiting: (() => void) | null = null;
  #open = true;

  /** `socket` belongs to it from now on; `room` is the word for what is jailed. */
  constructor(native: Native, socket: number, room: string) {
    this.#native = native;
    this.#room = room;
    this.#socket = socket;
    this.#watcher = native.watch(socket, () => this.#read());
  }

  /**
   * Waits for `step` and gives its value; steps may be reported in another order than they are expected in, since two processes report.
   * @throws UsageError with a line for people when the jail reports a failure, Error when it ends.
   */
  async expect(step: number): Promise<number> {
    for (;;) {
      this.#read();
      const found = this.#received.find((message) => message.step === step || message.step >= FIRST_FAILURE);
      if (found !== undefined && found.step !== step) {
        throw new UsageError(this.#explain(found));
      }
      if (found !== undefined) {
        return found.value;
      }
      if (!this.#open) {
        throw new Error(`the jail of ${this.#room} ended before it was done; start with --debug to see why`);
      }
      await new Promise<void>((resolve) => (this.#waiting = resolve));
    }
  }

  /** The line for people about a failure that the jail has reported, if any: what it wrote before it ended is read now. */
  failure(): string | null {
    this.#read();
    const failed = this.#received.find((message) => message.step >= FIRST_FAILURE);
    return failed ? this.#explain(failed) : null;
  }

  /** The byte that a jail waits for: pivot, or exec. */
  proceed(): void {
    this.#native.sendWithDescriptors(this.#socket, Uint8Array.of(1), []);
  }

  close(): void {
    if (this.#open) {
      this.#open = false;
      this.#watcher.stop();
      this.#native.close(this.#socket);
      this.#wake();
    }
  }

  #explain({ step, value }: JailMessage): string {
    const known = EXPLAINED[step];
    return known === undefined ? `${this.#room} can't be jailed (step ${step}, errno ${value})` : explain(known, value, this.#room);
  }

  #read(): void {
    while (this.#open) {
      const datagram = this.#native.receiveWithDescriptors(this.#socket, JAIL_MESSAGE);
      if (typeof datagram === 'number') {
        return;
      }
      if (datagram === null || datagram.bytes.length !== JAIL_MESSAGE) {
        this.close();
        return;
      }
      const view = new DataView(datagram.bytes.buffer, datagram.bytes.byteOffset);
      this.#received.push({ step: view.getInt32(0, true), value: view.getInt32(4, true) });
      this.#wake();
    }
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.();
  }
}

/** Descriptors that more than one child gets. */
export interface StandardDescriptors {
  /** /dev/null, for reading and writing. */
  readonly nothing: number;
  /** Where a room that can't start says why. */
  readonly complaints: number;
}

/** Descriptors of the guest's namespaces; `user` is null where it is our own. */
export interface JoinedNamespaces {
  readonly user: number | null;
  readonly network: number;
  /** Inode of the network namespace, which tells it from others. */
  readonly identity: number;
  /** How messages call the two. */
  readonly names: NamespaceNames;
  /** The network namespace is our own: its loopback is the host's. */
  readonly isHost: boolean;
}

/** Starts processes for one installation. */
export class Spawner {
  readonly #native: Native;
  readonly #installation: Installation;
  readonly #standard: StandardDescriptors;

  constructor(native: Native, installation: Installation, standard: StandardDescriptors) {
    this.#native = native;
    this.#installation = installation;
    this.#standard = standard;
  }

  /**
   * The worker's jail. `channel` and `control` are the far ends of two socket pairs; they are closed here. Gives the jail's pid.
   * @throws Error when the process can't be made.
   */
  worker(mode: 'pasta' | 'passt', isolation: Isolation, channel: number, control: number): number {
    const { nothing, complaints } = this.#standard;
    const command = workerCommand(this.#installation, isolation, mode);
    const argv = [processName(mode, 'jail'), 'worker', '4', '--', ...command.map(bytesOf)];
    return this.#jail(argv, [], [nothing, nothing, complaints, channel, control], [channel, control]);
  }

  /**
   * An opener. `supervisor` and `worker` are the far ends of its sockets; they and the namespaces in `join` are closed here.
   * @throws Error when the process can't be made.
   */
  opener(
    mode: 'pasta' | 'passt',
    loopback: { readonly ipv4: boolean; readonly ipv6: boolean },
    supervisor: number,
    worker: number,
    join: JoinedNamespaces | null,
  ): number {
    const { nothing, complaints } = this.#standard;
    const ours = [supervisor, worker];
    const namespaces = join === null ? [] : [...(join.user === null ? [] : [join.user]), join.network];
    const kept = [...ours, ...namespaces];
    const numbers = kept.map((_, index) => String(3 + index));
    const argv = [
      processName(mode, 'jail'),
      'opener',
      numbers.join(','),
      '--',
      bytesOf(`${this.#installation.root}/native/out/opener`),
      processName(mode, 'opener'),
      ...(join === null ? [] : [join.user === null ? '--join-net' : '--join', ...numbers.slice(ours.length)]),
      // Of the guest's own ports; the host's are not to be had that way.
      ...(join === null || join.isHost ? [] : ['--low-ports']),
      ...(loopback.ipv4 ? ['--allow-loopback4'] : []),
      ...(loopback.ipv6 ? ['--allow-loopback6'] : []),
      ...numbers.slice(0, ours.length),
    ];
    return this.#jail(argv, [], [nothing, nothing, complaints, ...kept], kept);
  }

  /**
   * The command's jail. `words` and `environment` are byte strings (environment.ts). `control` is closed here; `standard` are the
   * command's 0, 1 and 2, which stay the caller's.
   * @throws Error when the process can't be made.
   */
  command(
    mode: 'pasta' | 'passt',
    words: readonly string[],
    settings: CommandSettings,
    environment: readonly string[],
    control: number,
    standard: readonly [number, number, number],
  ): number {
    const argv = [
      processName(mode, 'jail'),
      'command',
      '3',
      ...(settings.userNamespace ? [] : ['--no-userns']),
      ...(settings.pidNamespace ? [] : ['--no-pidns']),
      ...(settings.session ? ['--session'] : []),
      ...(settings.argv0 === null ? [] : ['--argv0', settings.argv0]),
      '--hostname',
      settings.hostname,
      '--',
      ...words,
    ];
    return this.#jail(argv, environment, [...standard, control], [control]);
  }

  #jail(argv: readonly string[], environment: readonly string[], descriptors: readonly number[], ours: readonly number[]): number {
    const pid = this.#native.spawn(bytesOf(`${this.#installation.root}/native/out/jail`), argv, environment, descriptors);
    for (const fd of ours) {
      this.#native.close(fd);
    }
    if (pid < 0) {
      throw new Error(`native/out/jail can't be started (errno ${-pid}); build it with 'npm run build'`);
    }
    return pid;
  }
}

/** How the command is run. */
export interface CommandSettings {
  readonly userNamespace: boolean;
  readonly pidNamespace: boolean;
  /** Its stdin is a terminal that becomes its controlling one. */
  readonly session: boolean;
  /** argv[0], where it isn't the program's path: a login shell's has a dash in front. */
  readonly argv0: string | null;
  readonly hostname: string;
}
