/**
 * Leaving the user's terminal: the launcher (native/start.c) has forked, its parent half waits for our word at the end of a pipe.
 */
import type { Native } from '../native/supervisor.d.ts';

/** The variable in which the launcher names the pipe. */
export const READY = 'RAVIOLI_READY';

/** The pipe's descriptor from the text of the variable; null: there is no parent half, the run stays in the foreground. */
export function parseReady(text: string | undefined): number | null {
  return /^[1-9][0-9]{0,4}$/.test(text ?? '') ? Number(text) : null;
}

/**
 * Gives up terminal and folder and lets the parent half leave with status 0. `ready` is closed.
 * @throws Error when there is no parent any more: nobody would know of this run.
 */
export function enterBackground(native: Pick<Native, 'detach'>, ready: number): void {
  const result = native.detach(ready);
  if (result < 0) throw new Error(`the process that was to go into the background can't be left (errno ${-result})`);
}
