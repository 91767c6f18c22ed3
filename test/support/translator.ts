/**
 * Starts the product, or a peer, the way its users do: unprivileged, in the `host` namespace, around a guest namespace of its own.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { program } from './load.ts';
import { type MachineTool, passtPath, startMachine } from './machine.ts';
import { nameOf, programOf, tree } from './processtable.ts';
import { type Finished, type Running, type RunOptions, run, start, UNPRIVILEGED } from './processes.ts';
import { setKernel, type Topology } from './topology.ts';

/** The product, as users start it. RAVIOLI_PASTA replaces it, to run a test against a peer or an installed copy. */
export const PRODUCT = process.env.RAVIOLI_PASTA ?? fileURLToPath(new URL('../../bin/pasta', import.meta.url));

const PEER_PASTA = '/opt/peer/bin/pasta';

/**
 * `older` is ravioli as under a kernel without SO_PEEK_OFF and USO. `bare` is no translator at all: the guest is the `host` namespace.
 * `machine` and `passt`: the guest is behind a socket, as a virtual machine is (machine.ts).
 */
export type Tool = 'pasta' | 'slirp4netns' | 'ravioli' | 'older' | 'bare' | MachineTool;

export interface Translator {
  readonly tool: Tool;
  /** A process of the guest namespace: what `namespace` of RunOptions takes. */
  readonly guest: number;
  /** Everything the tool has written. */
  log(): string;
  /** As that of `Running`. */
  waitFor: Running['waitFor'];
  /** The tool's processes, without the guest's. */
  pids(): number[];
  /** The programs those processes run: proof of what was measured. */
  programs(): string[];
  /** Resolves when the tool has ended by itself or was stopped. */
  readonly ended: Promise<Finished>;
  stop(): Promise<void>;
}

/** Whether the tests of this process mean passt by the product; see `serveMachines`. */
let machines = false;

/**
 * From now on `ravioli` and `older` are passt with a guest behind its socket: suites that are imported afterwards run in that mode
 * (test/netns/machine.long.test.ts). What is about the guest's loopback is not asked for.
 */
export function serveMachines(): void {
  machines = true;
}

/** Whether that has been called. */
export function servesMachines(): boolean {
  return machines;
}

function isMachine(tool: Tool): tool is MachineTool {
  return tool === 'machine' || tool === 'passt';
}

/** Path of a tool's program; throws with the cure when it is not there. */
export function programPath(tool: Tool): string {
  if (isMachine(tool)) return passtPath(tool);
  const path = { pasta: PEER_PASTA, slirp4netns: '/usr/bin/slirp4netns', ravioli: PRODUCT, older: PRODUCT, bare: '/bin/true' }[tool];
  if (!existsSync(path)) throw new Error(`${tool}: ${path} is missing: ${path === PRODUCT ? 'run npm run build' : 'run install-peers'}`);
  return path;
}

export interface TranslatorOptions {
  /** MTU of the guest's link. Default: the tool's. */
  mtu?: number;
  /** More options, in pasta's words; only for pasta and ravioli. Default: no port is forwarded. */
  options?: readonly string[];
  /** The namespace is set up by --config-net; otherwise by its guest, who has to ask. Default: true. */
  configured?: boolean;
  /** Limit on open descriptors. */
  descriptors?: number;
  /** As that of RunOptions. */
  etc?: string;
}

const NO_PORTS = ['-t', 'none', '-u', 'none', '-T', 'none', '-U', 'none'];
/** A machine's loopback is nobody's but its own. */
const NO_PORTS_OF_MACHINE = ['-t', 'none', '-u', 'none'];

/** The words that start a tool. */
export function programWords(tool: Tool): string[] {
  return tool === 'older' ? [program('older'), programPath(tool)] : [programPath(tool)];
}

/** Finds a process below `root` by its command name, waiting until it has exec'd. */
export async function descendant(root: number, name: string): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const found = tree(root).find((pid) => nameOf(pid) === name);
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`no process ${name} below ${root}`);
}

