/**
 * Frames of a guest that means ill, any number of them: valid ones of every protocol, spoiled in ways that parsers get wrong.
 *
 * Each has its virtio-net header in front. Addresses and ports are few, so that frames meet the flows of others.
 */
import { clientMessage, type Option, optionList } from './dhcp_client.ts';
import { iaAddress, iaNa, ME, type Option as Option6, optionList as options6, YOU } from './dhcpv6_client.ts';
import { fragment } from './fragments.ts';
import { buildDatagram, buildEcho, buildError, buildFrame, buildSegment, echoMessage, type Ends, withChecksum } from './guest_frame.ts';
import { repairHeader, withExtensions, withOptions } from './hostile_frame.ts';
import { pattern } from './tcp_dialogue.ts';
import { ENDS4, ENDS6 } from './workbench.ts';

const L2 = 10;
const L3 = L2 + 14;
/** Largest frame that the tap gives. */
const LARGEST = 65_535 + 14 + 10;
/** A virtio-net header that vouches for the checksum: what is behind it is looked at as well. */
const VOUCHED = 2;

/** A sequence of numbers from a seed (mulberry32), so that what was seen once can be seen again. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** 0 … 2³² − 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** 0 … `count` − 1. */
  below(count: number): number {
    return this.next() % count;
  }

  pick<T>(of: readonly T[]): T {
    return of[this.below(of.length)] as T;
  }

  oneIn(count: number): boolean {
    return this.below(count) === 0;
  }
}

const FAR4 = [
  ENDS4.far,
  Uint8Array.of(192, 0, 2, 1),
  Uint8Array.of(239, 1, 2, 3),
  Uint8Array.of(255, 255, 255, 255),
  Uint8Array.of(127, 0, 0, 1),
];
const FAR6 = [
  ENDS6.far,
  Uint8Array.from([0xff, 2, ...new Array<number>(13).fill(0), 0xfb]),
  Uint8Array.from([0xfe, 0x80, ...new Array<number>(13).fill(0), 1]),
];
const UNSPECIFIED = new Uint8Array(16);
const LINK_LOCAL = Uint8Array.from([0xfe, 0x80, ...new Array<number>(13).fill(0), 9]);
const ALL_ROUTERS = Uint8Array.from([0xff, 2, ...new Array<number>(13).fill(0), 2]);
const ALL_SERVERS = Uint8Array.from([0xff, 2, ...new Array<number>(11).fill(0), 1, 0, 2]);
/** A packet socket takes no more than the link's MTU. */
const MOST_OF_A_FRAME = 1400;
const SIZES = [0, 1, 7, 8, 9, 40, 512, 1400, 1472, 1473];

function endsOf(random: Random): Ends {
  const ends = random.oneIn(2) ? ENDS4 : ENDS6;
  const far = random.oneIn(4) ? random.pick(ends === ENDS4 ? FAR4 : FAR6) : ends.far;
  return { ...ends, far };
}

function sizeOf(random: Random): number {
  return random.oneIn(60) ? 20_000 + random.below(40_000) : random.pick(SIZES) + random.below(2);
}

const portOf = (random: Random): number => 1000 + random.below(6);
const farPortOf = (random: Random): number => random.pick([53, 80, 80, 443]);

function segment(random: Random, ends: Ends): Uint8Array {
  const length = random.oneIn(2) ? 0 : sizeOf(random);
  return buildSegment(ends, {
    sourcePort: portOf(random),
    destinationPort: farPortOf(random),
    seq: random.pick([1, 2, 3, 1461, 0x7fffffff, random.next() | 0]),
    ack: random.pick([0, 1, random.next() | 0]),
    flags: random.pick([2, 2, 16, 16, 24, 17, 4, 20, 18, 48, 0, 63]),
    window: random.pick([0, 1, 1000, 65_535]),
    ...(random.oneIn(3) ? { mss: random.pick([0, 1, 536, 1460, 65_535]), windowScale: random.below(16), sackPermitted: true } : {}),
    ...(random.oneIn(4) ? { sack: [{ left: random.next() | 0, right: random.next() | 0 }] } : {}),
    payload: pattern(length, random.below(1000)),
    gsoSize: length > 1000 && random.oneIn(2) ? random.pick([1, 500, 1448]) : 0,
  });
}

function datagram(random: Random, ends: Ends): Uint8Array {
  const size = sizeOf(random);
  const gsoSize = size > 500 && random.oneIn(2) ? Math.ceil(size / (1 + random.below(130))) : 0;
  return buildDatagram(ends, portOf(random), farPortOf(random), pattern(size, random.below(1000)), gsoSize);
}

function neighbourSolicitation(random: Random): Uint8Array {
  const target = [...random.pick([ENDS6.far, ENDS6.guest, ...FAR6])];
  const message = echoMessage(ENDS6, 135, 0, 0, Uint8Array.from([...target, 1, 1, ...ENDS6.guestMac]));
  const frame = buildFrame(ENDS6, 58, message);
  frame[L3 + 7] = 255;
  return frame;
}

