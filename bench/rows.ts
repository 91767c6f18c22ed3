/**
 * What is measured: each row drives one kind of traffic through one tool, and yields some metrics with their goals.
 */
import { writeFileSync } from 'node:fs';
import { requestMany } from '../test/support/h2load.ts';
import type { Impairment } from '../test/support/impairment.ts';
import { load, loadCommand, LOAD_PORT } from '../test/support/load.ts';
import { cpuSeconds, kernelCounter, privateBytes } from '../test/support/processtable.ts';
import { check, start } from '../test/support/processes.ts';
import { startNginx } from '../test/support/servers.ts';
import { programWords } from '../test/support/translator.ts';
import { TARGET4 } from '../test/support/topology.ts';
import { behindSocket, FRAME_ROWS } from './machine_rows.ts';
import { endsOf, guestOf, type Metric, PUBLISHED, type Row, SPLICED, type Subject, type Way, WEB_PORT } from './row.ts';

const ANSWER_LIMIT = 20_000;

/** Seconds: less is a few ticks of the kernel's clock, and says nothing about a gigabyte. */
const LEAST_CPU = 0.05;

/** Runs traffic and adds what it cost: CPU per gigabyte of the tool, segments that had to be sent again in the guest. */
async function stream(subject: Subject, kind: string, way: Way, parallel = 1): Promise<Record<string, number>> {
  const translator = guestOf(subject);
  const [namespace, address] = endsOf(subject, way);
  const pids = translator.pids();
  const cpu = cpuSeconds(pids);
  const resent = kernelCounter(translator.guest, 'Tcp', 'RetransSegs');
  const result = await load(namespace, subject.seconds * 1000 + ANSWER_LIMIT, kind, address, LOAD_PORT, subject.seconds, parallel);
  const used = cpuSeconds(pids) - cpu;
  const bare = subject.tool === 'bare';
  return {
    rate: result.gbit as number,
    'CPU per GB': bare || used < LEAST_CPU ? Number.NaN : used / ((result.bytes as number) / 1e9),
    resent: kernelCounter(translator.guest, 'Tcp', 'RetransSegs') - resent,
  };
}

function streamMetrics(peer?: number, bare?: number): Metric[] {
  const rate: Metric = { name: 'rate', unit: 'Gbit/s', better: 'more' };
  return [
    { ...rate, ...(peer === undefined ? {} : { peer }), ...(bare === undefined ? {} : { bare }) },
    { name: 'CPU per GB', unit: 's', better: 'less', peer: 0.7 },
  ];
}

function throughGuest(name: string, kind: 'out' | 'in', mtu: number, peer?: number, bare?: number, parallel = 1): Row {
  const metrics = streamMetrics(peer, bare);
  if (kind === 'out') metrics.push({ name: 'resent', unit: 'segments', better: 'less', bound: 0 });
  return { name, mtu, metrics, measure: (subject) => stream(subject, kind, 'outward', parallel) };
}

/** Seconds of the same load before latencies are measured, for every tool: code that is compiled while it runs is at its speed then. */
const WARM_UP = 1;

/** The first second's rate is shown beside, where a goal list has it. */
function latency(name: string, kind: string, goals: Metric[], way: Way = 'outward'): Row {
  return {
    name,
    ...(way === 'spliced' ? SPLICED : {}),
    metrics: goals,
    async measure(subject) {
      const seconds = Math.min(subject.seconds, 2);
      const [namespace, address] = endsOf(subject, way);
      const run = (length: number) => load(namespace, length * 1000 + ANSWER_LIMIT, kind, address, LOAD_PORT, length);
      const cold = await run(WARM_UP);
      const cpu = cpuSeconds(guestOf(subject).pids());
      const result = await run(seconds);
      if (result.count === 0) throw new Error('nothing came back');
      const used = cpuSeconds(guestOf(subject).pids()) - cpu;
      return {
        p50: result.p50 as number,
        p99: result.p99 as number,
        rate: result.rate as number,
        'first second': cold.rate as number,
        [CPU_PER_MILLION.name]: perMillion(subject, used, 2 * (result.count as number)),
      };
    },
  };
}

const CPU_PER_MILLION: Metric = { name: 'CPU per million', unit: 's', better: 'less', peer: 0.7 };

/** CPU seconds for a million packets, of `used` for `packets`. */
function perMillion(subject: Subject, used: number, packets: number): number {
  return subject.tool === 'bare' || used < LEAST_CPU ? Number.NaN : (used / packets) * 1e6;
}

/** One kind of datagrams. */
interface Datagrams {
  readonly kind: 'udp-out' | 'udp-in';
  readonly size: number;
  /** Datagrams per second that are offered first. */
  readonly first: number;
  readonly way: Way;
}