function handle(tool: Tool, running: Running, guest: number, others: Running[] = []): Translator {
  const pids = (): number[] => (tool === 'bare' ? [] : tree(running.pid, [guest]));
  return {
    tool,
    guest,
    log: () => running.stdout() + running.stderr(),
    waitFor: running.waitFor,
    pids,
    programs: () => [...new Set(pids().map(programOf))],
    ended: running.finished,
    async stop() {
      await running.stop();
      for (const other of others) await other.stop();
    },
  };
}

async function startSlirp(topology: Topology, given: TranslatorOptions): Promise<Translator> {
  const holder = start(['unshare', '-rn', 'sh', '-c', 'echo guest-ready; exec sleep infinity'], {
    namespace: topology.host,
    timeout: 3_600_000,
  });
  await holder.waitFor(/guest-ready/);
  const slirp = start(
    [
      programPath('slirp4netns'),
      '--configure',
      '--enable-ipv6',
      `--mtu=${given.mtu ?? 65_520}`,
      '--ready-fd=3',
      String(holder.pid),
      'tap0',
    ],
    { namespace: topology.host, timeout: 3_600_000, extra: ['pipe'], ...limits(given) },
  );
  await new Promise<void>((resolve, reject) => {
    slirp.child.stdio[3]?.once('data', () => resolve());
    slirp.finished.then((end) => reject(new Error(`slirp4netns: exit ${end.code}: ${end.stderr}`)));
  });
  return handle('slirp4netns', slirp, holder.pid, [holder]);
}

/** The namespace is set up by hand, with the MTU that passt would tell it. */
async function startPlugged(tool: MachineTool, topology: Topology, given: TranslatorOptions): Promise<Translator> {
  const options = given.options ?? NO_PORTS_OF_MACHINE;
  const isInner = (word: string | undefined): boolean => word === '-T' || word === '-U';
  const served = options.filter((word, index) => !isInner(word) && !isInner(options[index - 1]));
  const words = [...(given.mtu === undefined ? [] : ['-m', String(given.mtu)]), ...served];
  const mtu = given.configured === false ? null : (given.mtu ?? 65_520);
  const { passt, plug, guest } = await startMachine(tool, topology, words, mtu, limits(given));
  return handle(tool, passt, guest.pid, [plug, guest]);
}

function limits(given: TranslatorOptions): RunOptions {
  return {
    ...(given.descriptors === undefined ? {} : { descriptors: given.descriptors }),
    ...(given.etc === undefined ? {} : { etc: given.etc }),
  };
}

/** Starts a tool and waits until its guest is ready: addresses, routes and link are there. */
export async function startTranslator(asked: Tool, topology: Topology, given: TranslatorOptions = {}): Promise<Translator> {
  const tool = machines && (asked === 'ravioli' || asked === 'older') ? 'machine' : asked;
  let translator: Translator;
  if (tool === 'slirp4netns') translator = await startSlirp(topology, given);
  else if (isMachine(tool)) translator = await startPlugged(tool, topology, given);
  else if (tool === 'bare') {
    const holder = start(['sleep', 'infinity'], { namespace: topology.host, timeout: 3_600_000 });
    translator = handle('bare', holder, await descendant(holder.pid, 'sleep'));
  } else {
    const mtu = given.mtu === undefined ? [] : ['-m', String(given.mtu)];
    const options = [...(given.configured === false ? [] : ['--config-net']), ...mtu, ...(given.options ?? NO_PORTS)];
    const running = start([...programWords(tool), ...options, '--', 'sh', '-c', 'echo guest-ready; exec sleep infinity'], {
      namespace: topology.host,
      timeout: 3_600_000,
      ...limits(given),
    });
    try {
      await running.waitFor(/guest-ready/);
      translator = handle(tool, running, await descendant(running.pid, 'sleep'));
    } catch (error) {
      await running.stop('SIGKILL');
      throw error;
    }
  }
  setKernel(translator.guest);
  return translator;
}

/** Runs `pasta OPTIONS -- COMMAND` of the product to its end, as users do; the result is the command's. */
export function runProduct(
  topology: Topology,
  options: readonly string[],
  command: readonly string[],
  given: RunOptions = {},
): Promise<Finished> {
  return run([programPath('ravioli'), '--config-net', ...options, '--', ...command], {
    namespace: topology.host,
    user: UNPRIVILEGED,
    cwd: topology.folder,
    env: { HOME: topology.folder },
    ...given,
  });
}
