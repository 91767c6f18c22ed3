import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { UNPRIVILEGED } from '../support/processes.ts';

const HOST = `ravioli-ns-${process.pid}`;
const DRIVER = new URL('../support/namespace_driver.ts', import.meta.url).pathname;

interface Report {
  facts: { index: number; mac: string; mtu: number; linkLocal: string | null; warnings: string[] };
  banner: string[];
  links: {
    ifname: string;
    txqlen: number;
    flags: string[];
    mtu: number;
    address: string;
    addr_info: { local: string; prefixlen: number; scope: string; tentative?: boolean; nodad?: boolean }[];
  }[];
  routes4: { dst: string; gateway?: string; flags: string[]; nexthops?: { gateway: string; dev: string }[] }[];
  routes6: { dst: string; gateway?: string }[];
}

function sh(script: string, namespace = HOST): string {
  return execFileSync('ip', ['netns', 'exec', namespace, 'sh', '-ec', script], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** The driver as an ordinary user in the namespace that plays the host. */
function drive(...options: string[]): { status: number; stderr: string; report: Report } {
  const user = ['setpriv', `--reuid=${UNPRIVILEGED}`, `--regid=${UNPRIVILEGED}`, '--clear-groups', '--inh-caps=-all'];
  try {
    const stdout = execFileSync('ip', ['netns', 'exec', HOST, ...user, process.execPath, DRIVER, ...options], {
      encoding: 'utf8',
      stdio: 'pipe',
      timeout: 20_000,
    });
    return { status: 0, stderr: '', report: JSON.parse(stdout) as Report };
  } catch (error) {
    const failed = error as { status: number; stderr: string };
    return { status: failed.status, stderr: failed.stderr, report: {} as Report };
  }
}

function configured(...options: string[]): Report {
  const { status, stderr, report } = drive(...options);
  expect(stderr).to.equal('');
  expect(status).to.equal(0);
  return report;
}

function tap(report: Report): Report['links'][number] {
  return report.links[1] as Report['links'][number];
}

function addresses(report: Report): string[] {
  return tap(report)
    .addr_info.filter(({ scope }) => scope === 'global')
    .map(({ local, prefixlen }) => `${local}/${prefixlen}`);
}

describe('supervisor/host/namespace, as an ordinary user from outside', function () {
  this.timeout(30_000);

  before(() => {
    execFileSync('ip', ['netns', 'add', HOST]);
    sh(`ip link set lo up
      ip link add eth0 type veth peer name far; ip link add eth1 type veth peer name far1
      for link in eth0 far eth1 far1; do ip link set $link up; done
      ip address add 192.0.2.2/24 dev eth0; ip address add 192.0.2.77/32 dev eth0; ip address add 198.51.100.2/24 dev eth1
      ip address add 2001:db8::2/64 dev eth0 nodad; ip address add fe80::2/64 dev eth0 nodad
      ip route add 203.0.113.0/24 via 10.9.0.1 dev eth0 onlink; ip route add 10.8.0.0/16 via 192.0.2.9
      ip route add 10.7.0.0/16 nexthop via 192.0.2.5 nexthop via 192.0.2.6 weight 3
      ip route add 10.6.0.0/16 nexthop via 192.0.2.5 nexthop via 198.51.100.1
      ip route add default via 192.0.2.1; ip -6 route add default via 2001:db8::1`);
  });

  after(() => execFileSync('ip', ['netns', 'delete', HOST]));

  it('without --config-net: loopback up, the tap down and unconfigured', () => {
    const report = configured();
    expect(report.links.map(({ ifname, flags }) => [ifname, flags.includes('UP')])).to.eql([
      ['lo', true],
      ['eth0', false],
    ]);
    expect(tap(report).addr_info).to.eql([]);
    expect(report.facts).to.include({ index: 2, mtu: 1500, linkLocal: null, mac: tap(report).address });
  });

  it('copies addresses and routes, with all families usable at once', () => {
    const report = configured('--config-net');
    expect(tap(report)).to.include({ ifname: 'eth0', mtu: 65520, txqlen: 4096 });
    expect(tap(report).flags).to.include('UP').and.not.include('NOARP');
    expect(addresses(report)).to.have.members(['192.0.2.2/24', '192.0.2.77/32', '2001:db8::2/64']);
    const inet6 = tap(report).addr_info.filter(({ local }) => local.includes(':'));
    expect(inet6.map(({ tentative, nodad }) => [tentative ?? false, nodad ?? false])).to.eql([
      [false, true],
      [false, true],
    ]);
    expect(inet6.map(({ local }) => local)).to.include(report.facts.linkLocal);
    expect(report.routes4.map(({ dst }) => dst)).to.have.members([
      'default',
      '192.0.2.0/24',
      '10.8.0.0/16',
      '10.7.0.0/16',
      '203.0.113.0/24',
    ]);
    expect(report.routes4.find(({ dst }) => dst === '10.7.0.0/16')?.nexthops?.map(({ gateway }) => gateway)).to.eql([
      '192.0.2.5',
      '192.0.2.6',
    ]);
    expect(report.routes4.find(({ dst }) => dst === 'default')?.gateway).to.equal('192.0.2.1');
    expect(report.routes6.find(({ dst }) => dst === 'default')?.gateway).to.equal('2001:db8::1');
    expect(report.facts.warnings).to.eql([]);
  });

  it('gives the link-local address of the MAC, the same that the kernel would make', () => {
    const { facts, ...report } = configured('--config-net', '--ns-mac-addr', '02:00:00:00:00:05');
    expect(facts).to.include({ mac: '02:00:00:00:00:05', linkLocal: 'fe80::ff:fe00:5' });
    expect(tap({ facts, ...report }).address).to.equal('02:00:00:00:00:05');
    expect(configured('--ns-mac-addr', '02:00:00:00:00:05').facts.mac).to.equal('02:00:00:00:00:05');
  });

  it('installs one address and a default route when they are named', () => {
    const report = configured(
      '--config-net',
      '-a',
      '10.1.1.5',
      '-n',
      '24',
      '-g',
      '10.1.1.1',
      '-a',
      '2001:db8:5::5/48',
      '-g',
      'fe80::1',
      '-m',
      '1400',
      '-I',
      'net7',
    );
    expect(tap(report)).to.include({ ifname: 'net7', mtu: 1400 });
    expect(addresses(report)).to.have.members(['10.1.1.5/24', '2001:db8:5::5/64']);
    expect(report.routes4.map(({ dst, gateway }) => `${dst} ${gateway ?? ''}`)).to.have.members(['default 10.1.1.1', '10.1.1.0/24 ']);
    expect(report.routes6.find(({ dst }) => dst === 'default')?.gateway).to.equal('fe80::1');
  });

  it('reaches a gateway outside of the prefix on the link', () => {
    const { routes4 } = configured('--config-net', '-a', '10.1.1.5/32', '-g', '10.2.2.2');
    expect(routes4).to.have.length(1);
    expect(routes4[0]).to.deep.include({ dst: 'default', gateway: '10.2.2.2', flags: ['onlink'] });
  });

  it('takes routes in any order: a gateway that only another copied route makes reachable', () => {
    sh('ip route add 10.9.0.1/32 dev eth0; ip route add 10.5.0.0/16 via 10.9.0.1');
    const { routes4, facts } = configured('--config-net');
    expect(routes4.map(({ dst }) => dst)).to.include.members(['10.9.0.1', '10.5.0.0/16']);
    expect(facts.warnings).to.eql([]);
  });

  it('goes without IPv6 below its smallest MTU, and without a word: the options have warned', () => {
    const report = configured('--config-net', '-m', '1200');
    expect(addresses(report)).to.have.members(['192.0.2.2/24', '192.0.2.77/32']);
    expect(report.facts).to.deep.include({ mtu: 1200, linkLocal: null, warnings: [] });
  });

  it('comes up in local mode where there is no uplink', () => {
    sh('ip link set eth0 down; ip link set eth1 down');
    try {
      const report = configured('--config-net');
      expect(tap(report).ifname).to.equal('tap0');
      expect(addresses(report)).to.eql(['169.254.2.1/16']);
      expect(report.routes4.find(({ dst }) => dst === 'default')?.gateway).to.equal('169.254.2.2');
      expect(report.routes6.find(({ dst }) => dst === 'default')?.gateway).to.equal('fe80::1');
      const alone = configured('--config-net', '-6');
      expect(addresses(alone)).to.eql([]);
      expect(alone.routes6.find(({ dst }) => dst === 'default')?.gateway).to.equal('fe80::1');
    } finally {
      sh('ip link set eth0 up; ip address replace fe80::2/64 dev eth0 nodad; ip address replace 2001:db8::2/64 dev eth0 nodad');
    }
  });

  for (const [options, message] of [
    [['--config-net', '-m', '50'], 'the kernel refuses MTU 50 for the interface in the namespace; choose another value (invalid argument)'],
    [['-I', 'lo'], "'lo' can't be a tap device; choose another name with --ns-ifname (invalid argument)"],
    [['-i', 'eth9'], "--interface 'eth9': there is no such interface; 'ip link' lists those of this host"],
    [['-i', 'far'], "--interface 'far': has no usable address; choose another interface or give --address"],
  ] as const) {
    it(`says in one line why not: ${options.join(' ')}`, () => {
      expect(drive(...options)).to.deep.include({ status: 1, stderr: `${message}\n` });
    });
  }
});
