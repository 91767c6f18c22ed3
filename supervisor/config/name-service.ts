/**
 * Which DNS servers and search domains the guest is told of, and which address stands for the host's own resolver.
 *
 * A resolver on the host's loopback, or one that has the address which leads to the host's loopback, is out of the guest's reach under its
 * own address: the guest is told the mapped one instead, and queries to that are meant for the host's resolver (behaviour of passt).
 */
import { familyOf, isLoopback, sameAddress } from '../../shared/addresses.ts';
import type { Resolvers } from '../host/resolvers.ts';
import type { Options } from './options.ts';

export interface NameService {
  /** What the guest is told, in order. */
  readonly servers: readonly Uint8Array[];
  readonly search: readonly string[];
  /** The host's resolver per family; null = none is known. */
  readonly host4: Uint8Array | null;
  readonly host6: Uint8Array | null;
  /** The guest's address for the host's resolver, implied by resolv.conf; null = none. */
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

export function planNameService(options: Pick<Options, 'dns' | 'search'>, resolvers: Resolvers, mapping: LoopbackMapping): NameService {
  const enabled = resolvers.servers.filter((server) => (familyOf(server) === 4 ? mapping.ipv4 : mapping.ipv6));
  const advertised: Uint8Array[] = [];
  const forward: { 4: Uint8Array | null; 6: Uint8Array | null } = { 4: null, 6: null };
  for (const server of enabled) {
    const family = familyOf(server);
    const mapped = family === 4 ? mapping.mapHostLoopback4 : mapping.mapHostLoopback6;
    if (!isLoopback(server) && !sameAddress(server, mapped)) advertised.push(server);
    else if (mapped.length > 0 && forward[family] === null) {
      forward[family] = mapped;
      advertised.push(mapped);
    }
  }
  const isOff = options.dns?.length === 0;
  const hostOf = (family: 4 | 6): Uint8Array | null => enabled.find((server) => familyOf(server) === family) ?? null;
  return Object.freeze({
    servers: Object.freeze(options.dns === null ? advertised : [...options.dns]),
    search: options.search ?? resolvers.search,
    host4: isOff ? null : hostOf(4),
    host6: isOff ? null : hostOf(6),
    forward4: isOff ? null : forward[4],
    forward6: isOff ? null : forward[6],
    unreachable: Object.freeze(enabled.filter(isLoopback)),
  });
}
