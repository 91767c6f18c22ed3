/**
 * Real DHCPv6 clients, as programs in the guest's namespace: what each reports of its lease, in one set of words. As dhcp_programs.ts: a
 * client hands what it was told to a script, which changes nothing and prints its environment.
 */
import { join } from 'node:path';
import { daemonCommand, runWithScript } from './dhcp_programs.ts';
import type { Finished } from './processes.ts';

export const CLIENTS6 = ['dhclient', 'dhcpcd'] as const;
export type Client6 = (typeof CLIENTS6)[number];

/** What a client reports; undefined where it has no word for it, or was told nothing. */
export interface Lease6 {
  /** Why the script was called. */
  readonly event: string;
  readonly address: string | undefined;
  readonly servers: string | undefined;
  readonly search: string | undefined;
  readonly fqdn: string | undefined;
  readonly lifetime: string | undefined;
  readonly server: string | undefined;
}

/** Names of the variables, in the order of Lease6. */
const WORDS: Readonly<Record<Client6, readonly string[]>> = {
  dhclient: [
    'new_ip6_address',
    'new_dhcp6_name_servers',
    'new_dhcp6_domain_search',
    'new_fqdn_fqdn',
    'new_max_life',
    'new_dhcp6_server_id',
  ],
  dhcpcd: [
    'new_dhcp6_ia_na1_ia_addr1',
    'new_dhcp6_name_servers',
    'new_dhcp6_domain_search',
    'new_dhcp6_fqdn',
    'new_dhcp6_ia_na1_ia_addr1_vltime',
    'new_dhcp6_server_id',
  ],
};

const SCRIPT = `#!/bin/sh
printf '@%s\\n' "$reason"
env | grep -v '^_='
`;

const DHCLIENT_CONF = `send fqdn.fqdn "mine.guest.example"; send fqdn.server-update on;
also request dhcp6.fqdn;
`;

const DHCPCD_CONF = `duid
ipv6only
noipv6rs
option dhcp6_name_servers, dhcp6_domain_search, dhcp6_fqdn
interface eth0
ia_na 1
`;

/** What a program is started with. */
export interface Client6Options {
  /** More words for the program. */
  readonly words?: readonly string[];
  /** What the script does at each event, in shell; \`$reason\` tells which it is. Default: the client ends when it has a lease. */
  readonly atEvent?: string;
  /** dhcpcd: it does not end when it has a lease. */
  readonly stays?: boolean;
  /** Lines behind its configuration. */
  readonly configuration?: string;
  /** dhclient: the leases that it has from earlier. */
  readonly leases?: string;
}

function leasesIn(client: Client6, output: string): Lease6[] {
  return output
    .split(/^@/m)
    .slice(1)
    .map((block) => {
      const [event, ...lines] = block.split('\n');
      const values = new Map(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1).trim()]));
      const [address, servers, search, fqdn, lifetime, server] = WORDS[client].map((word) => values.get(word));
      return { event: event as string, address, servers, search, fqdn, lifetime, server };
    });
}

/** Runs a client in the namespace of process `guest` until it has ended, and gives what it reported, event by event. `base` is a folder for its files. */
export async function runClient6(
  client: Client6,
  guest: number,
  base: string,
  device: string,
  given: Client6Options = {},
): Promise<{ readonly leases: Lease6[]; readonly finished: Finished }> {
  const atEvent = given.atEvent ?? (client === 'dhclient' ? 'case $reason in BOUND6 | REBIND6 | EXPIRE6) kill $PPID ;; esac' : '');
  const configured = client === 'dhclient' ? DHCLIENT_CONF : DHCPCD_CONF;
  const command = (folder: string, script: string): string[] => daemonCommand(client, '-6', configured, folder, script, device, given);
  const finished = await runWithScript(join(base, `${client}6`), `${SCRIPT}${atEvent}\n`, guest, command);
  return { leases: leasesIn(client, finished.stdout), finished };
}
