/**
 * One run of the program: performs what the lifecycle's table says, and turns what happens into its events.
 *
 * Theory of operation. Everything that can happen (children that end, signals, the steps of start-up) arrives here and goes through
 * `transition`; nothing else decides about the whole. Children are known from their start until they are reaped; when none is left while
 * leaving, the run is over. The user's terminal is put back before anything is said about the end.
 */
import type { Native } from '../native/supervisor.d.ts';
import { LogLevel } from '../shared/messages.ts';
import type { Options } from './config/options.ts';
import { VERSION } from './config/version.ts';
import type { EarlyWorker } from './early.ts';
import { enterBackground } from './background.ts';
import { openCaptureFile } from './capture-file.ts';
import { bytesOf, environmentOfCommand, lastWords, type Started, variable } from './environment.ts';
import {
  type Effect,
  type Ending,
  type EndingSignal,
  EXIT_CODE_ASKED,
  INITIAL,
  type LifecycleEvent,
  type Situation,
  transition,
} from './lifecycle.ts';
import type { HandedSocket } from './host/handed-sockets.ts';
import { isInteractive } from './interactive.ts';
import type { Log } from './log.ts';
import { LogFile } from './log-file.ts';
import { bindLowPorts } from './low-ports.ts';
import { MachineSocket } from './machine-socket.ts';
import type { Installation } from './runtime.ts';
import { PidFile } from './pid-file.ts';
import { dispositionOf, hasForeground } from './signals.ts';
import { Child, Control, type Spawner } from './spawn.ts';
import { become, identityOf, isMighty, nobody } from './run-as.ts';
import { RunSockets } from './run-sockets.ts';
import { ServiceManager } from './service/sd-notify.ts';
import type { SlirpCaller } from './slirp/caller.ts';
import { Startup, type Rooms } from './startup.ts';
import { Statistics } from './statistics.ts';
import { statusLines } from './status.ts';
import { SystemLog } from './system-log.ts';
import { tidyLater } from './tidy.ts';
import type { Terminal } from './pty.ts';
import { UsageError } from './usage-error.ts';

const SIGNAL_NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGKILL: 9, SIGTERM: 15 } as const;

/** What is known before anything is started. */
export interface Program {
  readonly native: Native;
  readonly installation: Installation;
  readonly mode: 'pasta' | 'passt';
  readonly options: Options;
  readonly log: Log;
  readonly started: Started;
  readonly early: EarlyWorker | null;
  /** Where somebody waits for us to be ready; null: we stay in the foreground. */
  readonly ready: number | null;
  /** Who has started us as slirp4netns; null: nobody has. */
  readonly slirp: SlirpCaller | null;
}

/** One run. */
export class Run {
  readonly #program: Program;
  readonly #native: Native;
  readonly #children = new Set<Child>();
  readonly #marks: string[] = [];
  #situation: Situation = INITIAL;
  #rooms: Rooms | null = null;
  #terminal: Terminal | null = null;
  #sockets: RunSockets | null = null;
  #machine: MachineSocket | null = null;
  #deadline: NodeJS.Timeout | undefined;
  #pidFile: PidFile | null = null;
  #capture: number | null = null;
  #statistics: Statistics | null = null;
  /** Of a service that is not our command; null when there is none. */
  readonly #manager: ServiceManager | null;
  /** SIGUSR2 has asked, and wants all of them. */
  #wantsCounters = false;

  constructor(program: Program) {
    this.#program = program;
    this.#native = program.native;
    const isService = program.mode === 'passt' || program.options.guest !== null;
    this.#manager = isService ? ServiceManager.of(program.native, process.env, process.pid) : null;
  }

