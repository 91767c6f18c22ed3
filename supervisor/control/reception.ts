/**
 * A socket at a path, and who may come to it: one client at a time, the others wait in the kernel's queue. Nothing here blocks.
 *
 * Only the owner of the process may connect, and root: the file's mode says so, and SO_PEERCRED once more, for a file whose mode was
 * changed.
 */
import type { Native } from '../../native/supervisor.d.ts';
import type { Log } from '../log.ts';
import { listenAt, SocketFile } from './path.ts';

/** How long a client may take for what it has to say, ms. */
export const CLIENT_MS = 5_000;
/** How long clients are left alone when one can't be accepted, ms. */
const REST_MS = 1_000;
const EAGAIN = -11;
const ROOT = 0;

export interface ReceptionParts {
  readonly native: Pick<Native, 'localAccept' | 'localConnect' | 'localListen' | 'watch' | 'send' | 'receive' | 'close'>;
  readonly log: Pick<Log, 'info' | 'warning'>;
  /** Who we are: process.geteuid(). */
  readonly uid: number;
  /** How long a client may take, ms. */
  readonly clientMs: number;
  /** Whether a process of our own user may not ask after all. */
  isRefused(pid: number): boolean;
}

/** One client, as the kernel names it. */
export interface Client {
  readonly fd: number;
  readonly pid: number;
  readonly uid: number;
}

/** What a client is served with; `done` is called once, when it may be closed. `stop` has that happen now. */
export type Serve = (client: Client, done: () => void) => { stop(): void };

/** One listening socket. */
export class Reception {
  readonly #parts: ReceptionParts;
  readonly #what: string;
  readonly #listener: number;
  readonly #file: SocketFile;
  #serve: Serve | null = null;
  #watch: { stop(): void } | null = null;
  #serving: { stop(): void } | null = null;
  #closed = false;

  /**
   * Listens at `path`; clients wait until `open`. `what` is the word for the socket.
   * @throws UsageError when it can't be
   */
  constructor(parts: ReceptionParts, path: string, what: string) {
    this.#parts = parts;
    this.#what = what;
    this.#listener = listenAt(parts.native, path, what);
    this.#file = new SocketFile(path);
  }

  /** Begins to serve the clients. */
  open(serve: Serve): void {
    this.#serve = serve;
    this.#resume();
  }

  /** Serves nobody any more and removes the file, unless another has taken its place. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#pause();
    this.#serving?.stop();
    this.#parts.native.close(this.#listener);
    this.#file.remove();
  }

  #resume(): void {
    if (!this.#closed) this.#watch ??= this.#parts.native.watch(this.#listener, () => this.#accept());
  }

  #pause(): void {
    this.#watch?.stop();
    this.#watch = null;
  }

  #accept(): void {
    const { native, log, uid } = this.#parts;
    const client = native.localAccept(this.#listener);
    if (typeof client === 'number') {
      if (client !== EAGAIN) this.#rest(client);
      return;
    }
    if (client.uid !== uid && client.uid !== ROOT) {
      log.warning(`user ${client.uid} (process ${client.pid}) may not use the ${this.#what}: it is for user ${uid} and root`);
      native.close(client.fd);
      return;
    }
    // Root can have what it wants, and need not show us where it is.
    if (!(client.uid === ROOT && uid !== ROOT) && this.#parts.isRefused(client.pid)) {
      log.warning(`process ${client.pid} may not use the ${this.#what}: it is in the guest's network, or can't be seen`);
      native.close(client.fd);
      return;
    }
    this.#receive(client);
  }

  #receive(client: Client): void {
    this.#pause();
    let ended = false;
    const done = (): void => {
      ended = true;
      this.#serving = null;
      this.#parts.native.close(client.fd);
      this.#resume();
    };
    const serving = (this.#serve as Serve)(client, done);
    // It may have ended at once.
    if (!ended) this.#serving = serving;
  }

  /** A client that can't be accepted stays where it is, and would wake us at once again. */
  #rest(result: number): void {
    this.#pause();
    this.#parts.log.warning(
      `a client of the ${this.#what} can't be accepted (errno ${-result}); it is tried again every ${REST_MS / 1000} s`,
    );
    setTimeout(() => this.#resume(), REST_MS).unref();
  }
}
