/**
 * Frames as a guest's kernel makes and takes them, written without the worker's own formats so that the two check each other.
 * Each frame begins with the 10 bytes of virtio-net header.
 */

export const FIN = 1;
export const SYN = 2;
export const RST = 4;
export const PSH = 8;
export const ACK = 16;
export const URG = 32;

const VNET = 10;
const ETHERNET = 14;

/** The two ends of a packet: addresses of 4 or 16 bytes, in network order. */
export interface Ends {
  guest: Uint8Array;
  far: Uint8Array;
  guestMac: Uint8Array;
  ourMac: Uint8Array;
}

/** Bytes from `left` up to `right`, which is not one of them. */
export interface SackBlock {
  left: number;
  right: number;
}

export interface Segment {
  sourcePort: number;
  destinationPort: number;
  /** int32. */
  seq: number;
  ack: number;
  flags: number;
  /** The header field, unscaled. */
  window: number;
  /** MSS and shift of a SYN, absent where not offered. */
  mss?: number | undefined;
  windowScale?: number | undefined;
  /** RFC 2018 §2, in a SYN. */
  sackPermitted?: boolean | undefined;
  /** RFC 7323 §3.2: TSval and TSecr, int32. */
  timestamp?: { value: number; echo: number } | undefined;
  /** RFC 2018 §3: int32 edges, as in the header. */
  sack?: readonly SackBlock[] | undefined;
  /** The urgent pointer, with URG set. */
  urgent?: number | undefined;
  /** Bytes to send in place of the options above, as they stand; never set by `readSegment`. */
  rawOptions?: readonly number[] | undefined;
  payload: Uint8Array;
  /** MSS of the segments that a superframe holds, 0 for an ordinary frame. */
  gsoSize: number;
}

