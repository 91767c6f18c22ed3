/**
 * Measures the product beside its peers, and prints the table of goals. Run it through bench/run.sh, as root: it makes namespaces; every
 * tool runs as nobody.
 *
 * Theory of operation. Tools take turns (A B A B …) within a row, so that a machine that becomes slower in between is slower for all. Each
 * measurement starts its tool anew. What fails or hangs is killed, reported on stderr, and appears as `–`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { parseArgs } from 'node:util';
import { serve } from '../test/support/load.ts';
import { run } from '../test/support/processes.ts';
import { HOST4, makeImpairedTopology, makeTopology, TARGET4, type Topology } from '../test/support/topology.ts';
import { programPath, startTranslator, type Tool, type Translator } from '../test/support/translator.ts';
import { machineOf } from './machine_rows.ts';
import type { Row } from './row.ts';
import { ROWS } from './rows.ts';
import { isGrosslyMissed, judge, type Line, table, type Verdict } from './table.ts';

const USAGE = `usage: bench/run.sh [--short] [--pairs N] [--seconds N] [--peers pasta,slirp4netns,older] [--only TOOL,…] [--json FILE] [--guard] [--list] [ROW…]
A row is chosen by any part of its name. --guard ends with 1 when a goal listed in bench/met.txt is missed by more than half.`;

const programs = new Map<Tool, Set<string>>();

/** The rows that come from outside need their server behind the translator: in the guest, or at the host without one. */
async function serverBehind(row: Row, translator: Translator): Promise<() => Promise<void>> {
  if (!/spliced|published/.test(row.name)) return async () => undefined;
  const server = await serve(translator.guest, '0.0.0.0');
  return async () => void (await server.stop('SIGKILL'));
}

async function measureOnce(row: Row, tool: Tool, topology: Topology, seconds: number, short: boolean): Promise<Record<string, number>> {
  if (row.standalone) return row.measure({ tool, topology, translator: undefined, seconds, short });
  const given = { ...(row.mtu === undefined ? {} : { mtu: row.mtu }), ...(row.options === undefined ? {} : { options: row.options }) };
  const translator = await startTranslator(row.machine ? machineOf(tool) : tool, topology, given);
  const seen = programs.get(tool) ?? new Set();
  for (const program of translator.programs()) seen.add(program);
  programs.set(tool, seen);
  const stopServer = await serverBehind(row, translator);
  try {
    return await row.measure({ tool, topology, translator, seconds, short });
  } finally {
    await stopServer();
    await translator.stop();
  }
}

async function measureRow(
  row: Row,
  tools: readonly Tool[],
  topology: Topology,
  pairs: number,
  seconds: number,
  short: boolean,
): Promise<Line[]> {
  const values: Record<string, Partial<Record<Tool, number[]>>> = {};
  for (const metric of row.metrics) values[metric.name] = {};
  for (let pair = 0; pair < pairs; pair++) {
    for (const tool of tools) {
      if (row.without?.includes(tool)) continue;
      let measured: Record<string, number> = {};
      try {
        measured = await measureOnce(row, tool, topology, seconds, short);
      } catch (error) {
        process.stderr.write(`${row.name}, ${tool}: ${(error as Error).message}\n`);
      }
      for (const metric of row.metrics) {
        const all = (values[metric.name] as Partial<Record<Tool, number[]>>)[tool] ?? [];
        all.push(measured[metric.name] ?? Number.NaN);
        (values[metric.name] as Partial<Record<Tool, number[]>>)[tool] = all;
      }
    }
  }
  return row.metrics.map((metric) => ({ row: row.name, metric, values: values[metric.name] as Line['values'] }));
}

/** Measures a row in the network it asks for; `usual` is the one that all others share. */
async function measureInPlace(
  row: Row,
  tools: readonly Tool[],
  usual: Topology,
  pairs: number,
  seconds: number,
  short: boolean,
): Promise<Line[]> {
  if (!row.impairment) return measureRow(row, tools, usual, pairs, seconds, short);
  const bad = await makeImpairedTopology(row.impairment);
  try {
    await serve(bad.far, TARGET4);
    return await measureRow(row, tools, bad, pairs, seconds, short);
  } finally {
    bad.remove();
  }
}

