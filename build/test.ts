/**
 * Runs the tests: `node build/test.ts [--long] [FILE…]`, after a build.
 *
 * Theory of operation. Each file is run by mocha in a process of its own (run_file.ts), so one that crashes or leaves something behind
 * concerns no other. Two run at a time, the lint among them; the files of `test/netns` and `test/libvirt` and the long ones follow one by
 * one, since they look at times and use both processors. The long part is what the quick one leaves out: `*.long.test.ts` and `test/vm`.
 *
 * Without root what makes namespaces or other users' programs is left out, by name. build/test.sh avoids this where it can.
 *
 * With RAVIOLI_TWICE=1 (.ci/run) a file that lives on real kernels and programs is run once more when it has failed, alone, and that counts:
 * five thousand tests of processes that end and packets that are dropped find the one moment that nobody has thought of, and what is
 * broken fails twice. Such files are named at the end. What makes its own cases at random gets no second chance: it has found something.
 */
import { spawn } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Result } from './run_file.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CHILD = fileURLToPath(new URL('run_file.ts', import.meta.url));
/** A thread that compiles and wants memory waits for a collection by the main thread, which at its end waits for that thread (V8 13.6). */
const FLAGS = ['--disable-warning=ExperimentalWarning', '--no-concurrent-sparkplug'];
/** For a file; one that takes longer hangs. */
const LIMIT_MS = { quick: 240_000, long: 1_500_000 };

interface Totals {
  passed: number;
  failed: number;
  /** Files that have failed and shall have a second chance. */
  readonly again: string[];
  /** Tests that the machine can't run, as mocha's `pending`. */
  readonly pending: string[];
}

interface Outcome {
  readonly results: readonly Result[];
  readonly output: string;
  /** Why the process itself failed, or undefined. */
  readonly broken: string | undefined;
}

function isLong(file: string): boolean {
  return file.endsWith('.long.test.ts') || file.startsWith('test/vm/');
}

function runsAlone(file: string): boolean {
  return isLong(file) || file.startsWith('test/netns/') || file.startsWith('test/libvirt/');
}

/** Those that make namespaces, or run a program as another user, by way of test/support and test/native/rooms.ts. */
function needsRoot(file: string): boolean {
  return /\/(processes|topology|translator|product|servers|connections|rooms|opener_client)\.ts'/.test(
    readFileSync(`${ROOT}${file}`, 'utf8'),
  );
}

/** Whether a file that has failed is run once more. */
function hasSecondChance(file: string): boolean {
  const makesItsOwnCases =
    /^test\/(model|worker|rfc)\//.test(file) || /fast-check|RAVIOLI_SEED|Math\.random/.test(readFileSync(`${ROOT}${file}`, 'utf8'));
  return process.env.RAVIOLI_TWICE === '1' && !makesItsOwnCases && (needsRoot(file) || /^test\/(isolation|native)\//.test(file));
}

/** Runs a command to its end, or to ours; descriptor 3 takes one JSON value per line. */
function runProcess(command: readonly string[], limit: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const line = ['--pdeathsig=KILL', '--', ...command];
    const child = spawn('setpriv', line, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe', 'pipe'], detached: true });
    let output = '';
    let lines = '';
    let late = false;
    const take = (text: string): void => {
      output += text;
    };
    child.stdout?.setEncoding('utf8').on('data', take);
    child.stderr?.setEncoding('utf8').on('data', take);
    (child.stdio[3] as NodeJS.ReadableStream).setEncoding('utf8').on('data', (text: string) => {
      lines += text;
    });
    const timer = setTimeout(() => {
      late = true;
      process.kill(-(child.pid as number), 'SIGKILL');
    }, limit);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const results = lines.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Result]));
      const why = late
        ? `no end after ${limit / 1000} s`
        : signal !== null
          ? `ended by ${signal}`
          : code !== 0
            ? `exit status ${code}`
            : undefined;
      resolve({ results, output, broken: why });
    });
  });
}

