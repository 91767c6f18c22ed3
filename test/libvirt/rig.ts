/**
 * A machine of another Debian, in whose `host` namespace a user without privileges runs libvirt and QEMU; their `passt` is ours.
 *
 * Theory of operation. build.sh has made the tree, and test/podman/hold.sh makes it the root of a mount namespace with a first process. All
 * that the user does is entered from outside with that process's namespaces, and ends with it. A guest is known by its console, and by its
 * web server that runs what it is sent (guest.sh), which needs the network under test.
 */
import { fileURLToPath } from 'node:url';
import { type Finished, type Running, run, start } from '../support/processes.ts';
import { nameOf, tree } from '../support/processtable.ts';
import { GATEWAY4, makeTopology, type Topology } from '../support/topology.ts';
import { descendant } from '../support/translator.ts';

const OURS = fileURLToPath(new URL('../..', import.meta.url));
const TREE = `${OURS}.cache/libvirt/tree`;
const HOLD = `${OURS}test/podman/hold.sh`;

/** Where the machine sees the programs under test; the folder of its user. */
export const UNDER_TEST = '/opt/under-test';
export const HOME = '/home/tester';
/** What the guests boot, as the machine sees it. */
export const KERNEL = `${UNDER_TEST}/.cache/vm/6.1/kernel`;
export const INITRAMFS = `${UNDER_TEST}/.cache/libvirt/initramfs`;
export const GUEST_WORDS = 'console=ttyS0 quiet panic=-1 rdinit=/guest';
/** Milliseconds for a guest to boot: emulated, on a machine that may have other work. */
export const BOOT_MS = 60_000;

export interface Rig {
  readonly topology: Topology;
  /** A path of the machine, seen from here. */
  path(inside: string): string;
  /** Starts a command of the machine as its user. */
  start(argv: readonly string[]): Running;
  /** Runs one to its end, whatever that is. */
  run(argv: readonly string[], input?: string): Promise<Finished>;
  /** Runs one that has to succeed; gives its standard output. */
  check(argv: readonly string[], input?: string): Promise<string>;
  /** Processes of the machine whose command name this is. */
  named(name: string): number[];
  stop(): Promise<void>;
}

/** Starts the machine. The process must be root, and build.sh have run. */
export async function startRig(): Promise<Rig> {
  const topology = makeTopology();
  const holder = start(['unshare', '--mount', '--ipc', 'sh', HOLD, TREE, OURS, GATEWAY4], {
    namespace: topology.host,
    user: 0,
    timeout: 3_600_000,
  });
  const first = await Promise.race([
    descendant(holder.pid, 'catatonit'),
    holder.finished.then(({ stderr }) => {
      throw new Error(`hold.sh: ${stderr}`);
    }),
  ]);
  const enter = ['nsenter', `--target=${first}`, '--mount', '--pid', '--ipc', 'setpriv', '--reuid=1000', '--regid=1000', '--init-groups'];
  // As libvirt finds it: the first in PATH.
  const env = {
    PATH: `${UNDER_TEST}/bin:/usr/bin:/bin:/usr/sbin:/sbin`,
    ...{ HOME, USER: 'tester', LOGNAME: 'tester', XDG_RUNTIME_DIR: '/run/user/1000', LANG: 'C.UTF-8' },
  };
  const line = (argv: readonly string[]): string[] => [...enter, 'env', '-C', HOME, ...argv];
  const given = { namespace: topology.host, user: 0, env };
  const rig: Rig = {
    topology,
    path: (inside) => `/proc/${first}/root${inside}`,
    start: (argv) => start(line(argv), { ...given, timeout: 3_600_000 }),
    run: (argv, input) => run(line(argv), { ...given, timeout: 60_000, ...(input === undefined ? {} : { input }) }),
    async check(argv, input) {
      const { code, stdout, stderr } = await rig.run(argv, input);
      if (code !== 0) throw new Error(`${argv.join(' ')}: exit ${code}: ${stderr}${stdout}`);
      return stdout;
    },
    named: (name) => tree(holder.pid).filter((pid) => nameOf(pid) === name),
    async stop() {
      await holder.stop('SIGKILL');
      topology.remove();
    },
  };
  return rig;
}

/**
 * Asks until there is an answer: what the guest's shell writes for `script`, reached at a forwarded port of the host. Gives up early when
 * `isOver` says that there will be none.
 */
export async function inGuest(rig: Rig, address: string, port: number, script: string, isOver = (): boolean => false): Promise<string> {
  const url = `http://${address.includes(':') ? `[${address}]` : address}:${port}/cgi-bin/run`;
  const words = ['curl', '-sS', '--max-time', '5', '--data-binary', script, url];
  for (const limit = Date.now() + BOOT_MS; ; ) {
    const { code, stdout, stderr } = await run(words, { namespace: rig.topology.far, user: 0 });
    if (code === 0) return stdout;
    if (isOver()) throw new Error(`the guest has ended before it answered at ${url}`);
    if (Date.now() > limit) throw new Error(`the guest has not answered at ${url} for ${BOOT_MS / 1000} s: ${stderr}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Resolves when it holds; `what` is in the error when it does not after `milliseconds`. */
export async function holds(what: string, condition: () => boolean, milliseconds = 20_000): Promise<void> {
  for (const limit = Date.now() + milliseconds; !condition(); await new Promise((resolve) => setTimeout(resolve, 20)))
    if (Date.now() > limit) throw new Error(`it does not hold after ${milliseconds / 1000} s that ${what}`);
}
