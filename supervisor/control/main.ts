/**
 * The entry of `ravioli forward`: talks to runs by their control sockets. Its bundle is dist/forward.cjs.
 */
import { writeSync } from 'node:fs';
import { readEphemeralPorts } from '../host/ephemeral-ports.ts';
import { UsageError } from '../usage-error.ts';
import { ControlClient, Unreachable } from './client.ts';
import type { ShownTable } from './codec.ts';
import { changeTables, FORWARD_HELP, type ForwardCommand, parseForward } from './forward.ts';
import { type Instance, instanceFolder, isAlive, listInstances } from './instances.ts';
import { listAsJson, listForPeople, type ListedRun } from './listing.ts';

/** The run has refused. */
class Refused extends UsageError {}

/** A socket to talk to; `pid` is null when only the path is known. */
interface Place {
  readonly pid: number | null;
  readonly path: string;
}

async function main(words: readonly string[]): Promise<void> {
  const command = parseForward(words);
  if (command.action === 'help') writeSync(1, FORWARD_HELP);
  else if (command.action === 'list') await list(command);
  else await change(command, command.action, onlyPlace(command));
}

async function list(command: ForwardCommand): Promise<void> {
  const runs: ListedRun[] = [];
  const places = command.path !== null || command.pid !== null ? [onlyPlace(command)] : found();
  for (const place of places) {
    try {
      const { client, tables } = await ControlClient.open(place.path);
      client.close();
      runs.push(listed(place, tables));
    } catch (error) {
      // Those that we have found ourselves may have ended meanwhile.
      if (!(error instanceof Unreachable) || !error.isGone || command.path !== null || command.pid !== null) throw error;
    }
  }
  if (runs.length === 0 && !command.json) throw new UsageError(NO_RUN);
  writeSync(1, command.json ? listAsJson(runs) : listForPeople(runs));
}

async function change(command: ForwardCommand, action: 'add' | 'del', place: Place): Promise<void> {
  const { client, tables } = await ControlClient.open(place.path);
  try {
    const changed = changeTables(tables, action, command.specs, readEphemeralPorts());
    const outcome = await client.replace(changed);
    if (outcome.kind === 'refused') throw new Refused(`the run has refused, nothing has changed: ${outcome.why}`);
    if (command.json) writeSync(1, listAsJson([listed(place, changed)]));
  } finally {
    client.close();
  }
}

const NO_RUN = 'no run of this user is found; give --path with the path that the run has got with --conf-path';

function onlyPlace({ path, pid }: ForwardCommand): Place {
  if (path !== null) return { pid: null, path };
  const runs = found().filter((run) => pid === null || run.pid === pid);
  const [run, another] = runs;
  if (run === undefined)
    throw new UsageError(pid === null ? NO_RUN : `process ${pid} has no control socket that is known here; give --path`);
  if (another !== undefined)
    throw new UsageError(`${runs.length} runs are found: give --pid with one of ${runs.map((one) => one.pid).join(', ')}`);
  return run;
}

function found(): readonly Instance[] {
  const folder = instanceFolder(process.env['XDG_RUNTIME_DIR'], process.geteuid?.() as number);
  return folder === null ? [] : listInstances(folder).filter(({ pid }) => isAlive(pid));
}

function listed({ pid, path }: Place, tables: readonly ShownTable[]): ListedRun {
  return { pid, path, rules: tables.flatMap(({ rules }) => [...rules]) };
}

main(process.argv.slice(2)).catch((error: unknown) => {
  if (!(error instanceof UsageError)) throw error;
  writeSync(2, `ravioli: ${error.message}\n`);
  process.exitCode = error instanceof Refused ? 2 : 1;
});
