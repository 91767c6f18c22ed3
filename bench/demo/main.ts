/**
 * The demonstration: shows on any machine, in some ten seconds, that the product moves data both ways and how it is confined meanwhile.
 * Ends with 1 when something that it shows does not work.
 *
 * Theory of operation. The host's end is this process, on the loopback addresses: there is always a loopback, while an uplink may be
 * missing. The guest's end is a program that `pasta` runs in a namespace of its own; the gateway's address leads it to the host's
 * loopback, through the tap and the worker like any other address. Root gives the product to `nobody` when nobody can read this folder.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import os from 'node:os';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';
import { cpuSeconds, nameOf, tree } from '../../test/support/processtable.ts';
import { HIDDEN, type Room, rooms } from './confinement.ts';
import { amount, bitRate, columns } from './figures.ts';
import { type HostEnd, startHostEnd } from './host.ts';
import type { Answer, Gateways, Order, Rate, RoundTrips, Transfer } from './orders.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PASTA = `${ROOT}bin/pasta`;
const NOBODY = 65_534;
/** MTU that pasta gives a link, and the one of Ethernet. */
const LARGE_MTU = 65_520;
const SMALL_MTU = 1500;
/** How long each figure is measured; `--brief` is for those who only want to know whether all of this works. */
const [TRANSFER_MS, REPEAT_MS] = process.argv.includes('--brief') ? [200, 100] : [1000, 600];
/** Whatever hangs ends here. */
const LIMIT_MS = 20_000;
const LABEL = 30;
const CELL = 16;

/** A family that both ends have: the host's end, and the address under which the guest reaches it. */
interface Family {
  readonly end: HostEnd;
  readonly gateway: string;
}

/** Whom to run as; empty = as we are. */
interface User {
  readonly uid?: number;
  readonly gid?: number;
}

const failures: string[] = [];

function say(line = ''): void {
  process.stdout.write(line === '' ? '\n' : `  ${line}\n`);
}

/** User and group for the product: nobody, unless we aren't root or nobody can't read the program. */
function identity(): User {
  const nobody = { uid: NOBODY, gid: NOBODY };
  if (process.getuid?.() !== 0) return {};
  // Root keeps its capabilities in pasta itself, which is a worse demonstration.
  return spawnSync(PASTA, ['--version'], { ...nobody, cwd: '/' }).status === 0 ? nobody : {};
}

/** The guest's end, and the product around it. */
class Guest {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(user: User, mtu: number) {
    const program = fileURLToPath(new URL('guest.ts', import.meta.url));
    const words = ['--config-net', '--mtu', String(mtu), '--', process.execPath, '--disable-warning=ExperimentalWarning', program];
    this.#child = spawn(PASTA, words, { ...user, cwd: '/', stdio: ['pipe', 'pipe', 'inherit'] });
    // A write to a program that has gone: the answer that never comes tells it.
    this.#child.stdin?.on('error', () => {});
    this.#lines = readline.createInterface({ input: this.#child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  }

  get supervisor(): number {
    return this.#child.pid as number;
  }

  /** @throws Error when the end could not do it, or when it, or the product, has gone. */
  async ask<T extends Answer>(order: Partial<Order>): Promise<T> {
    this.#child.stdin?.write(`${JSON.stringify(order)}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('the program in the namespace has ended');
    const answer = JSON.parse(value);
    if (typeof answer.error === 'string') throw new Error(answer.error);
    return answer;
  }

