/**
 * Which DNS servers and search domains the guest is told of, and which address stands for the host's own resolver.
 *
 * A resolver on the host's loopback, or one that has the address which leads to the host's loopback, is out of the guest's reach under its
 * own address: the guest is told another one instead, that of --dns-forward or the mapped one, and queries to that are meant for the
 * host's resolver (behaviour of passt). No server is ever made up: what the host does not have the guest does not get.
 */
import { familyOf, formatAddress, isLoopback, sameAddress } from '../../shared/addresses.ts';
import type { Resolvers } from '../host/resolvers.ts';
import type { Options } from './options.ts';

export interface NameService {
  /** What the guest is told, in order. */
  readonly servers: readonly Uint8Array[];
  readonly search: readonly string[];
  /** The host's resolver per family; null = none is known. */
  readonly host4: Uint8Array | null;
  readonly host6: Uint8Array | null;
  /** The guest's address for the host's resolver, asked for or implied by resolv.conf; null = none. */
  readonly forward4: Uint8Array | null;
  readonly forward6: Uint8Array | null;
  /** Servers of resolv.conf that a command in the namespace can't reach: it reads the same file as the host. */
  readonly unreachable: readonly Uint8Array[];
}

/** The addresses that lead to the host's loopback; empty = none. */
export interface LoopbackMapping {
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  readonly mapHostLoopback4: Uint8Array;
  readonly mapHostLoopback6: Uint8Array;
}

/** The options that decide here. */
export type NameOptions = Pick<
  Options,
  'dns' | 'search' | 'dnsForward4' | 'dnsForward6' | 'dnsHost4' | 'dnsHost6' | 'advertiseDns' | 'advertiseSearch'
>;

/** Pure. `mapping` says which families there are, too. */
export function planNameService(options: NameOptions, resolvers: Resolvers, mapping: LoopbackMapping): NameService {
  const enabled = resolvers.servers.filter((server) => (familyOf(server) === 4 ? mapping.ipv4 : mapping.ipv6));
  const isOff = options.dns?.length === 0;
  const asked = { 4: mapping.ipv4 ? options.dnsForward4 : null, 6: mapping.ipv6 ? options.dnsForward6 : null };
  const advertised: Uint8Array[] = [];
  const implied: { 4: Uint8Array | null; 6: Uint8Array | null } = { 4: null, 6: null };
  for (const server of enabled) {
    const family = familyOf(server);
    const mapped = family === 4 ? mapping.mapHostLoopback4 : mapping.mapHostLoopback6;
    const stands = asked[family] ?? (mapped.length > 0 ? mapped : null);
    if (!isLoopback(server) && !sameAddress(server, mapped)) advertised.push(server);
    else if (stands !== null && implied[family] === null) {
      implied[family] = stands;
      advertised.push(stands);
    }
  }
  const forwardOf = (family: 4 | 6): Uint8Array | null => asked[family] ?? (isOff ? null : implied[family]);
  const hostOf = (family: 4 | 6, named: Uint8Array | null): Uint8Array | null => {
    if ((isOff && asked[family] === null) || !(family === 4 ? mapping.ipv4 : mapping.ipv6)) return null;
    return named ?? enabled.find((server) => familyOf(server) === family) ?? null;
  };
  return Object.freeze({
    servers: Object.freeze(options.dns === null ? advertised : [...options.dns]),
    search: options.search ?? resolvers.search,
    host4: hostOf(4, options.dnsHost4),
    host6: hostOf(6, options.dnsHost6),
    forward4: forwardOf(4),
    forward6: forwardOf(6),
    unreachable: Object.freeze(enabled.filter(isLoopback)),
  });
}

/**
 * What holds after resolv.conf has changed. An address that stood for the host's resolver goes on doing so: guests don't ask again for what
 * they were told once.
 */
export function succeedNameService(before: NameService, after: NameService): NameService {
  return Object.freeze({ ...after, forward4: after.forward4 ?? before.forward4, forward6: after.forward6 ?? before.forward6 });
}

/** Lines for people: forwarded addresses behind which there is no resolver. */
export function nameServiceWarnings({ forward4, forward6, host4, host6 }: NameService): string[] {
  const alone: readonly [Uint8Array | null, Uint8Array | null][] = [
    [forward4, host4],
    [forward6, host6],
  ];
  return alone.flatMap(([forward, host]) =>
    forward === null || host !== null
      ? []
      : [
          `DNS queries to ${formatAddress(forward)} are refused: /etc/resolv.conf names no IPv${familyOf(forward)} server; give one with --dns-host`,
        ],
  );
}
