/**
 * The supervisor's entry. argv: the runtime, this program, the name it was called by, and what the user wrote.
 */
import { dirname } from 'node:path';
import { fstatSync, type Stats, writeSync } from 'node:fs';
import type { Native } from '../native/supervisor.d.ts';
import { LogLevel } from '../shared/messages.ts';
import { processName } from '../shared/roles.ts';
import { type Invocation, parseArguments } from './args.ts';
import { parseReady, READY } from './background.ts';
import { discardEarlyWorker, type EarlyWorker, parseEarlyWorker } from './early.ts';
import { EARLY_WORKER, readStarted } from './environment.ts';
import { EXIT_FAILED } from './exit-status.ts';
import { Log } from './log.ts';
import { Run } from './run.ts';
import { parseSlirp, type SlirpInvocation } from './slirp/options.ts';
import { SlirpCaller } from './slirp/caller.ts';
import { UsageError } from './usage-error.ts';

function main(program: string, words: readonly string[]): void {
  const root = dirname(dirname(process.argv[1] as string));
  const early = parseEarlyWorker(process.env[EARLY_WORKER]);
  let log = new Log(program, LogLevel.INFO, root);
  try {
    const { invocation, slirp } = read(program, words);
    if (invocation.kind === 'text') {
      writeSync(1, invocation.stdout);
      // The convention of back-ends is stdout, the peer's habit stderr; who reads both as one gets it once.
      if (invocation.onStderr && !isSame(fstatSync(1), fstatSync(2))) writeSync(2, invocation.stdout);
      discard(root, early);
      return;
    }
    const { mode, options } = invocation;
    log = new Log(slirp === null ? mode : program, options.logLevel, root);
    const native = loadNative(root);
    const started = readStarted();
    native.harden(processName(mode, 'supervisor'));
    const usable = options.isolation === 'default';
    if (!usable) {
      discard(root, early);
    }
    const ready = options.foreground ? null : parseReady(process.env[READY]);
    const installation = { root, runtime: process.execPath };
    void new Run({ native, installation, mode, options, log, started, early: usable ? early : null, ready, slirp }).start();
  } catch (error) {
    if (!(error instanceof UsageError)) {
      throw error;
    }
    log.error(error.message);
    process.exitCode = EXIT_FAILED;
    discard(root, early);
  }
}

/** What was asked for; `slirp`: by the words of slirp4netns, which stand for others of pasta. */
function read(program: string, words: readonly string[]): { readonly invocation: Invocation; readonly slirp: SlirpCaller | null } {
  if (!program.endsWith('slirp4netns')) return { invocation: parseArguments(program, words), slirp: null };
  const asked: SlirpInvocation = parseSlirp(words);
  if (asked.kind === 'text') return { invocation: { ...asked, onStderr: false }, slirp: null };
  return { invocation: parseArguments('pasta', asked.words), slirp: new SlirpCaller(asked.slirp) };
}

function isSame(one: Stats, other: Stats): boolean {
  return one.dev === other.dev && one.ino === other.ino;
}

/** The launcher's guess was wrong. */
function discard(root: string, early: EarlyWorker | null): void {
  if (early !== null) {
    discardEarlyWorker(loadNative(root), early);
  }
}

function loadNative(root: string): Native {
  const addon = { exports: {} as Native };
  try {
    process.dlopen(addon, `${root}/native/out/supervisor.node`);
  } catch (error) {
    throw new UsageError(`the native part can't be loaded (${(error as Error).message}); build it with 'npm run build'`);
  }
  return addon.exports;
}

/** `ravioli pasta …` is `pasta …`. */
function start([program = 'ravioli', ...words]: readonly string[]): void {
  if (program === 'ravioli' && (words[0] === 'pasta' || words[0] === 'passt')) {
    main(words[0], words.slice(1));
  } else {
    main(program, words);
  }
}

start(process.argv.slice(2));