  /** Lets the program end, and resolves with the exit code of pasta. */
  end(): Promise<number | null> {
    return new Promise((resolve) => {
      if (this.#child.exitCode !== null) resolve(this.#child.exitCode);
      this.#child.once('exit', resolve);
      this.#child.stdin?.end();
    });
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

/** CPU seconds used so far by the guest's end, the worker and the host's end (this process). */
function cpuUsed(guest: Guest): readonly [number, number, number] {
  const pids = tree(guest.supervisor);
  const worker = pids.filter((pid) => nameOf(pid) === 'pasta.worker');
  const command = pids.filter((pid) => !nameOf(pid).startsWith('pasta'));
  return [cpuSeconds(command), cpuSeconds(worker), cpuSeconds([process.pid])];
}

/** One row of figures: a cell per family, printed when all are there. */
async function row(
  label: string,
  families: readonly (Family | null)[],
  measure: (family: Family) => Promise<string>,
  note?: () => string,
): Promise<void> {
  const cells: string[] = [];
  for (const family of families) {
    let cell = '–';
    try {
      if (family !== null) cell = await measure(family);
    } catch (error) {
      cell = 'failed';
      failures.push(`${label}: ${(error as Error).message}`);
    }
    cells.push(cell.padStart(CELL));
  }
  say(`${label.padEnd(LABEL)}${cells.join('')}${note ? `   ${note()}` : ''}`.trimEnd());
}

function transfers(guest: Guest, families: readonly (Family | null)[]): (label: string, what: 'upload' | 'download') => Promise<void> {
  return async (label, what) => {
    let shares = [0, 0, 0];
    let moved = 0;
    const measure = async ({ end, gateway }: Family): Promise<string> => {
      const before = cpuUsed(guest);
      const order = { what, address: gateway, port: end.tcpPort, milliseconds: TRANSFER_MS };
      const { bytes, seconds, same } = await guest.ask<Transfer>(order);
      shares = cpuUsed(guest).map((used, index) => Math.round(((used - (before[index] as number)) / seconds) * 100));
      if (!same || bytes === 0) throw new Error(`what arrived at ${what === 'upload' ? end.address : 'the guest'} is not what was sent`);
      moved += bytes;
      return bitRate(bytes, seconds);
    };
    await row(
      label,
      families,
      measure,
      () => `${amount(moved)}, all the same   ${shares.map((share) => `${share} %`.padStart(6)).join('')}`,
    );
  };
}

async function showTransfers(guest: Guest, families: readonly (Family | null)[], mtu: number): Promise<void> {
  const transfer = transfers(guest, families);
  await transfer(`guest to host, MTU ${mtu}`, 'upload');
  await transfer(`host to guest, MTU ${mtu}`, 'download');
}

async function showExchanges(guest: Guest, families: readonly (Family | null)[]): Promise<void> {
  const kinds = [
    { what: 'tcp', name: 'TCP', portOf: (end: HostEnd) => end.tcpPort },
    { what: 'udp', name: 'UDP', portOf: (end: HostEnd) => end.udpPort },
  ] as const;
  for (const { what, name, portOf } of kinds) {
    const tails = new Map<Family, string>();
    const label = `round trip, 1 byte of ${name}, `;
    await row(`${label}p50`, families, async (family) => {
      const order = { what, address: family.gateway, port: portOf(family.end), milliseconds: REPEAT_MS };
      const { p50, p99 } = await guest.ask<RoundTrips>(order);
      tails.set(family, `${p99.toFixed(0)} µs`);
      return `${p50.toFixed(0)} µs`;
    });
    await row(`${' '.repeat(label.length)}p99`, families, async (family) => tails.get(family) ?? '–');
  }
  await row('connect, 1 byte, close', families, async ({ end, gateway }) => {
    const { perSecond } = await guest.ask<Rate>({ what: 'connections', address: gateway, port: end.tcpPort, milliseconds: REPEAT_MS });
    return `${Math.round(perSecond).toLocaleString('en-US')} /s`;
  });
}

function showConfinement(found: readonly Room[]): void {
  const head = ['process', 'pid', 'uid', 'threads', 'capabilities', 'no new privs', 'filters', 'root directory', 'namespaces of its own'];
  const lines = found.map((room) => [
    room.title,
    String(room.pid),
    room.uid,
    room.threads,
    room.capabilities,
    room.noNewPrivileges,
    room.filters,
    room.root,
    room.namespaces,
  ]);
  for (const line of columns([head, ...lines])) say(line);
  if (lines.some((line) => line.includes(HIDDEN))) say('(hidden: this user may not look; root sees it)');
  say();
  say('pasta.worker parses what the guest sends, and can open nothing. The openers open its sockets, and see no traffic. Nor does pasta,');
  say("which starts and watches them; pasta.jail waits for the command's end.");
  for (const name of ['pasta.worker', 'pasta.opener']) {
    const those = found.filter((room) => room.name === name);
    if (those.length === 0) failures.push(`no process ${name} was found`);
    for (const room of those) {
      if (room.confined !== true) failures.push(`process ${room.pid} (${name}) is not confined as it has to be`);
    }
  }
}

/** What the guest and this machine have in common, by family. */
async function familiesOf(guest: Guest, ends: readonly (HostEnd | null)[]): Promise<(Family | null)[]> {
  const given = await guest.ask<Gateways>({ what: 'gateways' });
  return [given.ipv4, given.ipv6].map((gateway, index) => {
    const end = ends[index] ?? null;
    return gateway !== null && end !== null ? { gateway, end } : null;
  });
}

async function inGuest(user: User, mtu: number, use: (guest: Guest, milliseconds: number) => Promise<void>): Promise<void> {
  const started = performance.now();
  const guest = new Guest(user, mtu);
  const limit = setTimeout(() => guest.kill(), LIMIT_MS);
  try {
    await guest.ask<Gateways>({ what: 'gateways' });
    await use(guest, performance.now() - started);
    const code = await guest.end();
    if (code !== 0) throw new Error(`pasta ended with ${code} instead of 0`);
  } finally {
    clearTimeout(limit);
    guest.kill();
  }
}

async function show(user: User): Promise<void> {
  const ends = [await startHostEnd('127.0.0.1'), await startHostEnd('::1')];
  const load = os.loadavg()[0] as number;
  let found: Room[] = [];
  await inGuest(user, LARGE_MTU, async (guest, milliseconds) => {
    const families = await familiesOf(guest, ends);
    const present = families.filter((family) => family !== null);
    if (present.length === 0) throw new Error('neither IPv4 nor IPv6 leads from the namespace to the host');
    const addresses = present.map(({ end }) => end.address).join(' and ');
    const gateways = present.map(({ gateway }) => gateway).join(' and ');
    say(`guest   a program run by 'pasta --config-net' in a network namespace of its own, there after ${milliseconds.toFixed(0)} ms`);
    say(`host    this process, on ${addresses}; the guest calls ${gateways}`);
    say('path    program in the guest – its kernel – tap – pasta.worker – socket of the host – this process');
    say();
    const head = `${'one TCP flow'.padEnd(LABEL)}${'IPv4'.padStart(CELL)}${'IPv6'.padStart(CELL)}`;
    say(`${head}   bytes compared    CPU: guest, worker, host`);
    await showTransfers(guest, families, LARGE_MTU);
    found = rooms(guest.supervisor);
    await inGuest(user, SMALL_MTU, async (other) => showTransfers(other, await familiesOf(other, ends), SMALL_MTU));
    await showExchanges(guest, families);
  });
  say();
  showConfinement(found);
  say();
  const cpus = os.cpus().length;
  if (load > cpus / 2) say(`This machine is busy with other work (load average ${load.toFixed(1)}), which slows all of this down.`);
  say(`Both ends are Node.js programs, on the same ${cpus} CPU${cpus === 1 ? '' : 's'} as the worker, and take their share of the time;`);
  say("'npm run bench -- --short' measures with ends in C, beside other programs of this kind.");
  for (const end of ends) end?.close();
}

async function main(): Promise<number> {
  const user = identity();
  const ours = process.getuid?.() === 0 ? `root, since nobody (uid ${NOBODY}) can't read this folder,` : `uid ${process.getuid?.()}`;
  const who = user.uid === undefined ? ours : `nobody (uid ${user.uid})`;
  process.stdout.write(`\nravioli gives a network namespace a network without privileges; here as ${who} on Linux ${os.release()}.\n\n`);
  try {
    await show(user);
  } catch (error) {
    failures.push((error as Error).message);
  }
  say();
  for (const failure of failures) say(`Failed: ${failure}.`);
  say(failures.length === 0 ? 'All of this works here.' : 'Not everything works here.');
  return failures.length === 0 ? 0 : 1;
}

process.exit(await main());
