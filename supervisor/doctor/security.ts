/**
 * Checks of what the kernel and its security modules let an ordinary user do, and of what rooms are confined with. Pure.
 */
import { type Finding, ok } from './finding.ts';
import type { World } from './world.ts';

const ROOT = 0;

function setting(world: World, name: string): string | null {
  return world.read(`/proc/sys/${name}`)?.trim() ?? null;
}

/** Several switches are known that forbid them, each distribution has its own. */
export function checkUserNamespaces(world: World): Finding {
  const forbidden = (found: string, cure: string): Finding => ({ verdict: 'failure', found, cure });
  if (world.read('/proc/self/ns/user') === null && world.read('/proc/self/uid_map') === null)
    return forbidden('the kernel has none', 'use a kernel with CONFIG_USER_NS');
  const most = setting(world, 'user/max_user_namespaces');
  if (most === '0') return forbidden('they are switched off', "run 'sysctl user.max_user_namespaces=10000' as root");
  if (world.uid === ROOT) return ok('root may make them');
  if (setting(world, 'kernel/unprivileged_userns_clone') === '0')
    return forbidden('only root may make them', "run 'sysctl kernel.unprivileged_userns_clone=1' as root");
  if (setting(world, 'kernel/apparmor_restrict_unprivileged_userns') === '1' && world.read('/etc/apparmor.d/ravioli') === null)
    return {
      verdict: 'warning',
      found: 'AppArmor forbids them to programs without a profile',
      cure: "install the AppArmor profiles ('make install'), or run 'sysctl kernel.apparmor_restrict_unprivileged_userns=0' as root",
    };
  return ok(most === null ? 'not restricted' : `not restricted, at most ${most}`);
}

/** The filters of all rooms kill. */
export function checkSeccomp(world: World): Finding {
  const actions = setting(world, 'kernel/seccomp/actions_avail');
  if (actions?.split(' ').includes('kill_process')) return ok('filters can be installed');
  return { verdict: 'failure', found: 'the kernel has no seccomp filters', cure: 'use a kernel with CONFIG_SECCOMP_FILTER' };
}

/** One of several walls, which old kernels do without. */
export function checkLandlock(world: World): Finding {
  const modules = world.read('/sys/kernel/security/lsm');
  if (modules === null) return { verdict: 'note', found: "not known: /sys/kernel/security can't be read", cure: null };
  if (modules.trim().split(',').includes('landlock')) return ok('there');
  return {
    verdict: 'note',
    found: 'not there: the rooms are confined by the other layers',
    cure: "to have it as well, add 'landlock' to the kernel's parameter lsm=",
  };
}

/** Who confines us already, and might forbid what no check here knows of. */
export function checkConfinement(world: World): Finding {
  const label = world.read('/proc/self/attr/current')?.replace(/[\0\n]/g, '') ?? '';
  const enforces = world.read('/sys/fs/selinux/enforce') === '1';
  if (enforces) return ok(`SELinux enforces its policy; we are ${label}`);
  if (label === '' || label === 'unconfined' || label.startsWith('kernel')) return ok('none');
  return { verdict: 'note', found: `we run under the AppArmor profile ${label}`, cure: null };
}
