/**
 * The file for the guest's frames (`--pcap`). It is opened here and begun with the header of pcap(5); the worker, which opens nothing and
 * alone sees frames, gets the descriptor and can do nothing with it but write at the end.
 */
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { UsageError } from './usage-error.ts';

const MAGIC = 0xa1b2_c3d4;
const VERSION = [2, 4] as const;
/** Bytes of a packet that are recorded at most: worker/link/capture.ts. */
const MOST_RECORDED = 65_535;
const LINKTYPE_ETHERNET = 1;
const HEADER = 24;

function header(): Uint8Array {
  const view = new DataView(new ArrayBuffer(HEADER));
  view.setUint32(0, MAGIC, true);
  view.setUint16(4, VERSION[0], true);
  view.setUint16(6, VERSION[1], true);
  // The two words between are always zero: the time zone and its accuracy.
  view.setUint32(16, MOST_RECORDED, true);
  view.setUint32(20, LINKTYPE_ETHERNET, true);
  return new Uint8Array(view.buffer);
}

/**
 * Makes or empties the file, which only its owner may read; a pipe or a device will do. Gives the descriptor.
 * @throws UsageError
 */
export function openCaptureFile(path: string): number {
  const { O_WRONLY, O_CREAT, O_TRUNC, O_APPEND, O_NONBLOCK, O_NOCTTY } = constants;
  let descriptor: number | null = null;
  try {
    // A pipe that nobody empties must not stop the guest's network.
    descriptor = openSync(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NONBLOCK | O_NOCTTY, 0o600);
    writeSync(descriptor, header());
    return descriptor;
  } catch (error) {
    if (descriptor !== null) closeSync(descriptor);
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENXIO') throw new UsageError(`--pcap '${path}': is a pipe that nobody reads; start the reader first`);
    throw new UsageError(`cannot make the capture file '${path}' (${message}); give --pcap another path`);
  }
}
