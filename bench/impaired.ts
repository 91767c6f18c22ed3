/**
 * TCP over bad networks: `bench/run.sh --impaired`, as root. The bad link is between the guest's kernel and the translator
 * (test/support/distant_guest.ts), and for comparison, `plain`, between two kernels.
 *
 * Tools take turns within a row, as in main.ts. Several flows at once: with the losses of one, luck decides. The stall is the longest time that
 * any receiver waited for more. A kernel that has lost the last segments it sent waits for its retransmission timeout (`rto`: the one that the
 * guest's kernel had), and what it then sends again takes another half of a round trip: what stalls longer than timeout and round trip is
 * worse than a kernel.
 */
import { writeFileSync } from 'node:fs';
import os from 'node:os';
import { parseArgs } from 'node:util';
import { makeDistantGuest } from '../test/support/distant_guest.ts';
import type { Impairment } from '../test/support/impairment.ts';
import { load, LOAD_PORT, serve } from '../test/support/load.ts';
import { makeTopology, TARGET4, type Topology } from '../test/support/topology.ts';
import { startTranslator, type Tool } from '../test/support/translator.ts';
import { type Condition, CONDITIONS, roundTrip } from './conditions.ts';
import { figure, median } from './table.ts';

const USAGE = `usage: bench/run.sh --impaired [--short] [--pairs N] [--seconds N] [--flows N] [--only TOOL,…] [--json FILE] [--list] [ROW…]
A row is chosen by any part of its name. TOOL is ravioli, pasta or bare.`;

const WAYS = ['out', 'in'] as const;
type Way = (typeof WAYS)[number];

interface Figures {
  /** Mbit/s of all flows together. */
  readonly rate: number;
  /** Milliseconds. */
  readonly stall: number;
  readonly rto: number;
}

const NOTHING: Figures = { rate: Number.NaN, stall: Number.NaN, rto: Number.NaN };

interface Line {
  readonly name: string;
  readonly way: Way;
  /** Round trip, ms. */
  readonly trip: number;
  readonly tools: Partial<Record<Tool, Figures>>;
}

async function measure(topology: Topology, tool: Tool, bad: Impairment, seconds: number, flows: number): Promise<Record<Way, Figures>> {
  const translator = await startTranslator(tool, topology, { mtu: 1500 });
  try {
    const guest = await makeDistantGuest(topology, translator, bad);
    const of = async (way: Way): Promise<Figures> => {
      const result = await load(guest.namespace, seconds * 1000 + 20_000, way, TARGET4, LOAD_PORT, seconds, flows);
      return { rate: (result.gbit as number) * 1000, stall: result.stall as number, rto: (result.rto as number) || Number.NaN };
    };
    const result = { out: await of('out'), in: await of('in') };
    const { out, in: back } = await guest.stop();
    if (out.overflowed + back.overflowed > 0) process.stderr.write(`${tool}: the bad network lost more than it was asked to\n`);
    return result;
  } finally {
    await translator.stop();
  }
}

/** The median rate and the worst stall of all turns. */
function together(all: readonly Figures[]): Figures {
  const stalls = all.map((one) => one.stall).filter((stall) => !Number.isNaN(stall));
  return {
    rate: median(all.map((one) => one.rate)),
    stall: stalls.length > 0 ? Math.max(...stalls) : Number.NaN,
    rto: median(all.map((one) => one.rto)),
  };
}

async function measureCondition(
  topology: Topology,
  { name, bad }: Condition,
  tools: readonly Tool[],
  given: { pairs: number; seconds: number; flows: number },
): Promise<Line[]> {
  const all = new Map(tools.map((tool) => [tool, { out: [] as Figures[], in: [] as Figures[] }]));
  for (let pair = 0; pair < given.pairs; pair++) {
    for (const tool of tools) {
      let measured: Record<Way, Figures> = { out: NOTHING, in: NOTHING };
      try {
        measured = await measure(topology, tool, { ...bad, seed: pair + 1 }, given.seconds, given.flows);
      } catch (error) {
        process.stderr.write(`${name}, ${tool}: ${(error as Error).message}\n`);
      }
      for (const way of WAYS) all.get(tool)?.[way].push(measured[way]);
    }
  }
  return WAYS.map((way) => ({
    name,
    way,
    trip: roundTrip(bad),
    tools: Object.fromEntries([...all].map(([tool, ways]) => [tool, together(ways[way])])),
  }));
}

