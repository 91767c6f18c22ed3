/** Frames over a stream: what is read is what was sent however it is cut, and what is written needs no offload at the other end. */
import { expect } from 'chai';
import fc from 'fast-check';
import type { Native } from '../../../native/worker.d.ts';
import { ARENA_SIZE, RECEIVE_SLOTS, TRANSMIT } from '../../../worker/link/arena.ts';
import { bindKernel } from '../../../worker/link/kernel.ts';
import { receivedAt, receivedHeader, receivedInSlots, receivedLength, receiveInSlots } from '../../../worker/link/received.ts';
import {
  closeStream,
  flushStream,
  holdsFrame,
  isBlocked,
  openStream,
  receiveStream,
  streamHasMore,
  streamHasRoom,
  streamIsCalm,
  transmitStream,
  unblockStream,
} from '../../../worker/link/stream.ts';
import { bindMemory, bytes } from '../../../worker/wire/memory.ts';
import { buildDatagram, buildFrame, buildSegment, type Ends, FIN, PSH, ACK, sum16 } from '../../support/guest_frame.ts';
import { pattern } from '../../support/tcp_dialogue.ts';
import { ENDS4, ENDS6 } from '../../support/workbench.ts';

const EAGAIN = 11;
const EPROTO = 71;
const VNET = 10;
const ETHERNET = 14;

/** The socket: what the guest has sent, in pieces, and what it has received; `room` bytes are taken before it is full. */
class Socket {
  readonly incoming: Uint8Array[] = [];
  ended = false;
  readonly #pieces: Uint8Array[] = [];
  room = Number.POSITIVE_INFINITY;

  get received(): Uint8Array {
    return Uint8Array.from(Buffer.concat(this.#pieces));
  }

  read(_fd: number, offset: number, length: number): number {
    const piece = this.incoming.shift();
    if (piece === undefined) return this.ended ? 0 : -EAGAIN;
    const taken = piece.subarray(0, length);
    bytes.set(taken, offset);
    if (taken.length < piece.length) this.incoming.unshift(piece.subarray(length));
    return taken.length;
  }

  /** As a tap: each piece is a packet. */
  readPackets(_fd: number, slots: number, slot: number, lengths: number, count: number): number {
    let read = 0;
    for (; read < count && this.incoming.length > 0; read++) {
      const piece = this.incoming.shift() as Uint8Array;
      bytes.set(piece, slots + read * slot);
      new DataView(bytes.buffer).setInt32(lengths + 4 * read, piece.length, true);
    }
    return read === 0 ? -EAGAIN : read;
  }

  /** What was written, each piece at once. */
  get packets(): readonly Uint8Array[] {
    return this.#pieces;
  }

  write(_fd: number, offset: number, length: number): number {
    const taken = Math.min(length, this.room);
    if (taken === 0) return -EAGAIN;
    this.room -= taken;
    this.#pieces.push(bytes.slice(offset, offset + taken));
    return taken;
  }
}

function open(tap = false): Socket {
  const socket = new Socket();
  const arena = new ArrayBuffer(ARENA_SIZE);
  bindMemory(arena);
  bindKernel(socket as unknown as Native);
  openStream(7, tap);
  return socket;
}

function prefixed(frames: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(
    frames.flatMap((frame) => [frame.length >>> 24, (frame.length >>> 16) & 255, (frame.length >>> 8) & 255, frame.length & 255, ...frame]),
  );
}

/** All frames that are there now. */
function receiveAll(): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let count = receiveStream(); count > 0; count = receiveStream())
    for (let index = 0; index < count; index++) {
      const at = receivedAt[index] as number;
      frames.push(bytes.slice(at, at + receivedLength(index)));
    }
  return frames;
}

