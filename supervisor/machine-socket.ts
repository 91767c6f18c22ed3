/**
 * Where a virtual machine's network connects to us: a UNIX socket that we listen at, one that is connected already, or a tap that somebody else
 * has made.
 *
 * Theory of operation. One machine at a time. When it goes, its flows stay, and the next one that connects goes on with them: a machine
 * monitor that is started again finds its network as it was. The worker is given the socket and says when the machine has gone; no frame
 * is ever seen here. Somebody who connects while a machine is there is sent away, but who connects when it has just left, which the worker
 * has yet to find out, waits for that. So a copy of the socket stays here: it tells whether there is somebody at the other end.
 */
import type { Native } from '../native/supervisor.d.ts';
import { listenAt, SocketFile } from './control/path.ts';
import type { Log } from './log.ts';
import { UsageError } from './usage-error.ts';

/** Sockets that nobody has named: the first that is free. */
const DEFAULT_PATH = '/tmp/passt_';
const MOST_DEFAULTS = 1024;

const SOL_SOCKET = 1;
const SO_TYPE = 3;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_ACCEPTCONN = 30;
const SOCK_STREAM = 1;

/** linux/if_tun.h. */
const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
/** More than any host allows: it gives what it has (net.core.wmem_max, rmem_max). A burst of frames then needs no second turn. */
const LARGEST_BUFFER = 1 << 30;

const EAGAIN = 11;
const EBADF = 9;
const ECONNREFUSED = 111;
const ENOENT = 2;

/** What is asked for. */
export interface MachineOptions {
  /** Path to listen at; null = one of ours. */
  readonly socketPath: string | null;
  /** A connected socket or a tap; null = listen. */
  readonly machineFd: number | null;
  /** The first machine is the last. */
  readonly oneOff: boolean;
}

export interface MachineParts {
  readonly native: Native;
  readonly log: Log;
  readonly options: MachineOptions;
  /** The last machine has gone. */
  ended(): void;
}

/** `isTap`: each read and write is a frame. */
type Give = (descriptor: number, isTap: boolean) => void;

/** The place where machines connect. */
export class MachineSocket {
  readonly #parts: MachineParts;
  readonly #listener: number;
  /** Where it listens; null: it does not. */
  readonly path: string | null;
  readonly #file: SocketFile | null;
  readonly #isTap: boolean;
  #watcher: { stop(): void } | null = null;
  /** The socket of the machine that is served; −1: none is. */
  #served = -1;
  #give: Give = () => {};
  /** Who comes next, when the worker has seen that the one that is served has left. */
  #next: { fd: number; pid: number } | null = null;

  /** Takes the path at once, so that a wrong one is told before anything is started. @throws UsageError */
  constructor(parts: MachineParts) {
    const { native, options } = parts;
    this.#parts = parts;
    if (options.machineFd !== null) {
      this.#isTap = isTap(native, options.machineFd);
      this.path = null;
      this.#file = null;
      this.#listener = -1;
      return;
    }
    this.#isTap = false;
    this.path = options.socketPath ?? freePath(native);
    this.#listener = listenAt(native, this.path, 'machine socket');
    this.#file = new SocketFile(this.path);
  }

  /** Nobody can come any more; whoever is there stays. */
  close(): void {
    this.#watcher?.stop();
    this.#file?.remove();
  }

  /** Machines are served from now on; `give` gives the worker a copy of the descriptor. */
  start(give: Give): void {
    const { native, options } = this.#parts;
    this.#give = give;
    if (options.machineFd !== null) this.#welcome(options.machineFd);
    else this.#watcher = native.watch(this.#listener, () => this.#accept());
  }

  /** The worker says that its machine has gone; `errno` 0: it has closed its end. */
  gone(errno: number): void {
    const { native, log, options } = this.#parts;
    native.close(this.#served);
    this.#served = -1;
    log.info(errno === 0 ? 'The machine has closed its socket' : `The machine's socket has failed (errno ${errno})`);
    if (options.oneOff || options.machineFd !== null) {
      this.#watcher?.stop();
      this.#parts.ended();
      return;
    }
    const next = this.#next;
    this.#next = null;
    if (next !== null) this.#admit(next);
  }

  #accept(): void {
    const { native, log } = this.#parts;
    for (;;) {
      const client = native.localAccept(this.#listener);
      if (typeof client === 'number') {
        if (client !== -EAGAIN) log.warning(`a machine can't be accepted (errno ${-client})`);
        return;
      }
      if (this.#served < 0) this.#admit(client);
      else if (this.#isTaken()) {
        log.warning(`process ${client.pid} was sent away: a machine is connected already`);
        native.close(client.fd);
      } else this.#next = client;
    }
  }

  /** Whether somebody is served, or waits to be, who has not left. Who has left while it waited is forgotten. */
  #isTaken(): boolean {
    const { native } = this.#parts;
    if (native.hungUp(this.#served) === 0) return true;
    if (this.#next === null) return false;
    if (native.hungUp(this.#next.fd) === 0) return true;
    native.close(this.#next.fd);
    this.#next = null;
    return false;
  }

  #admit(client: { fd: number; pid: number }): void {
    this.#parts.log.info(`Machine connected, process ${client.pid}`);
    this.#welcome(client.fd);
  }

  #welcome(descriptor: number): void {
    const { native } = this.#parts;
    this.#served = descriptor;
    // One that was handed in may be blocking, and the worker waits for nothing but events.
    native.setNonBlocking(descriptor);
    if (!this.#isTap) for (const buffer of [SO_SNDBUF, SO_RCVBUF]) native.setSocketOption(descriptor, SOL_SOCKET, buffer, LARGEST_BUFFER);
    this.#give(descriptor, this.#isTap);
  }
}

/**
 * Whether frames come from it as from a tap that `ip tuntap` has made; else it is a connected stream socket.
 * @throws UsageError about a descriptor that no frames can come from
 */
function isTap(native: Native, fd: number): boolean {
  const type = native.socketOption(fd, SOL_SOCKET, SO_TYPE);
  if (type === -EBADF) throw new UsageError(`descriptor ${fd} is not open here; start us with the machine's socket as descriptor ${fd}`);
  if (type < 0) {
    const flags = native.tapFlags(fd);
    if (flags < 0) throw new UsageError(`descriptor ${fd} is neither a socket nor a tap; give a connected stream socket`);
    if ((flags & (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)) === (IFF_TAP | IFF_NO_PI)) return true;
    const found = `is a device with flags 0x${flags.toString(16)}`;
    throw new UsageError(`descriptor ${fd} ${found}; give a tap that was made with IFF_TAP | IFF_NO_PI alone`);
  }
  if (type !== SOCK_STREAM) throw new UsageError(`descriptor ${fd} is a socket of another type; give a connected stream socket`);
  if (native.socketOption(fd, SOL_SOCKET, SO_ACCEPTCONN) === 1)
    throw new UsageError(`descriptor ${fd} is a socket that listens; give a connected one, or a path to listen at with --socket`);
  return false;
}

/** The first of our paths at which nobody listens. */
function freePath(native: Native): string {
  for (let number = 1; number <= MOST_DEFAULTS; number++) {
    const path = `${DEFAULT_PATH}${number}.socket`;
    const fd = native.localConnect(path);
    if (fd === -ENOENT || fd === -ECONNREFUSED) return path;
    if (fd >= 0) native.close(fd);
  }
  throw new UsageError(`no path from ${DEFAULT_PATH}1.socket to ${DEFAULT_PATH}${MOST_DEFAULTS}.socket is free; give one with --socket`);
}
