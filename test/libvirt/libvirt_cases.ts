/**
 * libvirt in session mode: a domain whose <interface> has the backend passt starts ours, and its guest has the network that the XML says;
 * nothing of a domain that has ended stays, however it ended.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { type Running, run, start } from '../support/processes.ts';
import { GATEWAY4, HOST4, HOST6, TARGET4, TARGET6 } from '../support/topology.ts';
import { BOOT_MS, GUEST_WORDS, HOME, holds, INITRAMFS, inGuest, KERNEL, type Rig, startRig } from './rig.ts';

const STATE = '/run/user/1000/libvirt/qemu/run';
const MAC = '52:54:00:fb:1e:01';
const WEB = 2080;
const DATAGRAMS = 9000;

/** A domain in XML. `ports` are <portForward> elements. */
function domain(ports: string, more = ''): string {
  return `<domain type='qemu'>
  <name>box</name><memory unit='MiB'>256</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type>
    <kernel>${KERNEL}</kernel><initrd>${INITRAMFS}</initrd><cmdline>${GUEST_WORDS}</cmdline></os>
  <features><acpi/></features><cpu mode='maximum'/>
  <on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <controller type='usb' model='none'/><memballoon model='none'/>
    <serial type='file'><source path='${HOME}/console' append='on'/></serial>
    <interface type='user'>
      <backend type='passt' logFile='${HOME}/passt.log'/><source dev='eth0'/><mac address='${MAC}'/><model type='virtio'/>
      ${more}${ports}
    </interface>
  </devices>
</domain>`;
}

const PORTS = `<portForward proto='tcp'>
  <range start='${WEB}' to='80'/><range start='3000' end='3010' to='4000'/><range start='3005' exclude='yes'/>
</portForward>
<portForward proto='tcp' address='${HOST6}'><range start='5000' to='80'/></portForward>
<portForward proto='udp' address='${HOST4}' dev='eth0'><range start='${DATAGRAMS}'/></portForward>`;

