/**
 * `ravioli forward` and `pesto`, which talk to runs by their control sockets.
 */
import { writeSync } from 'node:fs';
import { readEphemeralPorts } from '../host/ephemeral-ports.ts';
import { UsageError } from '../usage-error.ts';
import { ControlClient, Unreachable } from './client.ts';
import type { ShownTable } from './codec.ts';
import { changeTables, FORWARD_HELP, type ForwardCommand, parseForward } from './forward.ts';
import { findInstances, ownFolder } from './find.ts';
import { listAsJson, listForPeople, type ListedRun } from './listing.ts';
import { parsePesto, showTables, takeSteps } from './pesto.ts';

/** The run has refused. */
export class Refused extends UsageError {}

/** A socket to talk to; `pid` is null when only the path is known. */
interface Place {
  readonly pid: number | null;
  readonly path: string;
}

/** `ravioli forward` with these words. @throws UsageError */
export async function forward(words: readonly string[]): Promise<void> {
  const command = parseForward(words);
  if (command.action === 'help') writeSync(1, FORWARD_HELP);
  else if (command.action === 'list') await list(command);
  else await changeRun(command, command.action, onlyPlace(command));
}

async function list(command: ForwardCommand): Promise<void> {
  const runs: ListedRun[] = [];
  const isNamed = command.path !== null || command.pid !== null;
  for (const place of isNamed ? [onlyPlace(command)] : findInstances('sock')) {
    try {
      const { client, tables } = await ControlClient.open(place.path);
      client.close();
      runs.push(listed(place, tables));
    } catch (error) {
      // Those that we have found ourselves may have ended meanwhile.
      if (!(error instanceof Unreachable) || !error.isGone || isNamed) throw error;
    }
  }
  if (runs.length === 0 && !command.json) throw new UsageError(noRun());
  writeSync(1, command.json ? listAsJson(runs) : listForPeople(runs));
}

async function changeRun({ specs, json }: ForwardCommand, action: 'add' | 'del', place: Place): Promise<void> {
  const changed = await change(place.path, (tables) => changeTables(tables, action, specs, readEphemeralPorts()));
  if (json) writeSync(1, listAsJson([listed(place, changed)]));
}

/** `pesto` with these words. @throws UsageError */
export async function pesto(words: readonly string[]): Promise<void> {
  const command = parsePesto(words);
  if (command.kind === 'text') {
    writeSync(1, command.text);
    return;
  }
  const { path, steps, show } = command;
  if (steps.length === 0) {
    const { client, tables } = await ControlClient.open(path);
    client.close();
    writeSync(1, showTables('passt/pasta configuration', path, tables));
    return;
  }
  let before: readonly ShownTable[] = [];
  const after = await change(path, (tables) => {
    before = tables;
    return takeSteps(tables, steps, readEphemeralPorts());
  });
  if (show) writeSync(1, showTables('Previous configuration', path, before) + showTables('Updated configuration', path, after));
}

/** Puts what `make` makes of the tables of the run at `path` in their place. */
async function change(path: string, make: (tables: readonly ShownTable[]) => readonly ShownTable[]): Promise<readonly ShownTable[]> {
  const { client, tables } = await ControlClient.open(path);
  try {
    const changed = make(tables);
    const outcome = await client.replace(changed);
    if (outcome.kind === 'refused') throw new Refused(`the run has refused, nothing has changed: ${outcome.why}`);
    return changed;
  } finally {
    client.close();
  }
}

/** Why there is nobody to talk to: runs put their sockets into that folder, and so does nobody who has none. */
function noRun(): string {
  const cure = 'give --path with the path that the run has got with --conf-path';
  if (ownFolder() === null) return `XDG_RUNTIME_DIR names no folder of this user, where runs are looked for; set it, or ${cure}`;
  return `no run of this user is found; ${cure}`;
}

function onlyPlace({ path, pid }: ForwardCommand): Place {
  if (path !== null) return { pid: null, path };
  const runs = findInstances('sock').filter((run) => pid === null || run.pid === pid);
  const [run, another] = runs;
  if (run === undefined)
    throw new UsageError(pid === null ? noRun() : `process ${pid} has no control socket that is known here; give --path`);
  if (another !== undefined)
    throw new UsageError(`${runs.length} runs are found: give --pid with one of ${runs.map((one) => one.pid).join(', ')}`);
  return run;
}

function listed({ pid, path }: Place, tables: readonly ShownTable[]): ListedRun {
  return { pid, path, rules: tables.flatMap(({ rules }) => [...rules]) };
}
