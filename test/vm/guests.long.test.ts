/**
 * Real guests: a Debian kernel in QEMU, configured by the clients that guests have, one after the other, over DHCP, router advertisements and
 * DHCPv6; files and datagrams both ways over both families at the smallest and the largest MTU; a guest that reboots.
 * RAVIOLI_PASST=/opt/peer/bin/passt runs it against the peer.
 */
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { socketPath, startPasst } from '../support/machine.ts';
import { check, type Running, start } from '../support/processes.ts';
import { foldered, startNginx, type WebServer } from '../support/servers.ts';
import { HOST4, HOST6, makeTopology, TARGET4, TARGET6, type Topology } from '../support/topology.ts';
import { prepareKernel, startVirtualMachine, type VirtualMachine } from '../support/virtual_machine.ts';

const WEB = 8080;
const ECHO = 6500;
const BYTES = 4_000_000;
const SSH = 2222;
const PATIENCE = 300_000;
const TOLD = ['-D', '192.0.2.53', '-D', '2001:db8::53', '-S', 'guest.example'];
const FAMILIES = [
  { family: 4, target: TARGET4, host: HOST4, socat: HOST4 },
  { family: 6, target: TARGET6, host: HOST6, socat: `[${HOST6}]` },
] as const;

const DATAGRAM = fileURLToPath(new URL('datagram.pl', import.meta.url));
const text = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8');
const FILES = Object.fromEntries(['clients.sh', 'udhcpc.sh', 'transfers.sh', 'datagram.pl'].map((name) => [name, text(name)]));

const MOVE = `WEB=${WEB} ECHO=${ECHO}
transfer 4 ${TARGET4} ${TARGET4}
transfer 6 ${TARGET6} '[${TARGET6}]'
serve`;

/** What it does once it runs again: a lease, and ssh. */
const AFTER_REBOOT = `udhcpc_lease >/tmp/log 2>&1
report again
mkdir -p /run/sshd
cp key authorized /tmp; chmod 700 /tmp/files; chmod 600 /tmp/key /tmp/authorized
/usr/sbin/sshd -h /tmp/key -o AuthorizedKeysFile=/tmp/authorized -o StrictModes=no -o UsePAM=no -o PidFile=none -p 22
until nc -z 127.0.0.1 22; do sleep 0.1; done
echo sshd ready
while [ ! -e /tmp/leave ]; do sleep 1; done`;

interface Guest {
  readonly mtu: number;
  readonly clients: readonly string[];
  /** First of three ports that lead to those of transfers.sh. */
  readonly port: number;
  readonly words: readonly string[];
  readonly script: string;
}

const GUESTS: readonly Guest[] = [
  {
    mtu: 65_520,
    clients: ['udhcpc', 'dhclient'],
    port: 17_001,
    words: ['-t', `${SSH}:22`],
    script: `. ./clients.sh; . ./transfers.sh
chmod 755 udhcpc.sh
if [ -e /mnt/again ]; then
${AFTER_REBOOT}
exit
fi
lease_by dhclient
lease_by udhcpc
${MOVE}
while [ ! -e /mnt/again ]; do sleep 1; done
busybox reboot -f`,
  },
  {
    mtu: 1500,
    clients: ['networkd', 'dhcpcd'],
    port: 27_001,
    words: ['-m', '1500'],
    script: `. ./clients.sh; . ./transfers.sh
chmod 755 udhcpc.sh
lease_by networkd
lease_by dhcpcd
ip link set eth0 mtu 1500
${MOVE}
while [ ! -e /mnt/leave ]; do sleep 1; done`,
  },
];

function describeGuest(guest: Guest, at: () => { machine: VirtualMachine; topology: Topology; web: WebServer; content: Buffer }): void {
  const says = (pattern: RegExp): Promise<RegExpMatchArray> => at().machine.console.waitFor(pattern, PATIENCE);
  const far = (words: readonly string[], input?: Buffer): Promise<string> =>
    check(words, { namespace: at().topology.far, user: 0, timeout: PATIENCE, ...(input === undefined ? {} : { input }) });
  const sum = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

  for (const client of guest.clients)
    it(`is configured by ${client}: addresses, routes, MTU, name servers, and pings`, async () => {
      const [, report = ''] = await says(new RegExp(`@${client}\\s([^@]*)@end`));
      expectConfigured(report, client, guest.mtu);
    });

  for (const { family } of FAMILIES) {
    it(`gets a file and sends it back over IPv${family}`, async () => {
      const [, got] = await says(new RegExp(`down${family} ([0-9a-f]{64})`));
      expect(got).to.equal(sum(at().content));
      await says(new RegExp(`up${family}\\b`));
      const back = await check(['sha256sum', `${at().web.folder}/up/back${family}`], { user: 0 });
      expect(back.slice(0, 64)).to.equal(got);
    });

    it(`sends datagrams and gets them back over IPv${family}`, async () => {
      for (const size of [1, 1400, 8000, 60_000]) await says(new RegExp(`datagram${family} ${size}\\b`));
    });
  }

  for (const { family, host, socat } of FAMILIES)
    it(`is asked for a file, is sent one, and sends datagrams back over IPv${family}`, async () => {
      await says(/serving/);
      const port = (index: number): string => `${socat}:${guest.port + index}`;
      const given = await far(['sh', '-c', `socat -u TCP${family}:${port(0)} - | sha256sum`]);
      expect(given.slice(0, 64)).to.equal(sum(at().content));
      // Each family sends another one, so that the guest's line tells which it has got.
      const sent = at().content.subarray(0, -family);
      await far(['socat', '-u', '-', `TCP${family}:${port(1)}`], sent);
      await says(new RegExp(`taken ${sum(sent)}`));
      for (const size of [1, 1400, 8000, 60_000]) {
        const datagram = at().content.subarray(0, size);
        const file = `${at().topology.folder}/datagram`;
        writeFileSync(file, datagram);
        const line = `perl ${DATAGRAM} ${host} ${guest.port + 2} ${file} | sha256sum`;
        expect((await far(['sh', '-c', line])).slice(0, 64), `${size} bytes`).to.equal(sum(datagram));
      }
    });
}