/** What a kernel may wait: the timeout of the guest's, which only the way out tells, and a round trip. */
function patience(line: Line, lines: readonly Line[]): number {
  const out = lines.find((other) => other.name === line.name && other.way === 'out');
  return (out?.tools.bare?.rto ?? out?.tools.ravioli?.rto ?? Number.NaN) + line.trip;
}

function cells(line: Line, lines: readonly Line[]): string[] {
  const { ravioli = NOTHING, pasta = NOTHING, bare = NOTHING } = line.tools;
  const limit = patience(line, lines);
  const ratio = (value: number): string => (Number.isFinite(value) ? `${figure(value)}×` : '–');
  const short = [ravioli.rate < 0.9 * bare.rate ? 'rate' : '', ravioli.stall > limit ? 'stall' : ''].filter((word) => word !== '');
  return [
    line.name,
    line.way,
    figure(ravioli.rate),
    figure(pasta.rate),
    figure(bare.rate),
    ratio(ravioli.rate / pasta.rate),
    ratio(ravioli.rate / bare.rate),
    figure(Math.round(ravioli.stall)),
    figure(Math.round(pasta.stall)),
    figure(Math.round(bare.stall)),
    figure(Math.round(limit)),
    short.join(', '),
  ];
}

const HEAD = [
  'round trip||Mbit/s|||ravioli|ravioli|stall, ms||||short',
  'and what befalls|way|ravioli|pasta|plain|/ pasta|/ plain|ravioli|pasta|plain|rto + trip|of plain',
] as const;

function table(lines: readonly Line[]): string {
  const head = HEAD.map((words) => words.split('|'));
  const rows = [...head, ...lines.map((line) => cells(line, lines))];
  const widths = HEAD[0].split('|').map((_, column) => Math.max(...rows.map((row) => (row[column] as string).length)));
  const left = [0, 1, widths.length - 1];
  const pad = (cell: string, column: number): string =>
    left.includes(column) ? cell.padEnd(widths[column] as number) : cell.padStart(widths[column] as number);
  return rows.map((row) => row.map(pad).join('  ').trimEnd()).join('\n');
}

const { values: given, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    short: { type: 'boolean', default: false },
    pairs: { type: 'string' },
    seconds: { type: 'string' },
    flows: { type: 'string', default: '8' },
    only: { type: 'string', default: 'pasta,ravioli,bare' },
    json: { type: 'string' },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

async function main(): Promise<number> {
  const chosen = CONDITIONS.filter(({ name, short }) =>
    positionals.length === 0 ? !given.short || short : positionals.some((word) => name.toLowerCase().includes(word.toLowerCase())),
  );
  if (given.help || chosen.length === 0) {
    process.stdout.write(`${USAGE}\n`);
    return given.help ? 0 : 2;
  }
  if (given.list) {
    process.stdout.write(`${chosen.map(({ name }) => name).join('\n')}\n`);
    return 0;
  }
  const topology = makeTopology();
  await serve(topology.far, TARGET4);
  const pairs = Number(given.pairs ?? (given.short ? 1 : 3));
  const seconds = Number(given.seconds ?? (given.short ? 3 : 5));
  const flows = Number(given.flows);
  const lines: Line[] = [];
  for (const condition of chosen) {
    const measured = await measureCondition(topology, condition, given.only.split(',') as Tool[], { pairs, seconds, flows });
    lines.push(...measured);
    process.stderr.write(`${table(measured).split('\n').slice(2).join('\n')}\n`);
  }
  const machine = `${os.cpus().length} × ${os.cpus()[0]?.model}, Linux ${os.release()}, ${flows} flows, ${pairs} turns of ${seconds} s`;
  process.stdout.write(`\n${machine}\n\n${table(lines)}\n`);
  if (given.json) writeFileSync(given.json, `${JSON.stringify({ date: new Date().toISOString(), machine, lines }, null, 2)}\n`);
  return 0;
}

process.exit(await main());
