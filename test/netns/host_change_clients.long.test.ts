/** The host's address changes while DHCP clients of a guest have a lease: what they hear when they ask again, and what they have then. */
import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFile } from 'node:fs';
import { type Client, CLIENTS, runClient } from '../support/dhcp_programs.ts';
import { runClient6 } from '../support/dhcpv6_programs.ts';
import { check } from '../support/processes.ts';
import { OTHER4, OTHER6, OTHER_GATEWAY4, plugOther, sh, useFirst, useOther } from '../support/second_uplink.ts';
import { GATEWAY4, HOST4, HOST6, makeTopology, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const NO_PORTS = { ravioli: ['-t', 'none', '-u', 'none', '-T', 'none', '-U', 'none'], machine: ['-t', 'none', '-u', 'none'] };
const CLIENTS_OF: Readonly<Record<'ravioli' | 'machine', readonly Client[]>> = { ravioli: CLIENTS, machine: ['udhcpc'] };
/** The first lease waits in its script until the host has changed; then the client asks again, and ends when it has another one. */
const READ = 'read go < $0.fifo';
const AT_EVENT: Readonly<Record<Client, string>> = {
  udhcpc: `case $1 in
    deconfig) ip -4 address flush dev $interface ;;
    bound) [ $ip = ${HOST4} ] || { kill $PPID; exit; }
      ip address add $ip/$mask dev $interface; ip route add default via $router; ${READ}; kill -USR1 $PPID ;;
  esac`,
  dhclient: `case $reason in
    BOUND) [ $new_ip_address = ${HOST4} ] || { kill $PPID; exit; }
      ip address add $new_ip_address/24 dev $interface; ip route add default via $new_routers; ${READ} ;;
    EXPIRE) ip -4 address flush dev $interface ;;
  esac`,
  dhcpcd: `case $reason in
    BOUND) [ $new_ip_address = ${HOST4} ] || { kill $PPID; exit; }; ${READ}; dhcpcd -4 -n $interface & ;;
  esac`,
};

for (const tool of ['ravioli', 'machine'] as const)
  describe(`the host's address changes while a client has a lease (${tool})`, function () {
    this.timeout(60_000);
    let topology: Topology;
    let translator: Translator;

    before(async () => {
      topology = makeTopology();
      plugOther(topology);
    });
    after(() => topology?.remove());

    beforeEach(async () => {
      translator = await startTranslator(tool, topology, { configured: false, options: ['-d', ...NO_PORTS[tool]] });
      await check(['sysctl', '-qw', 'net.ipv6.conf.eth0.accept_dad=0'], { namespace: translator.guest, user: 0 });
      await check(['ip', 'link', 'set', 'eth0', 'up'], { namespace: translator.guest, user: 0 });
    });
    afterEach(async () => {
      await translator?.stop();
      sh(useFirst, topology.host);
    });

    /** Makes the file that a client's script reads from. */
    function fifo(client: string): string {
      const path = `${topology.folder}/${client}/script.fifo`;
      mkdirSync(`${topology.folder}/${client}`, { recursive: true });
      execFileSync('sh', ['-c', `[ -p ${path} ] || mkfifo ${path}`]);
      return path;
    }

    /** Changes the host's network when the client has its first lease, and lets the client go on. */
    async function changeHost(path: string, lease: RegExp): Promise<void> {
      await translator.waitFor(lease, 20_000);
      sh(useOther, topology.host);
      await translator.waitFor(/the host's network has changed/);
      await new Promise<void>((resolve, reject) => writeFile(path, '\n', (error) => (error === null ? resolve() : reject(error))));
    }

    for (const client of CLIENTS_OF[tool])
      it(`${client} is refused the address that it had, and gets the new one`, async () => {
        const path = fifo(client);
        const given = {
          atEvent: AT_EVENT[client],
          stays: true,
          ...(client === 'dhclient' ? { configuration: 'supersede dhcp-renewal-time 1;\n' } : {}),
        };
        const [{ leases, finished }] = await Promise.all([
          runClient(client, translator.guest, topology.folder, 'eth0', given),
          changeHost(path, /DHCP: acknowledged/),
        ]);
        const bound = leases.filter(({ event }) => event.toLowerCase() === 'bound').map(({ address, router }) => [address, router]);
        expect(bound, finished.stdout + finished.stderr).to.deep.equal([
          [HOST4, GATEWAY4],
          [OTHER4, OTHER_GATEWAY4],
        ]);
        expect(translator.log()).to.match(/DHCP: refused another address than[^]*DHCP: offered[^]*DHCP: acknowledged/);
      });

    it('dhcpcd hears that its IPv6 address is none of the link any more, and gets the new one', async () => {
      const path = fifo('dhcpcd6');
      const atEvent = `case $reason in
        BOUND6) [ $new_dhcp6_ia_na1_ia_addr1 = ${HOST6} ] || { kill $PPID; exit; }; ${READ}; dhcpcd -6 -n $interface & ;;
      esac`;
      const [{ leases, finished }] = await Promise.all([
        runClient6('dhcpcd', translator.guest, topology.folder, 'eth0', { atEvent, stays: true }),
        changeHost(path, /DHCPv6: assigned/),
      ]);
      const bound = leases.filter(({ event }) => event === 'BOUND6').map(({ address }) => address);
      expect(bound, finished.stdout + finished.stderr).to.deep.equal([HOST6, OTHER6]);
      expect(finished.stderr).to.match(/not an address of this link/);
    });
  });
