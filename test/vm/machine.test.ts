/**
 * A real machine: QEMU with `-netdev stream` at the socket of passt. Its kernel gets a lease, pings, moves files both ways with equal sums,
 * exchanges datagrams, and is reached by ssh through a forwarded port. RAVIOLI_PASST=/opt/peer/bin/passt runs it against the peer.
 */
import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { socketPath, startPasst } from '../support/machine.ts';
import { check, type Running, start } from '../support/processes.ts';
import { foldered, startNginx, sumOf, type WebServer } from '../support/servers.ts';
import { HOST4, makeTopology, TARGET4, type Topology } from '../support/topology.ts';
import { LEASE, prepareKernel, startVirtualMachine, type VirtualMachine } from '../support/virtual_machine.ts';

const WEB = 8080;
const ECHO = 6500;
const SSH = 2222;
const BYTES = 20_000_000;

const SCRIPT = `chmod 755 lease
ip link set eth0 up
cut -d' ' -f1 /proc/uptime
busybox udhcpc -i eth0 -n -q -f -s ./lease
ping -c 3 -i 0.2 -W 5 ${TARGET4} | grep 'packets transmitted'
curl -sS -o big http://${TARGET4}:${WEB}/big
echo "sum $(md5sum < big)"
curl -sS -T big http://${TARGET4}:${WEB}/up/back && echo uploaded
for size in 1 1400 8000; do
  head -c $size big > datagram
  timeout 20 socat -b 65536 -t 2 - UDP4:${TARGET4}:${ECHO} < datagram > echoed
  cmp datagram echoed && echo "echoed $size"
done
mkdir -p /run/sshd
cp key authorized /tmp; chmod 700 /tmp/files; chmod 600 /tmp/key /tmp/authorized
/usr/sbin/sshd -h /tmp/key -o AuthorizedKeysFile=/tmp/authorized -o StrictModes=no -o UsePAM=no -o PidFile=none -p 22
until nc -z 127.0.0.1 22; do sleep 0.1; done
echo sshd ready
while [ ! -e /tmp/leave ]; do sleep 0.2; done
echo leaving`;

describe('a virtual machine', function () {
  this.timeout(180_000);
  let topology: Topology;
  let web: WebServer;
  let passt: Running;
  let machine: VirtualMachine;
  let echo: Running;
  let key: string;

  before(async () => {
    prepareKernel();
    topology = makeTopology();
    web = await startNginx(topology, topology.far, [TARGET4], WEB);
    execFileSync('sh', ['-c', `openssl enc -aes-128-ctr -K 00 -iv 00 -in /dev/zero 2>/dev/null | head -c ${BYTES} > ${web.folder}/big`]);
    echo = start(['socat', `UDP4-LISTEN:${ECHO},bind=${TARGET4},fork`, 'EXEC:cat'], { namespace: topology.far, user: 0, timeout: 180_000 });
    key = `${foldered(topology, 'keys')}/key`;
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
    const path = socketPath(topology);
    passt = await startPasst('machine', topology, path, ['-d', '-t', `${SSH}:22`, '-u', 'none']);
    const text = (name: string): string => execFileSync('cat', [name], { encoding: 'utf8' });
    machine = startVirtualMachine(path, SCRIPT, { lease: LEASE, key: text(key), authorized: text(`${key}.pub`) });
  });

  after(async () => {
    await machine?.remove();
    for (const one of [passt, echo]) await one?.stop();
    topology?.remove();
  });

  const says = (pattern: RegExp): Promise<RegExpMatchArray> => machine.console.waitFor(pattern, 60_000);

  it('gets a lease', async () => {
    const [, address, router] = await says(/lease (\S+) router (\S+) mtu/);
    expect([address, router]).to.deep.equal([HOST4, '192.0.2.1']);
  });

  it('pings', async () => {
    await says(/3 packets transmitted, 3 received/);
  });

  it('downloads and uploads 20 MB', async () => {
    const sum = await sumOf(`${web.folder}/big`);
    const [, got] = await says(/sum ([0-9a-f]{32})/);
    expect(got).to.equal(sum);
    await says(/uploaded/);
    expect(await sumOf(`${web.folder}/up/back`)).to.equal(sum);
  });

  it('exchanges datagrams, large ones too', async () => {
    for (const size of [1, 1400, 8000]) await says(new RegExp(`echoed ${size}\\b`));
  });

  it('is reached by ssh', async () => {
    await says(/sshd ready/);
    const options = ['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'BatchMode=yes', '-i', key];
    const words = ['ssh', ...options, '-p', String(SSH), `root@${HOST4}`, 'uname -r; touch /tmp/leave'];
    expect(await check(words, { namespace: topology.far, user: 0, timeout: 60_000 })).to.match(/^6\.1\./);
    await says(/leaving/);
    expect((await machine.console.finished).code).to.equal(0);
    await passt.waitFor(/machine has closed its socket/);
  });
});
