/**
 * What a service manager is told (sd_notify(3)): readiness, what goes on, the end; and that we are alive, when it watches (sd_watchdog_enabled(3)).
 *
 * Theory of operation. `NOTIFY_SOCKET` names a socket for datagrams of lines NAME=VALUE. Where our command is the service, it keeps the
 * variables, and nothing is said here. Nobody waits for the manager: what its socket doesn't take is lost. When it watches, the worker is asked
 * twice in each interval, and only its answer is passed on, so a worker that hangs has the manager start the service anew; a question that
 * is not answered yet is not asked again.
 */
import type { Native } from '../../native/supervisor.d.ts';

type Calls = Pick<Native, 'localDatagram' | 'send' | 'close'>;
type Environment = Readonly<Record<string, string | undefined>>;

/** The manager of one service. */
export class ServiceManager {
  readonly #native: Calls;
  readonly #path: string;
  /** Between two questions, ms; 0: nobody watches. */
  readonly #interval: number;
  #timer: NodeJS.Timeout | undefined;
  #isAsking = false;

  private constructor(native: Calls, path: string, interval: number) {
    this.#native = native;
    this.#path = path;
    this.#interval = interval;
  }

  /** Null where there is none, or it is no socket of this machine (`vsock:…`). */
  static of(native: Calls, environment: Environment, pid: number): ServiceManager | null {
    const { NOTIFY_SOCKET: path, WATCHDOG_USEC: limit, WATCHDOG_PID: watched } = environment;
    if (path === undefined || !/^[/@]./.test(path)) return null;
    const isWatched = watched === undefined || watched === '' || watched === String(pid);
    const microseconds = isWatched && /^[1-9][0-9]{0,14}$/.test(limit ?? '') ? Number(limit) : 0;
    return new ServiceManager(native, path, Math.floor(microseconds / 2000));
  }

  /** Everything is there; `status` is a line for people. `isAlive` resolves when the worker has answered. */
  ready(status: string, isAlive: () => Promise<unknown>): void {
    this.#say(`READY=1\nSTATUS=${status}`);
    if (this.#interval === 0) return;
    this.#timer = setInterval(() => this.#look(isAlive), this.#interval);
    this.#timer.unref();
    this.#look(isAlive);
  }

  /** Why it will end. */
  failed(line: string): void {
    this.#say(`STATUS=${line}`);
  }

  /** The end has begun. */
  stopping(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#say('STOPPING=1');
  }

  #look(isAlive: () => Promise<unknown>): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    isAlive().then(
      () => {
        this.#isAsking = false;
        if (this.#timer !== undefined) this.#say('WATCHDOG=1');
      },
      // Whoever can't be asked has ended, and that is told elsewhere.
      () => {},
    );
  }

  #say(lines: string): void {
    const socket = this.#native.localDatagram(this.#path);
    if (socket < 0) return;
    this.#native.send(socket, Buffer.from(lines));
    this.#native.close(socket);
  }
}
