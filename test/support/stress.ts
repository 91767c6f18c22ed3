/**
 * Starts the product and kills some of it, again and again: `node stress.ts SEED STARTS PARALLEL`, as root, in mount and PID namespaces of
 * its own (test/netns/stress.long.test.ts).
 *
 * Theory of operation. A seed decides everything but the kernel's scheduling: how each run is started, when a blow falls, on whom, and
 * what it is. A run that has lost a room must end by itself; every other one is asked to. When all of a round have ended, what is there
 * was left behind: nobody else is in these namespaces. Each such thing is a line; the status is 1 then.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Random } from './frame_mutation.ts';
import { passtPath } from './machine.ts';
import { nameOf, tree } from './processtable.ts';
import { check, type Running, start, UNPRIVILEGED } from './processes.ts';
import { PRODUCT } from './translator.ts';

/** Everything that a run may write to, in memory. */
const FOLDER = '/tmp/stress';
const INSTANCES = `${FOLDER}/ravioli`;
const ENVIRONMENT = { HOME: FOLDER, TMPDIR: FOLDER, XDG_RUNTIME_DIR: FOLDER };
/** For what must come by itself, ms. */
const PATIENCE_MS = 30_000;
/** A start takes some 100 ms on a machine with nothing else to do. */
const LATEST_BLOW_MS = 200;
/** Blows on one that is complete, of ten. */
const LATE_OF_TEN = 3;
/** Runs without a blow, of ten, and those that are asked to end, or lose their namespace, in place of it. */
const SPARED_OF_TEN = 2;
const ASKED_OF_TEN = 2;
const PORT = 20_000;

type Kind = 'command' | 'process' | 'path' | 'machine';
const KINDS: readonly Kind[] = ['command', 'process', 'path', 'machine'];

/** One run, and how it is asked to end. */
interface Lane {
  readonly first: Running;
  /** Resolves when it is complete, or has failed to be. */
  readonly ready: Promise<unknown>;
  /** Its processes at this moment. */
  everyone(): number[];
  /** The process that was started first may end before the rest. */
  readonly background: boolean;
  end(): Promise<void>;
}

const given = { env: ENVIRONMENT, cwd: FOLDER, timeout: 600_000 };

function startCommand(number: number): Lane {
  const words = ['--config-net', '-t', String(PORT + number), '--', 'sh', '-c', '(setsid sleep 1000) & echo ready; exec sleep 1000'];
  const first = start([PRODUCT, ...words], given);
  const ready = first.waitFor(/^ready$/m, PATIENCE_MS);
  return { first, ready, everyone: () => tree(first.pid), background: false, end: async () => signal(first.pid, 'SIGTERM') };
}

function startPasst(number: number): Lane {
  const path = `${FOLDER}/machine${number}.socket`;
  const first = start([passtPath('machine'), '-f', '-s', path, '-t', String(PORT + number)], given);
  const ready = first.waitFor(/UNIX domain socket bound at/, PATIENCE_MS);
  return { first, ready, everyone: () => tree(first.pid), background: false, end: async () => signal(first.pid, 'SIGTERM') };
}

/** The network for a process; it stays in the background until that ends. */
async function startForProcess(number: number): Promise<Lane> {
  const guest = start(['unshare', '-rn', 'sh', '-c', 'echo held; exec sleep 1000'], given);
  await guest.waitFor(/held/, PATIENCE_MS);
  const file = `${FOLDER}/${number}.pid`;
  const first = start([PRODUCT, '--config-net', '-q', '-t', String(PORT + number), '-P', file, String(guest.pid)], given);
  const end = async (): Promise<void> => {
    await guest.stop('SIGKILL');
  };
  return { first, ready: first.finished, everyone: () => backgroundTree(first.pid, file), background: true, end };
}

/** As Podman does it: a path below a folder of its user's namespaces, which ends with the path. */
async function startForPath(number: number): Promise<Lane> {
  const script = 'mount -t tmpfs tmpfs /mnt; touch /mnt/ns; unshare --net=/mnt/ns true; echo held; exec sleep 1000';
  const guest = start(['unshare', '-rm', 'sh', '-ec', script], given);
  await guest.waitFor(/held/, PATIENCE_MS);
  const spaces = [`--user=/proc/${guest.pid}/ns/user`, `--mount=/proc/${guest.pid}/ns/mnt`, '--preserve-credentials'];
  const file = `${FOLDER}/${number}.pid`;
  const words = ['--config-net', '-q', '-t', String(PORT + number), '--pid', file, '--netns', '/mnt/ns'];
  const first = start(['nsenter', ...spaces, PRODUCT, ...words], given);
  const end = async (): Promise<void> => {
    await check(['nsenter', ...spaces, 'sh', '-c', 'umount -l /mnt/ns && rm /mnt/ns'], given);
    await guest.stop('SIGKILL');
  };
  return { first, ready: first.finished, everyone: () => backgroundTree(first.pid, file), background: true, end };
}

/** The file is there, and empty, from early on. */
function backgroundTree(first: number, file: string): number[] {
  const service = Number(text(file));
  return [...tree(first), ...(service > 1 ? tree(service) : [])];
}

