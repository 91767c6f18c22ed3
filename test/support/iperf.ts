/**
 * iperf3 as a generator of numbered datagrams, and what its receivers say of them.
 */
import { check } from './processes.ts';

/** From the client, to the client, both at once. */
export type Direction = 'out' | 'in' | 'both';

export interface DatagramLoad {
  readonly server: string;
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

const OPTIONS: Readonly<Record<Direction, readonly string[]>> = { out: [], in: ['-R'], both: ['--bidir'] };

/** Sends datagrams between a namespace and an iperf3 server; throws when iperf3 itself fails. */
export async function sendDatagrams(namespace: string | number, given: DatagramLoad): Promise<DatagramAnswers> {
  const { server, direction, size, rate, seconds } = given;
  const load = ['-u', '-l', String(size), '-b', String(Math.floor(rate)), '-t', String(seconds)];
  const text = await check(['iperf3', '-J', '-c', server, ...load, ...OPTIONS[direction]], { namespace, timeout: (seconds + 30) * 1000 });
  const answer: { error?: string; end: { streams?: { udp: Stream }[] } } = JSON.parse(text);
  if (answer.end.streams === undefined) throw new Error(`iperf3: ${answer.error ?? text}`);
  const streams = answer.end.streams.map((stream) => stream.udp);
  const sum = (of: (stream: Stream) => number): number => streams.reduce((total, stream) => total + of(stream), 0);
  return {
    sent: sum((stream) => stream.packets),
    lost: sum((stream) => stream.lost_packets),
    disordered: sum((stream) => stream.out_of_order),
    arrived: Math.min(...streams.map((stream) => ((stream.packets - stream.lost_packets) * size * 8) / stream.seconds)),
  };
}
