/**
 * Frames that no honest guest sends, by the counter that each moves: for the worker alone, and for a real kernel's tap. Guest and host have
 * the addresses of workbench.ts, which are those of topology.ts.
 */
import type { CounterName } from '../../shared/counters.ts';
import { buildDatagram, buildEcho, buildError, buildFrame, buildSegment, type Ends, SYN, withChecksum } from './guest_frame.ts';
import { repairHeader, withExtensions, withOptions } from './hostile_frame.ts';
import { pattern } from './tcp_dialogue.ts';
import { ENDS4, ENDS6, MAPPED_LOOPBACK4 } from './workbench.ts';

const L2 = 10;
const L3 = L2 + 14;
/** Where the header behind a plain IPv4 header begins. */
export const L4 = L3 + 20;
const L4_OF_IPV6 = L3 + 40;

/** An IPv4 address. */
export const ip4 = (text: string): Uint8Array => Uint8Array.from(text.split('.').map(Number));

/** An IPv6 address from its first and last bytes. */
export const ip6 = (first: readonly number[], last: readonly number[] = []): Uint8Array =>
  Uint8Array.from([...first, ...new Array<number>(16 - first.length - last.length).fill(0), ...last]);

const NOTHING = new Uint8Array(0);
/** The packets of an honest guest. */
export const syn = (ends: Ends, sourcePort = 1000, destinationPort = 80): Uint8Array =>
  buildSegment(ends, { sourcePort, destinationPort, seq: 1, ack: 0, flags: SYN, window: 1000, payload: NOTHING, gsoSize: 0 });
export const datagram = (ends: Ends): Uint8Array => buildDatagram(ends, 1000, 53, pattern(40));
export const echo = (ends: Ends): Uint8Array => buildEcho(ends, 7, 1, pattern(40));

/** The frame with some bytes replaced, its IPv4 header's checksum made right again. */
function changed(frame: Uint8Array, at: number, ...bytes: number[]): Uint8Array {
  const copy = frame.slice();
  copy.set(bytes, at);
  if (copy[L2 + 12] === 8 && copy[L2 + 13] === 0) repairHeader(copy);
  return copy;
}

/** Ends of which one is another than usual. */
export const from4 = (guest: Uint8Array): Ends => ({ ...ENDS4, guest });
const to4 = (far: Uint8Array): Ends => ({ ...ENDS4, far });
const from6 = (guest: Uint8Array): Ends => ({ ...ENDS6, guest });
export const to6 = (far: Uint8Array): Ends => ({ ...ENDS6, far });
const ofAll = (ends: Ends): Uint8Array[] => [syn(ends), datagram(ends), echo(ends)];

/** An upper-layer packet of IPv6 behind extension headers, each given without its first byte, the next header. */
export const chain = (...headers: (readonly [number, ...number[]])[]): Uint8Array => withExtensions(datagram(ENDS6), headers);
/** Padding of an extension header that has no other option. */
export const PADN6 = [1, 4, 0, 0, 0, 0] as const;

/** The counter that each frame moves by one, what the frames are, the frames. */
export type Case = readonly [CounterName, string, readonly Uint8Array[]];

