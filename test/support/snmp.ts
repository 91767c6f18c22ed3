/**
 * The kernel's own counters of a network namespace (RFC 4113 and others): what it has dropped, where nobody else would know.
 */
import { check } from './processes.ts';

/** Reads them: `Udp.RcvbufErrors` of IPv4 is `UdpRcvbufErrors`, that of IPv6 `Udp6RcvbufErrors`, as `nstat` calls them. */
export async function readCounters(namespace: string | number): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  const text = await check(['cat', '/proc/net/snmp', '/proc/net/snmp6'], { namespace });
  let names: string[] = [];
  for (const line of text.split('\n')) {
    const [first = '', ...rest] = line.trim().split(/\s+/);
    if (!first.endsWith(':')) {
      if (rest.length === 1) found.set(first, Number(rest[0]));
    } else if (rest.some((word) => Number.isNaN(Number(word)))) names = rest;
    else for (const [at, value] of rest.entries()) found.set(`${first.slice(0, -1)}${names[at]}`, Number(value));
  }
  return found;
}

/** Datagrams of both families for which sockets of some namespaces had no room so far. */
export async function droppedBySockets(namespaces: readonly (string | number)[]): Promise<number> {
  const counters = await Promise.all(namespaces.map(readCounters));
  const of = (one: Map<string, number>, name: string): number => one.get(name) ?? Number.NaN;
  return counters.reduce((sum, one) => sum + of(one, 'UdpRcvbufErrors') + of(one, 'Udp6RcvbufErrors'), 0);
}
