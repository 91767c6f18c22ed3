/** Batches of packets, on a socket that keeps their boundaries as a tap does. */
import { expect } from 'chai';
import { closeSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Native as WorkerNative } from '../../native/worker.d.ts';
import { native } from './rooms.ts';

const worker = createRequire(import.meta.url)(fileURLToPath(new URL('../../native/out/worker.node', import.meta.url))) as WorkerNative;
const EAGAIN = -11;
const EFAULT = -14;
const EINVAL = -22;
const SLOT = 2048;
const COUNT = 8;
const LENGTHS = COUNT * SLOT;
const PLENTY = 1 << 20;

describe('native/worker: readPackets', () => {
  const arena = new ArrayBuffer(LENGTHS + COUNT * 4);
  const view = new DataView(arena);
  let ours: number, theirs: number;

  before(() => worker.bindArena(arena));
  beforeEach(() => {
    [ours, theirs] = native.socketPair();
  });
  afterEach(() => [ours, theirs].forEach((fd) => closeSync(fd)));

  function sent(...lengths: number[]): void {
    lengths.forEach((length, index) => writeSync(theirs, new Uint8Array(length).fill(index + 1)));
  }

  const read = (enough: number, count = COUNT): number => worker.readPackets(ours, 0, SLOT, LENGTHS, count, enough);

  it('puts each packet into a slot of its own', () => {
    sent(60, 1500, 3);
    expect(read(PLENTY)).to.equal(3);
    [60, 1500, 3].forEach((length, index) => {
      expect(view.getInt32(LENGTHS + 4 * index, true)).to.equal(length);
      const bytes = new Uint8Array(arena, index * SLOT, length);
      expect(bytes.every((byte) => byte === index + 1)).to.equal(true);
    });
    expect(read(PLENTY)).to.equal(EAGAIN);
  });

  it('stops when the slots are full, and once there is enough; the rest comes with the next batch', () => {
    sent(...new Array<number>(COUNT + 1).fill(10));
    expect(read(PLENTY)).to.equal(COUNT);
    expect(read(PLENTY)).to.equal(1);
    sent(1000, 999, 1, 1000, 5);
    expect(read(2000)).to.equal(3);
    expect(read(1)).to.equal(1);
    expect(read(0)).to.equal(1);
  });

  it('refuses slots outside of the arena', () => {
    sent(1);
    expect(worker.readPackets(ours, SLOT, SLOT, LENGTHS, COUNT + 1, PLENTY)).to.equal(EFAULT);
    expect(worker.readPackets(ours, 0, SLOT, LENGTHS + 4, COUNT, PLENTY)).to.equal(EFAULT);
    expect(worker.readPackets(ours, 0, 0, LENGTHS, COUNT, PLENTY)).to.equal(EINVAL);
    expect(read(PLENTY)).to.equal(1);
  });
});