async function offer(
  subject: Subject,
  { kind, size, way }: Datagrams,
  rate: number,
  seconds: number,
): Promise<[sent: number, received: number]> {
  const limit = seconds * 1000 + ANSWER_LIMIT;
  const [namespace, address] = endsOf(subject, way);
  const result = await load(namespace, limit, kind, address, LOAD_PORT, seconds, size, Math.round(rate));
  return [result.sent as number, result.received as number];
}

/** Datagrams per second delivered at most while less than 1 % is lost, and how many were offered then. */
interface Lossless {
  readonly best: number;
  readonly offered: number;
}

/** Offered rates grow by half until too much is lost, then the last step is halved. */
async function lossless(subject: Subject, datagrams: Datagrams): Promise<Lossless> {
  const seconds = subject.short ? 0.2 : 0.4;
  let best = 0;
  let [good, bad] = [0, Number.POSITIVE_INFINITY];
  for (let offered = datagrams.first, tries = 0; tries < 12 && offered < 1_500_000; tries++) {
    const [sent, received] = await offer(subject, datagrams, offered, seconds);
    // A source that cannot send what was offered has reached its own end: more will not come.
    const exhausted = sent < offered * seconds * 0.9;
    if (received > sent * 0.99) {
      best = Math.max(best, received / seconds);
      good = offered;
      if (exhausted) break;
    } else bad = offered;
    if (bad / Math.max(good, 1) < 1.1 || (good === 0 && bad < datagrams.first / 15)) break;
    offered = bad === Number.POSITIVE_INFINITY ? offered * 1.5 : (Math.max(good, bad / 4) + bad) / 2;
  }
  return { best, offered: good };
}

/** CPU for a million of the datagrams that arrive when so many are offered. */
async function cpuAt(subject: Subject, datagrams: Datagrams, offered: number): Promise<number> {
  const pids = guestOf(subject).pids();
  const before = cpuSeconds(pids);
  const [, received] = await offer(subject, datagrams, offered, subject.seconds);
  return perMillion(subject, cpuSeconds(pids) - before, received);
}

/** Delivered without loss; what a million costs at that rate, each tool's own, and at the rate that is the first for all. */
async function datagramFigures(subject: Subject, datagrams: Datagrams): Promise<Record<string, number>> {
  const { best, offered } = await lossless(subject, datagrams);
  return {
    delivered: best,
    rate: (best * datagrams.size * 8) / 1e9,
    [CPU_PER_MILLION.name]: offered === 0 ? Number.NaN : await cpuAt(subject, datagrams, offered),
    'CPU at first rate': await cpuAt(subject, datagrams, datagrams.first),
  };
}

const CPU_METRICS: readonly Metric[] = [CPU_PER_MILLION, { name: 'CPU at first rate', unit: 's', better: 'less' }];

function datagrams(name: string, kind: Datagrams['kind'], size: number, peer: number): Row {
  const metrics: Metric[] = [{ name: 'delivered', unit: 'packets/s', better: 'more', peer }, ...CPU_METRICS];
  return { name, mtu: 1500, metrics, measure: (subject) => datagramFigures(subject, { kind, size, first: 30_000, way: 'outward' }) };
}

/** As large as writes can be that leave the guest in one packet; the host's link carries them in fragments. */
const LARGE = 65_520 - 28;

function largeDatagrams(name: string, kind: Datagrams['kind']): Row {
  const metrics: Metric[] = [{ name: 'rate', unit: 'Gbit/s', better: 'more', peer: 1.5 }, ...CPU_METRICS];
  return { name, mtu: 65_520, metrics, measure: (subject) => datagramFigures(subject, { kind, size: LARGE, first: 1000, way: 'outward' }) };
}

