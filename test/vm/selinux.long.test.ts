/**
 * The product in the domains of selinux/, enforced by Debian 12's kernel with Debian 12's policy: everything works with no denial, and what a
 * room that was taken over tries is denied, once each, by its domain alone.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { type Hardened, runHardened, type Trespass } from '../support/hardened_guest.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url)).replace(/\/$/, '');

/** What the suite needs, in a tree of its own. */
const PROGRAMS = (
  'bash busybox cat chmod cp cut dash dmesg dnsmasq echo env grep head id ip kill ln ls mkdir mkfifo nsenter ping readlink rm runcon sed ' +
  'setpriv sh sleep socat tail test timeout tr true umount unshare'
).split(' ');

const label = (domain: string): string => `system_u:system_r:ravioli_${domain}_t:s0`;
const each = (domain: string, ...attacks: string[]): Trespass[] => attacks.map((attack) => [label(domain), attack]);

const TRESPASSES: readonly Trespass[] = [
  ...each('worker', 'read-file', 'write-file', 'read-process', 'open-tap', 'execute', 'trace', 'end-process', 'mount', 'new-mounts'),
  ...each('worker', 'become-user', 'tcp-socket', 'netlink-socket', 'packet-socket', 'raw-socket', 'vsock', 'shed-label'),
  ...each('opener', 'read-file', 'write-file', 'execute', 'trace', 'end-process', 'packet-socket', 'executable-memory', 'shed-label'),
  ...each('passt_jail', 'write-file', 'execute', 'trace', 'tcp-socket', 'executable-memory', 'shed-label'),
  ...each('passt', 'open-tap', 'mount', 'packet-socket', 'shed-label'),
  ...each('pasta', 'open-tap', 'mount', 'packet-socket', 'end-process', 'shed-label'),
];

/** Paths of the programs and of the libraries that they and the runtime load. */
function neededFiles(): string {
  const path = { PATH: '/usr/bin:/usr/sbin' };
  const say = (command: string): string[] => execFileSync('sh', ['-c', command], { encoding: 'utf8', env: path }).trim().split('\n');
  const programs = PROGRAMS.map((name) => execFileSync('which', [name], { encoding: 'utf8', env: path }).trim());
  return [
    ...programs,
    ...say(`ldd ${programs.join(' ')} ${process.execPath} 2> /dev/null | grep -v ':$' | grep -o '/[^ ]*' | sort -u`),
    '',
  ].join('\n');
}

describe('SELinux', function () {
  this.timeout(600_000);
  let hardened: Hardened;

  before(async () => {
    execFileSync('sh', [`${ROOT}/test/vm/selinux_policy.sh`], { stdio: ['ignore', 'inherit', 'inherit'] });
    const policy = {
      security: 'selinux',
      append: 'security=selinux enforcing=0',
      files: { list: neededFiles() },
      root: '/usr/lib/ravioli',
      denial: /avc: {2}denied/,
    } as const;
    hardened = await runHardened(policy, TRESPASSES, 580_000);
  });

  it('lets everything work', () => {
    expect(hardened.cases, hardened.output).to.have.length.above(5);
    const failed = hardened.cases.filter((line) => !line.startsWith('ok '));
    expect(failed, hardened.output).to.deep.equal([]);
  });

  it('has denied nothing by then', () => {
    expect(hardened.denials).to.deep.equal([]);
  });

  TRESPASSES.forEach(([context, attack], at) => {
    it(`denies ${context}: ${attack}`, () => {
      const { worked, denials } = hardened.trespasses[at] as Hardened['trespasses'][number];
      expect({ worked, denials: denials.length }, denials.join('\n')).to.deep.equal({ worked: false, denials: 1 });
      expect(denials[0]).to.contain(`scontext=${context} `);
      expect(denials[0]).to.contain('permissive=0');
    });
  });
});
