/**
 * Checks of limits, settings and files that parts of a run depend on. Pure.
 */
import { type Finding, ok } from './finding.ts';
import type { World } from './world.ts';

const ROOT = 0;
/** Open files below which a few hundred connections use all. */
const MANY_FILES = 4096;
/** Those that the rooms keep for themselves, twice: shared/limits.ts. */
const FEWEST_FILES = 256;
const HTTP = 80;

/** The hard limit is what counts: each run raises the soft one to it. */
export function checkDescriptors(world: World): Finding {
  const found = /^Max open files\s+\S+\s+(\S+)/m.exec(world.read('/proc/self/limits') ?? '')?.[1] ?? 'unlimited';
  const limit = found === 'unlimited' ? Number.POSITIVE_INFINITY : Number(found);
  const cure =
    "raise the limit: 'LimitNOFILE=' of a unit, 'hard nofile' in /etc/security/limits.conf, or '--ulimit nofile=' of a container";
  if (limit < FEWEST_FILES) return { verdict: 'failure', found: `at most ${found}, which leaves none for connections`, cure };
  if (limit < MANY_FILES) return { verdict: 'warning', found: `at most ${found}: so many connections and forwarded ports, less 128`, cure };
  return ok(`at most ${found}`);
}

/** Echo requests go by ping sockets, which the range of groups opens to users. */
export function checkPing(world: World): Finding {
  const range = world.read('/proc/sys/net/ipv4/ping_group_range');
  const [first, last] = (range ?? '').trim().split(/\s+/).map(Number);
  if (first !== undefined && last !== undefined && world.groups.some((group) => group >= first && group <= last))
    return ok('the guest can ping');
  return {
    verdict: 'warning',
    found: `the guest can't ping: net.ipv4.ping_group_range is '${range?.trim().replace(/\s+/, ' ') ?? 'not there'}'`,
    cure: 'run \'sysctl net.ipv4.ping_group_range="0 2147483647"\' as root',
  };
}

/** Forwarding to the guest below that port needs a privilege, or a socket that was handed in. */
export function checkLowPorts(world: World): Finding {
  const start = Number(world.read('/proc/sys/net/ipv4/ip_unprivileged_port_start') ?? 1024);
  if (world.uid === ROOT) return ok('root may forward all');
  if (start <= HTTP) return ok(`those from ${start} on may be forwarded`);
  return {
    verdict: 'note',
    found: `ports below ${start} can't be forwarded by this user`,
    cure: `to forward them, run 'sysctl net.ipv4.ip_unprivileged_port_start=80' as root, or have them bound by root and handed in (--listen-fd)`,
  };
}

/** proc(5): a destination of zeroes is the default route. */
export function checkUplink(world: World): Finding {
  const routes = (world.read('/proc/net/route') ?? '').split('\n').slice(1);
  const devices4 = routes.map((line) => line.split('\t')).filter((fields) => fields[1] === '00000000' && fields[7] === '00000000');
  const routes6 = (world.read('/proc/net/ipv6_route') ?? '').split('\n').map((line) => line.trim().split(/\s+/));
  const devices6 = routes6.filter((fields) => /^0{32}$/.test(fields[0] ?? '') && fields[1] === '00' && fields.at(-1) !== 'lo');
  const found = [
    ...(devices4[0] === undefined ? [] : [`IPv4 by ${devices4[0][0]}`]),
    ...(devices6[0] === undefined ? [] : [`IPv6 by ${devices6[0].at(-1)}`]),
  ];
  if (found.length > 0) return ok(found.join(', '));
  return { verdict: 'note', found: 'there is no default route: guests reach this host only, until there is one', cure: null };
}

const LOOPBACK = /^\s*nameserver\s+(127\.\S+|::1)\s*$/m;

/** A guest that has the host's file asks its own loopback. */
export function checkResolver(world: World): Finding {
  const text = world.read('/etc/resolv.conf');
  if (text === null || !/^\s*nameserver\s/m.test(text))
    return { verdict: 'warning', found: '/etc/resolv.conf names no server', cure: 'name one there, or give --dns to the guest' };
  const loopback = LOOPBACK.exec(text)?.[1];
  if (loopback === undefined) return ok('/etc/resolv.conf names servers that guests reach');
  return {
    verdict: 'note',
    found: `/etc/resolv.conf names ${loopback}, which is its own loopback to a guest`,
    cure: 'give --dns-forward an address, and the guest a resolv.conf with that; Podman does',
  };
}

/** Where the sockets of runs are: supervisor/control/instances.ts. */
export function checkRuntimeFolder(world: World): Finding {
  const path = world.variable('XDG_RUNTIME_DIR');
  const missing = (found: string, cure: string): Finding => ({
    verdict: 'warning',
    found: `${found}: 'ravioli status', 'flows' and 'forward' find no runs`,
    cure,
  });
  if (path === undefined || path === '') {
    if (world.uid === ROOT) return ok('/run/ravioli');
    return missing('XDG_RUNTIME_DIR is not set', "log in as that user ('machinectl shell USER@'), or set it to a folder of the user's own");
  }
  const folder = path.startsWith('/') ? world.folder(path) : null;
  if (folder === null) return missing(`XDG_RUNTIME_DIR names no folder: ${path}`, "set it to a folder of the user's own");
  if (folder.uid !== world.uid || (folder.mode & 0o022) !== 0)
    return missing(`${path} is not this user's alone`, "run 'chmod 0700' on it as its owner, or set another one");
  return ok(path);
}

/** Not for us: a namespace of ours has one id. */
export function checkSubordinateIds(world: World): Finding {
  const { user, uid } = world;
  if (uid === ROOT) return ok('root needs none');
  const lacking = ['/etc/subuid', '/etc/subgid'].filter(
    (path) => !(world.read(path) ?? '').split('\n').some((line) => [user, String(uid)].includes(line.split(':')[0] as string)),
  );
  if (lacking.length === 0) return ok('there');
  return {
    verdict: 'note',
    found: `${lacking.join(' and ')} ${lacking.length === 1 ? 'has' : 'have'} none for this user: rootless Podman needs some, ravioli does not`,
    cure: `run 'usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${user ?? uid}' as root`,
  };
}
