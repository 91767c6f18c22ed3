/**
 * The kernel's own counters of a network namespace (RFC 4113 and others): what it has dropped, where nobody else would know.
 */
import { readFileSync } from 'node:fs';
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

/** What has no room there ends a datagram: a socket, or the place where fragments wait for the others. */
const ROOMS = ['UdpRcvbufErrors', 'Udp6RcvbufErrors', 'IpReasmFails', 'Ip6ReasmFails'];

/** Packets that the queues between this machine's devices had no room for (net.core.netdev_max_backlog), whose ever they were. */
function droppedBetweenDevices(): number {
  const processors = readFileSync('/proc/net/softnet_stat', 'latin1').trim().split('\n');
  return processors.reduce((sum, line) => sum + Number.parseInt(line.split(' ')[1] as string, 16), 0);
}

/**
 * How many datagrams, at most, the kernel had no room for so far: in sockets of some namespaces, where their fragments wait, and on the way from one
 * device to another. That is a matter of how soon their receivers get the processor.
 */
async function droppedByKernel(namespaces: readonly (string | number)[]): Promise<number> {
  const counters = await Promise.all(namespaces.map(readCounters));
  const there = counters.flatMap((one) => ROOMS.map((name) => one.get(name) ?? Number.NaN));
  return there.reduce((sum, one) => sum + one, droppedBetweenDevices());
}

/** Does some work; how many datagrams, at most, the kernel has dropped meanwhile (droppedByKernel), and what the work gave. */
export async function countDropped<T>(namespaces: readonly (string | number)[], work: () => Promise<T>): Promise<[dropped: number, T]> {
  const before = await droppedByKernel(namespaces);
  const result = await work();
  return [(await droppedByKernel(namespaces)) - before, result];
}