describe('libvirt', function () {
  this.timeout(300_000);
  let rig: Rig;
  let daemon: Running;

  before(async () => {
    rig = await startRig();
    await rig.check(['sh', '-c', 'mkdir -p .config/libvirt; echo \'stdio_handler = "file"\' > .config/libvirt/qemu.conf']);
    daemon = rig.start(['libvirtd']);
    await holds('libvirtd listens', () => existsSync(rig.path('/run/user/1000/libvirt/libvirt-sock')));
  });
  after(async () => {
    await daemon?.stop();
    await rig?.stop();
  });

  const virsh = (...words: string[]): Promise<string> => rig.check(['virsh', '-q', '-c', 'qemu:///session', ...words]);

  async function create(xml: string): Promise<void> {
    await rig.check(['sh', '-c', 'cat > box.xml; : > console'], xml);
    await virsh('create', 'box.xml');
  }

  const guest = (script: string, port = WEB): Promise<string> => inGuest(rig, HOST4, port, script);
  const words = (pid: number): string[] => readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  /** The process that libvirt knows; its rooms have names of their own. */
  const passt = (): number[] => rig.named('passt');

  const consoleOf = (): string => readFileSync(rig.path(`${HOME}/console`), 'utf8');

  async function expectNothingLeft(): Promise<void> {
    await holds(
      'no process of passt is left',
      () => rig.named('passt').concat(rig.named('passt.worker'), rig.named('passt.opener')).length === 0,
    );
    await holds('no file of passt is left', () => readdirSync(rig.path(`${STATE}/passt`)).length === 0);
  }

  it('starts a domain with our passt, which forwards what the XML says', async () => {
    await create(domain(PORTS));
    expect(passt()).to.have.length(1);
    expect(words(passt()[0] as number).join(' ')).to.match(
      / passt --one-off --socket \S+ --pid \S+ --interface eth0 --log-file \S+ --tcp-ports/,
    );
    const pids = readdirSync(rig.path(`${STATE}/passt`)).filter((name) => name.endsWith('.pid'));
    expect(pids).to.have.length(1);
    expect(await guest('ip -4 -o addr show dev eth0; ip route; cat /sys/class/net/eth0/address'))
      .to.contain(`${HOST4}/24`)
      .and.contain(MAC);
    expect(await guest('cat /leases')).to.match(new RegExp(`lease bound address ${HOST4}/24 router ${GATEWAY4} mtu 65520`));
    expect(await guest(`ping -c 3 -i 0.2 -W 5 ${TARGET4}`)).to.contain('3 packets received');
    expect(readFileSync(rig.path(`${HOME}/passt.log`), 'utf8')).to.match(/Machine connected/);
  });

  it('leaves out what is excluded, and takes ranges, other addresses and UDP', async () => {
    await guest('for port in 4003 4005; do nc -l -p $port -e /bin/echo "at $port" < /dev/null > /dev/null 2>&1 & done');
    await guest('[ $(netstat -ltn | grep -cE ":400[35] ") = 2 ] || sleep 1');
    const ask = (port: number) => run(['nc', '-w', '5', HOST4, String(port)], { namespace: rig.topology.far, user: 0, input: '' });
    expect((await ask(3003)).stdout).to.equal('at 4003\n');
    expect((await ask(3005)).code, 'the port that is excluded').to.equal(1);
    // Who asks for no address by DHCPv6 is known by the one that it speaks from.
    await guest(`for time in 1 2 3 4 5 6 7 8; do ping -6 -c 1 -W 1 ${TARGET6} && break; sleep 0.5; done`);
    expect(await inGuest(rig, HOST6, 5000, 'echo over IPv6')).to.equal('over IPv6\n');
    const echo = start(['nc', '-u', HOST4, String(DATAGRAMS)], { namespace: rig.topology.far, user: 0 });
    echo.child.stdin?.write('datagram\n');
    await echo.waitFor(/^datagram$/m);
    await echo.stop();
  });

  it('restarts a passt that has ended, and the guest has its network again', async () => {
    const [before] = passt();
    process.kill(before as number, 'SIGKILL');
    await holds('libvirt has started another', () => passt().some((pid) => pid !== before && words(pid).includes('--one-off')));
    expect(await guest('echo again')).to.equal('again\n');
    expect(passt()).to.have.length(1);
  });

  it('gives the network to a guest that starts anew', async () => {
    await guest('touch /before');
    await virsh('reset', 'box');
    await holds('the guest has booted twice', () => consoleOf().split('guest is up').length === 3, BOOT_MS);
    expect(await guest('[ -e /before ] || echo new')).to.equal('new\n');
  });

  it('ends passt with a domain that shuts itself down', async () => {
    await guest('(sleep 1; poweroff -f) > /dev/null 2>&1 &');
    await holds('the domain has ended', () => rig.named('qemu-system-x86').length === 0);
    await expectNothingLeft();
  });

  it('ends passt with a domain that is destroyed, and with one whose QEMU is killed; the ports are free at once', async () => {
    const kill = (name: string): boolean => process.kill(rig.named(name)[0] as number, 'SIGKILL');
    for (const end of [() => virsh('destroy', 'box'), async () => kill('qemu-system-x86')]) {
      await create(domain(PORTS));
      expect(passt()).to.have.length(1);
      await end();
      await expectNothingLeft();
    }
  });

  it('tells who starts a domain what passt could not do', async () => {
    const ports = `<portForward proto='tcp' address='203.0.113.9'><range start='${WEB}'/></portForward>`;
    await rig.check(['sh', '-c', 'cat > box.xml'], domain(ports));
    const { code, stderr } = await rig.run(['virsh', '-q', '-c', 'qemu:///session', 'create', 'box.xml']);
    expect(code).to.equal(1);
    expect(stderr).to.match(/passt: .*203\.0\.113\.9/);
    await expectNothingLeft();
  });
});
