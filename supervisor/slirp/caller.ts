/**
 * What a run owes the caller of slirp4netns beside pasta's work: says on a descriptor that it is ready, ends by one, and takes ports.
 */
import { closeSync, fstatSync, writeSync } from 'node:fs';
import type { Native } from '../../native/supervisor.d.ts';
import type { ReceptionParts } from '../control/reception.ts';
import type { Forwarding } from '../control/server.ts';
import { wrong } from '../config/values.ts';
import { SlirpApi } from './api.ts';
import type { SlirpOptions } from './options.ts';

/** One caller. */
export class SlirpCaller {
  readonly #options: SlirpOptions;
  #api: SlirpApi | null = null;

  constructor(options: SlirpOptions) {
    this.#options = options;
  }

  /**
   * Before anything is started: what was given must be there.
   * @throws UsageError
   */
  prepare(parts: ReceptionParts): void {
    const { apiPath, exitFd, guest, readyFd } = this.#options;
    for (const [option, fd] of [
      ['--ready-fd', readyFd],
      ['--exit-fd', exitFd],
    ] as const)
      if (fd !== null && !isOpen(fd)) throw wrong(option, String(fd), 'is not open; give a descriptor that is');
    if (apiPath !== null) this.#api = new SlirpApi(parts, apiPath, guest);
  }

  /** Everything is there; `end` is called when the caller wants an end. */
  begin(native: Pick<Native, 'watch'>, forwarding: Forwarding, end: () => void): void {
    const { banner, exitFd, readyFd } = this.#options;
    this.#api?.serve(forwarding);
    tryToWrite(1, banner);
    if (exitFd !== null) {
      const watch = native.watch(exitFd, () => {
        watch.stop();
        end();
      });
    }
    if (readyFd === null) return;
    tryToWrite(readyFd, '1');
    closeSync(readyFd);
  }

  close(): void {
    this.#api?.close();
  }
}

function isOpen(fd: number): boolean {
  try {
    fstatSync(fd);
    return true;
  } catch {
    return false;
  }
}

/** Who waits no more has gone; that is not ours to mind. */
function tryToWrite(fd: number, text: string): void {
  try {
    writeSync(fd, text);
  } catch (error) {
    if (!['EPIPE', 'EAGAIN', 'EBADF'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}
