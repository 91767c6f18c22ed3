/**
 * A machine with a rootless podman, whose pasta is the one under test.
 *
 * Theory of operation. build.sh has made the tree of a Debian. hold.sh makes it the root of a mount namespace with a first process, in the
 * `host` namespace of a topology; `far` has a server of names. Everything the user does is entered from outside, with the namespaces of
 * that process; what it starts ends with it. Since all of it descends from there, what a case leaves behind is seen: `leftovers`.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Finished, type Running, run, start } from '../support/processes.ts';
import { nameOf, tree } from '../support/processtable.ts';
import { startNginx } from '../support/servers.ts';
import { GATEWAY4, GATEWAY6, makeTopology, TARGET4, TARGET6, type Topology } from '../support/topology.ts';
import { descendant } from '../support/translator.ts';

const TREE = fileURLToPath(new URL('../../.cache/podman/tree', import.meta.url));
const HOLD = fileURLToPath(new URL('hold.sh', import.meta.url));
const OURS = fileURLToPath(new URL('../..', import.meta.url));

/** What the containers of all cases are made of. */
export const IMAGE = 'localhost/guest';
/** A name that only the server of names in `far` knows; it has TARGET4 and TARGET6. */
export const NAME = 'target.far.test';

/** What the web server in `far` says. */
export const WORDS = 'from the far side';

export type Program = 'ravioli' | 'pasta';

export interface CommandOptions {
  /** Added to the user's environment. */
  readonly env?: Record<string, string>;
  readonly input?: string | Uint8Array;
  /** Milliseconds until SIGKILL; default 30,000. */
  readonly timeout?: number;
}

export interface Rig {
  readonly program: Program;
  readonly topology: Topology;
  /** What `pasta --version` says first. */
  readonly version: string;
  /** Starts a command of the machine as its user. */
  start(argv: readonly string[], options?: CommandOptions): Running;
  /** Runs one to its end, whatever that is. */
  run(argv: readonly string[], options?: CommandOptions): Promise<Finished>;
  /** Runs podman; throws with what it wrote when that fails. Gives standard output without the last end of line. */
  podman(...words: string[]): Promise<string>;
  /** Processes of the machine whose command name this is. */
  named(name: string): number[];
  /** Removes all containers and waits for what they should take along; names what is still there after twenty seconds, and ends that. */
  leftovers(): Promise<string[]>;
  stop(): Promise<void>;
}

/** Where the programs are that a column stands for: `bin/pasta` of the folder. */
export function folderOf(program: Program): string {
  if (program === 'ravioli') return OURS;
  return existsSync('/opt/peer/bin/pasta') ? '/opt/peer' : `${TREE}/usr`;
}

async function startNames(topology: Topology): Promise<Running> {
  const words = ['-k', '-C', '/dev/null', '--no-resolv', '--no-hosts', '--bind-interfaces', '--user=root', '--pid-file='];
  const addresses = [`--listen-address=${GATEWAY4},${GATEWAY6}`, `--address=/${NAME}/${TARGET4}`, `--address=/${NAME}/${TARGET6}`];
  const server = start(['dnsmasq', ...words, ...addresses, '--log-facility=-'], { namespace: topology.far, user: 0, timeout: 3_600_000 });
  await server.waitFor(/started/);
  return server;
}

/** Listening TCP ports and bound UDP ports of a network namespace, as `ss` writes them. */
export function listening(namespace: string): string[] {
  const text = execFileSync('nsenter', [`--net=/run/netns/${namespace}`, 'ss', '-Hltun'], { encoding: 'utf8' });
  return text.split('\n').filter((line) => line !== '');
}

/** Waits until a process of this name listens on a port in its network namespace. `kind` as the files of /proc/net: tcp, udp6, … */
export async function listens(rig: Rig, name: string, kind: string, port: number): Promise<void> {
  const suffix = port.toString(16).toUpperCase().padStart(4, '0');
  const entry = new RegExp(`^ *\\d+: [0-9A-F]+:${suffix} [0-9A-F]+:0000 0[7A] `, 'm');
  for (const limit = Date.now() + 15_000; Date.now() < limit; await pause(10)) {
    for (const pid of rig.named(name)) {
      try {
        if (entry.test(readFileSync(`/proc/${pid}/net/${kind}`, 'latin1'))) return;
      } catch {
        // It ended in between.
      }
    }
  }
  throw new Error(`no ${name} listens on ${kind} port ${port} after 15 s`);
}

