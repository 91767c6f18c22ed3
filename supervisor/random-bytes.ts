/**
 * Random bytes of the kernel's.
 */
import { closeSync, openSync, readSync } from 'node:fs';

/** From the kernel; the module node:crypto takes longer to load than this. */
export function randomBytes(count: number): Uint8Array {
  const fd = openSync('/dev/urandom', 'r');
  const bytes = new Uint8Array(count);
  const read = readSync(fd, bytes);
  closeSync(fd);
  if (read !== count) {
    throw new Error(`/dev/urandom gave ${read} bytes instead of ${count}`);
  }
  return bytes;
}