function text(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function startLane(kind: Kind, number: number): Promise<Lane> {
  switch (kind) {
    case 'command':
      return startCommand(number);
    case 'process':
      return startForProcess(number);
    case 'path':
      return startForPath(number);
    case 'machine':
      return startPasst(number);
  }
}

/** Waits until all have ended, zombies included; gives those that have not. */
async function remaining(pids: readonly number[]): Promise<number[]> {
  let left = [...pids];
  for (const limit = Date.now() + PATIENCE_MS; left.length > 0 && Date.now() < limit; await pause(5)) left = left.filter(isThere);
  return left;
}

function isThere(pid: number): boolean {
  return text(`/proc/${pid}/stat`) !== '';
}

function shown(pid: number): string {
  return `process ${pid} ${nameOf(pid)} (${text(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').slice(0, 200)})`;
}

/** What happens to one run, decided before it is started. */
interface Plan {
  readonly kind: Kind;
  readonly spared: boolean;
  readonly asked: boolean;
  /** The blow falls on a run that is complete, otherwise `delay` milliseconds after its start. */
  readonly late: boolean;
  readonly delay: number;
  readonly whom: number;
  /** By SIGTERM, where that is for whom it falls on. */
  readonly gently: boolean;
}

function plan(random: Random): Plan {
  const kind = KINDS[random.below(KINDS.length)] as Kind;
  const fate = random.below(10);
  const spared = fate < SPARED_OF_TEN;
  const asked = !spared && fate < SPARED_OF_TEN + ASKED_OF_TEN;
  const late = random.below(10) < LATE_OF_TEN;
  return { kind, spared, asked, late, delay: random.below(LATEST_BLOW_MS), whom: random.below(1 << 16), gently: random.below(4) === 0 };
}

/** One run from its start to its end. */
async function live(number: number, decided: Plan, complain: (line: string) => void): Promise<void> {
  const lane = await startLane(decided.kind, number);
  const ready = lane.ready.catch(() => undefined);
  if (decided.spared || decided.late) await ready;
  else await pause(decided.delay);
  if (!decided.spared && !decided.asked) await strike(lane, decided, complain);
  await lane.end();
  await lane.first.finished;
}

async function strike(lane: Lane, decided: Plan, complain: (line: string) => void): Promise<void> {
  const everyone = lane.everyone();
  const victim = everyone[decided.whom % everyone.length] ?? lane.first.pid;
  const name = nameOf(victim);
  // Others than the first may have no handler yet, and the first process of a namespace is spared such signals.
  const gently = decided.gently && victim === lane.first.pid;
  signal(victim, gently ? 'SIGTERM' : 'SIGKILL');
  if (!takesAllAlong(lane, victim, name, decided.late)) return;
  for (const pid of await remaining(everyone)) complain(`${shown(pid)} has outlived ${name} (${victim}), which was killed`);
}

/** Whether the whole run has to end with this process. What waits for it in the background is none of its rooms, nor a jail that leaves. */
function takesAllAlong(lane: Lane, victim: number, name: string, late: boolean): boolean {
  if (victim === lane.first.pid) return !lane.background;
  return /^(pasta|passt)(\.worker|\.opener)?$/.test(name) || (late && name.endsWith('.jail'));
}

/** All that is there, but for what was there before the first run. Sockets of killed runs are for the next run to remove. */
function leftovers(mounts: readonly string[], last: boolean): string[] {
  const self = [1, process.pid];
  const pids = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry) && !self.includes(Number(entry)));
  const sockets = text('/proc/net/unix').split('\n').slice(1);
  const ports = ['tcp', 'tcp6', 'udp', 'udp6'].flatMap((kind) => text(`/proc/net/${kind}`).split('\n'));
  return [
    ...pids.map((pid) => shown(Number(pid))),
    ...files(FOLDER).flatMap((path) => (!last && /\.(sock|socket|status)$/.test(path) ? [] : [`file ${path}`])),
    ...sockets.flatMap((line) => line.split(/ +/)[7] ?? []).map((name) => `UNIX socket ${name}`),
    ...ports.filter((line) => / 0[7A] /.test(line)).map((line) => `port ${line}`),
    ...mounted().flatMap((line) => (mounts.includes(line) ? [] : [`mount ${line}`])),
  ];
}

/** One line for each; some go without us, when a name of a namespace that others had made is removed. */
function mounted(): string[] {
  return text('/proc/self/mountinfo').split('\n');
}

function files(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true }) as string[];
  return names.map((name) => `${folder}/${name}`).filter((path) => path !== INSTANCES);
}

/** Runs all of these at the same time; gives what they leave. The file with a number stays, as callers expect. */
async function round(plans: readonly Plan[], mounts: readonly string[], last: boolean): Promise<string[]> {
  const said: string[] = [];
  await Promise.all(plans.map((decided, number) => live(number, decided, (line) => said.push(line))));
  for (const path of files(FOLDER)) if (path.endsWith('.pid')) rmSync(path);
  for (const limit = Date.now() + PATIENCE_MS; leftovers(mounts, last).length > 0 && Date.now() < limit; ) await pause(5);
  return [...said, ...leftovers(mounts, last)];
}

async function main(): Promise<void> {
  const [seed, starts, parallel] = process.argv.slice(2).map(Number) as [number, number, number];
  mkdirSync(FOLDER);
  await check(['chown', String(UNPRIVILEGED), FOLDER], { user: 0 });
  const random = new Random(seed);
  const mounts = mounted();
  const rounds = Array.from({ length: Math.ceil(starts / parallel) }, () => Array.from({ length: parallel }, () => plan(random)));
  // The last ones find what the killed ones have left.
  const whole = { spared: true, asked: false, late: false, delay: 0, whom: 0, gently: false };
  for (const kind of ['machine', 'command'] as const) rounds.push(Array.from({ length: parallel }, () => ({ ...whole, kind })));
  for (const [number, plans] of rounds.entries()) {
    const left = await round(plans, mounts, number === rounds.length - 1);
    if (left.length === 0) continue;
    console.log(`seed ${seed}, round ${number}: ${plans.map((decided) => JSON.stringify(decided)).join(' ')}\n${left.join('\n')}`);
    process.exit(1);
  }
  console.log(`${starts} starts, nothing left`);
}

await main();
