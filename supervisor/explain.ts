/**
 * Why a step of start-up failed and what to do: one line for people from the step, the kernel's error and the host's settings.
 * The same errno has many causes here (EPERM alone has five), so the settings that decide are read before the line is written.
 */
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { getSystemErrorMessage } from 'node:util';
import { printable } from './usage-error.ts';

/** What was being done; `subject` of `explain` is in brackets. */
export type Step =
  /** Open /dev/net/tun. */
  | 'open-tun'
  /** Create the tap device [its name]. */
  | 'create-tap'
  /** Create a user namespace. */
  | 'create-user-namespace'
  /** Write uid_map, gid_map or setgroups of the new user namespace. */
  | 'map-ids'
  /** Create the network, mount, PID, IPC and UTS namespaces. */
  | 'create-namespaces'
  /** Open or enter the user namespace of a process [PID] or path [in quotes]. */
  | 'join-user-namespace'
  /** Open or enter the network namespace of a process [PID] or path [in quotes]. */
  | 'join-network-namespace'
  /** Execute the command [its name]. */
  | 'run-command'
  /** Make or use a netlink socket. */
  | 'netlink'
  /** Change the interface in the namespace [what: 'MTU 9000']. */
  | 'change-link'
  /** Add an address to it ['192.0.2.1/24']. */
  | 'add-address'
  /** Add a route ['192.0.2.0/24', 'default route through 192.0.2.1']. */
  | 'add-route';

/** The value of a file below /proc/sys as text, null where the kernel has none; `name` is `kernel/unprivileged_userns_clone`. */
export type ReadSetting = (name: string) => string | null;

const EPERM = 1;
const ENOENT = 2;
const ESRCH = 3;
const EACCES = 13;
const EBUSY = 16;
const EEXIST = 17;
const ENODEV = 19;
const EINVAL = 22;
const ENOSPC = 28;
const ENOTDIR = 20;
const ENXIO = 6;
const ENOEXEC = 8;
const EADDRINUSE = 98;
const EUSERS = 87;

const APPARMOR_FORBIDS =
  "AppArmor forbids it; install the AppArmor profile, or run 'sysctl kernel.apparmor_restrict_unprivileged_userns=0' as root";

/** One printable line without the program's name. `errno` is positive; `subject` is what the step worked on. */
export function explain(step: Step, errno: number, subject = '', setting: ReadSetting = readSetting): string {
  return printable(`${cause(step, errno, subject, setting)} (${errorText(errno)})`);
}

function cause(step: Step, errno: number, subject: string, setting: ReadSetting): string {
  switch (step) {
    case 'open-tun':
      return tunCause(errno);
    case 'create-tap':
      return tapCause(errno, subject);
    case 'create-user-namespace':
    case 'map-ids':
      return userNamespaceCause(step, errno, setting);
    case 'create-namespaces':
      return namespacesCause(errno, setting);
    case 'join-user-namespace':
    case 'join-network-namespace':
      return joinCause(step, errno, subject);
    case 'run-command':
      return commandCause(errno, subject);
    case 'netlink':
      return 'no netlink socket: the kernel refuses or ends the dialogue about interfaces; check seccomp rules of the container';
    case 'change-link':
      return changeCause(errno, subject);
    case 'add-address':
      return addCause(`address ${subject}`, errno, '--address names another one');
    case 'add-route':
      return addCause(subject, errno, '--gateway names another one');
  }
}

function tunCause(errno: number): string {
  if (errno === ENOENT) return "/dev/net/tun is missing; run 'modprobe tun' as root, or give the container that device";
  if (errno === ENODEV || errno === ENXIO) return "the kernel has no driver for /dev/net/tun; run 'modprobe tun' as root";
  if (errno === EACCES || errno === EPERM) {
    return "/dev/net/tun may not be opened; run 'chmod 0666 /dev/net/tun' as root, or allow the container that device";
  }
  return 'cannot open /dev/net/tun';
}

function tapCause(errno: number, name: string): string {
  if (errno === EBUSY || errno === EEXIST) return `interface '${name}' exists in the namespace; choose another name with --ns-ifname`;
  if (errno === EINVAL) return `'${name}' can't be a tap device; choose another name with --ns-ifname`;
  if (errno === EPERM) return `no permission to create interface '${name}'; the network namespace belongs to another user namespace`;
  return `cannot create interface '${name}' in the namespace`;
}

