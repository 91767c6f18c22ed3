/** Records of a capture: whole, right, in order; what can't be written waits or is lost, and the guest's network goes on. */
import { expect } from 'chai';
import type { Native } from '../../../native/worker.d.ts';
import { Counter } from '../../../shared/counters.ts';
import { ARENA_SIZE, CAPTURE_SIZE, RECEIVE, TRANSMIT } from '../../../worker/link/arena.ts';
import { captureFrame, captureOffloaded, captures, flushCapture, openCapture, stopCapture } from '../../../worker/link/capture.ts';
import { counters } from '../../../worker/link/counters.ts';
import { bindKernel } from '../../../worker/link/kernel.ts';
import { receiveFrames, setLink, transmitFrame } from '../../../worker/link/link.ts';
import { openTap } from '../../../worker/link/tap.ts';
import { bindMemory, bytes, view } from '../../../worker/wire/memory.ts';
import { buildDatagram, sum16, withChecksum } from '../../support/guest_frame.ts';
import { pattern } from '../../support/tcp_dialogue.ts';
import { ENDS4 } from '../../support/workbench.ts';

const EAGAIN = 11;
const ENOSPC = 28;
const EPIPE = 32;
const VNET = 10;
const FILE = 7;
const TAP = 8;

interface Record {
  readonly seconds: number;
  readonly microseconds: number;
  readonly length: number;
  readonly bytes: Buffer;
}

/** What was written to the file, and how much it takes before it says `errno`. */
class Disk {
  readonly pieces: Buffer[] = [];
  room = Number.POSITIVE_INFINITY;
  errno = ENOSPC;
  closed = 0;
  readonly onTap: Buffer[] = [];
  tapErrno = 0;

  write(fd: number, offset: number, length: number): number {
    if (fd === TAP) {
      if (this.tapErrno === 0) this.onTap.push(Buffer.from(bytes.slice(offset, offset + length)));
      return this.tapErrno === 0 ? length : -this.tapErrno;
    }
    const taken = Math.min(length, this.room);
    if (taken === 0) return -this.errno;
    this.room -= taken;
    this.pieces.push(Buffer.from(bytes.slice(offset, offset + taken)));
    return taken;
  }

  records(): Record[] {
    const all = Buffer.concat(this.pieces);
    const found: Record[] = [];
    for (let at = 0; at < all.length; ) {
      const recorded = all.readUInt32LE(at + 8);
      const piece = all.subarray(at + 16, at + 16 + recorded);
      expect(piece.length, 'a piece of a record').to.equal(recorded);
      const [seconds, microseconds, length] = [all.readUInt32LE(at), all.readUInt32LE(at + 4), all.readUInt32LE(at + 12)];
      found.push({ seconds, microseconds, length, bytes: piece });
      at += 16 + recorded;
    }
    return found;
  }
}

function open(given: Partial<Native> = {}): Disk {
  const disk = new Disk();
  bindMemory(new ArrayBuffer(ARENA_SIZE));
  let now = 1_700_000_000_999_998;
  const kernel = {
    write: (fd: number, offset: number, length: number) => disk.write(fd, offset, length),
    close: (fd: number) => (fd === FILE ? (disk.closed++, 0) : 0),
    wallClock(offset: number) {
      view.setInt32(offset, Math.floor(now / 1_000_000), true);
      view.setInt32(offset + 4, now++ % 1_000_000, true);
      return 0;
    },
    ...given,
  };
  bindKernel(kernel as unknown as Native);
  openCapture(FILE);
  counters[Counter.captures_lost] = 0;
  return disk;
}

/** A datagram whose checksum is left to the kernel: the field has the sum of the pseudo-header. And how it is on a wire. */
function offloaded(payload: Uint8Array): { frame: Uint8Array; wire: Uint8Array } {
  const frame = buildDatagram(ENDS4, 1, 2, payload);
  const wire = withChecksum(frame, ENDS4).subarray(VNET);
  const fields = new DataView(frame.buffer);
  const start = VNET + fields.getUint16(6, true);
  const pseudo = sum16(ENDS4.guest) + sum16(ENDS4.far) + 17 + frame.length - start;
  fields.setUint16(start + fields.getUint16(8, true), sum16(new Uint8Array(0), pseudo));
  return { frame, wire };
}

