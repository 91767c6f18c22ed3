/**
 * passt as programs call it that start it themselves: with their words, their descriptors, and what they wait for. The words are those of
 * QEMU's own -netdev passt, libvirt (KubeVirt's are the same), libguestfs, muvm and crun's krun.
 */
import { once } from 'node:events';
import { chownSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { dirname } from 'node:path';
import { expect } from 'chai';
import { passtPath } from '../support/machine.ts';
import { MachineClient } from '../support/machine_client.ts';
import { run, type Running, start, UNPRIVILEGED } from '../support/processes.ts';
import { gone } from '../support/product.ts';
import { HOST4, HOST6, makeTopology, type Topology } from '../support/topology.ts';

describe('netns: callers of passt', function () {
  this.timeout(60_000);
  let topology: Topology;
  let made = 0;

  before(() => {
    topology = makeTopology();
  });
  after(() => topology?.remove());

  /** A name in the folder of the run. */
  const file = (name: string): string => `${topology.folder}/${made++}-${name}`;

  /** Starts passt with a socket at descriptor `fd`; its other end is ours. */
  function startConnected(
    fd: number,
    words: readonly string[],
    env: Record<string, string> = {},
    program = passtPath('machine'),
  ): { passt: Running; machine: MachineClient } {
    const extra = [...new Array<'ignore'>(fd - 3).fill('ignore'), 'pipe' as const];
    const passt = start([program, ...words], { namespace: topology.host, extra, env });
    return { passt, machine: new MachineClient(passt.child.stdio[fd] as Socket) };
  }

  /** The process of a file that was there before, and is the caller's own. */
  function pidIn(path: string): number {
    const text = readFileSync(path, 'utf8');
    expect(text).to.match(/^[1-9][0-9]*\n$/);
    return Number(text);
  }

  for (const ending of ['SIGTERM', 'the end of the connection'] as const)
    it(`QEMU: waits for exit 0, reads the pid from a file of its own, and ends it by ${ending}`, async () => {
      const path = file('passt.pid');
      writeFileSync(path, '');
      chownSync(path, UNPRIVILEGED, UNPRIVILEGED);
      const addresses = [
        '--address',
        '192.0.2.44',
        '--netmask',
        '255.255.255.0',
        '--mac-addr',
        '52:56:00:00:00:02',
        '--gateway',
        '192.0.2.1',
      ];
      const ways = ['--interface', 'eth0', '--outbound', HOST4, '--outbound-if4', 'eth0', '--outbound-if6', 'eth0', '--dns', '192.0.2.53'];
      const maps = [
        '--map-host-loopback',
        '192.0.2.45',
        '--map-guest-addr',
        '192.0.2.46',
        '--dns-forward',
        '192.0.2.47',
        '--dns-host',
        '192.0.2.1',
      ];
      const less = ['--no-dhcp-dns', '--no-dhcp-search', '--no-icmp', '--no-ndp', '--no-dhcpv6', '--no-ra', '--freebind', '--ipv4-only'];
      const rest = ['--search', 'a.example b.example', '--tcp-ports', '2280:80,2281', '--udp-ports', '2290', '--pid', path];
      const words = ['--quiet', '--mtu', '1400', ...addresses, ...ways, '--fqdn', 'vm.example', ...maps, ...less, ...rest];
      const { passt, machine } = startConnected(3, [...words, '--fd', '3']);
      // Not the end of the socket, which lasts.
      const [code] = (await once(passt.child, 'exit')) as [number];
      expect([code, passt.stdout(), passt.stderr()]).to.deep.equal([0, '', '']);
      const pid = pidIn(path);
      await machine.asks();
      if (ending === 'SIGTERM') process.kill(pid, 'SIGTERM');
      else machine.socket.destroy();
      await gone(pid);
      await machine.closed;
    });

  it('libvirt: every word that it has, in its order', async () => {
    const [socket, pid, log] = [file('1-box-net0.socket'), file('1-box-net0-passt.pid'), file('passt.log')];
    const tcp = ['--tcp-ports', `${HOST4}%eth0/2301:80,2302-2310:4002-4010,~2305`, '--tcp-ports', `${HOST6}/2311`];
    const guest = ['--hostname', 'vm', '--fqdn', 'vm.example', '--address', '192.0.2.44', '--netmask', '24', '--address', '2001:db8::44'];
    const words = ['--one-off', '--socket', socket, '--pid', pid, '--mtu', '1400', '--interface', 'eth0', '--log-file', log, ...guest];
    const line = [passtPath('machine'), ...words, ...tcp, '--udp-ports', '2312'];
    // Twice: after a crash of the domain both files are there.
    for (let time = 0; time < 2; time++) {
      const { code, stderr } = await run(line, { namespace: topology.host });
      expect(code, stderr).to.equal(0);
      expect(statSync(pid).mode & 0o777).to.equal(0o600);
      const machine = new MachineClient(socket);
      await machine.asks();
      const process_ = pidIn(pid);
      if (time === 0) process.kill(process_, 'SIGKILL');
      else await machine.leaves();
      await gone(process_);
    }
    expect(readFileSync(log, 'utf8'))
      .to.match(/^passt 0/)
      .and.match(/Machine connected/);
  });

  it('libguestfs: asks for --help, then gives a network of its own', async () => {
    expect((await run([passtPath('machine'), '--help'], { namespace: topology.host })).code).to.equal(0);
    const [socket, pid] = [file('passt.sock'), file('passt.pid')];
    const address = ['--address', '169.254.2.15', '--netmask', '16', '--mac-addr', '52:56:00:00:00:02', '--gateway', '169.254.2.2'];
    const { code, stderr } = await run([passtPath('machine'), '--one-off', '--socket', socket, '--pid', pid, ...address], {
      namespace: topology.host,
    });
    expect(code, stderr).to.equal(0);
    const process_ = pidIn(pid);
    const machine = new MachineClient(socket);
    await machine.asks();
    await machine.leaves();
    await gone(process_);
  });

  it('muvm: any descriptor, in the foreground, never killed', async () => {
    const words = ['-q', '-f', '--fd', '9', '-t', '127.0.0.1/3334-3334:3334-3334', '-u', '3335-3336:3335-3336'];
    const { passt, machine } = startConnected(9, words);
    await machine.asks();
    machine.socket.destroy();
    const { code, stdout, stderr } = await passt.finished;
    expect([code, stdout, stderr]).to.deep.equal([0, '', '']);
  });

  it('crun: by the name alone, in the background, with descriptors that are none of its business', async () => {
    const path = `${dirname(passtPath('machine'))}:/usr/bin:/bin`;
    const words = ['-t', 'none', '-u', 'none', '--no-dhcp-dns', '--no-map-gw', '--fd', '4'];
    const { passt, machine } = startConnected(4, words, { PATH: path }, 'passt');
    expect(await once(passt.child, 'exit')).to.deep.equal([0, null]);
    await machine.asks();
    await machine.leaves();
  });

  it('whoever: a start that fails leaves neither a socket nor a process, and one line', async () => {
    const [socket, pid] = [file('x.socket'), file('x.pid')];
    const words = ['--one-off', '--socket', socket, '--pid', pid, '--tcp-ports', '203.0.113.7/80'];
    const { code, stderr } = await run([passtPath('machine'), ...words], { namespace: topology.host });
    expect([code, existsSync(socket)]).to.deep.equal([1, false]);
    expect(stderr.trim().split('\n').at(-1)).to.match(/^passt: .*203\.0\.113\.7/);
  });
});