export const LENGTHS: readonly Case[] = [
  ['frames_malformed', 'a runt', [datagram(ENDS4).slice(0, L3 - 1), datagram(ENDS4).slice(0, L2), datagram(ENDS4).slice(0, 3)]],
  ['frames_malformed', 'half an IP header', [datagram(ENDS4).slice(0, L4 - 1), datagram(ENDS6).slice(0, L4_OF_IPV6 - 1)]],
  ['frames_malformed', 'a total length beyond the frame', [changed(datagram(ENDS4), L3 + 2, 0xff, 0xff)]],
  ['frames_malformed', 'a total length within the header', [changed(datagram(ENDS4), L3 + 2, 0, 19)]],
  [
    'frames_malformed',
    'a header length beyond the packet',
    [changed(datagram(ENDS4), L3 + 2, 0, 28, 0, 0, 0x40, 0), changed(datagram(ENDS4), L3, 0x44)],
  ],
  ['frames_malformed', 'another version', [changed(datagram(ENDS4), L3, 0x65), changed(datagram(ENDS6), L3, 0x40)]],
  ['frames_malformed', 'a payload length beyond the frame', [changed(datagram(ENDS6), L3 + 4, 0xff, 0xff)]],
  ['frames_malformed', 'a jumbo payload that is told of nowhere', [changed(datagram(ENDS6), L3 + 4, 0, 0)]],
  [
    'frames_malformed',
    'a jumbo payload by RFC 2675',
    [changed(chain([0, 0, 0xc2, 4, 0, 1, 0, 0]), L3 + 4, 0, 0), chain([0, 0, 0xc2, 4, 0, 1, 0, 0])],
  ],
  [
    'frames_malformed',
    'a UDP length beyond the packet, below the header, or 0',
    [ENDS4, ENDS6].flatMap((ends) =>
      [0xffff, 49, 7, 0].map((length) => changed(datagram(ends), (ends === ENDS4 ? L4 : L4_OF_IPV6) + 4, length >> 8, length & 255)),
    ),
  ],
  [
    'frames_malformed',
    'half a UDP header',
    [buildFrame(ENDS4, 17, pattern(7)), buildFrame(ENDS6, 17, pattern(7)), buildFrame(ENDS6, 17, NOTHING)],
  ],
  ['frames_malformed', 'half a TCP header', [buildFrame(ENDS4, 6, pattern(19)), buildFrame(ENDS6, 6, pattern(19))]],
  ['frames_malformed', 'a TCP header beyond the segment', [changed(syn(ENDS4), L4 + 12, 0xf0), changed(syn(ENDS4), L4 + 12, 0x40)]],
  ['frames_malformed', 'half an ICMP header', [buildFrame(ENDS4, 1, pattern(7)), buildFrame(ENDS6, 58, pattern(7))]],
];

export const HEADERS: readonly Case[] = [
  ['frames_unknown_protocol', 'a VLAN tag', [changed(datagram(ENDS4), L2 + 12, 0x81, 0), changed(datagram(ENDS4), L2 + 12, 0x88, 0xa8)]],
  ['frames_unknown_protocol', 'the length of IEEE 802.3', [changed(datagram(ENDS4), L2 + 12, 0, 68)]],
  [
    'frames_unknown_protocol',
    'protocols that nobody takes',
    [0, 4, 41, 50, 132, 255].map((protocol) => buildFrame(ENDS4, protocol, pattern(40))),
  ],
  [
    'frames_unknown_protocol',
    'the other family’s ICMP',
    [buildFrame(ENDS4, 58, pattern(40)), buildFrame(ENDS6, 1, pattern(40)), buildFrame(ENDS6, 2, pattern(40))],
  ],
  ['frames_unknown_protocol', 'no next header', [buildFrame(ENDS6, 59, pattern(40))]],
  [
    'frames_malformed',
    'IPv4 options that overrun, are too short, or ask for another way (RFC 7126 §4.3)',
    [
      [7, 39, 4, 0],
      [7, 1, 4, 0],
      [7, 0, 4, 0],
      [1, 1, 1, 7],
      [131, 4, 4, 0],
      [137, 7, 4, 10, 0, 0, 1, 0],
    ].map((options) => withOptions(datagram(ENDS4), options)),
  ],
  [
    'frames_malformed',
    'extension headers that overrun, repeat too often, are out of place, or hold what must not be skipped',
    [
      chain([0, 255, ...PADN6]),
      chain(...new Array<readonly [number, ...number[]]>(9).fill([60, 0, ...PADN6])),
      chain([60, 0, ...PADN6], [0, 0, ...PADN6]),
      chain([43, 0, 0, 1, 0, 0, 0, 0]),
      chain([60, 0, 0x81, 4, 0, 0, 0, 0]),
      chain([60, 0, 1, 5, 0, 0, 0, 0]),
      chain([51, 255, 0, 0, 0, 0, 0, 0]),
    ],
  ],
  [
    'frames_bad_checksum',
    'the checksum of an IPv4 header that is wrong',
    [datagram(ENDS4).map((byte, at) => (at === L3 + 8 ? byte ^ 1 : byte))],
  ],
  [
    'frames_bad_checksum',
    'no UDP checksum over IPv6, where there must be one (RFC 8200 §8.1)',
    [withChecksum(datagram(ENDS6), ENDS6).map((byte, at) => (at >= L4_OF_IPV6 + 6 && at < L4_OF_IPV6 + 8 ? 0 : byte))],
  ],
  [
    'frames_bad_checksum',
    'a bit that has changed on the way',
    [ENDS4, ENDS6]
      .flatMap((ends) => [withChecksum(syn(ends), ends), withChecksum(datagram(ends), ends), echo(ends)])
      .map((frame) => frame.map((byte, at) => (at === frame.length - 1 ? byte ^ 4 : byte))),
  ],
];

