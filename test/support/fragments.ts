/** Fragments of a guest, as a kernel or somebody who means ill makes them. */
import { type Ends, sum16 } from './guest_frame.ts';

const VNET = 10;
const L3 = VNET + 14;
const FRAGMENT = 44;

/** A piece of a packet: bytes from `offset` up to `end`, and whether more follow. */
export interface Cut {
  offset: number;
  end: number;
  more: boolean;
  /** The bytes, where they are not those of the packet. */
  bytes?: Uint8Array;
}

export interface FragmentOptions {
  id?: number;
  /** TTL or hop limit, and traffic class. */
  hopLimit?: number;
  trafficClass?: number;
}

/** One fragment: a frame with the addresses and protocol of `whole`, which carries its checksum (`withChecksum`), and no offload. */
export function fragment(whole: Uint8Array, cut: Cut, options: FragmentOptions = {}): Uint8Array {
  const ipv4 = whole[VNET + 12] === 8;
  const header = ipv4 ? 20 : 40;
  const data = cut.bytes ?? whole.subarray(L3 + header + cut.offset, L3 + header + cut.end);
  const extra = ipv4 ? 0 : 8;
  const frame = new Uint8Array(L3 + header + extra + data.length);
  frame.set(whole.subarray(VNET, L3 + header), VNET);
  frame.set(data, L3 + header + extra);
  const view = new DataView(frame.buffer, L3);
  const id = options.id ?? 1;
  if (ipv4) {
    view.setUint8(1, options.trafficClass ?? 0);
    view.setUint16(2, 20 + data.length);
    view.setUint16(4, id);
    view.setUint16(6, (cut.more ? 0x2000 : 0) | (cut.offset >> 3));
    view.setUint8(8, options.hopLimit ?? 64);
    view.setUint16(10, 0);
    view.setUint16(10, ~sum16(frame.subarray(L3, L3 + 20)));
  } else {
    view.setUint16(0, 0x6000 | ((options.trafficClass ?? 0) << 4));
    view.setUint16(4, 8 + data.length);
    view.setUint8(40, view.getUint8(6));
    view.setUint8(6, FRAGMENT);
    view.setUint8(7, options.hopLimit ?? 64);
    view.setUint16(42, (cut.offset & 0xfff8) | (cut.more ? 1 : 0));
    view.setUint32(44, id);
  }
  return frame;
}

/** Bytes behind the IP header of a frame without extension headers. */
export function dataLength(whole: Uint8Array): number {
  return whole.length - L3 - (whole[VNET + 12] === 8 ? 20 : 40);
}

/** The packet in fragments of `size` bytes, a multiple of 8; the last may be shorter. */
export function fragments(whole: Uint8Array, size: number, options: FragmentOptions = {}): Uint8Array[] {
  const length = dataLength(whole);
  const cuts: Cut[] = [];
  for (let offset = 0; offset < length; offset += size)
    cuts.push({ offset, end: Math.min(offset + size, length), more: offset + size < length });
  return cuts.map((cut) => fragment(whole, cut, options));
}

/** The same guest under another address, the last byte of which is `last`. */
export function neighbour(ends: Ends, last: number): Ends {
  const guest = ends.guest.slice();
  guest[guest.length - 1] = last;
  return { ...ends, guest };
}

interface Piece {
  offset: number;
  more: boolean;
  id: number;
  data: Uint8Array;
}

function readFragment(frame: Uint8Array): Piece {
  const ipv4 = frame[VNET + 12] === 8;
  const view = new DataView(frame.buffer, frame.byteOffset + L3, frame.length - L3);
  if (!ipv4 && view.getUint8(6) !== FRAGMENT) throw new Error(`next header ${view.getUint8(6)} in place of a fragment header`);
  const length = ipv4 ? view.getUint16(2) : 40 + view.getUint16(4);
  if (length !== frame.length - L3) throw new Error(`IP length ${length} in a frame of ${frame.length}`);
  if (ipv4 && sum16(frame.subarray(L3, L3 + 20)) !== 0xffff) throw new Error('IPv4 checksum');
  if (frame.subarray(0, VNET).some((byte) => byte !== 0)) throw new Error('a fragment with offload facts');
  const field = view.getUint16(ipv4 ? 6 : 42);
  return {
    offset: ipv4 ? (field & 0x1fff) << 3 : field & 0xfff8,
    more: (field & (ipv4 ? 0x2000 : 1)) !== 0,
    id: ipv4 ? view.getUint16(4) : view.getUint32(44),
    data: frame.slice(L3 + (ipv4 ? 20 : 48)),
  };
}

/** Puts together what the worker has sent in fragments, in order and without gaps; throws when something is wrong. The frame has offload facts as UDP has. */
export function assemble(frames: readonly Uint8Array[]): { frame: Uint8Array; id: number } {
  const pieces = frames.map(readFragment);
  const [first] = pieces as [Piece, ...Piece[]];
  let end = 0;
  for (const [at, { offset, more, id, data }] of pieces.entries()) {
    if (offset !== end || id !== first.id) throw new Error(`fragment ${at} of packet ${id} at ${offset} behind ${end} of ${first.id}`);
    if (more !== at < pieces.length - 1) throw new Error(`fragment ${at} is wrong about whether more follow`);
    if (more && data.length % 8 !== 0) throw new Error(`fragment ${at} has ${data.length} bytes`);
    end += data.length;
  }
  const [template] = frames as [Uint8Array];
  const ipv4 = template[VNET + 12] === 8;
  const header = ipv4 ? 20 : 40;
  const frame = new Uint8Array(L3 + header + end);
  frame.set(template.subarray(0, L3 + header));
  const view = new DataView(frame.buffer, L3);
  for (const { offset, data } of pieces) frame.set(data, L3 + header + offset);
  if (ipv4) {
    view.setUint16(2, header + end);
    view.setUint32(4, 0);
    view.setUint16(10, 0);
    view.setUint16(10, ~sum16(frame.subarray(L3, L3 + 20)));
  } else {
    view.setUint16(4, end);
    view.setUint8(6, template[L3 + 40] as number);
  }
  return { frame, id: first.id };
}
