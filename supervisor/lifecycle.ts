/**
 * What can happen to the whole, and what is done about it: one table of states and events.
 *
 * Theory of operation. A room that dies, a command that ends, a signal, a broken dialogue are all events. `transition` is a pure function
 * of the situation and one event; it gives the next situation and the effects to perform, in their order. The first cause decides the
 * outcome: once the exit code is chosen nothing changes it, so the deaths that an ending causes can't be mistaken for its reason.
 *
 *   starting ── ready ──> running          the rooms come up; the command exists but waits
 *      │                    │── asked ──> parting        the command was asked to end and may use the network to do so
 *      │                    │                │
 *      └──── any cause ─────┴────────────────┴──> leaving ── emptied ──> ended
 *
 * In `leaving` every child is killed and awaited. `overdue` is the deadline of `parting` and of `leaving`; a child that can't be killed
 * (one stuck in the kernel) doesn't hold us longer than that.
 */
import { EXIT_DONE, EXIT_FAILED, EXIT_HANGUP, EXIT_INTERRUPTED } from './exit-status.ts';

/** What went on with a child: its exit code, or the signal (else 0) that ended it. */
export interface Ending {
  readonly code: number;
  readonly signal: number;
}

export type LifecycleEvent =
  | { readonly type: 'ready' }
  /** Start-up or the supervisor's own work failed; `line` is for people. */
  | { readonly type: 'failed'; readonly line: string }
  | { readonly type: 'workerEnded'; readonly ending: Ending }
  | { readonly type: 'openerEnded'; readonly place: 'host' | 'guest'; readonly ending: Ending }
  /** `code`: as a shell would see it, 128 + signal included. */
  | { readonly type: 'commandEnded'; readonly code: number }
  /** The namespace that we joined has gone. */
  | { readonly type: 'guestGone' }
  /** The last machine has closed its socket. */
  | { readonly type: 'machineGone' }
  /** A signal asks us to end. `patient`: the command handles that signal and gets a moment for it. */
  | { readonly type: 'asked'; readonly signal: EndingSignal; readonly patient: boolean }
  /** No child is left. */
  | { readonly type: 'emptied' }
  | { readonly type: 'overdue' };

/** Signals that ask the whole to end, and the exit code each gives: SIGTERM and SIGQUIT are an orderly end (behaviour of pasta). */
export const EXIT_CODE_ASKED = {
  SIGTERM: EXIT_DONE,
  SIGQUIT: EXIT_DONE,
  SIGINT: EXIT_INTERRUPTED,
  SIGHUP: EXIT_HANGUP,
} as const;
export type EndingSignal = keyof typeof EXIT_CODE_ASKED;

export type StateName = 'starting' | 'running' | 'parting' | 'leaving' | 'ended';

export interface Situation {
  readonly state: StateName;
  /** Meaningful in `parting`, `leaving` and `ended`. */
  readonly exitCode: number;
}

export type Effect =
  /** Let the waiting command go, or say that the attached namespace is served. */
  | { readonly do: 'release' }
  /** One line for people. */
  | { readonly do: 'report'; readonly level: 'error' | 'info'; readonly line: string }
  /** Pass the signal on to the command. */
  | { readonly do: 'pass'; readonly signal: EndingSignal }
  /** Kill every child and close what leads to them; then `emptied` follows. */
  | { readonly do: 'kill' }
  /** `overdue` follows after so many milliseconds. */
  | { readonly do: 'deadline'; readonly milliseconds: number }
  | { readonly do: 'exit'; readonly code: number };

export const INITIAL: Situation = { state: 'starting', exitCode: 0 };

/** How long a command that handles the signal may take to end. */
const PARTING_MS = 2_000;
/** How long killed children may take to be gone. */
const LEAVING_MS = 2_000;

const SIGSYS = 31;

/** The next situation and what to do, for any event in any state. */
export function transition(now: Situation, event: LifecycleEvent): { next: Situation; effects: Effect[] } {
  switch (now.state) {
    case 'starting':
    case 'running':
      return whileOpen(now, event);
    case 'parting':
      return whileParting(now, event);
    case 'leaving':
      return whileLeaving(now, event);
    case 'ended':
      return stay(now);
  }
}

function whileOpen(now: Situation, event: LifecycleEvent): { next: Situation; effects: Effect[] } {
  switch (event.type) {
    case 'ready':
      return now.state === 'starting' ? { next: { ...now, state: 'running' }, effects: [{ do: 'release' }] } : stay(now);
    case 'failed':
      return leave(EXIT_FAILED, error(event.line));
    case 'workerEnded':
      return leave(EXIT_FAILED, error(`the worker ended unexpectedly (${describe(event.ending)})${hint(event.ending)}`));
    case 'openerEnded':
      return leave(EXIT_FAILED, error(`the opener of the ${event.place}'s network ended unexpectedly (${describe(event.ending)})`));
    case 'commandEnded':
      return now.state === 'running'
        ? leave(event.code)
        : leave(EXIT_FAILED, error(`the command ended with status ${event.code} before its network was ready`));
    case 'guestGone':
      return leave(EXIT_DONE, { do: 'report', level: 'info', line: "the guest's namespace has gone" });
    case 'machineGone':
      return leave(EXIT_DONE);
    case 'asked':
      return ask(event.signal, event.patient && now.state === 'running');
    case 'emptied':
    case 'overdue':
      return stay(now);
  }
}

function whileParting(now: Situation, event: LifecycleEvent): { next: Situation; effects: Effect[] } {
  switch (event.type) {
    case 'ready':
    case 'emptied':
      return stay(now);
    default:
      return leave(now.exitCode);
  }
}

function whileLeaving(now: Situation, event: LifecycleEvent): { next: Situation; effects: Effect[] } {
  if (event.type === 'emptied' || event.type === 'overdue') {
    return { next: { ...now, state: 'ended' }, effects: [{ do: 'exit', code: now.exitCode }] };
  }
  return stay(now);
}

function ask(signal: EndingSignal, patient: boolean): { next: Situation; effects: Effect[] } {
  const exitCode = EXIT_CODE_ASKED[signal];
  if (!patient) {
    return leave(exitCode);
  }
  return {
    next: { state: 'parting', exitCode },
    effects: [
      { do: 'pass', signal },
      { do: 'deadline', milliseconds: PARTING_MS },
    ],
  };
}

function leave(exitCode: number, ...before: Effect[]): { next: Situation; effects: Effect[] } {
  const effects: Effect[] = [...before, { do: 'deadline', milliseconds: LEAVING_MS }, { do: 'kill' }];
  return { next: { state: 'leaving', exitCode }, effects };
}

function stay(now: Situation): { next: Situation; effects: Effect[] } {
  return { next: now, effects: [] };
}

function error(line: string): Effect {
  return { do: 'report', level: 'error', line };
}

function describe(ending: Ending): string {
  return ending.signal === 0 ? `status ${ending.code}` : `signal ${ending.signal}`;
}

/** Where the reader should look next. */
function hint(ending: Ending): string {
  return ending.signal === SIGSYS ? "; its filter refused a system call: see 'dmesg | grep type=1326' for the number and report it" : '';
}