/** Prints what came of a file, and adds it up, but for a failure that is not the `last` word. True when it has passed. */
function report(name: string, { results, output, broken }: Outcome, milliseconds: number, totals: Totals, last = true): boolean {
  const failures = results.filter((result) => result.state === 'failed');
  const passed = results.filter((result) => result.state === 'passed').length;
  const dead = broken !== undefined && failures.length === 0;
  const bad = failures.length > 0 || dead;
  if (!bad || last) {
    totals.passed += passed;
    totals.failed += failures.length + (dead ? 1 : 0);
    for (const result of results) if (result.state === 'pending') totals.pending.push(`${name}: ${result.title}`);
  }
  console.log(
    `${bad ? 'FAILED' : 'ok    '} ${(milliseconds / 1000).toFixed(1).padStart(6)} s ${String(passed).padStart(5)} passed  ${name}`,
  );
  for (const failure of failures) console.log(`\n  ${failure.title}\n    ${(failure.error ?? '').replaceAll('\n', '\n    ')}\n`);
  if (dead) console.log(`\n  ${broken}\n    ${output.trim().split('\n').slice(-60).join('\n    ')}\n`);
  return !bad;
}

/** True when the file has passed. */
async function runFile(file: string, totals: Totals, last: boolean): Promise<boolean> {
  const began = Date.now();
  const command = [process.execPath, ...FLAGS, CHILD, file];
  return report(file, await runProcess(command, isLong(file) ? LIMIT_MS.long : LIMIT_MS.quick), Date.now() - began, totals, last);
}

async function runFirst(file: string, totals: Totals): Promise<void> {
  const again = hasSecondChance(file);
  if (!(await runFile(file, totals, !again)) && again) totals.again.push(file);
}

/** The second chances, one by one. */
async function runAgain(totals: Totals): Promise<void> {
  if (totals.again.length === 0) return;
  console.log('\nonce more, alone:');
  const unsteady: string[] = [];
  for (const file of totals.again) if (await runFile(file, totals, true)) unsteady.push(file);
  if (unsteady.length > 0) console.log(`\nunsteady, to be mended: failed once, passed alone:\n  ${unsteady.join('\n  ')}`);
}

async function runLint(totals: Totals): Promise<void> {
  const began = Date.now();
  const outcome = await runProcess(['sh', 'build/lint.sh'], LIMIT_MS.quick);
  const passed: Result = { state: 'passed', title: 'lint' };
  report('npm run lint', { ...outcome, results: outcome.broken === undefined ? [passed] : [] }, Date.now() - began, totals);
}

/** Works the jobs off, `lanes` at a time. */
async function runLanes(jobs: readonly (() => Promise<void>)[], lanes: number): Promise<void> {
  const waiting = [...jobs];
  const lane = async (): Promise<void> => {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) await job();
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

async function main(): Promise<void> {
  const words = process.argv.slice(2);
  const long = words.includes('--long');
  const named = words.filter((word) => word !== '--long');
  const all = globSync('test/**/*.test.ts', { cwd: ROOT }).sort();
  let files = named.length > 0 ? named : all.filter((file) => isLong(file) === long);
  const totals: Totals = { passed: 0, failed: 0, again: [], pending: [] };
  if (process.getuid?.() !== 0) {
    const left = files.filter(needsRoot);
    if (left.length > 0)
      console.log(`left out, since only root can run them (or a user with subordinate ids, and uidmap installed): ${left.join(' ')}`);
    files = files.filter((file) => !needsRoot(file));
  }
  const lint = named.length > 0 || long ? [] : [() => runLint(totals)];
  const jobs = (chosen: readonly string[]) => chosen.map((file) => () => runFirst(file, totals));
  await runLanes([...lint, ...jobs(files.filter((file) => !runsAlone(file)))], 2);
  await runLanes(jobs(files.filter(runsAlone)), 1);
  await runAgain(totals);
  if (totals.pending.length > 0) console.log(`\nnot possible on this machine:\n  ${totals.pending.join('\n  ')}`);
  console.log(`\n${totals.passed} passed, ${totals.failed} failed`);
  process.exitCode = totals.failed > 0 || totals.passed === 0 ? 1 : 0;
}

await main();
