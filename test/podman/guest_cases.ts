/**
 * What a container sees of its network: addresses, routes, interfaces, names; and the options that change it.
 */
import { expect } from 'chai';
import { GATEWAY4, GATEWAY6, HOST4, HOST6, TARGET4, TARGET6 } from '../support/topology.ts';
import { type Case, inContainer } from './case.ts';
import { IMAGE, NAME, type Rig } from './rig.ts';

/** A case that looks at what one command writes in a container. */
function look(title: string, options: string, command: string, expected: RegExp, unexpected?: RegExp): Case {
  return {
    title,
    async check(rig: Rig) {
      const said = await inContainer(rig, options === '' ? [] : [`--network=pasta:${options}`], command);
      expect(said).to.match(expected);
      if (unexpected) expect(said).not.to.match(unexpected);
    },
  };
}

const text = (words: string): RegExp => new RegExp(words.replaceAll('.', '\\.'), 'm');

async function fails(rig: Rig, words: readonly string[], code: number, said: RegExp): Promise<void> {
  const end = await rig.run(['podman', 'run', '--rm', ...words, IMAGE, 'true']);
  expect(end.stderr).to.match(said);
  expect(end.code).to.equal(code);
}

export const ADDRESSES: readonly Case[] = [
  look('IPv4 address is the host’s', '', 'ip -4 addr show scope global', text(`inet ${HOST4}/24 `)),
  look('IPv4 address is given', '-a,198.18.0.9', 'ip -4 addr show scope global', text('inet 198.18.0.9/'), text(HOST4)),
  look('no IPv4', '-6', 'ip addr show scope global', text(`inet6 ${HOST6}/`), /inet \d/),
  look('IPv6 address is the host’s', '', 'ip -6 addr show scope global', text(`inet6 ${HOST6}/64 `)),
  look('IPv6 address is given', '-a,2001:db8:9::9', 'ip -6 addr show scope global', text('inet6 2001:db8:9::9/'), text(HOST6)),
  look('no IPv6', '-4', 'ip addr show scope global', text(`inet ${HOST4}/`), /inet6 2/),
  look('no address is tentative', '', 'ip -6 addr show scope global', /inet6/, /tentative|flags [4-9c]/),
  look('IPv4 route is the host’s', '', 'ip -4 route show default', text(`via ${GATEWAY4} dev eth0`)),
  look('IPv4 route is given', '-a,198.18.0.2,-g,198.18.0.1', 'ip -4 route show default', text('via 198.18.0.1 ')),
  look('IPv6 route is the host’s', '', 'ip -6 route show default', text(`via ${GATEWAY6} dev eth0`)),
  look('IPv6 route is given', '-a,2001:db8:9::2,-g,2001:db8:9::1', 'ip -6 route show default', text('via 2001:db8:9::1 ')),
  look('address, prefix length and route are given', '-a,198.18.7.2,-n,24,-g,198.18.7.1', 'ip -4 route; ip -4 addr', /198\.18\.7\.2\/24/),
  look('MTU is the largest', '', 'cat /sys/class/net/eth0/mtu', /^65520$/),
  look('MTU is given', '-m,1280', 'cat /sys/class/net/eth0/mtu', /^1280$/),
  look('loopback is up', '', 'ip link show lo', /LOOPBACK,UP/),
  look('interface’s name and MAC address', '-I,other,--ns-mac-addr,9a:dd:31:ea:92:98', 'ip link show other', /9a:dd:31:ea:92:98/),
];

export const NAMES: readonly Case[] = [
  look('resolv.conf names the forwarder first', '', 'cat /etc/resolv.conf', /^nameserver 169\.254\.1\.1$/m),
  look('a name is resolved', '', `nslookup ${NAME}`, text(TARGET4)),
  look('a name is resolved to IPv6', '', `nslookup -type=aaaa ${NAME}`, text(TARGET6)),
  look('the forwarder’s address is given', '--dns-forward,198.18.1.1', 'cat /etc/resolv.conf', /^nameserver 198\.18\.1\.1$/m),
  look('a name is resolved there', '--dns-forward,198.18.1.1', `nslookup ${NAME} 198.18.1.1`, text(TARGET4)),
  {
    title: '/etc/hosts: the container’s name is the host’s address',
    async check(rig) {
      expect(await inContainer(rig, ['--hostname=box', '--name=box'], 'cat /etc/hosts')).to.match(text(`^${HOST4}\\s+box`));
    },
  },
  look('/etc/hosts: host.containers.internal', '', 'cat /etc/hosts', /^169\.254\.1\.2\s+.*host\.containers\.internal/m),
  {
    title: 'host.containers.internal is the host',
    async check(rig) {
      const server = rig.start(['socat', `TCP4-LISTEN:6100,bind=${HOST4}`, 'SYSTEM:echo host']);
      await rig.run(['sh', '-c', 'until ss -Hltn | grep -q :6100; do :; done']);
      expect(await inContainer(rig, [], 'socat -u TCP4:host.containers.internal:6100 STDOUT')).to.equal('host');
      await server.finished;
    },
  },
];

export const OPTIONS: readonly Case[] = [
  { title: 'SCTP is refused', check: (rig) => fails(rig, ['-p', '6000:6000/sctp'], 126, /can't forward protocol: sctp/) },
  {
    title: 'an unknown option is told',
    check: (rig) => fails(rig, ['--network=pasta:--xyz'], 126, /pasta failed with exit code 1:\n.*unrecognized option '--xyz'/s),
  },
  { title: 'a wrong value is told', check: (rig) => fails(rig, ['--network=pasta:-m,x'], 126, /pasta failed with exit code 1:\n.*x/s) },
  {
    title: 'options of containers.conf, and one that is repeated',
    async check(rig) {
      const file = '/tmp/options.conf';
      await rig.run(['sh', '-c', `cat > ${file}`], {
        input: '[network]\npasta_options = ["-I", "mine", "--ns-mac-addr", "9a:dd:31:ea:92:98"]\n',
      });
      const shown = async (network: string): Promise<string> => {
        const words = ['podman', 'run', '--rm', `--network=${network}`, IMAGE, 'ip', 'link', 'show', 'mine'];
        const end = await rig.run(words, { env: { CONTAINERS_CONF_OVERRIDE: file } });
        expect(end.stderr).to.equal('');
        return end.stdout;
      };
      expect(await shown('pasta')).to.contain('9a:dd:31:ea:92:98');
      expect(await shown('pasta:--ns-mac-addr,aa:bb:cc:dd:ee:ff')).to.contain('aa:bb:cc:dd:ee:ff');
    },
  },
  {
    title: 'podman info tells the version',
    async check(rig) {
      expect(await rig.podman('info', '--format={{.Host.Pasta.Version}}')).to.match(/^pasta \d/);
    },
  },
  {
    title: 'other ids in the container (--userns=keep-id)',
    async check(rig) {
      expect(await inContainer(rig, ['--userns=keep-id'], `id -u; nslookup ${NAME}`)).to.match(/^1000\n/);
    },
  },
];