async function versionOf(tool: Tool): Promise<string> {
  const result = await run([programPath(tool), '--version'], { timeout: 10_000 });
  return (result.stdout.trim().split('\n')[0] ?? '').trim();
}

async function describe(tools: readonly Tool[]): Promise<Record<string, { path: string; version: string; programs: string[] }>> {
  const described: Record<string, { path: string; version: string; programs: string[] }> = {};
  for (const tool of tools) {
    if (tool === 'bare') continue;
    described[tool] = { path: programPath(tool), version: await versionOf(tool), programs: [...(programs.get(tool) ?? [])] };
  }
  return described;
}

/** Rows with a goal that was met once and is missed by more than half; the lines of met.txt are `row: metric`. */
function regressions(verdicts: readonly Verdict[]): Verdict[] {
  const met = new Set(readFileSync(new URL('met.txt', import.meta.url), 'utf8').split('\n'));
  return verdicts.filter((verdict) => met.has(`${verdict.row}: ${verdict.metric}`) && isGrosslyMissed(verdict));
}

/** Measures the rows of suspicions anew and longer: one short measurement may have met a busy moment. What it confirms is a regression. */
async function confirmed(suspicions: readonly Verdict[], tools: readonly Tool[], usual: Topology, short: boolean): Promise<Verdict[]> {
  const again: Line[] = [];
  for (const row of ROWS.filter(({ name }) => suspicions.some((suspicion) => suspicion.row === name))) {
    process.stderr.write(`${row.name}: measured again, since a goal that was met is missed by half\n`);
    again.push(...(await measureInPlace(row, tools, usual, 3, 1, short)));
  }
  const verdicts = again.map(judge);
  if (verdicts.length > 0) process.stdout.write(`\nmeasured again\n${table(verdicts, tools)}\n`);
  return regressions(verdicts);
}

const { values: given, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    short: { type: 'boolean', default: false },
    pairs: { type: 'string' },
    seconds: { type: 'string' },
    peers: { type: 'string', default: 'pasta,slirp4netns,older' },
    only: { type: 'string' },
    json: { type: 'string' },
    guard: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

async function main(): Promise<number> {
  const rows = ROWS.filter(
    (row) => positionals.length === 0 || positionals.some((word) => row.name.toLowerCase().includes(word.toLowerCase())),
  );
  if (given.help || rows.length === 0) {
    process.stdout.write(`${USAGE}\n`);
    return given.help ? 0 : 2;
  }
  if (given.list) {
    process.stdout.write(`${rows.map((row) => row.name).join('\n')}\n`);
    return 0;
  }
  const peers = given.peers.split(',').filter((peer) => peer !== '') as Tool[];
  const tools = (given.only ? given.only.split(',') : [...peers, 'ravioli', 'bare']) as Tool[];
  const topology = makeTopology();
  await serve(topology.far, TARGET4);
  const pairs = Number(given.pairs ?? (given.short ? 1 : 5));
  const seconds = Number(given.seconds ?? (given.short ? 1 : 3));
  const lines: Line[] = [];
  for (const row of rows) {
    const measured = await measureInPlace(row, tools, topology, pairs, seconds, given.short);
    lines.push(...measured);
    process.stderr.write(`${table(measured.map(judge), tools).split('\n').slice(1).join('\n')}\n`);
  }
  const verdicts = lines.map(judge);
  const described = await describe(tools);
  const machine = `${os.cpus().length} × ${os.cpus()[0]?.model}, Linux ${os.release()}, host address ${HOST4}, ${pairs} turns of ${seconds} s`;
  process.stdout.write(`\n${machine}\n`);
  for (const [tool, facts] of Object.entries(described)) {
    process.stdout.write(`${tool}: ${facts.version} (${facts.path}; ran ${facts.programs.join(', ')})\n`);
  }
  process.stdout.write(`\n${table(verdicts, tools)}\n`);
  if (given.json)
    writeFileSync(
      given.json,
      `${JSON.stringify({ date: new Date().toISOString(), machine, tools: described, lines, verdicts }, null, 2)}\n`,
    );
  const worse = given.guard ? await confirmed(regressions(verdicts), tools, topology, given.short) : [];
  for (const { row, metric } of worse)
    process.stdout.write(`gross regression: ${row}: ${metric}: under half of a goal that was met; see bench/met.txt\n`);
  return worse.length > 0 ? 1 : 0;
}

process.exit(await main());
