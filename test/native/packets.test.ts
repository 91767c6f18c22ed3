/** Batches of packets and of datagrams, on a socket that keeps their boundaries as a tap does. */
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

const FACTS = LENGTHS + COUNT * 4;
/** An addon takes one arena. */
const arena = new ArrayBuffer(FACTS + COUNT * 12);
const view = new DataView(arena);

function expectSlot(index: number, length: number): void {
  const bytes = new Uint8Array(arena, index * SLOT, length);
  expect(bytes.every((byte) => byte === index + 1)).to.equal(true);
}

describe('native/worker: batches', () => {
  let ours: number, theirs: number;

  before(() => worker.bindArena(arena));
  beforeEach(() => {
    [ours, theirs] = native.socketPair();
  });
  afterEach(() => [ours, theirs].forEach((fd) => closeSync(fd)));

  function sent(...lengths: number[]): void {
    lengths.forEach((length, index) => writeSync(theirs, new Uint8Array(length).fill(index + 1)));
  }

  describe('readPackets', () => {
    const read = (enough: number, count = COUNT): number => worker.readPackets(ours, 0, SLOT, LENGTHS, count, enough);

    it('puts each packet into a slot of its own', () => {
      sent(60, 1500, 3);
      expect(read(PLENTY)).to.equal(3);
      [60, 1500, 3].forEach((length, index) => {
        expect(view.getInt32(LENGTHS + 4 * index, true)).to.equal(length);
        expectSlot(index, length);
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
      expect(worker.readPackets(ours, 0, SLOT, arena.byteLength - 4 * COUNT + 4, COUNT, PLENTY)).to.equal(EFAULT);
      expect(worker.readPackets(ours, 0, 0, LENGTHS, COUNT, PLENTY)).to.equal(EINVAL);
      expect(read(PLENTY)).to.equal(1);
    });
  });

  describe('receiveBatch', () => {
    const receive = (count: number, offset = 0, slot = SLOT, length = SLOT, facts = FACTS): number =>
      worker.receiveBatch(ours, offset, slot, length, count, facts);

    it('puts each datagram into a slot of its own, with its length and no facts where there are none', () => {
      const lengths = [1, 1400, 3, SLOT];
      sent(...lengths);
      new Uint8Array(arena, FACTS).fill(0xff);
      expect(receive(COUNT)).to.equal(lengths.length);
      lengths.forEach((length, index) => {
        expectSlot(index, length);
        const at = FACTS + 12 * index;
        expect([view.getInt32(at, true), view.getInt32(at + 4, true), view.getInt32(at + 8, true)]).to.deep.equal([length, 0, 0]);
      });
      expect(receive(COUNT)).to.equal(EAGAIN);
    });

    it('takes as many as there are slots, and the rest with the next call', () => {
      for (let sent = 1; sent <= 5; sent++) writeSync(theirs, new Uint8Array(10).fill(sent));
      expect([receive(4), receive(4), receive(4)]).to.deep.equal([4, 1, EAGAIN]);
    });

    it('refuses slots and facts outside of the arena, slots that overlap, and none or too many', () => {
      writeSync(theirs, new Uint8Array(1));
      expect(receive(2, arena.byteLength - SLOT, SLOT, SLOT)).to.equal(EFAULT);
      expect(receive(1, -1)).to.equal(EFAULT);
      expect(receive(1, 0, SLOT, SLOT, arena.byteLength - 11)).to.equal(EFAULT);
      for (const [count, slot, length] of [
        [0, SLOT, SLOT],
        [33, 1, 1],
        [1, SLOT, 0],
        [2, SLOT, SLOT + 1],
        [2, 0x7fffffff, 1],
      ] as const)
        expect(receive(count, 0, slot, length)).to.equal(EINVAL);
      expect(receive(1)).to.equal(1);
    });
  });
});
