/**
 * A machine without a machine: a namespace whose tap is plugged into the socket of `passt` (bench/plug.c), as QEMU would be. The guest is
 * a real kernel that makes and checks every checksum, and sends no frame above its MTU.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { program } from './load.ts';
import { check, type Running, type RunOptions, start } from './processes.ts';
import { GATEWAY4, GATEWAY6, HOST4, HOST6, type Topology } from './topology.ts';

const HOUR = 3_600_000;
const OWN_PASST = process.env.RAVIOLI_PASST ?? fileURLToPath(new URL('../../bin/passt', import.meta.url));
const PEER_PASST = '/opt/peer/bin/passt';
let made = 0;

/** `machine` is ravioli's passt, `passt` the peer's. */
export type MachineTool = 'machine' | 'passt';

/** Path of the passt; throws with the cure when it is not there. */
export function passtPath(tool: MachineTool): string {
  const path = tool === 'machine' ? OWN_PASST : PEER_PASST;
  if (!existsSync(path)) throw new Error(`${tool}: ${path} is missing: ${tool === 'machine' ? 'run npm run build' : 'run install-peers'}`);
  return path;
}

/** A path for a socket that nothing of this run has used. */
export function socketPath(topology: Topology): string {
  return `${topology.folder}/machine${made++}.socket`;
}

/** Starts passt in the foreground, and waits until machines may connect. */
export async function startPasst(tool: MachineTool, topology: Topology, path: string, words: readonly string[], given: RunOptions = {}) {
  const running = start([passtPath(tool), '-f', '-s', path, ...words], { namespace: topology.host, timeout: HOUR, ...given });
  try {
    await running.waitFor(/UNIX domain socket bound at/);
    return running;
  } catch (error) {
    await running.stop('SIGKILL');
    throw error;
  }
}

/** A namespace that has nothing but its loopback; it lives as long as the process that this gives. */
export async function startEmptyNamespace(): Promise<Running> {
  const line = ['unshare', '-n', 'sh', '-c', 'ip link set lo up; echo guest-ready; exec sleep infinity'];
  const holder = start(line, { user: 0, timeout: HOUR });
  await holder.waitFor(/guest-ready/);
  return holder;
}

/** Plugs eth0 of a process's namespace into a socket; it connects again whenever that is closed. */
export async function startPlug(guest: number, path: string): Promise<Running> {
  const plug = start([program('plug'), `/proc/${guest}/ns/net`, 'eth0', path], { user: 0, timeout: HOUR });
  await plug.waitFor(/connected/);
  return plug;
}

/** The addresses that the guest would be told: those of the host. A router advertisement may have come before. */
export async function configureGuest(guest: number, mtu: number): Promise<void> {
  const script = `ip link set eth0 mtu ${mtu} up
ip addr add ${HOST4}/24 dev eth0
ip -6 addr add ${HOST6}/64 dev eth0 nodad
ip route add default via ${GATEWAY4}
ip -6 route replace default via ${GATEWAY6} dev eth0`;
  await check(['sh', '-ec', script], { namespace: guest, user: 0 });
}

/** A machine that runs: passt, the plug and the namespace. */
export interface PluggedMachine {
  readonly passt: Running;
  readonly plug: Running;
  readonly guest: Running;
  readonly path: string;
}

/** Starts passt with a plugged namespace; `mtu` null: nobody has configured its interface, which is down. */
export async function startMachine(
  tool: MachineTool,
  topology: Topology,
  words: readonly string[],
  mtu: number | null,
  given: RunOptions = {},
): Promise<PluggedMachine> {
  const path = socketPath(topology);
  const [passt, guest] = await Promise.all([startPasst(tool, topology, path, words, given), startEmptyNamespace()]);
  const plug = await startPlug(guest.pid, path);
  if (mtu !== null) await configureGuest(guest.pid, mtu);
  return { passt, plug, guest, path };
}