/**
 * What `report` of clients.sh has written. dhcpcd leaves the MTU of a link alone, and gives one to its routes; dhclient is two programs, the
 * second of which, for IPv6, writes resolv.conf anew.
 */
function expectConfigured(report: string, client: string, mtu: number): void {
  expect(report, 'IPv4 address').to.match(/inet 192\.0\.2\.2\/24/);
  expect(report, 'IPv4 route').to.match(/default via 192\.0\.2\.1 dev eth0/);
  expect(report, 'IPv6 address of its own').to.match(/inet6 2001:db8::(?!2\/)\S+\/64/);
  expect(report, 'IPv6 route').to.match(/default via fe80::\S+ dev eth0/);
  if (client !== 'udhcpc') expect(report, 'IPv6 address').to.match(/inet6 2001:db8::2\/128/);
  expect(report, 'MTU').to.match(new RegExp(`${client === 'dhcpcd' ? 'metric \\d+ ' : '\\n'}mtu ${mtu}\\b`));
  expect(report, 'search').to.match(/search guest\.example\b/);
  if (client !== 'dhclient') expect(report, 'name server').to.include('192.0.2.53');
  if (client !== 'udhcpc') expect(report, 'name server').to.include('2001:db8::53');
  expect(report.match(/3 packets transmitted, 3 received/g), 'pings').to.have.length(2);
}

describe('guests', function () {
  this.timeout(600_000);
  let topology: Topology;
  let web: WebServer;
  let key: string;
  let content: Buffer;
  const running: Running[] = [];
  const machines: VirtualMachine[] = [];
  const passts: Running[] = [];

  before(async () => {
    prepareKernel();
    topology = makeTopology();
    web = await startNginx(topology, topology.far, [TARGET4, TARGET6], WEB);
    execFileSync('sh', ['-c', `openssl enc -aes-128-ctr -K 00 -iv 00 -in /dev/zero 2>/dev/null | head -c ${BYTES} > ${web.folder}/big`]);
    content = readFileSync(`${web.folder}/big`);
    for (const { family, target } of FAMILIES) {
      const bound = family === 4 ? target : `[${target}]`;
      const line = ['socat', '-b', '65536', `UDP${family}-LISTEN:${ECHO},bind=${bound},fork`, 'PIPE'];
      running.push(start(line, { namespace: topology.far, user: 0, timeout: 600_000 }));
    }
    key = `${foldered(topology, 'keys')}/key`;
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
    const keys = { key: readFileSync(key, 'utf8'), authorized: readFileSync(`${key}.pub`, 'utf8') };
    for (const { port, words, script } of GUESTS) {
      const path = socketPath(topology);
      const ports = `${port}-${port + 2}:7001-7003`;
      passts.push(await startPasst('machine', topology, path, ['-d', '-t', ports, '-u', ports, ...TOLD, ...words]));
      machines.push(startVirtualMachine(path, script, { ...FILES, ...keys }, { reboots: true }));
    }
  });

  after(async () => {
    for (const machine of machines) await machine.remove();
    for (const one of [...passts, ...running]) await one.stop();
    topology?.remove();
  });

  for (const [index, guest] of GUESTS.entries())
    describe(`with an MTU of ${guest.mtu}`, () => {
      describeGuest(guest, () => ({ machine: machines[index] as VirtualMachine, topology, web, content }));
      // The second one is not needed any more, and would take its time from the first.
      after(() => machines[index]?.tell('leave'));
    });

  // After those of the describes above: mocha would run it before them.
  describe('that reboots', () => {
    it('gets its lease again, and is reached by ssh', async () => {
      const [machine] = machines as [VirtualMachine];
      machine.tell('again');
      const [, report = ''] = await machine.console.waitFor(/@again\s([^@]*)@end/, PATIENCE);
      expectConfigured(report, 'udhcpc', 65_520);
      await machine.console.waitFor(/sshd ready/, PATIENCE);
      const options = ['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'BatchMode=yes', '-i', key];
      const words = ['ssh', ...options, '-p', String(SSH), `root@${HOST4}`, 'uname -r; touch /tmp/leave'];
      expect(await check(words, { namespace: topology.far, user: 0, timeout: PATIENCE })).to.match(/^6\.1\./);
      expect((await machine.console.finished).code).to.equal(0);
      await (passts[0] as Running).waitFor(/machine has closed its socket/);
    });
  });
});