function userNamespaceCause(step: 'create-user-namespace' | 'map-ids', errno: number, setting: ReadSetting): string {
  const what = step === 'map-ids' ? 'cannot map user IDs' : 'cannot create a user namespace';
  if (setting('user/max_user_namespaces') === '0') {
    return `${what}: they are switched off; run 'sysctl user.max_user_namespaces=10000' as root`;
  }
  if (errno === ENOSPC || errno === EUSERS)
    return `${what}: too many exist or too deep; raise sysctl user.max_user_namespaces, or start outside of them`;
  if (errno === EPERM || errno === EACCES) {
    if (setting('kernel/unprivileged_userns_clone') === '0') {
      return `${what}: only root may; run 'sysctl kernel.unprivileged_userns_clone=1' as root`;
    }
    if (setting('kernel/apparmor_restrict_unprivileged_userns') === '1') {
      return `${what}: ${APPARMOR_FORBIDS}`;
    }
    return `${what}: it is forbidden here; in a container allow unshare and clone in its seccomp profile, in a chroot start outside of it`;
  }
  if (errno === EINVAL) return `${what}: the kernel was built without them (CONFIG_USER_NS)`;
  return what;
}

function namespacesCause(errno: number, setting: ReadSetting): string {
  const what = 'cannot create the namespaces';
  if (errno === ENOSPC || errno === EUSERS) {
    for (const kind of ['net', 'mnt', 'pid', 'ipc', 'uts']) {
      const name = `max_${kind}_namespaces`;
      if (setting(`user/${name}`) === '0') return `${what}: ${kind} namespaces are switched off; run 'sysctl user.${name}=10000' as root`;
    }
    return `${what}: too many exist; raise the limits user.max_*_namespaces`;
  }
  if ((errno === EPERM || errno === EACCES) && setting('kernel/apparmor_restrict_unprivileged_userns') === '1') {
    return `${what}: ${APPARMOR_FORBIDS}`;
  }
  if (errno === EPERM || errno === EACCES)
    return (
      `${what}: it is forbidden here; in a container allow unshare and mount in its seccomp profile, ` +
      "and use --netns-only as its root ('unshare -r', or --runas 0)"
    );
  if (errno === EINVAL) return `${what}: the kernel lacks one of net, mount, PID, IPC and UTS namespaces`;
  return what;
}

/** `subject` is a process ID, or a path in quotes. */
function joinCause(step: 'join-user-namespace' | 'join-network-namespace', errno: number, subject: string): string {
  const which = step === 'join-user-namespace' ? 'user' : 'network';
  const isPath = subject.startsWith("'");
  const what = isPath ? `the ${which} namespace ${subject}` : `the ${which} namespace of process ${subject}`;
  if (isPath && (errno === ENOENT || errno === ENOTDIR)) return `there is no namespace ${subject}; it has gone, or the path is wrong`;
  if (errno === ENOENT || errno === ESRCH) return `there is no process ${subject}; it has ended, or is hidden from this user`;
  if (errno === EPERM || errno === EACCES) {
    return `${what} belongs to another user; start as that user, or inside its user namespace`;
  }
  if (errno === EINVAL) return `${what} can't be joined; it is our own already, or of another kind`;
  return `cannot join ${what}`;
}

function commandCause(errno: number, command: string): string {
  if (errno === ENOENT) return `there is no command '${command}'; check its name, PATH and interpreter`;
  if (errno === EACCES) return `'${command}' may not be executed; check the permissions of the file and its directories`;
  if (errno === ENOEXEC) return `'${command}' is no program; does its first line name an interpreter?`;
  return `cannot execute '${command}'`;
}

function changeCause(errno: number, what: string): string {
  if (errno === EPERM) return `cannot set ${what} in the namespace; it belongs to another user namespace`;
  if (errno === EINVAL) return `the kernel refuses ${what} for the interface in the namespace; choose another value`;
  if (errno === EADDRINUSE) return `${what} is in use in the namespace; choose another one`;
  return `cannot set ${what} in the namespace`;
}

function addCause(what: string, errno: number, cure: string): string {
  if (errno === EPERM) return `cannot add ${what} in the namespace; it belongs to another user namespace`;
  if (errno === EACCES)
    return `cannot add ${what}: IPv6 is switched off in the namespace; set net.ipv6.conf.all.disable_ipv6=0 there, or add --ipv4-only`;
  return `cannot add ${what} in the namespace; ${cure}`;
}

/** The C library's text where libuv has it; the name or number of those that it doesn't know, ENOEXEC among them. */
function errorText(errno: number): string {
  if (errno === 0) return 'malformed answer';
  const text = getSystemErrorMessage(-errno);
  if (!text.startsWith('Unknown')) return text;
  const known = Object.entries(constants.errno).find(([, value]) => value === errno);
  return known?.[0] ?? `error ${errno}`;
}

function readSetting(name: string): string | null {
  try {
    return readFileSync(`/proc/sys/${name}`, 'latin1').trim();
  } catch {
    return null; // A setting that this kernel lacks, or hides, is no cause.
  }
}
