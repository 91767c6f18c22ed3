/** slirp4netns: its words become pasta's, and its requests rules. */
import { expect } from 'chai';
import { parseArguments } from '../../supervisor/args.ts';
import { OPTIONS } from '../../supervisor/config/options.ts';
import { eachOption } from '../../supervisor/config/getopt.ts';
import { parseSlirp } from '../../supervisor/slirp/options.ts';
import { formatAddress } from '../../shared/addresses.ts';

const NO_PORTS = '-t none -u none -T none -U none';

function wordsOf(line: string): string {
  const asked = parseSlirp(line.split(' ').filter((word) => word !== ''));
  if (asked.kind !== 'run') throw new Error(asked.stdout);
  // What stands for it must be a line of pasta or passt.
  expect(parseArguments(asked.mode, asked.words).kind).to.equal('run');
  expect(eachOption(OPTIONS, asked.words, () => false)).to.have.length.at.most(1);
  return asked.words.join(' ').replace(/fd00::[0-9a-f:]{4,}/, 'fd00::R');
}

const START = `--foreground --quiet --ns-ifname tap0 --mtu 1500 ${NO_PORTS} --address 10.0.2.100 --netmask 24 --gateway 10.0.2.2`;
const DNS = '--dns-forward 10.0.2.3 --dns 10.0.2.3';

describe('supervisor/slirp/options', () => {
  for (const [line, words] of [
    ['12', `${START} --ipv4-only ${DNS} 12`],
    ['-c 12 tap7', `${START.replace('tap0', 'tap7')} --config-net --ipv4-only ${DNS} 12`],
    [
      // Podman's.
      '--disable-host-loopback --mtu=65520 --enable-sandbox --enable-seccomp --enable-ipv6 -c -r 3 -e 4 --netns-type=path /run/n tap0',
      `${START.replace('1500', '65520')} --config-net --no-map-gw --address fd00::R --gateway fd00::2 ${DNS} --dns-forward fd00::3 --dns fd00::3 --netns /run/n --no-netns-quit`,
    ],
    [
      // rootlesskit's.
      '--mtu 65520 -r 3 --disable-host-loopback --cidr 10.0.3.0/24 --api-socket /d/.s4nn.sock 12 tap0',
      `${START.replace('1500', '65520').replaceAll('10.0.2', '10.0.3')} --no-map-gw --ipv4-only ${DNS.replaceAll('10.0.2', '10.0.3')} 12`,
    ],
    [
      '--cidr=172.16.0.0/12 12',
      `${START.replaceAll('10.0.2', '172.16.0').replace(' 24 ', ' 12 ')} --ipv4-only ${DNS.replaceAll('10.0.2', '172.16.0')} 12`,
    ],
    ['--disable-dns 12', `${START} --ipv4-only --dns none 12`],
    ['--outbound-addr 192.0.2.9 12', `${START} --ipv4-only ${DNS} --outbound 192.0.2.9 12`],
    ['--outbound-addr eth0 --outbound-addr6 eth1 12', `${START} --ipv4-only ${DNS} --outbound-if4 eth0 --outbound-if6 eth1 12`],
    ['-c --macaddress 02:00:00:00:00:07 12', `${START} --config-net --ipv4-only ${DNS} --ns-mac-addr 02:00:00:00:00:07 12`],
    ['--userns-path /u 12', `${START} --ipv4-only ${DNS} --userns /u --netns /proc/12/ns/net --no-netns-quit`],
    [
      // Guix's.
      '--netns-type=tapfd --enable-sandbox --enable-ipv6 --ready-fd=9 --disable-host-loopback 7',
      `${START.replace('--ns-ifname tap0 ', '').replace(' -T none -U none', '')} --no-map-gw --address fd00::R --gateway fd00::2 ${DNS} --dns-forward fd00::3 --dns fd00::3 --fd 7`,
    ],
    ['--userns-path=/u --netns-type path /n', `${START} --ipv4-only ${DNS} --userns /u --netns /n --no-netns-quit`],
  ] as const)
    it(line, () => expect(wordsOf(line)).to.equal(words));

  it('what is not of pasta', () => {
    const asked = parseSlirp('-r 3 -e 4 -a /s --cidr 10.1.0.0/16 12'.split(' '));
    if (asked.kind !== 'run') throw new Error(asked.stdout);
    const { readyFd, exitFd, apiPath, guest, banner } = asked.slirp;
    expect([readyFd, exitFd, apiPath, formatAddress(guest)]).to.deep.equal([3, 4, '/s', '10.1.0.100']);
    expect(banner).to.match(/\* DNS: +10\.1\.0\.3\n[^]*WARNING: 127\.0\.0\.1:\* on the host is accessible as 10\.1\.0\.2/);
  });

  for (const [line, complaint] of [
    ['', /which namespace is not said/],
    ['x', /'x' is not the ID of a process; give one, or --netns-type=path/],
    ['1 tap0 more', /'more': nothing comes behind/],
    ['-m 0 1', /--mtu '0': must be a number from 1 to 65521/],
    ['-m 65522 1', /--mtu '65522'/],
    ['--cidr 10.0.2.0 1', /--cidr '10.0.2.0': is not an IPv4 network/],
    ['--cidr 10.0.2.0/26 1', /at most \/25/],
    ['--cidr 10.0.2.7/24 1', /has bits of a host; write 10.0.2.0\/24/],
    ['--netns-type bess 5', /--netns-type 'bess': is not served; give path or pid or tapfd/],
    ['--netns-type tapfd tap0', /'tap0' is not the number of a descriptor/],
    ['-c --netns-type tapfd 5', /--configure is about a namespace/],
    ['--target-type bess 1', /--target-type 'bess': is not served; give netns/],
    ['--macaddress 02:00:00:00:00:07 1', /give -c as well/],
    ['-r x 1', /--ready-fd 'x'/],
    ['--nonsense 1', /unrecognized option '--nonsense'/],
  ] as const)
    it(`refuses '${line}'`, () => expect(() => parseSlirp(line.split(' ').filter((word) => word !== ''))).to.throw(complaint));

  it('says in its help what callers look for, and in its version which it stands for', () => {
    const help = parseSlirp(['--help']);
    const version = parseSlirp(['-v']);
    if (help.kind !== 'text' || version.kind !== 'text') throw new Error('no text');
    for (const option of 'disable-host-loopback mtu enable-sandbox enable-seccomp cidr outbound-addr enable-ipv6 api-socket netns-type'.split(
      ' ',
    ))
      expect(help.stdout).to.match(new RegExp(`(^|\\s)--${option}(\\s|$)`, 'm'));
    expect(version.stdout).to.match(/^slirp4netns version 1\.3\.3\ncommit: \S+\nlibslirp: \S+\n/);
  });
});
