/**
 * The network every measurement and system test runs in: two namespaces joined by a veth pair.
 *
 *     host (192.0.2.2/24, 2001:db8::2/64) ── veth ── far (192.0.2.1, 2001:db8::1; targets 198.51.100.1 and 2001:db8:1::1 on its lo)
 *
 * Theory of operation. The product runs in `host`, the servers in `far`. The targets are not the gateway, so the mapping of the gateway
 * to the host's loopback stays out of the path. `far` routes back with the targets as source: a UDP server bound to the wildcard
 * then answers from the address that was asked. Names carry the pid of their maker, so parallel runs do not meet, and every run first
 * removes what dead makers have left.
 */
import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type Impairment, startBadNetwork } from './impairment.ts';
import { UNPRIVILEGED } from './processes.ts';

export const HOST4 = '192.0.2.2';
export const HOST6 = '2001:db8::2';
export const GATEWAY4 = '192.0.2.1';
export const GATEWAY6 = '2001:db8::1';
export const TARGET4 = '198.51.100.1';
export const TARGET6 = '2001:db8:1::1';

export interface Topology {
  /** Name of the namespace the product runs in. */
  readonly host: string;
  /** Name of the namespace the servers run in. */
  readonly far: string;
  /** A folder of this run that UNPRIVILEGED may write to. */
  readonly folder: string;
  /** Ends what runs in the namespaces, and removes them and the folder. Safe to call twice. */
  remove(): void;
}

const NAME = /^rv(\d+)x\d+[fgh]$/;
/** In memory: files of a gigabyte must not measure the disk. */
const BASE = '/dev/shm/';
const FOLDER = /^ravioli-run-(\d+)-/;
let made = 0;

function ip(...args: string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/**
 * The kernel gives other namespaces only the algorithms that the first one allows (`tcp_set_default_congestion_control`), and only the
 * first one has the list: elsewhere, and for a root of a user namespace, it stays as it is.
 */
function allowCubic(): void {
  const path = '/proc/sys/net/ipv4/tcp_allowed_congestion_control';
  try {
    const allowed = readFileSync(path, 'utf8').trim();
    if (!allowed.split(' ').includes('cubic')) writeFileSync(path, `${allowed} cubic`);
  } catch (error) {
    if (!['ENOENT', 'EACCES', 'EPERM', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/**
 * Ports enough that a connect rate is not the search for a free one, but none of those that servers of tests and benchmarks listen on: a
 * connection that has one in TIME-WAIT would keep the next server from it. Ping sockets for everybody, and cubic, since paced algorithms
 * measure their own timers. The end of the range of groups and the algorithm may be out of reach in a user namespace.
 */
const SETTINGS = `cd /proc/sys/net/ipv4
echo 1024 65535 > ip_local_port_range
echo 1024-9999 > ip_local_reserved_ports
echo 1 > tcp_tw_reuse
echo 0 2147483647 > ping_group_range || echo 0 65535 > ping_group_range
echo cubic > tcp_congestion_control || true`;

/**
 * Sets in a namespace what measurements need.
 * @param namespace a name of `ip netns`, or the pid of a process in it
 */
export function setKernel(namespace: string | number): void {
  allowCubic();
  const path = typeof namespace === 'number' ? `/proc/${namespace}/ns/net` : `/run/netns/${namespace}`;
  execFileSync('nsenter', [`--net=${path}`, 'sh', '-ec', SETTINGS], { stdio: 'ignore' });
}

/** Removes a namespace of `ip netns`, and ends what runs in it. */
export function removeNamespace(name: string): void {
  if (!existsSync(`/run/netns/${name}`)) return;
  for (const pid of ip('netns', 'pids', name).split('\n')) {
    if (pid === '' || Number(pid) === process.pid) continue;
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It ended by itself in between.
    }
  }
  ip('netns', 'del', name);
}

/** What another user's killed run has left is theirs to remove. */
function removeFolder(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch (error) {
    if (!['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/** Removes the namespaces and folders whose makers are dead. */
export function sweep(): void {
  for (const line of ip('netns', 'list').split('\n')) {
    const name = line.split(' ')[0] as string;
    const maker = NAME.exec(name)?.[1];
    if (maker !== undefined && !existsSync(`/proc/${maker}`)) removeNamespace(name);
  }
  for (const name of readdirSync(BASE)) {
    const maker = FOLDER.exec(name)?.[1];
    if (maker !== undefined && !existsSync(`/proc/${maker}`)) removeFolder(`${BASE}${name}`);
  }
}

/** Gives both ends of the link, which is there, their addresses and routes. */
function configure(host: string, far: string): void {
  for (const name of [host, far]) ip('-n', name, 'link', 'set', 'lo', 'up');
  ip('-n', host, 'addr', 'add', `${HOST4}/24`, 'dev', 'eth0');
  ip('-n', host, 'addr', 'add', `${HOST6}/64`, 'dev', 'eth0', 'nodad');
  ip('-n', far, 'addr', 'add', `${GATEWAY4}/24`, 'dev', 'eth0');
  ip('-n', far, 'addr', 'add', `${GATEWAY6}/64`, 'dev', 'eth0', 'nodad');
  ip('-n', far, 'addr', 'add', `${TARGET4}/32`, 'dev', 'lo');
  ip('-n', far, 'addr', 'add', `${TARGET6}/128`, 'dev', 'lo', 'nodad');
  for (const name of [host, far]) ip('-n', name, 'link', 'set', 'eth0', 'up');
  ip('-n', host, 'route', 'add', 'default', 'via', GATEWAY4, 'dev', 'eth0');
  ip('-n', host, '-6', 'route', 'add', 'default', 'via', GATEWAY6, 'dev', 'eth0');
  ip('-n', far, 'route', 'change', '192.0.2.0/24', 'dev', 'eth0', 'src', TARGET4);
  ip('-n', far, '-6', 'route', 'add', `${HOST6}/128`, 'dev', 'eth0', 'src', TARGET6);
}

/** Makes the namespaces; the process must be root. They are removed at exit at the latest. */
export function makeTopology(): Topology {
  const topology = makeNamespaces();
  ip('-n', topology.host, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', topology.far);
  configure(topology.host, topology.far);
  return topology;
}

/** The same with a bad network in place of the veth pair. */
export async function makeImpairedTopology(bad: Impairment): Promise<Topology> {
  const topology = makeNamespaces();
  const network = await startBadNetwork(topology.host, topology.far, 'eth0', bad);
  configure(topology.host, topology.far);
  return {
    ...topology,
    remove() {
      network.kill();
      topology.remove();
    },
  };
}

function makeNamespaces(): Topology {
  if (process.getuid?.() !== 0) throw new Error('namespaces are made by root: run this as root (the product itself runs as nobody)');
  sweep();
  const prefix = `rv${process.pid}x${made++}`;
  const host = `${prefix}h`;
  const far = `${prefix}f`;
  const folder = mkdtempSync(`${BASE}ravioli-run-${process.pid}-`);
  chownSync(folder, UNPRIVILEGED, UNPRIVILEGED);
  const remove = (): void => {
    removeNamespace(host);
    removeNamespace(far);
    rmSync(folder, { recursive: true, force: true });
  };
  process.once('exit', remove);
  ip('netns', 'add', host);
  ip('netns', 'add', far);
  for (const name of [host, far]) setKernel(name);
  return {
    host,
    far,
    folder,
    remove() {
      process.removeListener('exit', remove);
      remove();
    },
  };
}
