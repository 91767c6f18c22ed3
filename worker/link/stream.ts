/**
 * A guest behind a stream socket, as QEMU has it: each frame is four bytes of length in network order, then the frame, either way.
 *
 * Theory of operation. What is read goes where a tap's frames go, and stays where it lies; only the piece of a frame at the end is
 * moved to the front before the next read. What is written is gathered and goes out when a turn ends, or when much is there. The guest's
 * kernel is told of no offload here, so what the virtio-net header of our own frames leaves to it is done now: checksums are
 * completed, and superframes are cut into frames of one segment each.
 *
 * What the socket does not take waits. While much waits nobody is to send more (`hasRoom`); what is sent all the same, beyond the buffer's
 * end, is a lost frame. A length that no frame has means that the two ends do not understand each other any more: the link is at its end.
 *
 * A tap without a virtio-net header, which somebody else has made, is such a link too: the kernel behind it is told of no offload either. But
 * there each read and each write is one frame, so nothing is gathered, and nothing waits: what the tap does not take is a lost frame.
 */
import { VNET_HEADER } from '../../shared/limits.ts';
import { complement, completeChecksum, fold, pseudoSum4, pseudoSum6, sum } from '../wire/checksum.ts';
import { ETHERNET_HEADER, ETHERTYPE_IPV4, etherType } from '../wire/ethernet.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import { bytes, view } from '../wire/memory.ts';
import * as tcp from '../wire/tcp.ts';
import * as vnet from '../wire/vnet.ts';
import { RECEIVE, RECEIVE_LENGTHS, RECEIVE_SLOTS, SLOT, STREAM_OUT, STREAM_OUT_SIZE } from './arena.ts';
import { captureFrame, captures } from './capture.ts';
import { kernel } from './kernel.ts';
import { MOST_RECEIVED, receiveInPlace, receiveInSlots, setReceived } from './received.ts';

const EAGAIN = 11;
const ENOBUFS = 105;
const EPROTO = 71;
/** Bytes of a frame's length. */
const PREFIX = 4;
const LARGEST_FRAME = 65_535;
/** RFC 894: what is shorter is padded. */
const SHORTEST_FRAME = 60;
/** Bytes read at once: what stays in the processor's cache until it is passed on. */
const READ = 1 << 18;
/** So much is written at once. */
const ENOUGH = 1 << 18;
/** So much may wait before senders are stopped, and so little is left when they go on. */
const MUCH = 1 << 20;
const LITTLE = 1 << 18;

let fd = -1;
let isTap = false;
/** Bytes from RECEIVE on that are not taken yet: the piece of a frame. */
let pieceAt = 0;
let pieceLength = 0;
let wasFull = false;
/** What waits to be written. */
let outFrom = STREAM_OUT;
let outTo = STREAM_OUT;
/** The socket is full, and tells when it is not. */
let blocked = false;

/** Takes a socket, connected to a guest, or a tap without a header; what was left of an earlier one is forgotten. */
export function openStream(descriptor: number, tap = false): void {
  fd = descriptor;
  isTap = tap;
  pieceAt = 0;
  pieceLength = 0;
  outFrom = STREAM_OUT;
  outTo = STREAM_OUT;
  blocked = false;
  if (tap) receiveInSlots(0);
  else receiveInPlace();
}

/** The guest has gone: what is sent from now on is lost. */
export function closeStream(): void {
  fd = -1;
  outFrom = STREAM_OUT;
  outTo = STREAM_OUT;
  blocked = false;
}

/** Finds the frames in the bytes that are there. How many, or −EPROTO. */
function findFrames(end: number): number {
  let at = RECEIVE;
  let count = 0;
  while (end - at >= PREFIX && count < MOST_RECEIVED) {
    const length = view.getUint32(at);
    if (length < ETHERNET_HEADER || length > LARGEST_FRAME) return -EPROTO;
    if (end - at - PREFIX < length) break;
    setReceived(count++, at + PREFIX, length);
    at += PREFIX + length;
  }
  pieceAt = at;
  pieceLength = end - at;
  return count;
}

/** Whether a whole frame is among the bytes that are not taken yet. */
export function holdsFrame(): boolean {
  return pieceLength >= PREFIX && pieceLength - PREFIX >= view.getUint32(RECEIVE);
}

/** Whether the last batch has left frames, here or in the socket. */
export function streamHasMore(): boolean {
  return wasFull || holdsFrame();
}

function receivePackets(): number {
  const count = kernel.readPackets(fd, RECEIVE, SLOT, RECEIVE_LENGTHS, RECEIVE_SLOTS, READ);
  wasFull = count === RECEIVE_SLOTS;
  return count;
}

/** Reads a batch of frames (received.ts). Count, 0 at the end of the stream, or −errno. */
export function receiveStream(): number {
  if (fd < 0) return -EAGAIN;
  if (isTap) return receivePackets();
  if (pieceLength > 0 && pieceAt !== RECEIVE) bytes.copyWithin(RECEIVE, pieceAt, pieceAt + pieceLength);
  pieceAt = RECEIVE;
  if (holdsFrame()) return findFrames(RECEIVE + pieceLength);
  for (;;) {
    const got = kernel.read(fd, RECEIVE + pieceLength, READ);
    if (got <= 0) return got;
    wasFull = got === READ;
    const count = findFrames(RECEIVE + pieceLength + got);
    if (count !== 0) return count;
  }
}

