/** qrap with the packaged QEMU: a machine that was to have another network gets a lease from passt, and reaches the far end. */
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { passtPath } from '../support/machine.ts';
import { type Running, start, UNPRIVILEGED } from '../support/processes.ts';
import { HOST4, makeTopology, TARGET4, type Topology } from '../support/topology.ts';
import { LEASE, prepareKernel, startVirtualMachine, type VirtualMachine } from '../support/virtual_machine.ts';

const QRAP = fileURLToPath(new URL('../../bin/qrap', import.meta.url));

const SCRIPT = `chmod 755 lease
ip link set eth0 up
cat /sys/class/net/eth0/address
busybox udhcpc -i eth0 -n -q -f -s ./lease
ping -c 3 -i 0.2 -W 5 ${TARGET4} | grep 'packets transmitted'`;

describe('a virtual machine that qrap connects', function () {
  this.timeout(180_000);
  let topology: Topology;
  let passt: Running;
  let machine: VirtualMachine;

  before(async () => {
    prepareKernel();
    topology = makeTopology();
    // Where passt listens when it is not told: in a /tmp of its own.
    const user = ['setpriv', `--reuid=${UNPRIVILEGED}`, `--regid=${UNPRIVILEGED}`, '--clear-groups'];
    const script = 'mount -t tmpfs -o mode=1777 tmpfs /tmp; exec "$@"';
    const line = ['unshare', '--mount', 'sh', '-ec', script, 'sh', ...user, passtPath('machine'), '-f', '-t', 'none', '-u', 'none'];
    passt = start(line, { user: 0, namespace: topology.host, timeout: 180_000 });
    await passt.waitFor(/UNIX domain socket bound at/);
    machine = startVirtualMachine(
      {
        program: ['nsenter', `--mount=/proc/${passt.pid}/ns/mnt`, QRAP, '5', 'qemu-system-x86_64'],
        words: ['-device', 'virtio-net-pci,netdev=s,mac=52:54:00:00:00:99', '-netdev', 'socket,id=s,fd=5'],
      },
      SCRIPT,
      { lease: LEASE },
    );
  });

  after(async () => {
    await machine?.remove();
    await passt?.stop();
    topology?.remove();
  });

  it('gets a lease, and pings', async () => {
    await machine.console.waitFor(/52:54:00:00:00:99/, 60_000);
    const [, address] = await machine.console.waitFor(/lease (\S+) router/, 60_000);
    expect(address).to.equal(HOST4);
    await machine.console.waitFor(/3 packets transmitted, 3 received/, 60_000);
    expect((await machine.console.finished).code).to.equal(0);
  });
});
