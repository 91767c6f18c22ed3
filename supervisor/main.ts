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
import type { SlirpCaller } from './slirp/caller.ts';
import { UsageError } from './usage-error.ts';

/** What was asked for, and the caller of slirp4netns if that has asked. */
interface Asked {
  readonly invocation: Invocation;
  readonly slirp: SlirpCaller | null;
}

function main(program: string, read: () => Asked): void {
  const root = dirname(dirname(process.argv[1] as string));
  const early = parseEarlyWorker(process.env[EARLY_WORKER]);
  let log = new Log(program, LogLevel.INFO, root);
  try {
    const { invocation, slirp } = read();
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

/** `ravioli pasta …` is `pasta …`; what reads the words of slirp4netns is loaded for that alone. */
async function start([program = 'ravioli', ...words]: readonly string[]): Promise<void> {
  if (program === 'slirp4netns') {
    const { readSlirp } = await import('./slirp/invocation.ts');
    main(program, () => readSlirp(words));
  } else {
    const byName = program === 'ravioli' && (words[0] === 'pasta' || words[0] === 'passt');
    const [name, given] = byName ? [words[0] as string, words.slice(1)] : [program, words];
    main(name, () => ({ invocation: parseArguments(name, given), slirp: null }));
  }
}

void start(process.argv.slice(2));
