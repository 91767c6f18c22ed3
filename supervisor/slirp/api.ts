/**
 * The socket by which callers of slirp4netns forward ports: one request in JSON per connection, one reply, and that is all.
 *
 * Theory of operation. Requests are read until they make sense, or their sender has said all; the rules in force are the only state, but for
 * the numbers that callers know them by. A request that can't be met changes nothing, and is answered by what was wrong.
 */
import { ANY_IPV4, formatAddress, parseIPv4 } from '../../shared/addresses.ts';
import { type Client, Reception, type ReceptionParts } from '../control/reception.ts';
import type { Forwarding } from '../control/server.ts';
import { faultOf, type ForwardingRule, sameRule } from '../forwarding/rule.ts';
import { makeTable, named } from '../forwarding/table.ts';

/** Bytes of a request. */
const LONGEST = 4096;
const REQUESTS = ['add_hostfwd', 'list_hostfwd', 'remove_hostfwd'];

type Answer = Record<string, unknown>;

/** A rule and the number that a caller knows it by. */
interface Entry {
  readonly id: number;
  readonly rule: ForwardingRule;
}

class BadRequest extends Error {}

/** A listening API socket. */
export class SlirpApi {
  readonly #parts: ReceptionParts;
  readonly #reception: Reception;
  readonly #guest: Uint8Array;
  readonly #entries: Entry[] = [];
  #next = 1;

  /**
   * Listens at `path`; clients wait until `serve`. `guest` is whom a rule leads to unless it says otherwise.
   * @throws UsageError when it can't be
   */
  constructor(parts: ReceptionParts, path: string, guest: Uint8Array) {
    this.#parts = parts;
    this.#reception = new Reception(parts, path, 'API socket');
    this.#guest = guest;
  }

  /** Begins to serve the clients. */
  serve(forwarding: Forwarding): void {
    this.#reception.open((client, done) => this.#listen(client, forwarding, done));
  }

  /** Serves nobody any more and removes the file, unless another has taken its place. */
  close(): void {
    this.#reception.close();
  }

  #listen({ fd }: Client, forwarding: Forwarding, done: () => void): { stop(): void } {
    const { native, clientMs } = this.#parts;
    let text = '';
    let answered = false;
    const settle = (request: unknown): void => {
      if (answered) return;
      answered = true;
      watch.stop();
      clearTimeout(limit);
      void this.#answer(request, forwarding).then((answer) => {
        native.send(fd, Buffer.from(JSON.stringify(answer)));
        done();
      });
    };
    const watch = native.watch(fd, () => {
      const bytes = native.receive(fd, LONGEST);
      if (bytes === null) return;
      const isEnd = typeof bytes === 'number' || bytes.length === 0;
      if (!isEnd) text += Buffer.from(bytes).toString('utf8');
      const request = parse(text);
      if (request !== undefined || isEnd || text.length >= LONGEST) settle(request);
    });
    const limit = setTimeout(() => settle(undefined), clientMs);
    return { stop: () => settle(undefined) };
  }

  async #answer(request: unknown, forwarding: Forwarding): Promise<Answer> {
    let what = '';
    try {
      const { execute, arguments: given } = record(request, 'the request');
      if (typeof execute === 'string' && REQUESTS.includes(execute)) what = `${execute}: `;
      switch (execute) {
        case 'add_hostfwd':
          return { return: { id: await this.#add(record(given, 'arguments'), forwarding) } };
        case 'list_hostfwd':
          return { entries: this.#entries.map((entry) => shown(entry, this.#guest)) };
        case 'remove_hostfwd':
          await this.#remove(record(given, 'arguments'), forwarding);
          return { return: {} };
        default:
          throw new BadRequest(`execute: ${JSON.stringify(execute) ?? 'nothing'} is none of ${REQUESTS.join(', ')}`);
      }
    } catch (error) {
      return { error: { desc: `bad request: ${what}${(error as Error).message}` } };
    }
  }

  async #add(given: Answer, forwarding: Forwarding): Promise<number> {
    const rule = ruleOf(given, this.#guest);
    const fault = faultOf(rule, forwarding.enabled);
    if (fault !== null) throw new BadRequest(fault);
    const { host, guest } = forwarding.current();
    await replace(forwarding, [...host, rule, ...guest]);
    const id = this.#next++;
    this.#entries.push({ id, rule });
    return id;
  }

  async #remove(given: Answer, forwarding: Forwarding): Promise<void> {
    const at = this.#entries.findIndex(({ id }) => id === given.id);
    const entry = this.#entries[at];
    if (entry === undefined) throw new BadRequest(`id ${JSON.stringify(given.id) ?? 'missing'} is unknown; list_hostfwd has them`);
    const { host, guest } = forwarding.current();
    await replace(forwarding, [...host.filter((rule) => !sameRule(rule, entry.rule)), ...guest]);
    this.#entries.splice(at, 1);
  }
}

async function replace(forwarding: Forwarding, rules: readonly ForwardingRule[]): Promise<void> {
  const refusal = await forwarding.apply(makeTable(rules.map(named)));
  if (refusal !== null) throw new BadRequest(refusal);
}

/** undefined: it is not complete, or nothing. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function record(value: unknown, name: string): Answer {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new BadRequest(`${name} must be an object in JSON`);
  return value as Answer;
}

function ruleOf(given: Answer, guest: Uint8Array): ForwardingRule {
  const { proto } = given;
  if (proto !== 'tcp' && proto !== 'udp') throw new BadRequest(`proto ${JSON.stringify(proto) ?? 'missing'} must be "tcp" or "udp"`);
  const target = addressOf(given, 'guest_addr', guest);
  const first = portOf('host_port', given.host_port);
  return {
    protocol: proto,
    side: 'host',
    address: addressOf(given, 'host_addr', ANY_IPV4),
    interfaceName: null,
    first,
    last: first,
    targetFirst: portOf('guest_port', given.guest_port),
    // The guest itself, wherever it is.
    target: Buffer.compare(target, guest) === 0 ? null : target,
    weak: false,
    scan: false,
  };
}

/** Podman writes an empty text for what it does not say. */
function addressOf(given: Answer, name: string, unless: Uint8Array): Uint8Array {
  const value = given[name];
  if (value === undefined || value === '') return unless;
  const address = typeof value === 'string' ? parseIPv4(value) : null;
  if (address === null) throw new BadRequest(`${name} ${JSON.stringify(value)} must be an IPv4 address`);
  return address;
}

function portOf(name: string, value: unknown): number {
  if (!Number.isInteger(value) || (value as number) < 1 || (value as number) > 65_535)
    throw new BadRequest(`${name} ${JSON.stringify(value) ?? 'missing'} must be a number from 1 to 65535`);
  return value as number;
}

function shown({ id, rule }: Entry, guest: Uint8Array): Answer {
  return {
    id,
    proto: rule.protocol,
    host_addr: formatAddress(rule.address as Uint8Array),
    host_port: rule.first,
    guest_addr: formatAddress(rule.target ?? guest),
    guest_port: rule.targetFirst,
  };
}