/** Time of a whole command in a fresh namespace. */
async function startTime(subject: Subject): Promise<Record<string, number>> {
  const command = subject.tool === 'bare' ? ['unshare', '-rn'] : [...programWords(subject.tool), '--config-net', '--'];
  const line = loadCommand('time', subject.short ? 5 : 20, ...command, 'true');
  const output = await check(line, { namespace: subject.topology.host, timeout: 60_000 });
  return { time: (JSON.parse(output.trim().split('\n').at(-1) as string) as { p50: number }).p50 };
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Private memory and CPU of a tool with nothing to do, and the memory after many connections have come and gone. */
async function idle(subject: Subject): Promise<Record<string, number>> {
  const translator = guestOf(subject);
  await pause(1000);
  const pids = translator.pids();
  const memory = privateBytes(pids);
  const cpu = cpuSeconds(pids);
  await pause(subject.seconds * 1000);
  const used = cpuSeconds(pids) - cpu;
  const seconds = subject.short ? 1 : 5;
  await load(translator.guest, seconds * 1000 + ANSWER_LIMIT, 'crr', TARGET4, LOAD_PORT, seconds);
  const after = privateBytes(translator.pids());
  return { memory: memory / 1e6, CPU: (used / subject.seconds) * 1000, 'memory after connections': after / 1e6 };
}

/** Opens flows that stay, and has each echo `rounds` times more; what was said when they were open, and CPU seconds for each message. */
async function echoOnAll(subject: Subject, count: number, rounds: number): Promise<{ opened: Record<string, number>; cpu: number }> {
  const translator = guestOf(subject);
  const holder = start(loadCommand('hold', TARGET4, LOAD_PORT, count), { namespace: translator.guest, user: 0, timeout: 120_000 });
  try {
    const opened = JSON.parse((await holder.waitFor(/\{.*\}/, 110_000))[0]) as Record<string, number>;
    const before = cpuSeconds(translator.pids());
    holder.child.stdin?.write('again\n'.repeat(rounds));
    await holder.waitFor(new RegExp(`(?:\\{.*\\}\\n){${rounds + 1}}`), 110_000);
    const cpu = (cpuSeconds(translator.pids()) - before) / ((opened.open as number) * rounds);
    return { opened: { ...opened, memory: privateBytes(translator.pids()) }, cpu };
  } finally {
    await holder.stop();
  }
}

/** Many open flows at once: all must echo, the last must open as fast as the first; what each costs in user memory, and what a message. */
async function flows(subject: Subject): Promise<Record<string, number>> {
  const wanted = subject.short ? 2000 : 16_000;
  const messages = subject.short ? 16_000 : 64_000;
  const few = await echoOnAll(subject, 100, messages / 100);
  const { opened, cpu } = await echoOnAll(subject, wanted, messages / wanted);
  const bare = subject.tool === 'bare';
  return {
    echoing: (opened.echoed as number) / wanted,
    'last to first rate': (opened.last as number) / (opened.first as number),
    'memory per flow': bare ? Number.NaN : ((opened.memory as number) - (few.opened.memory as number)) / Math.max(opened.open as number, 1),
    'message, many to few': bare ? Number.NaN : cpu / few.cpu,
  };
}

const PAGE_BYTES = 1000;

/** Requests for a small page, one after the other on each of 32 connections that stay open. */
async function web(subject: Subject, way: Way): Promise<Record<string, number>> {
  const [namespace, address] = endsOf(subject, way);
  const isInGuest = way !== 'outward';
  const place = isInGuest ? guestOf(subject).guest : subject.topology.far;
  const server = await startNginx(subject.topology, place, [isInGuest ? '0.0.0.0' : TARGET4], WEB_PORT);
  try {
    writeFileSync(`${server.folder}/page`, Buffer.alloc(PAGE_BYTES));
    const given = { version: 1, concurrency: 32, seconds: subject.seconds } as const;
    const answers = await requestMany(namespace, `http://${address}:${WEB_PORT}/page`, given);
    if (answers.bad > 0) throw new Error(`${answers.bad} requests failed`);
    return { rate: answers.rate };
  } finally {
    await server.stop();
  }
}

/** Eight flows for some seconds: with fewer losses than that, luck decides. */
function impaired(name: string, kind: 'out' | 'in', impairment: Impairment): Row {
  return {
    name,
    mtu: 1500,
    impairment,
    metrics: [{ name: 'rate', unit: 'Gbit/s', better: 'more', bare: 0.9 }],
    measure: (subject) => stream({ ...subject, seconds: Math.max(subject.seconds, 6) }, kind, 'outward', 8),
  };
}

function splicedStream(name: string, kind: 'out' | 'in', parallel = 1): Row {
  return { name, ...SPLICED, metrics: streamMetrics(1, 0.9), measure: (subject) => stream(subject, kind, 'spliced', parallel) };
}

function publishedStream(name: string, kind: 'out' | 'in', peer: number): Row {
  return { name, ...PUBLISHED, metrics: streamMetrics(peer), measure: (subject) => stream(subject, kind, 'published') };
}

function splicedDatagrams(name: string, kind: Datagrams['kind'], size: number): Row {
  const metrics: Metric[] = [{ name: 'delivered', unit: 'packets/s', better: 'more', peer: 1.5 }, ...CPU_METRICS];
  return { name, ...SPLICED, metrics, measure: (subject) => datagramFigures(subject, { kind, size, first: 30_000, way: 'spliced' }) };
}

const ROUND_TRIPS: Metric[] = [
  { name: 'p50', unit: 'µs', better: 'less', peer: 0.9 },
  { name: 'p99', unit: 'µs', better: 'less', peer: 0.9 },
  { name: 'rate', unit: '/s', better: 'more' },
];

export const ROWS: readonly Row[] = [
  throughGuest('TCP out, MTU 1500', 'out', 1500, 20, 0.9),
  throughGuest('TCP out, MTU 65520', 'out', 65_520, 20, 0.9),
  throughGuest('TCP in, MTU 1500', 'in', 1500, 8, 0.9),
  throughGuest('TCP in, MTU 65520', 'in', 65_520, 1.2),
  throughGuest('TCP out, 8 flows, MTU 1500', 'out', 1500, undefined, undefined, 8),
  throughGuest('TCP in, 8 flows, MTU 1500', 'in', 1500, undefined, undefined, 8),
  splicedStream('TCP spliced', 'out'),
  splicedStream('TCP spliced, back', 'in'),
  splicedStream('TCP spliced, 8 flows', 'out', 8),
  latency('TCP spliced transactions', 'rr', ROUND_TRIPS, 'spliced'),
  latency('TCP spliced connect and close', 'crr', [{ name: 'rate', unit: '/s', better: 'more', peer: 1 }], 'spliced'),
  splicedDatagrams('UDP spliced, 1400 B', 'udp-out', 1400),
  splicedDatagrams('UDP spliced, 64 B', 'udp-out', 64),
  latency('TCP transactions', 'rr', ROUND_TRIPS),
  latency('TCP connect and close', 'crr', [
    { name: 'rate', unit: '/s', better: 'more', peer: 1.1 },
    { name: 'first second', unit: '/s', better: 'more' },
    { name: 'p50', unit: 'µs', better: 'less', peer: 1 },
    { name: 'p99', unit: 'µs', better: 'less', peer: 1 },
  ]),
  {
    name: 'HTTP, 32 connections',
    metrics: [{ name: 'rate', unit: 'requests/s', better: 'more', peer: 2 }],
    measure: (subject) => web(subject, 'outward'),
  },
  publishedStream('TCP published, into the guest', 'out', 5),
  publishedStream('TCP published, out of the guest', 'in', 5),
  {
    name: 'HTTP published, 32 connections',
    ...PUBLISHED,
    metrics: [{ name: 'rate', unit: 'requests/s', better: 'more', peer: 2 }],
    measure: (subject) => web(subject, 'published'),
  },
  latency('UDP transactions', 'udp-rr', [
    { name: 'p50', unit: 'µs', better: 'less', peer: 0.9 },
    { name: 'p99', unit: 'µs', better: 'less', peer: 0.9 },
    CPU_PER_MILLION,
  ]),
  datagrams('UDP 1400 B out', 'udp-out', 1400, 2),
  datagrams('UDP 1400 B in', 'udp-in', 1400, 2),
  datagrams('UDP 64 B out', 'udp-out', 64, 1.5),
  datagrams('UDP 64 B in', 'udp-in', 64, 1.5),
  largeDatagrams('UDP 64 KiB out', 'udp-out'),
  largeDatagrams('UDP 64 KiB in', 'udp-in'),
  {
    name: 'run true',
    without: ['slirp4netns'],
    standalone: true,
    metrics: [{ name: 'time', unit: 'ms', better: 'less', peer: 1 }],
    measure: startTime,
  },
  {
    name: 'idle',
    without: ['bare'],
    metrics: [
      { name: 'memory', unit: 'MB', better: 'less', peer: 1, against: 'pasta' },
      { name: 'CPU', unit: 'ms/s', better: 'less', bound: 0 },
      { name: 'memory after connections', unit: 'MB', better: 'less', peer: 1, against: 'pasta' },
    ],
    measure: idle,
  },
  {
    name: 'open flows',
    metrics: [
      { name: 'echoing', unit: 'part', better: 'more', bound: 1 },
      { name: 'last to first rate', unit: 'ratio', better: 'more', bound: 0.9 },
      { name: 'memory per flow', unit: 'B', better: 'less', bound: 300 },
      { name: 'message, many to few', unit: 'CPU ratio', better: 'less', bound: 1.5 },
    ],
    measure: flows,
  },
  impaired('TCP out, 50 ms, 1 % lost', 'out', { delay: 25, loss: 1 }),
  impaired('TCP in, 50 ms, 1 % lost', 'in', { delay: 25, loss: 1 }),
  impaired('TCP out, 50 ms, 1 % out of order', 'out', { delay: 25, reorder: 1 }),
  impaired('TCP in, 50 ms, 1 % out of order', 'in', { delay: 25, reorder: 1 }),
  behindSocket(throughGuest('TCP out, MTU 1500', 'out', 1500, 1)),
  behindSocket(throughGuest('TCP out, MTU 65520', 'out', 65_520, 1)),
  behindSocket(throughGuest('TCP in, MTU 1500', 'in', 1500, 1)),
  behindSocket(throughGuest('TCP in, MTU 65520', 'in', 65_520, 1)),
  behindSocket(latency('TCP transactions', 'rr', [{ name: 'p50', unit: 'µs', better: 'less', peer: 1 }])),
  ...FRAME_ROWS,
];