/** These need a virtio-net header of the sender's own. */
export const OFFLOADS: readonly Case[] = [
  [
    'frames_malformed',
    'offload facts that contradict the packet, or that no kernel makes',
    [
      changed(datagram(ENDS4), 1, 1, 0, 0, 100),
      changed(syn(ENDS4), 1, 4, 0, 0, 100),
      changed(datagram(ENDS4), 1, 3, 0, 0, 100),
      changed(datagram(ENDS4), 1, 77),
      buildDatagram(ENDS4, 1000, 53, pattern(100), 0).map((byte, at) => (at === 1 ? 5 : byte)),
      buildDatagram(ENDS4, 1000, 53, pattern(129), 1),
      buildDatagram(ENDS6, 1000, 53, pattern(60_000), 400),
    ],
  ],
];

export const ADDRESSES: readonly Case[] = [
  [
    'frames_loopback_address',
    'from or to loopback',
    [...ofAll(from4(ip4('127.0.0.1'))), ...ofAll(to4(ip4('127.9.9.9'))), ...ofAll(from6(ip6([], [1]))), ...ofAll(to6(ip6([], [1])))],
  ],
  ['frames_bad_address', 'from nobody', [...ofAll(from4(ip4('0.0.0.0'))), ...ofAll(from6(ip6([])))]],
  ['frames_bad_address', 'to nobody', [...ofAll(to4(ip4('0.0.0.0'))), ...ofAll(to6(ip6([])))]],
  [
    'frames_bad_address',
    'from a group or from all',
    [...ofAll(from4(ip4('224.0.0.1'))), ...ofAll(from4(ip4('255.255.255.255'))), ...ofAll(from6(ip6([0xff, 2], [1])))],
  ],
  [
    'frames_bad_address',
    'IPv4 in disguise',
    [...ofAll(from6(ip6([], [255, 255, 10, 0, 0, 1]))), ...ofAll(to6(ip6([], [255, 255, 127, 0, 0, 1])))],
  ],
  [
    'frames_bad_address',
    'to a group that does not leave its node (RFC 4291 §2.7)',
    [datagram(to6(ip6([0xff, 1], [1]))), datagram(to6(ip6([0xff, 0x10], [1])))],
  ],
  ['frames_bad_address', 'from us', [...ofAll(from4(ip4(MAPPED_LOOPBACK4))), ...ofAll(from6(ip6([0xfe, 0x80], [1])))]],
  ['frames_bad_address', 'from where it goes to', [...ofAll(from4(ENDS4.far)), ...ofAll(from6(ENDS6.far))]],
  [
    'frames_bad_address',
    'from a MAC that no station has, or from ours',
    [[1, 0, 94, 0, 0, 1], [255, 255, 255, 255, 255, 255], [0, 0, 0, 0, 0, 0], [...ENDS4.ourMac]].flatMap((mac) =>
      ofAll({ ...ENDS4, guestMac: Uint8Array.from(mac) }),
    ),
  ],
  [
    'frames_not_served',
    'a TCP segment to a group',
    [syn(to4(ip4('224.0.0.9'))), syn(to4(ip4('255.255.255.255'))), syn(to6(ip6([0xff, 2], [9])))],
  ],
  ['frames_not_served', 'an echo request to a group', [echo(to4(ip4('224.0.0.1'))), echo(to6(ip6([0xff, 2], [1])))]],
  [
    'frames_not_served',
    'port 0',
    [syn(ENDS4, 0), syn(ENDS6, 1000, 0), buildDatagram(ENDS4, 0, 53, pattern(1)), buildDatagram(ENDS6, 1000, 0, pattern(1))],
  ],
];

export const ERRORS: readonly Case[] = [
  [
    'icmp_ignored',
    'ICMP errors about flows that do not exist',
    [6, 17, 1].flatMap((protocol) => [
      ...[3, 11, 12, 5, 4].map((type) => buildError(ENDS4, type, 0, 0, protocol, [80, 1000, 1])),
      buildError(ENDS4, 3, 4, 500, protocol, [80, 1000, 1]),
      ...[1, 2, 3, 4].map((type) => buildError(ENDS6, type, 0, 1280, protocol, [80, 1000, 1])),
    ]),
  ],
  [
    'icmp_ignored',
    'replies that nobody has asked for, and messages that are not for hosts',
    [0, 13, 15, 17, 40, 255].map((type) => buildError(ENDS4, type, 0, 0, 17, [1, 2, 3])),
  ],
];
