/** Each check of `ravioli doctor` in worlds where it finds something, and in one where all is well. */
import { expect } from 'chai';
import { CHECKS } from '../../../supervisor/doctor/checks.ts';
import type { Verdict } from '../../../supervisor/doctor/finding.ts';
import { parseDoctor, reportAsJson, reportForPeople, verdictOf } from '../../../supervisor/doctor/report.ts';
import type { World } from '../../../supervisor/doctor/world.ts';
import { UsageError } from '../../../supervisor/usage-error.ts';

const ROUTE4 = 'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\nwlan0\t00000000\t0102A8C0\t0003\t0\t0\t600\t00000000\n';
const ZERO = '0'.repeat(32);
const ROUTE6 = `${ZERO} 00 ${ZERO} 00 fe80${'0'.repeat(27)}1 00000400 00000001 00000000 00000003     eth1\n`;
const LOOPBACK6 = `${ZERO} 00 ${ZERO} 00 ${ZERO} ffffffff 00000001 00000000 00200200       lo\n`;

const FILES: Readonly<Record<string, string>> = {
  '/proc/self/uid_map': '0 0 4294967295',
  '/proc/sys/user/max_user_namespaces': '1000\n',
  '/proc/sys/kernel/seccomp/actions_avail': 'kill_process kill_thread trap errno\n',
  '/sys/kernel/security/lsm': 'lockdown,capability,landlock,apparmor',
  '/proc/self/attr/current': 'unconfined\n',
  '/proc/self/limits':
    'Limit                     Soft Limit           Hard Limit           Units\nMax open files            1024                 524288               files\n',
  '/proc/sys/net/ipv4/ping_group_range': '0\t2147483647\n',
  '/proc/sys/net/ipv4/ip_unprivileged_port_start': '80\n',
  '/proc/net/route': ROUTE4,
  '/proc/net/ipv6_route': ROUTE6 + LOOPBACK6,
  '/etc/resolv.conf': 'nameserver 192.0.2.53\n',
  '/etc/subuid': 'ann:100000:65536\n',
  '/etc/subgid': '1000:100000:65536\n',
};

interface Change extends Partial<Omit<World, 'read' | 'variable'>> {
  readonly files?: Readonly<Record<string, string | null>>;
  readonly runtimeFolder?: string | undefined;
}

function worldWith(change: Change = {}): World {
  const files: Readonly<Record<string, string | null>> = { ...FILES, ...change.files };
  return {
    uid: 1000,
    user: 'ann',
    groups: [1000, 27],
    release: '6.12.48-amd64',
    architecture: 'x64',
    runtime: '24.21.0',
    access: () => 'granted',
    folder: () => ({ uid: 1000, mode: 0o700 }),
    trial: () => ({ code: 0, stderr: '' }),
    ...change,
    read: (path) => files[path] ?? null,
    variable: (name) => (name === 'XDG_RUNTIME_DIR' ? ('runtimeFolder' in change ? change.runtimeFolder : '/run/user/1000') : undefined),
  };
}