function routerSolicitation(random: Random): Uint8Array {
  const ends = { ...ENDS6, guest: random.pick([LINK_LOCAL, UNSPECIFIED]), far: ALL_ROUTERS };
  const options = random.pick([[], [1, 1, ...ENDS6.guestMac], [1, 0, 0, 0, 0, 0, 0, 0], [14, 200, 0, 0, 0, 0, 0, 0]]);
  const frame = buildFrame(ends, 58, echoMessage(ends, 133, 0, 0, Uint8Array.from(options)));
  frame[L3 + 7] = 255;
  return frame;
}

function membership(random: Random): Uint8Array {
  const records = random.below(4);
  if (random.oneIn(2)) {
    const group = (index: number): number[] => [1 + random.below(6), 0, 0, random.below(3), 239, 0, 0, index];
    const body = Uint8Array.from(Array.from({ length: records }, (_, index) => group(index)).flat());
    const frame = buildFrame({ ...ENDS4, far: Uint8Array.of(224, 0, 0, 22) }, 2, echoMessage(ENDS4, 0x22, 0, records, body));
    frame[L3 + 8] = 1;
    repairHeader(frame);
    return frame;
  }
  const ends = { ...ENDS6, guest: LINK_LOCAL };
  const group = (index: number): number[] => [1 + random.below(6), 0, 0, random.below(3), 0xff, 2, ...new Array<number>(13).fill(0), index];
  const body = Uint8Array.from(Array.from({ length: records }, (_, index) => group(index)).flat());
  const frame = buildFrame(ends, 58, echoMessage(ends, 143, 0, records, body));
  frame[L3 + 7] = 1;
  return frame;
}

function dhcp(random: Random): Uint8Array {
  const codes = [12, 50, 52, 53, 54, 55, 57, 61, 80, 81, 119];
  const option = (): Option => [random.pick(codes), pattern(random.pick([0, 1, 2, 4, 20, 255]), random.below(1000))];
  const options: Option[] = [[53, [1 + random.below(8)]], ...Array.from({ length: random.below(6) }, option)];
  const area = Uint8Array.from([...optionList(option()).slice(0, 60), 255]);
  // A last option that says more than there is, of a kind that is returned.
  const lie = random.oneIn(2) ? [255] : [61, random.pick([1, 4, 200]), random.below(256)];
  const fields = { flags: random.pick([0, 0x8000]), file: area, sname: area, least: random.pick([0, 300]) };
  const message = clientMessage({ ...fields, raw: [...optionList(...options), ...lie] });
  return buildDatagram({ ...ENDS4, far: random.pick([...FAR4, ENDS4.far]) }, 68, 67, message);
}

/** Associations in associations, addresses by the dozen, names that point at themselves, identifiers longer than any may be. */
function dhcpv6(random: Random): Uint8Array {
  const inner = (): Option6 => random.pick<() => Option6>([() => iaAddress('2001:db8::2', 7), () => iaNa(7, iaAddress('2001:db8::9'))])();
  const option = (): Option6 =>
    random.pick<() => Option6>([
      () => iaNa(random.below(3), ...Array.from({ length: random.pick([0, 1, 2, 40]) }, inner)),
      () => [random.pick([4, 25]), pattern(random.pick([0, 4, 12, 13, 200]), random.below(1000))],
      () => [6, pattern(random.pick([0, 2, 3, 600]), random.below(1000))],
      () => [39, [random.below(8), ...random.pick([[], [63], [0xc0, 0], [1, 97, 0xc0, 1], [3, 97, 98, 99, 0]])]],
      () => [random.pick([1, 2]), pattern(random.pick([0, 1, 128, 130, 500]), random.below(1000))],
    ])();
  const honest = random.oneIn(4) ? [] : [ME, ...(random.oneIn(2) ? [YOU] : [])];
  const options = options6(...honest, ...Array.from({ length: random.below(6) }, option));
  const lie = random.oneIn(3) ? [0, random.pick([1, 3, 6, 39]), random.pick([0, 255]), random.pick([1, 255]), 7] : [];
  const message = Uint8Array.from([1 + random.below(13), 1, 2, random.below(256), ...options, ...lie]).slice(0, MOST_OF_A_FRAME);
  return buildDatagram({ ...ENDS6, guest: LINK_LOCAL, far: ALL_SERVERS }, 546, 547, message);
}

function arp(random: Random): Uint8Array {
  const asked = random.pick([ENDS4.far, ENDS4.guest]);
  const packet = [0, 1, 8, 0, 6, 4, 0, 1 + random.below(2), ...ENDS4.guestMac, ...ENDS4.guest, 0, 0, 0, 0, 0, 0, ...asked];
  const frame = new Uint8Array(L3 + packet.length);
  frame.set(ENDS4.ourMac, L2);
  frame.set(ENDS4.guestMac, L2 + 6);
  frame.set([8, 6, ...packet], L2 + 12);
  return frame;
}

function error(random: Random, ends: Ends): Uint8Array {
  const quoted = [farPortOf(random), portOf(random), random.pick([1, 2, random.next() | 0])] as const;
  const type = random.pick(ends.guest.length === 4 ? [3, 3, 4, 5, 11, 12] : [1, 2, 2, 3, 4]);
  return buildError(ends, type, random.below(6), random.pick([0, 68, 576, 1280, random.next()]), random.pick([6, 6, 17, 1, 58]), quoted);
}

