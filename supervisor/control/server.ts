/**
 * The control socket: shows the forwarding rules to a client, and takes new ones from it (codec.ts).
 *
 * Theory of operation. One client is served at a time, from its greeting until its rules are in force, and the others wait in the
 * kernel's queue: so each sees the rules that it changes, and none undoes what another has done meanwhile. Nothing here blocks. A client has
 * CLIENT_MS for its answer, and may send no more than the longest right one; nobody waits longer than that for one that is
 * silent. Traffic never waits.
 *
 * The rules are replaced as a whole, or not at all. A client that can hear it is told why not, and so is the log; pesto has gone by then.
 *
 * Only the owner of the process may connect, and root: the file's mode says so, and SO_PEERCRED once more, for a file whose mode was
 * changed.
 */
import type { Native } from '../../native/supervisor.d.ts';
import { describeRule, type Enabled, faultOf, restrictToFamilies } from '../forwarding/rule.ts';
import { type ForwardingTable, makeTable, named } from '../forwarding/table.ts';
import type { Log } from '../log.ts';
import { UsageError } from '../usage-error.ts';
import { Answer } from './answer.ts';
import { encodeGreeting, encodeVerdict, tablesOf } from './codec.ts';
import { listenAt, SocketFile } from './path.ts';

/** How long a client may take for its answer, ms. */
export const CLIENT_MS = 5_000;
/** How long clients are left alone when one can't be accepted, ms. */
const REST_MS = 1_000;
/** What is read at once. */
const READ_BYTES = 16_384;
const EAGAIN = -11;
const ROOT = 0;

/** The rules in force, and who changes them. */
export interface Forwarding {
  /** What may be forwarded at all. */
  readonly enabled: Enabled;
  /** The rules in force. */
  current(): ForwardingTable;
  /** Puts others in their place: null = done, else why nothing has changed, in one line. */
  apply(table: ForwardingTable): Promise<string | null>;
}

export interface ControlServerParts {
  readonly native: Pick<Native, 'localAccept' | 'localConnect' | 'localListen' | 'watch' | 'send' | 'receive' | 'close'>;
  readonly log: Pick<Log, 'info' | 'warning'>;
  /** Who we are: process.geteuid(). */
  readonly uid: number;
  /** How long a client may take for its answer, ms. */
  readonly clientMs: number;
  /** Whether a process of our own user may not ask after all. */
  isRefused(pid: number): boolean;
}

/** One client, as the kernel names it. */
interface Client {
  readonly fd: number;
  readonly pid: number;
  readonly uid: number;
}

/** A listening control socket. */
export class ControlServer {
  readonly #parts: ControlServerParts;
  readonly #listener: number;
  readonly #file: SocketFile;
  #forwarding: Forwarding | null = null;
  #watch: { stop(): void } | null = null;
  #serving: { stop(): void } | null = null;
  #closed = false;

  /**
   * Listens at `path`; clients wait until `serve`.
   * @throws UsageError when it can't be
   */
  constructor(parts: ControlServerParts, path: string) {
    this.#parts = parts;
    this.#listener = listenAt(parts.native, path);
    this.#file = new SocketFile(path);
  }

  /** Begins to serve the clients. */
  serve(forwarding: Forwarding): void {
    this.#forwarding = forwarding;
    this.#resume();
  }

