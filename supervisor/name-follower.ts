/**
 * Keeps worker and opener informed about the host's resolvers while the guest has an address for them, or is told of them by DHCP and
 * router advertisements.
 *
 * Theory of operation. What the guest sends to that address is meant for whatever resolver the host uses at the time, so resolv.conf is
 * watched, and each change that makes a difference is told: to the opener first, which learns of a resolver on the loopback (the only one
 * that needs its permission, and only the one in use has it), then to the worker. Flows that exist keep their sockets, a UDP flow until
 * its next query. A file that is gone is about to be replaced, and changes nothing; a file that names no server means that there is none,
 * and the guest is told so.
 */
import { formatAddress, isLoopback, sameAddress } from '../shared/addresses.ts';
import {
  type LoopbackMapping,
  type NameOptions,
  type NameService,
  nameServiceWarnings,
  planNameService,
  succeedNameService,
} from './config/name-service.ts';
import { FileWatch } from './host/file-watch.ts';
import { readResolvers, RESOLV_CONF, type Resolvers } from './host/resolvers.ts';
import type { Log } from './log.ts';
import type { Opener } from './opener.ts';
import type { WorkerRoom } from './worker-room.ts';

const NONE = new Uint8Array(0);

/** Whom it tells, and what it is decided from. */
export interface NameFollowerParts {
  readonly options: NameOptions;
  readonly mapping: LoopbackMapping;
  readonly opener: Pick<Opener, 'setResolver'>;
  readonly worker: Pick<WorkerRoom, 'setResolvers' | 'isOpen'>;
  readonly log: Pick<Log, 'info' | 'warning'>;
  /** Opener or worker can't be told any more; one line for people. */
  failed(line: string): void;
}

function same(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === null || b === null ? a === b : sameAddress(a, b);
}

/** The resolver of one family as far as the opener has to permit it. */
function permitted(forward: Uint8Array | null, host: Uint8Array | null): Uint8Array | null {
  return forward !== null && host !== null && isLoopback(host) ? host : null;
}

/** What the guest is told; empty lists where nothing is to be told. */
function adviceOf({ servers, search }: NameService, options: NameOptions): Pick<NameService, 'servers' | 'search'> {
  return { servers: options.advertiseDns ? servers : [], search: options.advertiseSearch ? search : [] };
}

function describe({ servers, search }: Pick<NameService, 'servers' | 'search'>): string {
  const named = servers.length === 0 ? 'no DNS server' : `DNS ${servers.map(formatAddress).join(', ')}`;
  return search.length === 0 ? named : `${named}, search list ${search.join(', ')}`;
}

/** The name service of one run. */
export class NameFollower {
  readonly #parts: NameFollowerParts;
  readonly #path: string;
  #mapping: LoopbackMapping;
  #now: NameService;
  #permitted: { 4: Uint8Array | null; 6: Uint8Array | null } = { 4: null, 6: null };
  #watch: FileWatch | null = null;

  /** `first` is what the plan says; `path` that of resolv.conf, for tests. */
  constructor(parts: NameFollowerParts, first: NameService, path: string = RESOLV_CONF) {
    this.#parts = parts;
    this.#mapping = parts.mapping;
    this.#now = first;
    this.#path = path;
  }

  /** Tells what the plan says and follows the changes, if the guest has an address for the host's resolver, or is told of servers, at all. */
  start(): void {
    const { advertiseDns, advertiseSearch } = this.#parts.options;
    if (!this.#isForwarding() && !advertiseDns && !advertiseSearch) return;
    this.#tell();
    if (!this.#dependsOnFile()) return;
    const refused = (error: Error): void =>
      this.#parts.log.info(
        `changes of ${this.#path} are seen after some seconds only (${error.message}): see fs.inotify.max_user_instances`,
      );
    this.#watch = new FileWatch(this.#path, () => this.#look(), refused);
    // It may have changed since the plan was made.
    this.#look();
  }

  /** The addresses that lead to the host's loopback are others from now on. */
  remap(mapping: LoopbackMapping): void {
    this.#mapping = mapping;
    if (this.#watch !== null) this.#look();
  }

  stop(): void {
    this.#watch?.stop();
    this.#watch = null;
  }

  #look(): void {
    const resolvers = readResolvers(this.#path);
    if (!this.#parts.worker.isOpen) this.stop();
    else if (resolvers !== null) this.#succeed(resolvers);
  }

  #succeed(resolvers: Resolvers): void {
    const { options } = this.#parts;
    const before = this.#now;
    this.#now = succeedNameService(before, planNameService(options, resolvers, this.#mapping));
    const isRouted = this.#isRoutedAs(before);
    const [told, toldBefore] = [describe(adviceOf(this.#now, options)), describe(adviceOf(before, options))];
    if (isRouted && told === toldBefore) return;
    try {
      this.#tell();
    } catch (error) {
      this.stop();
      this.#parts.failed((error as Error).message);
      return;
    }
    if (told !== toldBefore) this.#parts.log.info(`the guest is told from now on: ${told}`);
    if (!isRouted) this.#logRouting();
  }

  /** Whether queries go where they went with `before`. */
  #isRoutedAs(before: NameService): boolean {
    const { forward4, forward6, host4, host6 } = this.#now;
    return same(host4, before.host4) && same(host6, before.host6) && same(forward4, before.forward4) && same(forward6, before.forward6);
  }

  #logRouting(): void {
    const { forward4, forward6, host4, host6 } = this.#now;
    for (const line of nameServiceWarnings(this.#now)) this.#parts.log.warning(line);
    for (const [forward, host] of [
      [forward4, host4],
      [forward6, host6],
    ] as const)
      if (forward !== null && host !== null) this.#parts.log.info(`DNS queries to ${formatAddress(forward)} go to ${formatAddress(host)}`);
  }

  #isForwarding(): boolean {
    return this.#now.forward4 !== null || this.#now.forward6 !== null;
  }

  /** What was named by option stays. */
  #dependsOnFile(): boolean {
    const { dnsHost4, dnsHost6, dns, search, advertiseDns, advertiseSearch } = this.#parts.options;
    const forwards = (this.#now.forward4 !== null && dnsHost4 === null) || (this.#now.forward6 !== null && dnsHost6 === null);
    return forwards || (advertiseDns && dns === null) || (advertiseSearch && search === null);
  }

  #tell(): void {
    const { forward4, forward6, host4, host6 } = this.#now;
    this.#permit(4, permitted(forward4, host4));
    this.#permit(6, permitted(forward6, host6));
    const { servers, search } = adviceOf(this.#now, this.#parts.options);
    this.#parts.worker.setResolvers({
      servers: [...servers],
      search: [...search],
      forward4: forward4 ?? NONE,
      forward6: forward6 ?? NONE,
      host4: host4 ?? NONE,
      host6: host6 ?? NONE,
    });
  }

  #permit(family: 4 | 6, address: Uint8Array | null): void {
    if (same(this.#permitted[family], address)) return;
    this.#parts.opener.setResolver(family, address);
    this.#permitted[family] = address;
  }
}