/** Starts the machine with a program as its pasta. The process must be root, and build.sh have run. */
export async function startRig(program: Program): Promise<Rig> {
  const topology = makeTopology();
  // Ports that are forwarded by themselves are those that no client gets: the kernel's own range leaves some.
  execFileSync('nsenter', [`--net=/run/netns/${topology.host}`, 'sh', '-c', 'echo 32768 60999 > /proc/sys/net/ipv4/ip_local_port_range']);
  const names = await startNames(topology);
  const web = await startNginx(topology, topology.far, [TARGET4, TARGET6], 80);
  writeFileSync(`${web.folder}/index.html`, WORDS);
  const holder = start(['unshare', '--mount', '--ipc', 'sh', HOLD, TREE, folderOf(program), GATEWAY4], {
    namespace: topology.host,
    user: 0,
    timeout: 7_200_000,
  });
  const first = await Promise.race([
    descendant(holder.pid, 'catatonit'),
    holder.finished.then(({ stderr }) => {
      throw new Error(`hold.sh: ${stderr}`);
    }),
  ]);
  const enter = ['nsenter', `--target=${first}`, '--mount', '--pid', '--ipc', 'setpriv', '--reuid=1000', '--regid=1000', '--init-groups'];
  const home = { HOME: '/home/tester', USER: 'tester', LOGNAME: 'tester', XDG_RUNTIME_DIR: '/run/user/1000', LANG: 'C.UTF-8' };
  const command = (options: CommandOptions) => ({
    namespace: topology.host,
    user: 0,
    timeout: options.timeout ?? 30_000,
    env: { ...home, ...options.env },
    ...(options.input === undefined ? {} : { input: options.input }),
  });
  const line = (argv: readonly string[]): string[] => [...enter, 'env', '-C', '/home/tester', ...argv];
  const named = (name: string): number[] => tree(holder.pid).filter((pid) => nameOf(pid) === name);

  const rig: Rig = {
    program,
    topology,
    version: '',
    start: (argv, options = {}) => start(line(argv), command(options)),
    run: (argv, options = {}) => run(line(argv), command(options)),
    async podman(...words) {
      const { code, timedOut, stderr, stdout } = await rig.run(['podman', ...words]);
      if (code !== 0) throw new Error(`podman ${words.join(' ')}: exit ${code}${timedOut ? ' (time limit)' : ''}: ${stderr}${stdout}`);
      return stdout.trimEnd();
    },
    named,
    async leftovers() {
      await rig.run(['podman', 'pod', 'rm', '--all', '--force', '--time=0'], { timeout: 60_000 });
      await rig.run(['podman', 'rm', '--all', '--force', '--time=0'], { timeout: 60_000 });
      let found: string[] = [];
      for (const limit = Date.now() + 20_000; Date.now() < limit; await pause(20)) {
        found = [
          ...strangers(holder.pid).map((pid) => `process ${nameOf(pid)} (${pid})`),
          ...listening(topology.host),
          ...namespaces(first),
        ];
        if (found.length === 0) return [];
      }
      for (const pid of strangers(holder.pid)) kill(pid);
      return found;
    },
    async stop() {
      await holder.stop('SIGKILL');
      await names.stop();
      await web.stop();
      topology.remove();
    },
  };
  const version = await rig.run(['/opt/under-test/bin/pasta', '--version']);
  await rig.podman('import', '/opt/image.tar', IMAGE);
  return { ...rig, version: version.stdout.split('\n')[0] ?? '' };
}

/** What runs in the machine, but for its first process and podman's own that keeps its namespaces. */
function strangers(holder: number): number[] {
  return tree(holder).filter((pid) => !['catatonit', 'unshare', ''].includes(nameOf(pid)));
}

/** Kills a process, unless it has just ended. */
export function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Namespaces of containers that podman has not removed. */
function namespaces(first: number): string[] {
  const folder = `/proc/${first}/root/run/user/1000/netns`;
  return existsSync(folder) ? readdirSync(folder).map((name) => `namespace ${name}`) : [];
}
