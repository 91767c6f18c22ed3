/**
 * The worker that the launcher has started while our own runtime was loading (native/start.c).
 */
import type { Native } from '../native/supervisor.d.ts';

/** How long its jail may take to name it when it isn't wanted. */
const PATIENCE_MS = 1_000;
const SIGKILL = 9;

/** Its jail, our child, and our ends of its channel and control sockets. */
export interface EarlyWorker {
  readonly jail: number;
  readonly channel: number;
  readonly control: number;
}

/** From the text of the variable: PID:CHANNEL:CONTROL. Null when there is none. */
export function parseEarlyWorker(text: string | undefined): EarlyWorker | null {
  const found = /^([1-9][0-9]{0,9}):([1-9][0-9]{0,4}):([1-9][0-9]{0,4})$/.exec(text ?? '');
  return found === null ? null : { jail: Number(found[1]), channel: Number(found[2]), control: Number(found[3]) };
}

/** Ends and reaps a worker that isn't wanted, so that not even a dead process is left to a parent that may not look after it. */
export function discardEarlyWorker(native: Native, { jail, channel, control }: EarlyWorker): void {
  native.waitReadable(control, PATIENCE_MS);
  const report = native.receiveWithDescriptors(control, 8);
  for (const fd of [channel, control]) {
    native.close(fd);
  }
  const pids = [jail];
  if (report !== null && typeof report !== 'number') {
    const view = new DataView(report.bytes.buffer, report.bytes.byteOffset, report.bytes.length);
    if (view.byteLength === 8 && view.getInt32(0, true) === 1) {
      pids.push(view.getInt32(4, true));
    }
  }
  for (const pid of pids) {
    native.kill(pid, SIGKILL);
    const pidfd = native.pidfd(pid);
    native.waitReadable(pidfd, PATIENCE_MS);
    native.reap(pid);
    native.close(pidfd);
  }
}
