/** The addon's sum of payloads, beside one that goes byte by byte. */
import { expect } from 'chai';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Native as WorkerNative } from '../../native/worker.d.ts';
import { sum16 } from '../support/guest_frame.ts';
import { pattern } from '../support/tcp_dialogue.ts';

const worker = createRequire(import.meta.url)(fileURLToPath(new URL('../../native/out/worker.node', import.meta.url))) as WorkerNative;

describe('native/worker: checksum', () => {
  const arena = new Uint8Array(70_000);

  before(() => worker.bindArena(arena.buffer));

  it('is that of RFC 1071, whatever the place and the length', () => {
    arena.set(pattern(arena.length));
    for (const length of [0, 1, 2, 3, 4, 5, 7, 31, 32, 33, 257, 1448, 1461, 65_535])
      for (const at of [0, 1, 2, 3, 4097]) {
        const range = arena.subarray(at, at + length);
        for (const seed of [0, 1, 0xffff])
          expect(worker.checksum(at, length, seed), `${length} bytes at ${at}`).to.equal(sum16(range, seed));
      }
  });

  it('keeps its carries: 64 KiB of ones', () => {
    arena.fill(0xff);
    expect(worker.checksum(2, 65_534, 0)).to.equal(0xffff);
  });

  it('ends at the arena', () => {
    expect(worker.checksum(69_999, 2, 0)).to.equal(-14);
  });
});
