/**
 * Real DHCP clients, as programs in the guest's namespace: what each reports of its lease, in one set of words.
 *
 * Theory of operation. A client hands what it was told to a script, which here changes nothing and prints its environment; so a test sees what
 * the client has understood, not what it has done with it. Files that a client insists on are in folders of its own.
 */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Finished, run } from './processes.ts';

export const CLIENTS = ['udhcpc', 'dhclient', 'dhcpcd'] as const;
export type Client = (typeof CLIENTS)[number];

/** What a client reports; undefined where it has no word for it, or was told nothing. */
export interface Lease {
  /** Why the script was called. */
  readonly event: string;
  readonly address: string | undefined;
  readonly prefix: string | undefined;
  readonly router: string | undefined;
  /** Destination, gateway, destination, …. */
  readonly routes: string | undefined;
  readonly servers: string | undefined;
  readonly search: string | undefined;
  readonly mtu: string | undefined;
  readonly hostname: string | undefined;
  readonly fqdn: string | undefined;
  readonly lifetime: string | undefined;
  readonly server: string | undefined;
}

/** Names of the variables, in the order of Lease. */
const WORDS: Readonly<Record<Client, readonly string[]>> = {
  udhcpc: ['ip', 'mask', 'router', 'staticroutes', 'dns', 'search', 'mtu', 'hostname', 'opt81', 'lease', 'serverid'],
  dhclient: [
    'new_ip_address',
    'new_subnet_mask',
    'new_routers',
    'new_classless_routes',
    'new_domain_name_servers',
    'new_domain_search',
    'new_interface_mtu',
    'new_host_name',
    'new_fqdn_fqdn',
    'new_dhcp_lease_time',
    'new_dhcp_server_identifier',
  ],
  dhcpcd: [
    'new_ip_address',
    'new_subnet_cidr',
    'new_routers',
    'new_classless_static_routes',
    'new_domain_name_servers',
    'new_domain_search',
    'new_interface_mtu',
    'new_host_name',
    'new_fqdn',
    'new_dhcp_lease_time',
    'new_dhcp_server_identifier',
  ],
};

/** dhclient gives it no variables but its own, so what is to be done at an event stands in it. */
const SCRIPT = `#!/bin/sh
printf '@%s\\n' "\${reason:-$1}"
env | grep -v '^_='
`;

const DHCLIENT_CONF = `option classless-routes code 121 = array of unsigned integer 8;
send fqdn.fqdn "mine.guest.example"; send fqdn.encoded on; send fqdn.server-update on;
request subnet-mask, routers, domain-name-servers, domain-search, host-name, interface-mtu, classless-routes, fqdn.fqdn;
`;

const DHCPCD_CONF = `clientid
option domain_name_servers, domain_search, host_name, classless_static_routes, interface_mtu
noipv6rs
noarp
`;

/** What a program is started with. */
export interface ClientOptions {
  /** More words for the program. */
  readonly words?: readonly string[];
  /** What the script does at each event, in shell: \`$reason\` or \`$1\` tells which it is. */
  readonly atEvent?: string;
  /** udhcpc, dhcpcd: it does not end when it has a lease. */
  readonly stays?: boolean;
  /** Lines behind its configuration. */
  readonly configuration?: string;
  /** dhclient: the leases that it has from earlier. */
  readonly leases?: string;
}

/**
 * dhcpcd writes below /run and /var/lib, and separates itself as a user which a user namespace does not have. One that a script of ours
 * starts anew would write the machine's resolv.conf.
 */
const DHCPCD_ROOM = `mount -t tmpfs none /run && mkdir /run/dhcpcd && mount -t tmpfs none /var/lib && mkdir /var/lib/dhcpcd &&
sed /^dhcpcd:/d /etc/passwd > /run/passwd && mount --bind /run/passwd /etc/passwd && cp /etc/resolv.conf /run/resolv.conf &&
mount --bind /run/resolv.conf /etc/resolv.conf && exec "$0" "$@"`;

/** The line of a daemon that has a configuration, which is given with what the test adds; it ends when the script ends it. */
export function daemonCommand(
  client: 'dhclient' | 'dhcpcd',
  family: '-4' | '-6',
  configured: string,
  folder: string,
  script: string,
  device: string,
  given: ClientOptions,
): string[] {
  const words = given.words ?? [];
  const configuration = join(folder, 'conf');
  writeFileSync(configuration, configured + (given.configuration ?? ''));
  if (client === 'dhcpcd') {
    const stays = given.stays === true ? [] : ['-1'];
    const room = ['unshare', '--mount', 'sh', '-c', DHCPCD_ROOM];
    return [...room, 'dhcpcd', family, ...stays, '-B', '-c', script, '-f', configuration, ...words, device];
  }
  const leases = join(folder, 'leases');
  writeFileSync(leases, given.leases ?? '');
  return ['dhclient', family, '-d', '-v', '-sf', script, '-lf', leases, '-pf', join(folder, 'pid'), '-cf', configuration, ...words, device];
}

function commandOf(client: Client, folder: string, script: string, device: string, given: ClientOptions): string[] {
  if (client !== 'udhcpc') {
    return daemonCommand(client, '-4', client === 'dhclient' ? DHCLIENT_CONF : DHCPCD_CONF, folder, script, device, given);
  }
  const asked = ['search', 'mtu', 'staticroutes', 'hostname', '81'].flatMap((name) => ['-O', name]);
  const ends = given.stays === true ? [] : ['-q'];
  return ['busybox', 'udhcpc', '-f', ...ends, '-n', '-i', device, '-s', script, ...asked, ...(given.words ?? [])];
}

function leasesIn(client: Client, output: string): Lease[] {
  return output
    .split(/^@/m)
    .slice(1)
    .map((block) => {
      const [event, ...lines] = block.split('\n');
      const values = new Map(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1).trim()]));
      const [address, prefix, router, routes, servers, search, mtu, hostname, fqdn, lifetime, server] = WORDS[client].map((word) =>
        values.get(word),
      );
      return { event: event as string, address, prefix, router, routes, servers, search, mtu, hostname, fqdn, lifetime, server };
    });
}

/** Runs a client, whose files are in `folder`, with a script that it calls; until it has ended. */
export async function runWithScript(
  folder: string,
  text: string,
  guest: number,
  command: (folder: string, script: string) => string[],
): Promise<Finished> {
  mkdirSync(folder, { recursive: true });
  const script = join(folder, 'script');
  writeFileSync(script, text);
  chmodSync(script, 0o755);
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };
  return run(command(folder, script), { namespace: guest, user: 0, timeout: 20_000, env });
}

/** Runs a client in the namespace of process `guest` until it has ended, and gives what it reported, event by event. `base` is a folder for its files. */
export async function runClient(
  client: Client,
  guest: number,
  base: string,
  device: string,
  given: ClientOptions = {},
): Promise<{ readonly leases: Lease[]; readonly finished: Finished }> {
  const atEvent = given.atEvent ?? (client === 'dhclient' ? 'case $reason in BOUND | REBOOT | FAIL | TIMEOUT) kill $PPID ;; esac' : '');
  const command = (folder: string, script: string): string[] => commandOf(client, folder, script, device, given);
  const finished = await runWithScript(join(base, client), `${SCRIPT}${atEvent}\n`, guest, command);
  return { leases: leasesIn(client, finished.stdout), finished };
}