/** Writes what waits. 0, or −errno when the guest has gone. */
export function flushStream(): number {
  if (blocked || outFrom === outTo || fd < 0) return 0;
  const written = kernel.write(fd, outFrom, outTo - outFrom);
  if (written === -EAGAIN) {
    blocked = true;
    return 0;
  }
  if (written < 0) return written;
  outFrom += written;
  if (outFrom === outTo) {
    outFrom = STREAM_OUT;
    outTo = STREAM_OUT;
  } else blocked = true;
  return 0;
}

/** The socket takes more, it said. */
export function unblockStream(): void {
  blocked = false;
}

/** Whether the socket is to say when it takes more. */
export function isBlocked(): boolean {
  return blocked;
}

/** False while so much waits that nobody is to send more, if it can be helped. */
export function streamHasRoom(): boolean {
  return outTo - outFrom < MUCH;
}

/** Whether those who were stopped may go on. */
export function streamIsCalm(): boolean {
  return outTo - outFrom <= LITTLE;
}

/** Makes `length` bytes of room behind what waits. Their place, or −1. */
function reserve(length: number): number {
  if (outTo - STREAM_OUT + length > STREAM_OUT_SIZE && outFrom > STREAM_OUT) {
    bytes.copyWithin(STREAM_OUT, outFrom, outTo);
    outTo -= outFrom - STREAM_OUT;
    outFrom = STREAM_OUT;
  }
  return outTo - STREAM_OUT + length > STREAM_OUT_SIZE ? -1 : outTo;
}

/** The frame of `length` bytes that was written behind its prefix is complete. Negative: a tap has not taken it, −errno. */
function commit(at: number, length: number): number {
  const padded = Math.max(length, SHORTEST_FRAME);
  if (padded > length) bytes.fill(0, at + PREFIX + length, at + PREFIX + padded);
  if (isTap) {
    const written = kernel.write(fd, at + PREFIX, padded);
    if (written < 0) return written;
  } else {
    view.setUint32(at, padded);
    outTo = at + PREFIX + padded;
  }
  if (captures) captureFrame(at + PREFIX, padded);
  return padded;
}

function transmitWhole(at: number, length: number): number {
  const room = reserve(PREFIX + Math.max(length, SHORTEST_FRAME));
  if (room < 0) return -ENOBUFS;
  const to = room + PREFIX;
  const l2 = at + VNET_HEADER;
  bytes.copyWithin(to, l2, l2 + length);
  if ((vnet.flags(at) & vnet.VIRTIO_NET_HDR_F_NEEDS_CSUM) !== 0) {
    const start = vnet.checksumStart(at);
    completeChecksum(to + start, length - start, vnet.checksumOffset(at));
  }
  return commit(room, length);
}

/** One segment of the superframe whose headers lie at `l2`: its data from `data`. */
function writeSegment(room: number, l2: number, l4Offset: number, headers: number, data: number, length: number, last: boolean): number {
  const to = room + PREFIX;
  const l3 = to + ETHERNET_HEADER;
  const l4 = to + l4Offset;
  bytes.copyWithin(to, l2, l2 + headers);
  bytes.copyWithin(to + headers, data, data + length);
  const total = headers - l4Offset + length;
  let pseudo: number;
  if (etherType(l2) === ETHERTYPE_IPV4) {
    ipv4.setTotalLength(l3, l4 - l3 + total);
    pseudo = pseudoSum4(ipv4.source(l3), ipv4.destination(l3), ipv4.PROTOCOL_TCP, total);
  } else {
    ipv6.setPayloadLength(l3, total);
    pseudo = pseudoSum6(l3, ipv4.PROTOCOL_TCP, total);
  }
  tcp.setSequence(l4, (tcp.sequence(l2 + l4Offset) + data - l2 - headers) | 0);
  if (!last) tcp.setFlags(l4, tcp.flags(l4) & ~(tcp.FIN | tcp.PSH));
  tcp.setChecksum(l4, 0);
  tcp.setChecksum(l4, complement(sum(l4, total, fold(pseudo))));
  return commit(room, headers + length);
}

/** RFC 9293 §3.7: the superframe as the guest's kernel would have cut it. */
function transmitSegments(at: number, length: number): number {
  const l2 = at + VNET_HEADER;
  const headers = vnet.headerLength(at);
  const size = vnet.gsoSize(at);
  const end = l2 + length;
  for (let data = l2 + headers; data < end; data += size) {
    const piece = Math.min(size, end - data);
    const room = reserve(PREFIX + Math.max(headers + piece, SHORTEST_FRAME));
    if (room < 0) return -ENOBUFS;
    const sent = writeSegment(room, l2, vnet.checksumStart(at), headers, data, piece, data + piece === end);
    if (sent < 0) return sent;
  }
  return length;
}

/** Sends the frame of ours at `at`, `length` bytes with its virtio-net header. Bytes, or −errno: a lost frame. */
export function transmitStream(at: number, length: number): number {
  if (fd < 0) return -ENOBUFS;
  const frame = length - VNET_HEADER;
  const sent = vnet.gsoType(at) === vnet.VIRTIO_NET_HDR_GSO_NONE ? transmitWhole(at, frame) : transmitSegments(at, frame);
  if (outTo - outFrom >= ENOUGH) flushStream();
  return sent;
}