  /** Starts everything; the process exits when the lifecycle has ended. */
  async start(): Promise<void> {
    this.#watchSignals();
    try {
      this.#openFiles();
      this.#sockets = new RunSockets(this.#program);
      this.#machine = this.#openMachineSocket();
      const lowPorts = this.#becomeUser();
      this.#rooms = await new Startup({
        ...this.#program,
        capture: this.#capture,
        machine: this.#machine,
        lowPorts,
        adopt: (pid, onEnd) => this.#adopt(pid, onEnd),
        emit: (event) => this.#emit(event),
        status: (counters, flows) => this.#showStatus(counters, flows),
        linkGone: (errno) => this.#machine?.gone(errno),
        mark: (step) => this.#mark(step),
        startCommand: (spawner, hostname) => this.#startCommand(spawner, hostname),
      }).run();
      this.#emit({ type: 'ready' });
    } catch (error) {
      const line = error instanceof UsageError ? error.message : `start-up failed: ${(error as Error).message}`;
      this.#emit({ type: 'failed', line });
    }
  }

  #emit(event: LifecycleEvent): void {
    const { next, effects } = transition(this.#situation, event);
    this.#situation = next;
    for (const effect of effects) {
      this.#perform(effect);
    }
  }

  #perform(effect: Effect): void {
    switch (effect.do) {
      case 'release':
        this.#release();
        break;
      case 'report':
        this.#restoreTerminal();
        this.#program.log[effect.level](effect.line);
        this.#manager?.failed(effect.line);
        break;
      case 'pass':
        this.#native.kill((this.#rooms as Rooms).command?.pid ?? 0, SIGNAL_NUMBERS[effect.signal]);
        break;
      case 'deadline':
        clearTimeout(this.#deadline);
        this.#deadline = setTimeout(() => this.#emit({ type: 'overdue' }), effect.milliseconds);
        break;
      case 'kill':
        this.#manager?.stopping();
        this.#killAll();
        break;
      case 'exit':
        this.#restoreTerminal();
        this.#native.leave(effect.code);
    }
  }

  #release(): void {
    const rooms = this.#rooms as Rooms;
    const { banner, command, features } = rooms;
    for (const line of banner) {
      this.#program.log.info(line);
    }
    this.#terminal?.start(() => this.#interrupted());
    if (this.#terminal !== null) {
      this.#program.log.newline = '\r\n';
    }
    command?.control.proceed();
    this.#sockets?.serve({ ...this.#program, socket: this.#machine?.path ?? null }, this.#rooms as Rooms);
    this.#program.slirp?.begin(this.#native, (this.#rooms as Rooms).forwarding, () =>
      this.#emit({ type: 'asked', signal: 'SIGTERM', patient: false }),
    );
    if (this.#program.log.level >= LogLevel.DEBUG) {
      for (const line of [...features, ...this.#marks]) {
        this.#program.log.debug(line);
      }
    }
    this.#announce();
    rooms.followHost();
    tidyLater(this.#native);
    this.#beginStatistics();
  }

  /** Root becomes somebody else, unless that is root; gives the sockets that only root can have. */
  #becomeUser(): readonly HandedSocket[] {
    const { log, options } = this.#program;
    const { runAs } = options;
    const isDefault = runAs === null && isMighty();
    if (runAs === null && !isDefault) return [];
    const identity = runAs === null ? nobody() : identityOf(runAs);
    const lowPorts = isMighty() && identity.uid !== 0 ? bindLowPorts({ ...this.#program, adopt: (pid) => this.#adopt(pid, () => {}) }) : [];
    become(identity);
    if (isDefault) log.warning(`root has started this, which goes on as user ${identity.uid}; '--runas 0' stays root`);
    return lowPorts;
  }

  #beginStatistics(): void {
    const seconds = this.#program.options.statistics;
    if (seconds === 0) return;
    this.#statistics = new Statistics();
    setInterval(() => this.#rooms?.worker.requestStatus(), seconds * 1000).unref();
  }

  /** Before anything is started: a path that can't be had is the user's to put right. */
  #openFiles(): void {
    const { installation, log, mode, options } = this.#program;
    const { captureFile, logFile, logSize, pidFile } = options;
    const header = `${mode} ${VERSION}: ${installation.root}/bin/${mode} (${process.pid})`;
    if (logFile !== null) log.addSink(new LogFile(logFile, logSize, header));
    if (pidFile !== null) this.#pidFile = new PidFile(pidFile);
    if (captureFile !== null) this.#capture = openCaptureFile(captureFile);
  }

  /** Tells that everything is there, to whoever waits for the file or for the process that was started. */
  #announce(): void {
    const { native, log, mode, options, ready } = this.#program;
    this.#pidFile?.write(process.pid);
    const { worker } = this.#rooms as Rooms;
    this.#manager?.ready(`Serving ${this.#machine?.path ?? options.guest?.network ?? 'a machine'}`, () => worker.status());
    if (ready === null) return;
    enterBackground(native, ready);
    log.leaveStderr();
    if (options.logFile === null) log.addSink(new SystemLog(native, mode));
  }

  /** Before anything is started, and while we may still be somebody who can have it. */
  #openMachineSocket(): MachineSocket | null {
    const { native, log, mode, options } = this.#program;
    return mode === 'pasta' ? null : new MachineSocket({ native, log, options, ended: () => this.#emit({ type: 'machineGone' }) });
  }

  #killAll(): void {
    this.#sockets?.close();
    this.#machine?.close();
    this.#rooms?.worker.close();
    // A worker ends by itself when its channel does. One that captures writes its last records before; killed, it might leave a piece.
    const writing = this.#capture === null ? null : (this.#rooms?.worker.pid ?? null);
    for (const child of this.#children) {
      if (child.pid !== writing) child.kill(SIGNAL_NUMBERS.SIGKILL);
    }
    this.#leaveIfEmpty();
  }

  #adopt(pid: number, onEnd: (ending: Ending) => void): Child {
    const child = new Child(this.#native, pid, (ending) => {
      this.#mark(`process ${pid} has ended`);
      onEnd(ending);
      this.#children.delete(child);
      this.#leaveIfEmpty();
    });
    this.#children.add(child);
    if (this.#situation.state === 'leaving') {
      child.kill(SIGNAL_NUMBERS.SIGKILL);
    }
    return child;
  }

  #leaveIfEmpty(): void {
    if (this.#situation.state === 'leaving' && this.#children.size === 0) {
      this.#emit({ type: 'emptied' });
    }
  }

  async #startCommand(spawner: Spawner, hostname: string): Promise<Control> {
    const environment = environmentOfCommand(this.#program.started);
    const shell = variable(environment, 'SHELL') ?? '/bin/sh';
    const { command } = this.#program.options;
    const words = command === null ? [shell] : lastWords(this.#program.started, command.length);
    const login = `-${shell.slice(shell.lastIndexOf('/') + 1)}`;
    if (isInteractive(this.#native)) {
      // Loaded only here: node-pty and node:tty take longer than all the rest of the start.
      const { Terminal } = await import('./pty.ts');
      this.#terminal = new Terminal(this.#native, this.#program.installation.root, (descriptors) => {
        const pid = this.#native.spawn('/bin/sh', Terminal.GUARD_WORDS, environment, descriptors);
        if (pid > 0) {
          // Not one of the children that have to be gone: it restores the terminal after us.
          new Child(this.#native, pid, () => {});
        }
      });
    }
    const [ours, theirs] = this.#native.socketPair();
    const settings = {
      userNamespace: this.#program.options.userNamespace,
      pidNamespace: this.#program.options.pidNamespace,
      session: this.#terminal !== null,
      argv0: command === null ? login : null,
      hostname: bytesOf(hostname),
    };
    const pid = spawner.command(this.#program.mode, words, settings, environment, theirs, this.#terminal?.descriptors() ?? [0, 1, 2]);
    const control = new Control(this.#native, ours, Buffer.from(words[0] as string, 'latin1').toString('utf8'));
    this.#adopt(pid, (ending) => this.#commandEnded(ending, control));
    return control;
  }

  #commandEnded(ending: Ending, control: Control): void {
    const failure = control.failure();
    if (failure !== null) {
      this.#emit({ type: 'failed', line: failure });
      return;
    }
    const code = ending.signal === 0 ? ending.code : 128 + ending.signal;
    if (this.#terminal === null || this.#situation.state !== 'running') {
      this.#emit({ type: 'commandEnded', code });
      return;
    }
    void this.#terminal.finish().then(() => this.#emit({ type: 'commandEnded', code }));
  }

  #watchSignals(): void {
    for (const signal of Object.keys(EXIT_CODE_ASKED) as EndingSignal[]) {
      process.on(signal, () => this.#asked(signal));
    }
    // Not SIGUSR1: the runtime blocks it for a debugger that is switched off, so it does nothing at all.
    process.on('SIGUSR2', () => {
      if (this.#situation.state === 'running') {
        this.#wantsCounters = true;
        this.#rooms?.worker.requestStatus();
      }
    });
  }

  /**
   * A signal to end. A key of the terminal reaches the command as well, since it is in our process group unless it has a terminal of its
   * own; what came from elsewhere is passed on. Either way a command that handles or ignores SIGINT decides itself what it means.
   */
  #asked(signal: EndingSignal): void {
    const command = this.#rooms?.command ?? null;
    if (command === null || this.#situation.state !== 'running') {
      this.#emit({ type: 'asked', signal, patient: false });
      return;
    }
    const disposition = dispositionOf(command.pid, SIGNAL_NUMBERS[signal]);
    if (signal === 'SIGINT' && disposition !== 'default') {
      if (this.#terminal !== null || !hasForeground('self')) {
        this.#native.kill(command.pid, SIGNAL_NUMBERS.SIGINT);
      }
      return;
    }
    this.#emit({ type: 'asked', signal, patient: disposition === 'handled' });
  }

  /**
   * The user typed the interrupt key. The kernel spares the first process of a process namespace any signal that it doesn't handle
   * (pid_namespaces(7)), so a command that is no shell would run on for ever.
   */
  #interrupted(): void {
    const pid = this.#rooms?.command?.pid;
    if (pid !== undefined && hasForeground(pid) && dispositionOf(pid, SIGNAL_NUMBERS.SIGINT) === 'default') {
      this.#emit({ type: 'asked', signal: 'SIGINT', patient: false });
    }
  }

  #showStatus(counters: readonly number[], flows: number): void {
    const statistics = this.#wantsCounters ? null : this.#statistics;
    this.#wantsCounters = false;
    for (const line of statistics?.rowsOf(counters, flows) ?? statusLines(counters, flows)) {
      this.#program.log.error(line);
    }
  }

  #restoreTerminal(): void {
    this.#terminal?.restore();
    this.#program.log.newline = '\n';
  }

  /** The times of start-up are shown when it is over, so that showing them takes nothing of it; later ones at once. */
  #mark(step: string): void {
    const line = `${(process.uptime() * 1000).toFixed(1).padStart(7)} ms  ${step}`;
    if (this.#rooms === null) {
      this.#marks.push(line);
    } else {
      this.#program.log.debug(line);
    }
  }
}
