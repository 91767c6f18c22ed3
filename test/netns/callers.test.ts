/**
 * What starts pasta in the world, in its own words, and what each of them waits for before it goes on. Podman's are in netns.test.ts
 * and test/podman, those of a machine's monitors in machine_socket.test.ts.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { check, type Finished, run, type Running, type RunOptions, start } from '../support/processes.ts';
import { gone } from '../support/product.ts';
import { makeTopology, TARGET4, type Topology } from '../support/topology.ts';
import { PRODUCT } from '../support/translator.ts';

/** rootlesskit and what is built on it (Docker, nerdctl, k3s). */
const ROOTLESSKIT = ['--address=10.0.2.100', '--netmask=24', '--gateway=10.0.2.2', '--dns-forward=10.0.2.3', '--no-map-gw', '--ipv4-only'];

describe('netns: callers', function () {
  this.timeout(30_000);
  let topology: Topology;
  let folder: string;
  let guest: Running;

  before(async () => {
    topology = makeTopology();
    folder = mkdtempSync(`${tmpdir()}/callers-`);
    await check(['chmod', '0777', folder], { user: 0 });
  });
  after(() => {
    topology.remove();
    rmSync(folder, { recursive: true });
  });
  afterEach(() => guest?.stop('SIGKILL'));

  /** A namespace in which `script` has run. */
  async function hold(script = 'true'): Promise<void> {
    guest = start(['unshare', '-rn', 'sh', '-ec', `${script}; echo held; exec sleep 1000`], { namespace: topology.host });
    await guest.waitFor(/held/);
  }

  const inside = (...words: string[]): Promise<Finished> =>
    run(['nsenter', `--user=/proc/${guest.pid}/ns/user`, `--net=/proc/${guest.pid}/ns/net`, '--preserve-credentials', ...words]);
  const given = (): RunOptions => ({ namespace: topology.host, cwd: folder });
  const starts = (...words: string[]): Running => start([PRODUCT, ...words], given());

  /** A call that returns when everything is there, and says nothing of it. */
  async function serves(...words: string[]): Promise<void> {
    const { code, stderr } = await run([PRODUCT, ...words], given());
    expect(code, stderr).to.equal(0);
  }

  async function expectNetwork(address: string, device: string): Promise<void> {
    expect((await inside('ip', '-brief', 'address', 'show', device)).stdout).to.contain(address);
    const ping = await inside('ping', '-c', '1', '-W', '5', TARGET4);
    expect(ping.code, ping.stdout + ping.stderr).to.equal(0);
  }

  /** Those that wait look again and again whether the interface is up. */
  async function isUp(device: string): Promise<void> {
    for (const limit = Date.now() + 15_000; Date.now() < limit; await pause(20))
      if (/[<,]UP[,>]/.test((await inside('ip', 'link', 'show', device)).stdout)) return;
    throw new Error(`${device} is not up after 15 s`);
  }

  it('rootlesskit 2 has made the interface, sets its addresses itself, and kills', async () => {
    await hold('ip tuntap add name tap0 mode tap; ip link set tap0 up');
    const words = ['--foreground', '--stderr', '--ns-ifname=tap0', '--mtu=65520', '--no-dhcp', '--no-ra', ...ROOTLESSKIT];
    const pasta = starts(...words, '--tcp-ports=auto', '--udp-ports=auto', String(guest.pid));
    const script = 'ip link set lo up; ip addr add 10.0.2.100/24 dev tap0; ip route add default via 10.0.2.2 dev tap0';
    expect((await inside('sh', '-ec', script)).code).to.equal(0);
    // It does not wait for us: what its container sends before waits, or is sent again.
    const ping = await inside('ping', '-c', '1', '-w', '10', TARGET4);
    expect(ping.code, ping.stdout).to.equal(0);
    await pasta.stop('SIGKILL');
  });

  it('rootlesskit 3 asks what there is, and waits for the first process', async () => {
    expect((await run([PRODUCT, '--version'])).stdout).to.match(/^pasta /);
    expect((await run([PRODUCT, '--host-lo-to-ns-lo', '--version'])).code).to.equal(0);
    expect((await run([PRODUCT, '--no-such-option', '--version'])).code).to.equal(1);
    await hold();
    const ports = ['--tcp-ports=auto', '--udp-ports=auto', '--host-lo-to-ns-lo'];
    await serves('--stderr', '--ns-ifname=tap0', '--mtu=1500', '--config-net', ...ROOTLESSKIT, ...ports, String(guest.pid));
    await expectNetwork('10.0.2.100/24', 'tap0');
  });

  it('rootlesskit with a namespace of its own names that and its owner', async () => {
    await hold();
    const ports = ['--tcp-ports=none', '--udp-ports=none', `--userns=/proc/${guest.pid}/ns/user`, `--netns=/proc/${guest.pid}/ns/net`];
    await serves('--stderr', '--ns-ifname=tap0', '--mtu=65520', '--config-net', ...ROOTLESSKIT, ...ports);
    await expectNetwork('10.0.2.100/24', 'tap0');
  });

  it('Lix has the namespaces in our stdin and stdout, and looks for the interface', async () => {
    await hold();
    const words = ['--quiet', '--foreground', '--config-net', '--gateway', '169.254.1.1', '--address', '169.254.1.2', '--netmask', '16'];
    const more = ['--dns-forward', '169.254.1.1', '--gateway', 'fd00::1', '--address', 'fd00::2', '--dns-forward', 'fd00::1'];
    const spaces = ['--ns-ifname', 'eth0', '--no-netns-quit', '--netns', '/proc/self/fd/0', '--userns', '/proc/self/fd/1'];
    const script = `exec "$@" < /proc/${guest.pid}/ns/net 1< /proc/${guest.pid}/ns/user`;
    const pasta = start(['sh', '-c', script, 'sh', PRODUCT, ...words, ...more, ...spaces], given());
    await isUp('eth0');
    await expectNetwork('169.254.1.2/16', 'eth0');
    await pasta.stop('SIGKILL');
  });

  it('bubblejail waits for a number at the end of a pipe, in the foreground', async () => {
    await hold();
    const pipe = `${folder}/pipe`;
    await check(['mkfifo', pipe]);
    const reader = start(['cat', pipe]);
    const pasta = starts('--config-net', '--foreground', '--userns', `/proc/${guest.pid}/ns/user`, '--pid', pipe, String(guest.pid));
    expect((await reader.finished).stdout).to.equal(`${pasta.pid}\n`);
    expect((await pasta.stop()).code).to.equal(0);
  });

  it('scripts around bubblewrap try a command, serve a namespace by its paths, and end that', async () => {
    await serves('--config-net', '--quiet', '--', 'true');
    await serves('--config-net', '-q', '-t', 'none', '-u', 'none', '-T', 'none', '-U', 'none', '--map-host-loopback', 'none', '--', 'true');
    await hold();
    const paths = ['--userns', `/proc/${guest.pid}/ns/user`, '--netns', `/proc/${guest.pid}/ns/net`];
    const pasta = starts(...paths, '-f', '--no-netns-quit', '--config-net', '--ns-ifname', 'X0');
    await isUp('X0');
    expect((await pasta.stop()).code).to.equal(0);
  });

  it('users of systemd-nspawn give its leader', async () => {
    await hold();
    await serves('--config-net', '--quiet', '--pid', `${folder}/pid`, String(guest.pid));
    const pid = Number(readFileSync(`${folder}/pid`, 'utf8'));
    await expectNetwork('192.0.2.2/24', 'eth0');
    await guest.stop('SIGKILL');
    await gone(pid);
  });

  it('buildah, root of its user namespace, gives the path of a process, which goes without a word', async () => {
    // It is in the host's network; the process of the step has another.
    const script =
      'unshare -n sh -c "echo \\$\\$ > $0; exec sleep 1000" & while ! [ -s $0 ]; do sleep 0.01; done; echo held; wait; exec sleep 1000';
    const buildah = start(['unshare', '-r', 'sh', '-c', script, `${folder}/step`], given());
    await buildah.waitFor(/held/);
    const step = readFileSync(`${folder}/step`, 'utf8').trim();
    const ports = ['-t', 'none', '-u', 'none', '-T', 'none', '-U', 'none', '--no-map-gw', '--quiet', '--netns', `/proc/${step}/ns/net`];
    const words = ['--config-net', '--dns-forward', '169.254.1.1', ...ports, '--map-guest-addr', '169.254.1.2', '-P', `${folder}/pid2`];
    const enter = ['nsenter', `--user=/proc/${buildah.pid}/ns/user`, '--preserve-credentials'];
    const end = await run([...enter, PRODUCT, ...words], given());
    expect(end).to.deep.equal({ code: 0, stdout: '', stderr: '', timedOut: false });
    const pid = Number(readFileSync(`${folder}/pid2`, 'utf8'));
    process.kill(Number(step), 'SIGKILL');
    await gone(pid);
    await buildah.stop('SIGKILL');
  });
});