/** The frames that the guest has received, without their prefixes. */
function framesOf(stream: Uint8Array): Uint8Array[] {
  const view = new DataView(stream.buffer, stream.byteOffset);
  const frames: Uint8Array[] = [];
  for (let at = 0; at < stream.length; ) {
    const length = view.getUint32(at);
    frames.push(stream.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return frames;
}

/** Sum over pseudo-header and all behind the IP header of a frame without link header; the frame may be padded. */
function transportOf(frame: Uint8Array, ends: Ends): { sum: number; l4: Uint8Array } {
  const ipv4 = ends.guest.length === 4;
  const view = new DataView(frame.buffer, frame.byteOffset);
  const header = ipv4 ? 20 : 40;
  const length = ipv4 ? view.getUint16(ETHERNET + 2) - 20 : view.getUint16(ETHERNET + 4);
  const protocol = frame[ipv4 ? ETHERNET + 9 : ETHERNET + 6] as number;
  const l4 = frame.subarray(ETHERNET + header, ETHERNET + header + length);
  const addresses = frame.subarray(ETHERNET + (ipv4 ? 12 : 8), ETHERNET + header);
  if (ipv4) expect(sum16(frame.subarray(ETHERNET, ETHERNET + 20))).to.equal(0xffff);
  return { sum: sum16(l4, sum16(addresses) + protocol + length), l4 };
}

/** As the worker's frames are: the checksum's field holds the sum of the pseudo-header. */
function ours(frame: Uint8Array, ends: Ends): Uint8Array {
  const view = new DataView(frame.buffer, frame.byteOffset);
  const start = VNET + view.getUint16(6, true);
  const length = frame.length - start;
  const protocol = view.getUint16(8, true) === 16 ? 6 : 17;
  view.setUint16(start + view.getUint16(8, true), sum16(new Uint8Array(0), sum16(ends.guest) + sum16(ends.far) + protocol + length));
  return frame;
}

function transmit(frame: Uint8Array): number {
  bytes.set(frame, TRANSMIT);
  return transmitStream(TRANSMIT, frame.length);
}

const SEGMENT = {
  sourcePort: 1,
  destinationPort: 2,
  seq: 0x7ffffff0,
  ack: 5,
  window: 9,
  flags: ACK | PSH | FIN,
  timestamp: { value: 1, echo: 2 },
};

describe('worker/link/stream', function () {
  this.timeout(20_000);

  after(() => receiveInSlots());

  it('reads the frames that were sent, however the stream is cut', () => {
    const lengths = fc.array(fc.oneof(fc.integer({ min: 14, max: 80 }), fc.integer({ min: 14, max: 65_535 })), {
      minLength: 1,
      maxLength: 12,
    });
    fc.assert(
      fc.property(lengths, fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1 }), (sizes, cuts) => {
        const socket = open();
        const frames = sizes.map((size) => pattern(size));
        const stream = prefixed(frames);
        const seen: Uint8Array[] = [];
        for (let at = 0, cut = 0; at < stream.length; cut++) {
          const size = cuts[cut % cuts.length] as number;
          socket.incoming.push(stream.subarray(at, at + size));
          at += size;
          if (cut % 2 === 0) seen.push(...receiveAll());
        }
        seen.push(...receiveAll());
        expect(seen).to.deep.equal(frames);
        expect(receivedHeader).to.equal(0);
      }),
      { numRuns: 20 },
    );
  });

  it('gives every frame of a read that has more than a batch', () => {
    const socket = open();
    const frames = Array.from({ length: 2000 }, (_, index) => pattern(14 + (index % 5)));
    socket.incoming.push(prefixed(frames));
    expect(receiveStream()).to.equal(512);
    expect(holdsFrame()).to.equal(true);
    expect(receiveAll()).to.deep.equal(frames.slice(512));
    expect(holdsFrame()).to.equal(false);
  });

  for (const length of [0, 13, 65_536, 0xffffffff])
    it(`is at its end with a frame of ${length} bytes`, () => {
      const socket = open();
      const prefix = new Uint8Array(4);
      new DataView(prefix.buffer).setUint32(0, length);
      socket.incoming.push(Uint8Array.from([...prefixed([pattern(20)]), ...prefix]));
      expect(receiveStream()).to.equal(-EPROTO);
    });

  it('tells that the guest has closed, and forgets the piece of a frame for the next guest', () => {
    const socket = open();
    socket.incoming.push(prefixed([pattern(60)]).subarray(0, 30));
    expect(receiveStream()).to.equal(-EAGAIN);
    socket.ended = true;
    expect(receiveStream()).to.equal(0);
    closeStream();
    openStream(8);
    socket.incoming.push(prefixed([pattern(44)]));
    expect(receiveAll()).to.deep.equal([pattern(44)]);
  });

  for (const ends of [ENDS4, ENDS6]) {
    const family = ends.guest.length === 4 ? 4 : 6;
    it(`completes checksums and pads, IPv${family}`, () => {
      const socket = open();
      for (const size of [0, 1, 1400]) {
        expect(transmit(ours(buildDatagram(ends, 1, 2, pattern(size)), ends))).to.be.above(0);
        expect(transmit(ours(buildSegment(ends, { ...SEGMENT, payload: pattern(size), gsoSize: 0 }), ends))).to.be.above(0);
      }
      expect(transmit(buildFrame(ends, 99, pattern(3)))).to.be.above(0);
      expect(flushStream()).to.equal(0);
      const frames = framesOf(socket.received);
      expect(frames).to.have.length(7);
      for (const frame of frames) expect(frame.length).to.be.at.least(60);
      for (const frame of frames.slice(0, 6)) expect(transportOf(frame, ends).sum).to.equal(0xffff);
    });

    it(`cuts superframes as a kernel does, IPv${family}`, () => {
      for (const size of [1401, 2800, 64_000]) {
        const socket = open();
        const payload = pattern(size);
        expect(transmit(ours(buildSegment(ends, { ...SEGMENT, payload, gsoSize: 1400 }), ends))).to.be.above(0);
        flushStream();
        const frames = framesOf(socket.received);
        expect(frames).to.have.length(Math.ceil(size / 1400));
        const data: number[] = [];
        frames.forEach((frame, index) => {
          const { sum, l4 } = transportOf(frame, ends);
          expect(sum, `checksum of segment ${index}`).to.equal(0xffff);
          const view = new DataView(l4.buffer, l4.byteOffset);
          expect(view.getInt32(4)).to.equal((SEGMENT.seq + 1400 * index) | 0);
          expect(view.getUint8(13)).to.equal(index === frames.length - 1 ? ACK | PSH | FIN : ACK);
          data.push(...l4.subarray((view.getUint8(12) >> 4) * 4));
        });
        expect(Uint8Array.from(data)).to.deep.equal(payload);
      }
    });
  }

  it('reads a frame at a time from a tap, and all of a full batch', () => {
    const socket = open(true);
    const frames = Array.from({ length: 2 * RECEIVE_SLOTS + 3 }, (_, index) => pattern(60 + index));
    socket.incoming.push(...frames);
    expect(receiveStream()).to.equal(RECEIVE_SLOTS);
    expect([receivedHeader, receivedInSlots, streamHasMore()]).to.deep.equal([0, true, true]);
    expect(receiveAll()).to.deep.equal(frames.slice(RECEIVE_SLOTS));
    expect(streamHasMore()).to.equal(false);
    expect(receiveStream()).to.equal(-EAGAIN);
  });

  it('writes each frame to a tap at once, superframes in pieces, and keeps nothing that it does not take', () => {
    const socket = open(true);
    transmit(ours(buildDatagram(ENDS4, 1, 2, pattern(1)), ENDS4));
    transmit(ours(buildSegment(ENDS6, { ...SEGMENT, payload: pattern(2801), gsoSize: 1400 }), ENDS6));
    expect(socket.packets.map((packet) => packet.length)).to.deep.equal([60, 1486, 1486, 87]);
    expect(transportOf(socket.packets[0] as Uint8Array, ENDS4).sum).to.equal(0xffff);
    for (const packet of socket.packets.slice(1)) expect(transportOf(packet, ENDS6).sum).to.equal(0xffff);
    socket.room = 0;
    for (let index = 0; index < 100; index++) expect(transmit(buildFrame(ENDS4, 99, pattern(60_000)))).to.equal(-EAGAIN);
    expect(transmit(ours(buildSegment(ENDS6, { ...SEGMENT, payload: pattern(2801), gsoSize: 1400 }), ENDS6))).to.equal(-EAGAIN);
    expect([isBlocked(), streamHasRoom(), streamIsCalm(), flushStream()]).to.deep.equal([false, true, true, 0]);
    expect(socket.packets).to.have.length(4);
  });

  it('keeps what the socket does not take, in order, and says when senders shall wait', () => {
    const socket = open();
    socket.room = 0;
    const frames = Array.from({ length: 30 }, (_, index) => buildFrame(ENDS4, 99, pattern(40_000 + index)));
    for (const frame of frames) expect(transmit(frame)).to.be.above(0);
    expect(isBlocked()).to.equal(true);
    expect(streamHasRoom()).to.equal(false);
    while (isBlocked()) {
      socket.room = 30_000;
      unblockStream();
      expect(flushStream()).to.equal(0);
    }
    expect(streamHasRoom() && streamIsCalm()).to.equal(true);
    expect(framesOf(socket.received)).to.deep.equal(frames.map((frame) => frame.subarray(VNET)));
  });

  it('loses whole frames when even the reserve is full, and never a part of one', () => {
    const socket = open();
    socket.room = 0;
    let kept = 0;
    while (transmit(buildFrame(ENDS4, 99, pattern(60_000))) > 0) kept++;
    expect(kept).to.be.within(60, 75);
    socket.room = Number.POSITIVE_INFINITY;
    unblockStream();
    flushStream();
    expect(framesOf(socket.received)).to.have.length(kept);
  });
});
