/** An arena for tests of formats: hex text in, hex text out. */
import { bindMemory } from '../../../worker/wire/memory.ts';

export const ARENA_BYTES = 262_144;
const memory = new Uint8Array(ARENA_BYTES);

/** Binds the arena with every byte 0xa5, so that a byte that a writer forgot is seen. */
export function freshArena(): void {
  memory.fill(0xa5);
  bindMemory(memory.buffer);
}

/** Puts hex text (blanks allowed) at `at`; returns its bytes. */
export function put(at: number, hex: string): number {
  const bytes = Buffer.from(hex.replaceAll(/\s/g, ''), 'hex');
  memory.set(bytes, at);
  return bytes.length;
}

/** Puts bytes at `at`; returns their number. */
export function putBytes(at: number, bytes: Uint8Array): number {
  memory.set(bytes, at);
  return bytes.length;
}

/** `length` bytes from `at` as hex text. */
export function take(at: number, length: number): string {
  return Buffer.from(memory.subarray(at, at + length)).toString('hex');
}

/** The bytes themselves. */
export function takeBytes(at: number, length: number): Uint8Array {
  return memory.slice(at, at + length);
}