/** A frame of the worker, taken apart and found correct. */
export interface Packet {
  family: 4 | 6;
  protocol: number;
  source: Uint8Array;
  destination: Uint8Array;
  gsoType: number;
  gsoSize: number;
  /** TCP, UDP or ICMP header and what follows. */
  l4: Uint8Array;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function fold(sum: number): number {
  let total = sum;
  while (total > 0xffff) total = (total & 0xffff) + Math.floor(total / 0x10000);
  return total;
}

/** RFC 1071 sum, folded. */
export function sum16(bytes: Uint8Array, seed = 0): number {
  let total = seed;
  for (let at = 0; at < bytes.length; at++) total += at % 2 === 0 ? (bytes[at] as number) << 8 : (bytes[at] as number);
  return fold(total);
}

function pseudo(source: Uint8Array, destination: Uint8Array, protocol: number, length: number): number {
  return fold(sum16(source) + sum16(destination) + protocol + (length >>> 16) + (length & 0xffff));
}

/** Where the checksum is in the headers that a kernel leaves without one. */
const CHECKSUM_AT: Readonly<Record<number, number>> = { 6: 16, 17: 6 };

/**
 * An Ethernet frame of `protocol` from the guest to the far end, as its kernel hands it over: the virtio-net header tells that the TCP or
 * UDP checksum has yet to be made, and of segments if `gsoSize` > 0.
 */
export function buildFrame(ends: Ends, protocol: number, l4: Uint8Array, gsoType = 0, gsoSize = 0, headers = 0): Uint8Array {
  const ipv4 = ends.guest.length === 4;
  const header = ipv4 ? 20 : 40;
  const frame = new Uint8Array(VNET + ETHERNET + header + l4.length);
  const view = viewOf(frame);
  const checksumAt = CHECKSUM_AT[protocol];
  view.setUint8(0, checksumAt === undefined ? 0 : 1);
  view.setUint8(1, gsoType);
  view.setUint16(2, gsoType === 0 ? 0 : ETHERNET + header + headers, true);
  view.setUint16(4, gsoSize, true);
  view.setUint16(6, checksumAt === undefined ? 0 : ETHERNET + header, true);
  view.setUint16(8, checksumAt ?? 0, true);
  frame.set(ends.ourMac, VNET);
  frame.set(ends.guestMac, VNET + 6);
  view.setUint16(VNET + 12, ipv4 ? 0x0800 : 0x86dd);
  const l3 = VNET + ETHERNET;
  if (ipv4) {
    view.setUint16(l3, 0x4500);
    view.setUint16(l3 + 2, 20 + l4.length);
    view.setUint16(l3 + 6, 0x4000);
    view.setUint16(l3 + 8, (64 << 8) | protocol);
    frame.set(ends.guest, l3 + 12);
    frame.set(ends.far, l3 + 16);
    view.setUint16(l3 + 10, ~sum16(frame.subarray(l3, l3 + 20)));
  } else {
    view.setUint8(l3, 0x60);
    view.setUint16(l3 + 4, l4.length);
    view.setUint16(l3 + 6, (protocol << 8) | 64);
    frame.set(ends.guest, l3 + 8);
    frame.set(ends.far, l3 + 24);
  }
  frame.set(l4, l3 + header);
  return frame;
}

/** The frame as it comes over a link without offload: the checksum is in it. For TCP, and UDP whose sum is not 0. */
export function withChecksum(frame: Uint8Array, ends: Ends): Uint8Array {
  const whole = frame.slice();
  const view = viewOf(whole);
  const start = VNET + view.getUint16(6, true);
  const l4 = whole.subarray(start);
  const protocol = view.getUint16(8, true) === CHECKSUM_AT[6] ? 6 : 17;
  view.setUint16(start + view.getUint16(8, true), ~sum16(l4, pseudo(ends.guest, ends.far, protocol, l4.length)));
  whole.fill(0, 0, VNET);
  return whole;
}

function word(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}

/** Option bytes in the order in which kernels have them, filled up with NOPs. */
function optionBytes(segment: Segment): readonly number[] {
  if (segment.rawOptions !== undefined) return segment.rawOptions;
  const { mss, sackPermitted, timestamp, windowScale, sack } = segment;
  const options: number[] = [];
  if (mss !== undefined) options.push(2, 4, mss >>> 8, mss & 255);
  if (sackPermitted === true) options.push(4, 2);
  if (timestamp !== undefined) {
    while (options.length % 4 !== 2) options.push(1);
    options.push(8, 10, ...word(timestamp.value), ...word(timestamp.echo));
  }
  if (windowScale !== undefined) options.push(1, 3, 3, windowScale);
  if (sack !== undefined && sack.length > 0) {
    options.push(1, 1, 5, 2 + 8 * sack.length);
    for (const { left, right } of sack) options.push(...word(left), ...word(right));
  }
  while (options.length % 4 !== 0) options.push(1);
  return options;
}

/** A TCP segment of the guest. */
export function buildSegment(ends: Ends, segment: Segment): Uint8Array {
  const options = optionBytes(segment);
  const header = 20 + options.length;
  if (options.length > 40 || options.length % 4 !== 0) throw new Error(`${options.length} bytes of options don't fit a TCP header`);
  const l4 = new Uint8Array(header + segment.payload.length);
  const view = viewOf(l4);
  view.setUint16(0, segment.sourcePort);
  view.setUint16(2, segment.destinationPort);
  view.setInt32(4, segment.seq);
  view.setInt32(8, segment.ack);
  view.setUint8(12, header << 2);
  view.setUint8(13, segment.flags);
  view.setUint16(14, segment.window);
  view.setUint16(18, segment.urgent ?? 0);
  l4.set(options, 20);
  l4.set(segment.payload, header);
  const gsoType = segment.gsoSize === 0 ? 0 : ends.guest.length === 4 ? 1 : 4;
  return buildFrame(ends, 6, l4, gsoType, segment.gsoSize, header);
}

/** A UDP datagram of the guest, or a superframe of datagrams of `gsoSize` bytes. */
export function buildDatagram(ends: Ends, sourcePort: number, destinationPort: number, payload: Uint8Array, gsoSize = 0): Uint8Array {
  const l4 = new Uint8Array(8 + payload.length);
  const view = viewOf(l4);
  view.setUint16(0, sourcePort);
  view.setUint16(2, destinationPort);
  view.setUint16(4, l4.length);
  l4.set(payload, 8);
  return buildFrame(ends, 17, l4, gsoSize === 0 ? 0 : 5, gsoSize, 8);
}

/** An ICMP or ICMPv6 echo message; the checksum is right. */
export function echoMessage(ends: Ends, type: number, identifier: number, sequence: number, payload: Uint8Array): Uint8Array {
  const l4 = new Uint8Array(8 + payload.length);
  const view = viewOf(l4);
  view.setUint8(0, type);
  view.setUint16(4, identifier);
  view.setUint16(6, sequence);
  l4.set(payload, 8);
  const seed = ends.guest.length === 4 ? 0 : pseudo(ends.guest, ends.far, 58, l4.length);
  view.setUint16(2, ~sum16(l4, seed));
  return l4;
}

/** The echo request as a frame. */
export function buildEcho(ends: Ends, identifier: number, sequence: number, payload: Uint8Array): Uint8Array {
  const ipv4 = ends.guest.length === 4;
  return buildFrame(ends, ipv4 ? 1 : 58, echoMessage(ends, ipv4 ? 8 : 128, identifier, sequence, payload));
}

/** An ICMP or ICMPv6 error of the guest's side about a packet of `protocol` from the far end, of which two ports and a number are returned. */
export function buildError(
  ends: Ends,
  type: number,
  code: number,
  word: number,
  protocol: number,
  [sourcePort, destinationPort, number]: readonly [number, number, number],
): Uint8Array {
  const ipv4 = ends.guest.length === 4;
  // Seen from the packet in error, the far end is the source.
  const turned = { ...ends, guest: ends.far, far: ends.guest };
  const l4 = new Uint8Array(8);
  viewOf(l4).setUint16(0, sourcePort);
  viewOf(l4).setUint16(2, destinationPort);
  viewOf(l4).setInt32(4, number);
  const packet = buildFrame(turned, protocol, l4).subarray(VNET + ETHERNET);
  const message = new Uint8Array(8 + packet.length);
  const view = viewOf(message);
  view.setUint8(0, type);
  view.setUint8(1, code);
  view.setUint32(4, word);
  message.set(packet, 8);
  view.setUint16(2, ~sum16(message, ipv4 ? 0 : pseudo(ends.guest, ends.far, 58, message.length)));
  return buildFrame(ends, ipv4 ? 1 : 58, message);
}

function insist(holds: boolean, what: string): void {
  if (!holds) throw new Error(`a frame of the worker is wrong: ${what}`);
}

/** Takes a frame of the worker apart; throws when a length, a checksum or an offload fact is wrong. */
export function parseFrame(frame: Uint8Array, ends: Ends): Packet {
  const view = viewOf(frame);
  insist(frame.length >= VNET + ETHERNET + 20, `${frame.length} bytes`);
  const same = (at: number, mac: Uint8Array): boolean => mac.every((byte, i) => frame[at + i] === byte);
  insist(same(VNET, ends.guestMac) && same(VNET + 6, ends.ourMac), 'MAC addresses');
  const type = view.getUint16(VNET + 12);
  insist(type === 0x0800 || type === 0x86dd, `EtherType ${type}`);
  const ipv4 = type === 0x0800;
  const l3 = VNET + ETHERNET;
  const header = ipv4 ? 20 : 40;
  insist(ipv4 ? view.getUint8(l3) === 0x45 : view.getUint8(l3) >> 4 === 6, 'version');
  const length = ipv4 ? view.getUint16(l3 + 2) - header : view.getUint16(l3 + 4);
  insist(l3 + header + length === frame.length, `IP length ${length} in a frame of ${frame.length}`);
  if (ipv4) insist(sum16(frame.subarray(l3, l3 + header)) === 0xffff, 'IPv4 checksum');
  const protocol = view.getUint8(ipv4 ? l3 + 9 : l3 + 6);
  const source = frame.slice(ipv4 ? l3 + 12 : l3 + 8, ipv4 ? l3 + 16 : l3 + 24);
  const destination = frame.slice(ipv4 ? l3 + 16 : l3 + 24, ipv4 ? l3 + 20 : l3 + 40);
  const l4 = frame.slice(l3 + header);
  const packet: Packet = {
    family: ipv4 ? 4 : 6,
    protocol,
    source,
    destination,
    gsoType: view.getUint8(1),
    gsoSize: view.getUint16(4, true),
    l4,
  };
  checkOffload(view, packet, ETHERNET + header);
  return packet;
}

function checkOffload(vnet: DataView, packet: Packet, start: number): void {
  const l4 = viewOf(packet.l4);
  const total = packet.l4.length;
  if (packet.protocol === 1 || packet.protocol === 58) {
    insist(vnet.getUint8(0) === 0 && packet.gsoType === 0, 'an ICMP frame needs no offload');
    const seed = packet.family === 4 ? 0 : pseudo(packet.source, packet.destination, 58, total);
    insist(sum16(packet.l4, seed) === 0xffff, 'ICMP checksum');
    return;
  }
  const tcp = packet.protocol === 6;
  const offset = tcp ? 16 : 6;
  const headers = tcp ? (l4.getUint8(12) >> 4) * 4 : 8;
  if (!tcp && vnet.getUint8(0) === 0) {
    // It came in fragments, for which nothing is left to the guest's kernel.
    insist(sum16(packet.l4, pseudo(packet.source, packet.destination, packet.protocol, total)) === 0xffff, 'UDP checksum');
    return;
  }
  insist(vnet.getUint8(0) === 1, 'NEEDS_CSUM');
  insist(vnet.getUint16(6, true) === start && vnet.getUint16(8, true) === offset, 'where the checksum begins and lies');
  insist(vnet.getUint16(2, true) === start + headers, 'length of the headers');
  insist(l4.getUint16(offset) === pseudo(packet.source, packet.destination, packet.protocol, total), 'pseudo-header sum');
  if (packet.gsoType === 0) insist(packet.gsoSize === 0, 'a segment size without segments');
  else {
    insist(packet.gsoType === (tcp ? (packet.family === 4 ? 1 : 4) : 5), `GSO type ${packet.gsoType}`);
    insist(packet.gsoSize > 0 && packet.gsoSize < total - headers, `segment size ${packet.gsoSize} of ${total - headers} bytes`);
  }
}

/** The TCP segment of a packet. */
export function readSegment(packet: Packet): Segment {
  const view = viewOf(packet.l4);
  const header = (view.getUint8(12) >> 4) * 4;
  const segment: Segment = {
    sourcePort: view.getUint16(0),
    destinationPort: view.getUint16(2),
    seq: view.getInt32(4),
    ack: view.getInt32(8),
    flags: view.getUint8(13),
    window: view.getUint16(14),
    payload: packet.l4.slice(header),
    gsoSize: packet.gsoSize,
  };
  insist((view.getUint8(12) & 15) === 0, 'reserved bits');
  if ((segment.flags & URG) !== 0) segment.urgent = view.getUint16(18);
  else insist(view.getUint16(18) === 0, 'an urgent pointer without URG');
  readOptions(view, header, segment);
  return segment;
}

function readOptions(view: DataView, header: number, segment: Segment): void {
  const seen = new Set<number>();
  for (let at = 20; at < header; ) {
    const kind = view.getUint8(at);
    if (kind === 0) break;
    if (kind === 1) {
      at++;
      continue;
    }
    const length = at + 1 < header ? view.getUint8(at + 1) : 0;
    insist(length >= 2 && at + length <= header, `option ${kind} of ${length} bytes`);
    insist(!seen.has(kind), `two options ${kind}`);
    seen.add(kind);
    readOption(view, at, kind, length, segment);
    at += length;
  }
}

function readOption(view: DataView, at: number, kind: number, length: number, segment: Segment): void {
  const inSyn = (segment.flags & SYN) !== 0;
  const rightLength = { 2: 4, 3: 3, 4: 2, 8: 10 }[kind] ?? length;
  insist(length === rightLength, `option ${kind} of ${length} bytes`);
  insist(inSyn ? kind !== 5 : kind < 2 || kind > 4, `option ${kind} in a segment with flags ${segment.flags}`);
  if (kind === 2) segment.mss = view.getUint16(at + 2);
  if (kind === 3) segment.windowScale = view.getUint8(at + 2);
  if (kind === 4) segment.sackPermitted = true;
  if (kind === 8) segment.timestamp = { value: view.getInt32(at + 2), echo: view.getInt32(at + 6) };
  if (kind !== 5) return;
  insist(length > 2 && length % 8 === 2, `a SACK option of ${length} bytes`);
  const blocks: SackBlock[] = [];
  for (let edge = at + 2; edge < at + length; edge += 8) blocks.push({ left: view.getInt32(edge), right: view.getInt32(edge + 4) });
  segment.sack = blocks;
}