function piece(random: Random, ends: Ends): Uint8Array {
  const whole = random.oneIn(3)
    ? buildEcho(ends, 7, 1, pattern(2000))
    : withChecksum(buildDatagram(ends, portOf(random), 53, pattern(2000)), ends);
  const offset = 8 * random.pick([0, 0, 1, 64, 125, 126, 8190]);
  const end = Math.min(Math.max(offset + random.pick([8, 512, 1000, 1001]), 0), 2008);
  return fragment(whole, { offset, end: Math.max(end, Math.min(offset, 2008)), more: random.oneIn(2) }, { id: random.below(5) });
}

const EXTENSIONS: readonly (readonly [number, ...number[]])[] = [
  [0, 0, 1, 4, 0, 0, 0, 0],
  [60, 0, 1, 4, 0, 0, 0, 0],
  [43, 0, 0, 0, 0, 0, 0, 0],
  [44, 0, 0, 0, 0, 0, 0, 1],
  [51, 4, 0, 0, ...new Array<number>(20).fill(0)],
  [60, 1, 5, 2, 0, 0, 1, 8, ...new Array<number>(7).fill(0)],
];

/** What we answer ourselves, if anybody does. */
function forService(random: Random): Uint8Array {
  return random.pick([neighbourSolicitation, routerSolicitation, membership, arp, dhcp, dhcp, dhcpv6, dhcpv6])(random);
}

/** A frame as a guest may send it. */
function honest(random: Random): Uint8Array {
  const ends = endsOf(random);
  switch (random.below(12)) {
    case 0:
    case 1:
    case 2:
      return segment(random, ends);
    case 3:
    case 4:
    case 5:
      return datagram(random, ends);
    case 6:
      return buildEcho(ends, random.below(5), random.below(9), pattern(sizeOf(random)));
    case 7:
      return error(random, ends);
    case 8:
      return piece(random, ends);
    case 9:
      return forService(random);
    case 10:
      return withOptions(
        datagram(random, ENDS4),
        random.pick([
          [1, 1, 1, 1],
          [148, 4, 0, 0],
          [7, 11, 4, ...new Array<number>(8).fill(0)],
        ]),
      );
    default:
      return withExtensions(
        datagram(random, ENDS6),
        Array.from({ length: 1 + random.below(3) }, () => random.pick(EXTENSIONS)),
      );
  }
}

const EDGES = [0, 1, 2, 4, 7, 8, 19, 20, 21, 39, 40, 41, 127, 128, 254, 255];
const HEADERS = 100;

/** Spoils one thing. */
function spoil(random: Random, frame: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const place = random.below(random.oneIn(3) ? frame.length : Math.min(frame.length, HEADERS));
  switch (random.below(7)) {
    case 0:
      frame[place]! ^= 1 << random.below(8);
      return frame;
    case 1:
      frame[place] = random.pick(EDGES);
      return frame;
    case 2:
      frame.set([random.pick(EDGES), random.pick(EDGES)], Math.min(place, frame.length - 2));
      return frame;
    case 3:
      return frame.slice(0, random.oneIn(2) ? place : L3 + random.below(80));
    case 4:
      return Uint8Array.from([...frame, ...pattern(random.below(100), random.below(1000))]).slice(0, LARGEST);
    case 5:
      frame.copyWithin(place, random.below(frame.length), frame.length);
      return frame;
    default:
      // The virtio-net header: flags, types and sizes that contradict the packet.
      frame[random.below(10)] = random.pick(EDGES);
      return frame;
  }
}

/** Where the message of a frame for a service begins, behind what decides who gets it. */
function messageOf(frame: Uint8Array): number {
  if (frame[L2 + 12] === 8) return frame[L2 + 13] === 6 ? L3 : L3 + 28;
  return L3 + 48;
}

/** A frame for one of our own services, and for nobody else; more often than not with something wrong in the message. */
export function hostileQuestion(random: Random): Uint8Array {
  const frame = forService(random).slice();
  const message = messageOf(frame);
  for (let left = random.pick([0, 0, 1, 2, 5]); left > 0 && frame.length > message; left--) {
    const place = message + random.below(Math.min(frame.length - message, random.pick([4, 300, 1400])));
    if (random.oneIn(2)) frame[place] = random.pick(EDGES);
    else frame.copyWithin(place, message + random.below(frame.length - message), frame.length);
  }
  return frame;
}

/** A frame of the guest, more often than not with something wrong. */
export function hostileFrame(random: Random): Uint8Array {
  let frame = honest(random).slice();
  for (let left = random.pick([0, 0, 1, 1, 1, 2, 3]); left > 0 && frame.length > 2; left--) frame = spoil(random, frame);
  if (frame.length <= L3 + 20) return frame;
  if (!random.oneIn(4) && frame[L2 + 12] === 8 && frame[L2 + 13] === 0) repairHeader(frame);
  if (!random.oneIn(4)) frame[0]! |= VOUCHED;
  return frame;
}
