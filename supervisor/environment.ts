/**
 * The command's words and environment, exactly as the user gave them.
 *
 * Neither need be UTF-8, so they are byte strings here: one character per byte (latin1). The launcher (bin/launch.sh) puts variables that
 * would change the runtime (NODE_OPTIONS, LD_PRELOAD …) aside under a prefix; the command gets them back.
 */
import { readFileSync } from 'node:fs';
import { LISTEN_VARIABLES } from './host/handed-sockets.ts';

/** What the launcher puts before the names of variables that are not for us. */
export const KEPT_PREFIX = 'RAVIOLI_KEPT_';

/** The variable in which native/start.c names the worker that it has started. */
export const EARLY_WORKER = 'RAVIOLI_WORKER';

/** The byte string of a text. */
export function bytesOf(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** What this process was started with; to be read before `harden`, after which /proc/self is root's. */
export interface Started {
  /** NUL-terminated byte strings, as in /proc/self/environ and /proc/self/cmdline. */
  readonly environment: string;
  readonly words: string;
}

export function readStarted(): Started {
  return { environment: readFileSync('/proc/self/environ', 'latin1'), words: readFileSync('/proc/self/cmdline', 'latin1') };
}

/** The command's environment as byte strings NAME=value. Sockets that were handed in to us are not there for the command. */
export function environmentOfCommand({ environment }: Started): string[] {
  const entries = split(environment);
  const withheld = [EARLY_WORKER, ...(variable(entries, 'LISTEN_PID') === String(process.pid) ? LISTEN_VARIABLES : [])];
  return entries
    .filter((entry) => !withheld.includes(entry.slice(0, entry.indexOf('='))))
    .map((entry) => (entry.startsWith(KEPT_PREFIX) ? entry.slice(KEPT_PREFIX.length) : entry));
}

/** The last `count` words this process was started with, as byte strings. */
export function lastWords({ words }: Started, count: number): string[] {
  return count === 0 ? [] : split(words).slice(-count);
}

/** The value of a variable in an environment of byte strings; null when it is unset or empty. */
export function variable(environment: readonly string[], name: string): string | null {
  const entry = environment.find((candidate) => candidate.startsWith(`${name}=`));
  return entry === undefined || entry.length === name.length + 1 ? null : entry.slice(name.length + 1);
}

/** Entries that each end in a NUL. */
function split(text: string): string[] {
  const entries = text.split('\0');
  entries.pop();
  return entries;
}