describe('worker/link/capture', () => {
  afterEach(() => {
    stopCapture();
    setLink(false);
  });

  it('a record has the time of day, its lengths and the frame', () => {
    const disk = open();
    bytes.set([1, 2, 3, 4, 5], TRANSMIT);
    captureFrame(TRANSMIT, 5);
    captureFrame(TRANSMIT + 1, 4);
    captureFrame(TRANSMIT, 1);
    expect(disk.pieces).to.have.length(0);
    expect(flushCapture()).to.equal(0);
    expect(disk.pieces).to.have.length(1);
    expect(
      disk.records().map(({ seconds, microseconds, length, bytes: recorded }) => [seconds, microseconds, length, [...recorded]]),
    ).to.deep.equal([
      [1_700_000_000, 999_998, 5, [1, 2, 3, 4, 5]],
      [1_700_000_000, 999_999, 4, [2, 3, 4, 5]],
      [1_700_000_001, 0, 1, [1]],
    ]);
  });

  it('what is longer than the header of the file says is cut, and its length told', () => {
    const disk = open();
    captureFrame(TRANSMIT, 65_549);
    flushCapture();
    expect(disk.records().map(({ length, bytes: recorded }) => [length, recorded.length])).to.deep.equal([[65_549, 65_535]]);
  });

  it('a checksum that is left to the kernel is completed in the record, and in the record alone', () => {
    const disk = open();
    const { frame, wire } = offloaded(pattern(1001, 3));
    bytes.set(frame, TRANSMIT);
    captureOffloaded(TRANSMIT, frame.length);
    flushCapture();
    expect(disk.records()[0]?.bytes).to.deep.equal(Buffer.from(wire));
    expect(Buffer.from(bytes.slice(TRANSMIT, TRANSMIT + frame.length))).to.deep.equal(Buffer.from(frame));
  });

  it('a guest that points out of its frame for the checksum changes nothing', () => {
    const disk = open();
    const frame = new Uint8Array(VNET + 60).fill(7);
    for (const [start, offset] of [
      [59, 0],
      [0xffff, 0xffff],
      [0, 60],
      [61, 0],
    ] as const) {
      frame.set([1, 0, 0, 0, 0, 0, start & 255, start >> 8, offset & 255, offset >> 8]);
      bytes.set(frame, RECEIVE);
      captureOffloaded(RECEIVE, frame.length);
    }
    captureFrame(RECEIVE + VNET, 60);
    flushCapture();
    const records = disk.records();
    expect(records).to.have.length(5);
    for (const record of records) expect([...record.bytes]).to.deep.equal(new Array(60).fill(7));
  });

  it('what the disk does not take waits, whole and in order, and goes out when it does', () => {
    const disk = open();
    disk.room = 30;
    for (let index = 0; index < 100; index++) {
      bytes[TRANSMIT] = index;
      captureFrame(TRANSMIT, 1 + index);
    }
    expect(flushCapture()).to.equal(0);
    expect(flushCapture()).to.equal(0);
    disk.errno = EAGAIN;
    expect(flushCapture()).to.equal(0);
    expect(Buffer.concat(disk.pieces)).to.have.length(30);
    disk.room = Number.POSITIVE_INFINITY;
    flushCapture();
    expect(disk.records().map(({ bytes: recorded }) => recorded[0])).to.deep.equal(Array.from({ length: 100 }, (_, index) => index));
    expect(counters[Counter.captures_lost]).to.equal(0);
  });

  it('what there is no room for is lost and counted, and what comes later is right again', () => {
    const disk = open();
    disk.room = 0;
    const most = Math.floor(CAPTURE_SIZE / 60_016);
    for (let index = 0; index < most + 3; index++) captureFrame(TRANSMIT, 60_000);
    expect(counters[Counter.captures_lost]).to.equal(3);
    disk.room = Number.POSITIVE_INFINITY;
    flushCapture();
    captureFrame(TRANSMIT, 10);
    flushCapture();
    expect(disk.records().map(({ length }) => length)).to.deep.equal([...new Array<number>(most).fill(60_000), 10]);
  });

  it('an error for good is told until somebody listens, and nothing is written behind it', () => {
    const disk = open();
    disk.room = 0;
    disk.errno = EPIPE;
    captureFrame(TRANSMIT, 10);
    expect(flushCapture()).to.equal(EPIPE);
    expect(flushCapture()).to.equal(EPIPE);
    captureFrame(TRANSMIT, 10);
    expect([disk.closed, counters[Counter.captures_lost], captures]).to.deep.equal([1, 1, true]);
    stopCapture();
    expect(captures).to.equal(false);
  });

  it('the link records what has come and what the tap has taken', () => {
    const { frame, wire } = offloaded(pattern(100, 1));
    const disk = open({
      readPackets(_fd: number, offset: number, slot: number, lengths: number) {
        for (let index = 0; index < 2; index++) {
          bytes.set(frame, offset + index * slot);
          view.setInt32(lengths + 4 * index, frame.length, true);
        }
        return 2;
      },
    });
    openTap(TAP, 0);
    setLink(false);
    expect(receiveFrames()).to.equal(2);
    bytes.set(frame, TRANSMIT);
    expect(transmitFrame(TRANSMIT, frame.length)).to.equal(frame.length);
    disk.tapErrno = 5;
    expect(transmitFrame(TRANSMIT, frame.length)).to.equal(-5);
    flushCapture();
    expect(disk.records().map(({ bytes: recorded }) => recorded)).to.deep.equal([1, 2, 3].map(() => Buffer.from(wire)));
    expect(disk.onTap).to.have.length(1);
  });
});
