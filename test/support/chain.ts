/**
 * The network for what looks at the way itself: three routers between the product and a far host.
 *
 *     host ── far (first router) ── second ── third ── end (203.0.113.1, 2001:db8:9::1), the last link with a smaller MTU
 */
import { execFileSync } from 'node:child_process';
import { HOST4, HOST6, makeTopology, removeNamespace, type Topology } from './topology.ts';

export const END4 = '203.0.113.1';
export const END6 = '2001:db8:9::1';
/** On the way to a network that the third router knows of, but of which no address answers to it. */
export const NOBODY4 = '203.0.113.77';
/** Of the last link. */
export const NARROW_MTU = 1400;

/** Errors are rationed per destination; a trace asks one router for many. Nor is there anybody to have a router's address already. */
const AT_ONCE = `cd /proc/sys/net
echo 0 > ipv6/conf/default/accept_dad
echo 0 > ipv4/icmp_ratelimit
echo 0 > ipv6/icmp/ratelimit`;
const ROUTER = `${AT_ONCE}
echo 1 > ipv4/ip_forward
echo 1 > ipv6/conf/all/forwarding`;

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

export interface Chain extends Topology {
  /** Name of the namespace behind the last router. */
  readonly end: string;
}

let chains = 0;

/** Joins the two namespaces, which are neighbours `number` and `number + 1` of the chain. */
function join(near: string, distant: string, number: number): void {
  ip('-n', near, 'link', 'add', 'on', 'type', 'veth', 'peer', 'name', 'back', 'netns', distant);
  for (const [name, device, host] of [
    [near, 'on', 1],
    [distant, 'back', 2],
  ] as const) {
    ip('-n', name, 'addr', 'add', `10.9.${number}.${host}/24`, 'dev', device);
    ip('-n', name, 'addr', 'add', `2001:db8:8:${number}::${host}/64`, 'dev', device, 'nodad');
    ip('-n', name, 'link', 'set', device, 'up');
  }
}

/** Makes the chain; the process must be root. It is removed at exit at the latest. */
export function makeChain(): Chain {
  const topology = makeTopology();
  const names = ['second', 'third', 'end'].map((_, at) => `rv${process.pid}x${1000 + 3 * chains + at}g`);
  chains++;
  const remove = (): void => {
    for (const name of names) removeNamespace(name);
    topology.remove();
  };
  process.once('exit', remove);
  const [second, third, end] = names as [string, string, string];
  for (const name of names) {
    ip('netns', 'add', name);
    ip('-n', name, 'link', 'set', 'lo', 'up');
  }
  const way = [topology.far, second, third, end];
  for (const router of way.slice(0, 3)) execFileSync('ip', ['netns', 'exec', router, 'sh', '-ec', ROUTER]);
  execFileSync('ip', ['netns', 'exec', end, 'sh', '-ec', AT_ONCE]);
  for (let at = 0; at < 3; at++) {
    const [near, distant] = [way[at], way[at + 1]] as [string, string];
    join(near, distant, at);
    ip('-n', near, 'route', 'add', '203.0.113.0/24', 'via', `10.9.${at}.2`);
    ip('-n', near, '-6', 'route', 'add', '2001:db8:9::/64', 'via', `2001:db8:8:${at}::2`);
    ip('-n', distant, 'route', 'add', 'default', 'via', `10.9.${at}.1`);
    ip('-n', distant, '-6', 'route', 'add', 'default', 'via', `2001:db8:8:${at}::1`);
  }
  ip('-n', end, 'addr', 'add', `${END4}/32`, 'dev', 'lo');
  ip('-n', end, 'addr', 'add', `${END6}/128`, 'dev', 'lo', 'nodad');
  for (const [name, device] of [
    [third, 'on'],
    [end, 'back'],
  ] as const)
    ip('-n', name, 'link', 'set', device, 'mtu', String(NARROW_MTU));
  // The end answers from the address that was asked.
  ip('-n', end, 'route', 'add', `${HOST4}/32`, 'via', '10.9.2.1', 'src', END4);
  ip('-n', end, '-6', 'route', 'add', `${HOST6}/128`, 'via', '2001:db8:8:2::1', 'src', END6);
  return {
    ...topology,
    end,
    remove() {
      process.removeListener('exit', remove);
      remove();
    },
  };
}