const CASES: readonly (readonly [check: string, verdict: Verdict, found: RegExp, cure: RegExp | null, change: Change])[] = [
  ['kernel', 'failure', /^Linux 5\.9\.0$/, /5\.10 or newer/, { release: '5.9.0' }],
  ['kernel', 'failure', /^Linux 4\.18/, /5\.10 or newer/, { release: '4.18.0-553.el8' }],
  ['kernel', 'note', /slower than with Linux 6\.9/, null, { release: '6.1.0-41-amd64' }],
  ['machine', 'failure', /^riscv64 has no build/, /x86-64 or arm64/, { architecture: 'riscv64' }],
  ['runtime', 'failure', /Node\.js 20\.1\.0 is too old/, /npm ci/, { runtime: '20.1.0' }],
  ['tun device', 'failure', /is missing/, /modprobe tun/, { access: () => 'missing' }],
  ['tun device', 'failure', /may not be opened by this user/, /chmod 0666/, { access: () => 'denied' }],
  ['user namespaces', 'failure', /the kernel has none/, /CONFIG_USER_NS/, { files: { '/proc/self/uid_map': null } }],
  ['user namespaces', 'failure', /switched off/, /max_user_namespaces=10000/, { files: { '/proc/sys/user/max_user_namespaces': '0\n' } }],
  [
    'user namespaces',
    'failure',
    /only root may/,
    /unprivileged_userns_clone=1/,
    { files: { '/proc/sys/kernel/unprivileged_userns_clone': '0\n' } },
  ],
  ['user namespaces', 'ok', /root may/, null, { uid: 0, files: { '/proc/sys/kernel/unprivileged_userns_clone': '0\n' } }],
  [
    'user namespaces',
    'warning',
    /AppArmor forbids them/,
    /apparmor_restrict_unprivileged_userns=0/,
    { files: { '/proc/sys/kernel/apparmor_restrict_unprivileged_userns': '1\n' } },
  ],
  [
    'user namespaces',
    'ok',
    /not restricted/,
    null,
    { files: { '/proc/sys/kernel/apparmor_restrict_unprivileged_userns': '1\n', '/etc/apparmor.d/ravioli': 'profile' } },
  ],
  ['seccomp', 'failure', /no seccomp filters/, /CONFIG_SECCOMP_FILTER/, { files: { '/proc/sys/kernel/seccomp/actions_avail': null } }],
  ['Landlock', 'note', /not known/, null, { files: { '/sys/kernel/security/lsm': null } }],
  ['Landlock', 'note', /not there/, /lsm=/, { files: { '/sys/kernel/security/lsm': 'lockdown,capability' } }],
  ['confinement', 'note', /AppArmor profile x \(enforce\)/, null, { files: { '/proc/self/attr/current': 'x (enforce)\n' } }],
  [
    'confinement',
    'ok',
    /SELinux enforces.*user_t/,
    null,
    { files: { '/sys/fs/selinux/enforce': '1', '/proc/self/attr/current': 'user_t\0' } },
  ],
  ['open files', 'warning', /at most 1024:/, /LimitNOFILE=/, { files: { '/proc/self/limits': 'Max open files  1024  1024  files\n' } }],
  ['open files', 'failure', /at most 64,/, /LimitNOFILE=/, { files: { '/proc/self/limits': 'Max open files  64  64  files\n' } }],
  ['open files', 'ok', /unlimited/, null, { files: { '/proc/self/limits': 'Max open files  64  unlimited  files\n' } }],
  [
    'ping',
    'warning',
    /ping_group_range is '1 0'/,
    /ping_group_range="0 2147483647"/,
    { files: { '/proc/sys/net/ipv4/ping_group_range': '1\t0\n' } },
  ],
  ['ping', 'ok', /can ping/, null, { files: { '/proc/sys/net/ipv4/ping_group_range': '20\t30\n' } }],
  ['ping', 'warning', /not there/, /sysctl/, { files: { '/proc/sys/net/ipv4/ping_group_range': null } }],
  ['low ports', 'note', /below 1024 can't/, /=80'.*--listen-fd/, { files: { '/proc/sys/net/ipv4/ip_unprivileged_port_start': '1024\n' } }],
  ['low ports', 'ok', /root may/, null, { uid: 0, files: { '/proc/sys/net/ipv4/ip_unprivileged_port_start': '1024\n' } }],
  ['uplink', 'note', /no default route/, null, { files: { '/proc/net/route': null, '/proc/net/ipv6_route': LOOPBACK6 } }],
  ['uplink', 'ok', /^IPv6 by eth1$/, null, { files: { '/proc/net/route': null } }],
  ['uplink', 'ok', /^IPv4 by wlan0$/, null, { files: { '/proc/net/ipv6_route': LOOPBACK6 } }],
  ['DNS', 'note', /names 127\.0\.0\.53/, /--dns-forward/, { files: { '/etc/resolv.conf': '# x\nnameserver 127.0.0.53\noptions edns0\n' } }],
  ['DNS', 'warning', /names no server/, /--dns/, { files: { '/etc/resolv.conf': 'search example.org\n' } }],
  ['runtime folder', 'warning', /is not set/, /machinectl/, { runtimeFolder: undefined }],
  ['runtime folder', 'ok', /\/run\/ravioli/, null, { runtimeFolder: undefined, uid: 0 }],
  ['runtime folder', 'warning', /names no folder: relative/, /set it/, { runtimeFolder: 'relative' }],
  ['runtime folder', 'warning', /not this user's alone/, /chmod/, { folder: () => ({ uid: 1000, mode: 0o770 }) }],
  ['runtime folder', 'warning', /not this user's alone/, /chmod/, { folder: () => ({ uid: 0, mode: 0o700 }) }],
  ['subordinate ids', 'note', /^\/etc\/subgid has none/, /usermod .* ann'/, { files: { '/etc/subgid': 'bob:1:2\n' } }],
  ['subordinate ids', 'note', /subuid and \/etc\/subgid have none/, /usermod .* 7'/, { uid: 7, user: null }],
  [
    'trial',
    'failure',
    /has failed: no permission \(EPERM\)$/,
    /--debug/,
    { trial: () => ({ code: 1, stderr: 'x\npasta: no permission (EPERM)\n' }) },
  ],
  ['trial', 'failure', /status 3, and nothing was said/, /--debug/, { trial: () => ({ code: 3, stderr: '' }) }],
];

describe('supervisor/doctor', () => {
  const rowsIn = (world: World) => CHECKS.map(({ name, look }) => ({ name, ...look(world) }));

  it('finds nothing where all is well', () => {
    const rows = rowsIn(worldWith());
    for (const { name, verdict, cure } of rows) expect([verdict, cure], name).to.deep.equal(['ok', null]);
    expect(verdictOf(rows)).to.equal('ok');
    expect(reportForPeople(rows)).to.match(/\n\nEverything is there\.\n$/);
  });

  it('has cases for every check', () => {
    expect(new Set(CASES.map(([name]) => name))).to.deep.equal(new Set(CHECKS.map(({ name }) => name)));
  });

  for (const [name, verdict, found, cure, change] of CASES) {
    it(`${name}: ${verdict}, ${found.source}`, () => {
      const finding = CHECKS.find((check) => check.name === name)?.look(worldWith(change));
      expect(finding?.verdict).to.equal(verdict);
      expect(finding?.found).to.match(found);
      if (cure === null) expect(finding?.cure).to.equal(null);
      else expect(finding?.cure).to.match(cure);
    });
  }

  it('shows what to do below what was found, and the worst as a whole', () => {
    const rows = rowsIn(worldWith({ access: () => 'missing', release: '6.1.0' }));
    const text = reportForPeople(rows);
    expect(text).to.match(/^failure {2}tun device {7}\/dev\/net\/tun is missing\n {26}> run 'modprobe tun' as root/m);
    expect(text).to.match(/\n\nIt does not work here\.\n$/);
    const report = JSON.parse(reportAsJson(rows)) as { verdict: string; checks: { name: string }[] };
    expect(report.verdict).to.equal('failure');
    expect(report.checks.map((check) => check.name)).to.deep.equal(CHECKS.map((check) => check.name));
  });

  it('takes --json and --help, and no other word', () => {
    expect(parseDoctor(['--json'])).to.deep.equal({ json: true, help: false });
    expect(parseDoctor(['-h'])).to.deep.equal({ json: false, help: true });
    expect(() => parseDoctor(['all'])).to.throw(UsageError, "'all' is one word too many; give none, or --json");
  });
});
