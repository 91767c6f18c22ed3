/**
 * Rows of `passt`: a machine behind a socket. In them the column `pasta` is the peer's passt, and `ravioli` ours.
 */
import { LOAD_PORT, program } from '../test/support/load.ts';
import { type MachineTool, socketPath, startPasst } from '../test/support/machine.ts';
import { check } from '../test/support/processes.ts';
import { cpuSeconds, tree } from '../test/support/processtable.ts';
import { GATEWAY4, HOST4, TARGET4 } from '../test/support/topology.ts';
import type { Tool } from '../test/support/translator.ts';
import type { Metric, Row, Subject } from './row.ts';

/** What only `pasta` is compared with. */
const OTHERS: readonly Tool[] = ['slirp4netns', 'older', 'bare'];
const NO_PORTS = ['-t', 'none', '-u', 'none'];
/** Of the Ethernet and IP and TCP headers, the latter two are within the MTU. */
const HEADERS = 40;

/** Which passt a tool's column shows. */
export function machineOf(tool: Tool): MachineTool {
  return tool === 'ravioli' ? 'machine' : 'passt';
}

/** A row of `pasta`, with the guest behind a socket: a namespace whose tap is plugged into it (plug.c). */
export function behindSocket(row: Row): Row {
  return { ...row, name: `passt: ${row.name}`, machine: true, without: OTHERS };
}

/** What the generator of frames.c saw. */
interface Seen {
  readonly bytes: number;
  readonly seconds: number;
  readonly received?: number;
  readonly frames: number;
}

async function generate(subject: Subject, kind: string, size: number): Promise<Record<string, number>> {
  const { topology, seconds, tool } = subject;
  const path = socketPath(topology);
  const isTcp = kind.startsWith('tcp');
  const passt = await startPasst(machineOf(tool), topology, path, [...NO_PORTS, '-m', String(isTcp ? size : 1500)]);
  try {
    const words = [program('frames'), path, HOST4, GATEWAY4, kind, TARGET4, String(LOAD_PORT), String(seconds), String(size)];
    const pids = tree(passt.pid);
    const before = cpuSeconds(pids);
    const line = await check(words, { namespace: topology.host, user: 0, timeout: seconds * 1000 + 20_000 });
    const used = cpuSeconds(pids) - before;
    const seen = JSON.parse(line) as Seen;
    const frames = isTcp ? seen.bytes / (size - HEADERS) : (seen.received ?? seen.frames);
    return { rate: (seen.bytes * 8) / seen.seconds / 1e9, frames: frames / seen.seconds, 'CPU per GB': used / (seen.bytes / 1e9) };
  } finally {
    await passt.stop('SIGKILL');
  }
}

function frames(name: string, kind: string, size: number): Row {
  const peer = 1.5;
  const metrics: Metric[] = [
    { name: 'frames', unit: 'frames/s', better: 'more', peer },
    { name: 'rate', unit: 'Gbit/s', better: 'more', peer },
    { name: 'CPU per GB', unit: 's', better: 'less' },
  ];
  return { name: `frames: ${name}`, without: OTHERS, standalone: true, metrics, measure: (subject) => generate(subject, kind, size) };
}

/** A machine that is nothing but its network card (frames.c): the translator alone. */
export const FRAME_ROWS: readonly Row[] = [
  frames('TCP out, MTU 1500', 'tcp-out', 1500),
  frames('TCP in, MTU 1500', 'tcp-in', 1500),
  frames('TCP out, MTU 65520', 'tcp-out', 65_520),
  frames('TCP in, MTU 65520', 'tcp-in', 65_520),
  frames('UDP 1400 B out', 'udp-out', 1400),
  frames('UDP 1400 B in', 'udp-in', 1400),
  frames('UDP 64 B out', 'udp-out', 64),
  frames('UDP 64 B in', 'udp-in', 64),
];
