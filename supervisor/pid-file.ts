/**
 * The file with our process ID: made before anything is started, so that a wrong path is told at once, and written last, so that whoever
 * finds the number finds the network too. It stays when the run ends, as callers of the original expect.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { UsageError } from './usage-error.ts';

/** One open file, empty so far. */
export class PidFile {
  readonly #path: string;
  readonly #descriptor: number;

  /** Makes or empties it; only its owner may read it. @throws UsageError */
  constructor(path: string) {
    this.#path = path;
    try {
      this.#descriptor = openSync(path, 'w', 0o600);
    } catch (error) {
      throw new UsageError(`cannot make the pid file '${path}' (${(error as Error).message}); give --pid another path`);
    }
  }

  /** The number and the end of the line; then the file is closed. @throws UsageError */
  write(pid: number): void {
    try {
      writeSync(this.#descriptor, `${pid}\n`);
    } catch (error) {
      throw new UsageError(`cannot write the pid file '${this.#path}' (${(error as Error).message})`);
    } finally {
      closeSync(this.#descriptor);
    }
  }
}
