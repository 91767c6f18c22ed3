import { expect } from 'chai';
import { explain, type ReadSetting, type Step } from '../../supervisor/explain.ts';

const EPERM = 1,
  ENOENT = 2,
  ESRCH = 3,
  ENOEXEC = 8,
  EACCES = 13,
  EBUSY = 16,
  ENODEV = 19,
  EINVAL = 22,
  ENOSPC = 28,
  EUSERS = 87,
  EOPNOTSUPP = 95;

/** A kernel with these settings and no others. */
function settings(values: Record<string, string> = {}): ReadSetting {
  return (name) => values[name] ?? null;
}

const APPARMOR = { 'kernel/apparmor_restrict_unprivileged_userns': '1' };

describe('supervisor/explain', () => {
  const cases: readonly [Step, number, string, Record<string, string>, RegExp][] = [
    ['open-tun', ENOENT, '', {}, /^\/dev\/net\/tun is missing; run 'modprobe tun' as root/],
    ['open-tun', ENODEV, '', {}, /no driver for \/dev\/net\/tun; run 'modprobe tun'/],
    ['open-tun', EACCES, '', {}, /may not be opened; run 'chmod 0666 \/dev\/net\/tun' as root/],
    ['open-tun', EPERM, '', {}, /may not be opened/],
    ['create-tap', EBUSY, 'eth0', {}, /^interface 'eth0' exists in the namespace; choose another name with --ns-ifname/],
    ['create-tap', EINVAL, 'lo', {}, /^'lo' can't be a tap device; .*--ns-ifname/],
    ['create-tap', EPERM, 'eth0', {}, /belongs to another user namespace/],
    ['create-user-namespace', ENOSPC, '', { 'user/max_user_namespaces': '0' }, /switched off; run 'sysctl user.max_user_namespaces=/],
    ['create-user-namespace', EPERM, '', { 'user/max_user_namespaces': '0' }, /switched off/],
    ['create-user-namespace', ENOSPC, '', { 'user/max_user_namespaces': '9' }, /too many exist or too deep; raise sysctl/],
    ['create-user-namespace', EUSERS, '', {}, /too many exist or too deep/],
    [
      'create-user-namespace',
      EPERM,
      '',
      { 'kernel/unprivileged_userns_clone': '0' },
      /only root may; run 'sysctl kernel.unprivileged_userns_clone=1'/,
    ],
    ['create-user-namespace', EPERM, '', APPARMOR, /AppArmor forbids it; install the AppArmor profile, or run 'sysctl/],
    ['create-user-namespace', EPERM, '', {}, /forbidden here; in a container allow unshare/],
    ['create-user-namespace', EINVAL, '', {}, /CONFIG_USER_NS/],
    ['map-ids', EPERM, '', APPARMOR, /^cannot map user IDs: AppArmor forbids it/],
    ['map-ids', EACCES, '', {}, /^cannot map user IDs: it is forbidden here/],
    [
      'create-namespaces',
      ENOSPC,
      '',
      { 'user/max_net_namespaces': '0' },
      /net namespaces are switched off; run 'sysctl user.max_net_namespaces=/,
    ],
    ['create-namespaces', ENOSPC, '', { 'user/max_pid_namespaces': '0' }, /pid namespaces are switched off/],
    ['create-namespaces', ENOSPC, '', {}, /too many exist; raise the limits/],
    ['create-namespaces', EPERM, '', APPARMOR, /AppArmor/],
    ['create-namespaces', EPERM, '', {}, /forbidden here; in a container allow unshare and mount/],
    ['create-namespaces', EINVAL, '', {}, /the kernel lacks one of/],
    ['join-network-namespace', ENOENT, '77', {}, /^there is no process 77; it has ended/],
    ['join-user-namespace', ESRCH, '77', {}, /^there is no process 77/],
    ['join-network-namespace', EPERM, '77', {}, /^the network namespace of process 77 belongs to another user; start as that user/],
    ['join-user-namespace', EACCES, '77', {}, /^the user namespace of process 77 belongs to another user/],
    ['join-user-namespace', EINVAL, '77', {}, /can't be joined; it is our own already/],
    ['run-command', ENOENT, 'nope', {}, /^there is no command 'nope'; check its name, PATH and interpreter/],
    ['run-command', EACCES, '/etc/passwd', {}, /^'\/etc\/passwd' may not be executed; check the permissions/],
    ['run-command', ENOEXEC, 'x', {}, /^'x' is no program/],
    ['netlink', EPERM, '', {}, /^no netlink socket: .*seccomp/],
    ['change-link', EINVAL, 'MTU 50', {}, /^the kernel refuses MTU 50 for the interface/],
    ['change-link', EPERM, 'MTU 50', {}, /belongs to another user namespace/],
    ['add-address', EACCES, '::1/64', {}, /IPv6 is switched off in the namespace; .*--ipv4-only/],
    ['add-address', EINVAL, '10.0.0.1/8', {}, /^cannot add address 10.0.0.1\/8 in the namespace; --address names another one/],
    [
      'add-route',
      EOPNOTSUPP,
      'default route through 10.0.0.1',
      {},
      /^cannot add default route through 10.0.0.1 in the namespace; --gateway/,
    ],
  ];
  for (const [step, errno, subject, values, pattern] of cases) {
    it(`${step} ${errno} ${subject} ${JSON.stringify(values)}`, () =>
      expect(explain(step, errno, subject, settings(values))).to.match(pattern));
  }

  it('ends with what the kernel said, on one line, whatever the subject', () => {
    const steps = [...new Set(cases.map(([step]) => step))];
    expect(steps).to.have.length(12);
    for (const step of steps) {
      for (let errno = 0; errno < 134; errno++) {
        const line = explain(step, errno, 'a\u001b[2J\nb', settings());
        expect(line).to.match(/^[^\x00-\x1f\x7f]+ \([^)]+\)$/);
        expect(line).not.to.match(/undefined|unknown system error/i);
      }
    }
    expect(explain('run-command', ENOENT, 'x', settings())).to.match(/\(no such file or directory\)$/);
  });

  it('reads the settings of this kernel, and does without those it lacks', () => {
    expect(explain('create-user-namespace', EPERM)).to.match(/^cannot create a user namespace: /);
  });
});
