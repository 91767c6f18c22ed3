/**
 * `ravioli status` and `ravioli flows`, which ask runs by their status sockets.
 */
import { writeSync } from 'node:fs';
import { UsageError } from '../usage-error.ts';
import { findInstances, ownFolder } from './find.ts';
import { showFlows, type ShownFlow } from './flow-listing.ts';
import type { Instance } from './instances.ts';
import { NoAnswer, StatusClient } from './status-client.ts';
import { parseStatus, showRun, type ShownRun, STATUS_HELP } from './status-command.ts';

/** `ravioli status` with these words. @throws UsageError */
export async function status(words: readonly string[]): Promise<void> {
  const { json, pid, help } = parseStatus(words);
  if (help) return write(STATUS_HELP);
  const runs = await askAll(pid, async (client) => (await client.ask('status')) as ShownRun);
  write(json ? `${JSON.stringify(runs.map(({ answer }) => answer))}\n` : runs.map(({ answer }) => showRun(answer)).join('\n'));
}

/** `ravioli flows` with these words. @throws UsageError */
export async function flows(words: readonly string[]): Promise<void> {
  const { json, pid, help } = parseStatus(words);
  if (help) return write(STATUS_HELP);
  const runs = await askAll(pid, allFlows);
  if (json) write(`${JSON.stringify(runs.map(({ run, answer }) => ({ pid: run.pid, flows: answer })))}\n`);
  else write(runs.map(({ run, answer }) => (runs.length > 1 ? `process ${run.pid}\n` : '') + showFlows(answer)).join('\n'));
}

async function allFlows(client: StatusClient): Promise<ShownFlow[]> {
  const found: ShownFlow[] = [];
  for (let first = 0; ; ) {
    const page = (await client.ask(`flows ${first}`)) as { next: number; flows: ShownFlow[] };
    found.push(...page.flows);
    if (page.next === 0) return found;
    first = page.next;
  }
}

/** Asks every run, or that of process `pid`. Those that end meanwhile are left out. */
async function askAll<Answer>(
  pid: number | null,
  ask: (client: StatusClient) => Promise<Answer>,
): Promise<{ readonly run: Instance; readonly answer: Answer }[]> {
  const runs = findInstances('status').filter((run) => pid === null || run.pid === pid);
  const answers: { run: Instance; answer: Answer }[] = [];
  let silent: NoAnswer | null = null;
  for (const run of runs) {
    const client = new StatusClient(run.path);
    try {
      answers.push({ run, answer: await ask(client) });
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      silent = error;
    } finally {
      client.close();
    }
  }
  if (answers.length === 0) throw new UsageError(silent === null ? noRun(pid) : `the run does not answer: ${silent.message}`);
  return answers;
}

function noRun(pid: number | null): string {
  if (ownFolder() === null) return 'XDG_RUNTIME_DIR names no folder of this user, where runs are looked for; set it';
  return pid === null ? 'no run of this user is found' : `process ${pid} is no run of this user; 'ravioli status' shows those that are`;
}

/** All of it, however slowly it is read. */
function write(text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) at += writeSync(1, bytes, at);
}
