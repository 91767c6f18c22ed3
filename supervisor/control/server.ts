/**
 * The control socket: shows the forwarding rules to a client, and takes new ones from it (codec.ts).
 *
 * Theory of operation. One client is served at a time (reception.ts), from its greeting until its rules are in force: so each sees the
 * rules that it changes, and none undoes what another has done meanwhile. A client has CLIENT_MS for its answer, and may send no more than
 * the longest right one; nobody waits longer than that for one that is silent. Traffic never waits.
 *
 * The rules are replaced as a whole, or not at all. A client that can hear it is told why not, and so is the log; pesto has gone by then.
 */
import { describeRule, type Enabled, faultOf, restrictToFamilies } from '../forwarding/rule.ts';
import { type ForwardingTable, makeTable, named } from '../forwarding/table.ts';
import { UsageError } from '../usage-error.ts';
import { Answer } from './answer.ts';
import { encodeGreeting, encodeVerdict, tablesOf } from './codec.ts';
import { type Client, Reception, type ReceptionParts } from './reception.ts';

/** What is read at once. */
const READ_BYTES = 16_384;

/** The rules in force, and who changes them. */
export interface Forwarding {
  /** What may be forwarded at all. */
  readonly enabled: Enabled;
  /** The rules in force. */
  current(): ForwardingTable;
  /** Puts others in their place: null = done, else why nothing has changed, in one line. */
  apply(table: ForwardingTable): Promise<string | null>;
}

/** A listening control socket. */
export class ControlServer {
  readonly #parts: ReceptionParts;
  readonly #reception: Reception;

  /**
   * Listens at `path`; clients wait until `serve`.
   * @throws UsageError when it can't be
   */
  constructor(parts: ReceptionParts, path: string) {
    this.#parts = parts;
    this.#reception = new Reception(parts, path, 'control socket');
  }

  /** Begins to serve the clients. */
  serve(forwarding: Forwarding): void {
    this.#reception.open((client, done) => this.#greet(client, forwarding, done));
  }

  /** Serves nobody any more and removes the file, unless another has taken its place. */
  close(): void {
    this.#reception.close();
  }

  #greet(client: Client, forwarding: Forwarding, done: () => void): { stop(): void } {
    const { native, log } = this.#parts;
    log.info(`Accepted configuration client, PID ${client.pid}`);
    const greeting = encodeGreeting(forwarding.current(), forwarding.enabled);
    if (native.send(client.fd, greeting) !== greeting.length) {
      this.#end(client, 'it went away before it was greeted', done);
      return { stop: () => {} };
    }
    const answer = new Answer(forwarding.enabled);
    const watch = native.watch(client.fd, () => {
      const outcome = this.#read(client.fd, answer);
      if (outcome !== undefined) settle(outcome);
    });
    const limit = setTimeout(() => settle('it has not sent its rules in time'), this.#parts.clientMs);
    let settled = false;
    const settle = (outcome: ForwardingTable | string | null): void => {
      if (settled) return;
      settled = true;
      watch.stop();
      clearTimeout(limit);
      if (outcome === null || typeof outcome === 'string') this.#end(client, outcome, done);
      else void this.#apply(client, forwarding, outcome).then(done);
    };
    return { stop: () => settle(null) };
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
  }

  /** The end of a client; `complaint` is what it did wrong. */
  #end(client: Client, complaint: string | null, done: () => void): void {
    const { native, log } = this.#parts;
    if (complaint !== null) {
      log.warning(`a client of the control socket, process ${client.pid}, has changed nothing: ${complaint}`);
      native.send(client.fd, encodeVerdict(complaint));
    }
    done();
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