  #resume(): void {
    if (!this.#closed) this.#watch ??= this.#parts.native.watch(this.#listener, () => this.#accept());
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
      log.warning(`user ${client.uid} (process ${client.pid}) may not use the control socket: it is for user ${uid} and root`);
      native.close(client.fd);
      return;
    }
    // Root can have what it wants, and need not show us where it is.
    if (!(client.uid === ROOT && uid !== ROOT) && this.#parts.isRefused(client.pid)) {
      log.warning(`process ${client.pid} may not use the control socket: it is in the guest's network, or can't be seen`);
      native.close(client.fd);
      return;
    }
    this.#pause();
    this.#greet(client, this.#forwarding as Forwarding);
  }

  /** A client that can't be accepted stays where it is, and would wake us at once again. */
  #rest(result: number): void {
    this.#pause();
    this.#parts.log.warning(
      `a client of the control socket can't be accepted (errno ${-result}); it is tried again every ${REST_MS / 1000} s`,
    );
    setTimeout(() => this.#resume(), REST_MS).unref();
  }

  #greet(client: Client, forwarding: Forwarding): void {
    const { native, log } = this.#parts;
    log.info(`Accepted configuration client, PID ${client.pid}`);
    const greeting = encodeGreeting(forwarding.current(), forwarding.enabled);
    if (native.send(client.fd, greeting) !== greeting.length) {
      this.#end(client, 'it went away before it was greeted');
      return;
    }
    const answer = new Answer(forwarding.enabled);
    const watch = native.watch(client.fd, () => {
      const outcome = this.#read(client.fd, answer);
      if (outcome !== undefined) settle(outcome);
    });
    const limit = setTimeout(() => settle('it has not sent its rules in time'), this.#parts.clientMs);
    const settle = (outcome: ForwardingTable | string | null): void => {
      watch.stop();
      clearTimeout(limit);
      this.#serving = null;
      if (outcome === null || typeof outcome === 'string') this.#end(client, outcome);
      else void this.#apply(client, forwarding, outcome);
    };
    this.#serving = { stop: () => settle(null) };
  }

  /** The rules, a complaint, null when the client only wanted to look, undefined while more may come. */
  #read(fd: number, answer: Answer): ForwardingTable | string | null | undefined {
    const bytes = this.#parts.native.receive(fd, READ_BYTES);
    if (bytes === null) return undefined;
    if (typeof bytes === 'number' || bytes.length === 0) return answer.isEmpty ? null : 'it went away in the middle of its rules';
    try {
      return answer.take(bytes) ?? undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }

  async #apply(client: Client, forwarding: Forwarding, wanted: ForwardingTable): Promise<void> {
    const { log } = this.#parts;
    let refusal: string | null;
    try {
      const table = checkedTable(wanted, forwarding.enabled);
      refusal = await forwarding.apply(table);
      if (refusal === null) for (const line of tableLines(table, forwarding.enabled)) log.info(line);
    } catch (error) {
      refusal = (error as Error).message;
    }
    if (refusal !== null) log.warning(`forwarding rules of process ${client.pid} are not taken, nothing has changed: ${refusal}`);
    this.#parts.native.send(client.fd, encodeVerdict(refusal));
    this.#end(client, null);
  }

  /** The end of a client; `complaint` is what it did wrong. */
  #end(client: Client, complaint: string | null): void {
    const { native, log } = this.#parts;
    if (complaint !== null) {
      log.warning(`a client of the control socket, process ${client.pid}, has changed nothing: ${complaint}`);
      native.send(client.fd, encodeVerdict(complaint));
    }
    native.close(client.fd);
    this.#resume();
  }
}

/**
 * The table that a client asks for, checked like the command line.
 * @throws UsageError
 */
function checkedTable(wanted: ForwardingTable, enabled: Enabled): ForwardingTable {
  const rules = [...wanted.host, ...wanted.guest].map((rule) => restrictToFamilies(rule, enabled));
  for (const rule of rules) {
    const fault = faultOf(rule, enabled);
    if (fault !== null) throw new UsageError(`${describeRule(rule)}: ${fault}`);
  }
  return makeTable(rules.map(named));
}

/** The table for people. */
function tableLines(table: ForwardingTable, enabled: Enabled): string[] {
  return tablesOf(enabled).flatMap(({ name, side }) => [
    `New forwarding rules for ${name}:`,
    ...table[side].map((rule) => `    ${describeRule(rule)}`),
  ]);
}
