/**
 * The host's resolver configuration, resolv.conf(5): servers and search domains.
 */
import { readFileSync } from 'node:fs';
import { familyOf, isUnspecified, parseAddress } from '../../shared/addresses.ts';

export interface Resolvers {
  /** At most three per family, in the file's order; loopback addresses too. */
  readonly servers: readonly Uint8Array[];
  /** At most six domains of the first `search` line, else the one of `domain`. */
  readonly search: readonly string[];
}

const SERVERS_PER_FAMILY = 3;
const SEARCH_DOMAINS = 6;

export const RESOLV_CONF = '/etc/resolv.conf';

/** What a host without resolv.conf has. */
export const NO_RESOLVERS: Resolvers = Object.freeze({ servers: Object.freeze([]), search: Object.freeze([]) });

/** Reads resolv.conf; null when the file is missing or unreadable. */
export function readResolvers(path = RESOLV_CONF): Resolvers | null {
  try {
    return parseResolvers(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}

/** Pure; lines that mean nothing are skipped, as the C library does. */
export function parseResolvers(text: string): Resolvers {
  const servers: Uint8Array[] = [];
  let search: readonly string[] | null = null;
  let domain: readonly string[] = [];
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line.split(/[ \t\r]+/).filter((word, at) => word !== '' || at === 0);
    const value = values[0];
    if (value === undefined) continue;
    if (keyword === 'nameserver') addServer(servers, value);
    else if (keyword === 'search') search ??= values.slice(0, SEARCH_DOMAINS);
    else if (keyword === 'domain') domain = [value];
  }
  return Object.freeze({ servers: Object.freeze(servers), search: Object.freeze([...(search ?? domain)]) });
}

/** The scope behind a % is cut off: it names an interface of the host. To connect to 0.0.0.0 or :: means this host (RFC 1122 §3.2.1.3). */
function addServer(servers: Uint8Array[], text: string): void {
  const percent = text.indexOf('%');
  const named = parseAddress(percent < 0 ? text : text.slice(0, percent));
  if (named === null) return;
  const family = familyOf(named);
  const address = isUnspecified(named) ? (parseAddress(family === 4 ? '127.0.0.1' : '::1') as Uint8Array) : named;
  if (servers.filter((other) => familyOf(other) === family).length < SERVERS_PER_FAMILY) servers.push(address);
}
