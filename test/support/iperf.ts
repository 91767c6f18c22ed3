/**
 * iperf3 as a generator of numbered datagrams, and of streams both ways, and what its receivers say of them.
 */
import { readFileSync } from 'node:fs';
import { run } from './processes.ts';

/** From the client, to the client, both at once. */
export type Direction = 'out' | 'in' | 'both';

export interface DatagramLoad {
  readonly server: string;
  /** Where the server listens; iperf3's own port unless given. */
  readonly port?: number;
  readonly direction: Direction;
  /** Bytes of each datagram. */
  readonly size: number;
  /** Bits per second each way; 0: as fast as it goes. */
  readonly rate: number;
  readonly seconds: number;
}

export interface DatagramAnswers {
  /** Datagrams, of all directions, that were sent, were missing at the receiver, and came after one with a larger number. */
  readonly sent: number;
  readonly lost: number;
  readonly disordered: number;
  /** Bits per second that arrived, in the slowest direction. */
  readonly arrived: number;
}

interface Stream {
  readonly packets: number;
  readonly lost_packets: number;
  readonly out_of_order: number;
  readonly seconds: number;
}

/** The largest buffer that a socket may ask for: a receiver that has to wait for its turn loses nothing for so long. */
const BUFFER = Math.min(...['rmem_max', 'wmem_max'].map((name) => Number(readFileSync(`/proc/sys/net/core/${name}`, 'utf8'))));

const OPTIONS: Readonly<Record<Direction, readonly string[]>> = { out: [], in: ['-R'], both: ['--bidir'] };

const IPERF_PORT = 5201;

interface Way {
  readonly bytes: number;
  readonly bits_per_second: number;
}

interface Answer {
  readonly error?: string;
  readonly end: {
    readonly streams?: readonly { readonly udp: Stream }[];
    readonly sum_received: Way;
    readonly sum_received_bidir_reverse: Way;
  };
}

/** What iperf3 says at its end. Between two clients its server closes its port for a moment, so a refusal means: once more. */
async function runIperf(words: readonly string[], namespace: string | number, timeout: number): Promise<Answer['end']> {
  for (const limit = Date.now() + timeout; ; ) {
    const { stdout, stderr } = await run(['iperf3', '-J', ...words], { namespace, timeout });
    // Its exit status is 0 whatever happens.
    const { error, end }: Answer = JSON.parse(stdout === '' ? '{"end":{}}' : stdout);
    if (end.streams !== undefined && error === undefined) return end;
    if (!error?.includes('Connection refused') || Date.now() > limit) throw new Error(`iperf3: ${error ?? stderr}`);
  }
}

/** TCP both ways at once, until `bytes` are sent one of the ways; resolves with what has arrived out and in. */
export async function sendStreams(namespace: string | number, server: string, bytes: number): Promise<readonly [out: Way, back: Way]> {
  const end = await runIperf(['-c', server, '--bidir', '-n', String(bytes)], namespace, 60_000);
  return [end.sum_received, end.sum_received_bidir_reverse];
}

/** Sends datagrams between a namespace and an iperf3 server; throws when iperf3 itself fails. */
export async function sendDatagrams(namespace: string | number, given: DatagramLoad): Promise<DatagramAnswers> {
  const { server, port = IPERF_PORT, direction, size, rate, seconds } = given;
  const load = ['-u', '-l', String(size), '-b', String(Math.floor(rate)), '-t', String(seconds), '-w', String(BUFFER)];
  const end = await runIperf(['-c', server, '-p', String(port), ...load, ...OPTIONS[direction]], namespace, (seconds + 30) * 1000);
  const streams = (end.streams ?? []).map((stream) => stream.udp);
  const sum = (of: (stream: Stream) => number): number => streams.reduce((total, stream) => total + of(stream), 0);
  return {
    sent: sum((stream) => stream.packets),
    lost: sum((stream) => stream.lost_packets),
    disordered: sum((stream) => stream.out_of_order),
    arrived: Math.min(...streams.map((stream) => ((stream.packets - stream.lost_packets) * size * 8) / stream.seconds)),
  };
}
