/**
 * A fragment of the guest, and the packet that it completes (RFC 791 §3.2, RFC 8200 §4.5).
 *
 * Theory of operation. A fragment that can not be right is dropped before it can take a slot: one without data, one in the middle that is
 * no multiple of 8, one that reaches beyond 65,535 (the "ping of death"), a first one that does not hold the header which says whose the
 * packet is (RFC 1858 §3, RFC 3128 §2, RFC 7112 §5). The others are put together in their slot (store.ts, pieces.ts). A packet whose fragments
 * contradict each other keeps its slot, so that nothing that comes later of it can begin it anew, and is the first to go.
 *
 * A complete packet gets plain headers, without options or extensions that were looked at already, and is parsed like any other: its
 * checksum, which no kernel vouches for, is verified with it. Traffic class and hop limit are those of its first fragment, but for ECN.
 */
import { Counter } from '../../shared/counters.ts';
import { key, KEY_FAR, KEY_GUEST } from '../flow/table.ts';
import { counters } from '../link/counters.ts';
import { LINK_HEADER } from '../link/link.ts';
import { ETHERNET_HEADER } from '../wire/ethernet.ts';
import { frame, parse, Verdict } from '../wire/frame.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as extension from '../wire/ipv6-extension.ts';
import * as ipv6 from '../wire/ipv6.ts';
import { bytes } from '../wire/memory.ts';
import { writeVnetPlain } from '../wire/vnet.ts';
import { MAX_REASSEMBLIES } from '../../shared/limits.ts';
import { tellParameterProblem, tellTimeExceeded } from './complaint.ts';
import { addPiece, clearPieces, lengthOf, Piece } from './pieces.ts';
import { beginPacket, findPacket, makeOldest, releasePacket, slotOf } from './store.ts';

/** A slot: the IP headers of the first fragment as they came, room for those of the whole packet, and its data. */
const HEADERS = 0;
const HEADERS_SIZE = 256;
const DATA = 512;

const LARGEST_PACKET = 65_535;
const TCP_HEADER = 20;
/** UDP, ICMP and ICMPv6: whose it is, is in the first 8 bytes. */
const LEAST_HEADER = 8;

/** Codes and a pointer of ICMPv6 "parameter problem" (RFC 4443 §3.4, RFC 7112 §5). */
const ERRONEOUS_FIELD = 0;
const INCOMPLETE_HEADERS = 3;
const PAYLOAD_LENGTH_FIELD = 4;
const FRAGMENT_OFFSET_FIELD = 2;

const NOT_ECT = 0;
const CE = 3;

/** Of each packet: bytes of the first fragment's IP headers and data (0: it has not come), its upper-layer protocol. */
const headerLength = new Int32Array(MAX_REASSEMBLIES + 1);
const firstLength = new Int32Array(MAX_REASSEMBLIES + 1);
const protocolOf = new Int32Array(MAX_REASSEMBLIES + 1);
/** Bit n: a fragment had the ECN field n. Nothing more is taken of a refused packet. */
const ecnSeen = new Int32Array(MAX_REASSEMBLIES + 1);
const refused = new Uint8Array(MAX_REASSEMBLIES + 1);

/** The fragment in `frame`. */
let id = 0;
let offset = 0;
let more = false;
let fragmentField = 0;

function readFragment(): void {
  if (frame.family === 4) {
    id = ipv4.identification(frame.l3);
    offset = ipv4.fragmentOffset(frame.l3);
    more = ipv4.moreFragments(frame.l3);
  } else {
    const at = extension.fragmentAt;
    id = extension.fragmentId(at);
    offset = extension.fragmentOffset(at);
    more = extension.moreFragments(at);
    fragmentField = at + FRAGMENT_OFFSET_FIELD - frame.l3;
  }
}

function complainParameter(code: number, pointer: number): void {
  if (frame.family === 4) return;
  tellParameterProblem(frame.l3, frame.l4, frame.end - frame.l4, offset === 0 ? frame.protocol : 0, code, pointer);
}

/** Whether the first fragment, whose data are in `frame`, holds the upper-layer header. */
function holdsHeaders(): boolean {
  let protocol = frame.protocol;
  let l4 = frame.l4;
  if (frame.family === 6 && extension.isExtension(protocol)) {
    if (extension.walk(protocol, l4, frame.end) !== Verdict.OK) return false;
    protocol = extension.protocol;
    l4 = extension.upper;
  }
  return frame.end - l4 >= (protocol === ipv4.PROTOCOL_TCP ? TCP_HEADER : LEAST_HEADER);
}

/** Whether the fragment can be part of a packet. */
function isSound(): boolean {
  const length = frame.end - frame.l4;
  const most = LARGEST_PACKET - (frame.family === 4 ? ipv4.headerLength(frame.l3) : 0);
  if (length === 0 || frame.l4 - frame.l3 > HEADERS_SIZE) return false;
  if (more && (length & 7) !== 0) {
    complainParameter(ERRONEOUS_FIELD, PAYLOAD_LENGTH_FIELD);
    return false;
  }
  if (offset + length > most) {
    complainParameter(ERRONEOUS_FIELD, fragmentField);
    return false;
  }
  if (offset !== 0) return offset > LEAST_HEADER || frame.protocol !== ipv4.PROTOCOL_TCP;
  if (holdsHeaders()) return true;
  complainParameter(INCOMPLETE_HEADERS, 0);
  return false;
}

/** Whether anybody here takes such packets; of later IPv6 fragments the first one alone tells. */
function isServed(): boolean {
  switch (frame.protocol) {
    case ipv4.PROTOCOL_TCP:
    case ipv4.PROTOCOL_UDP:
      return true;
    case ipv4.PROTOCOL_ICMP:
      return frame.family === 4;
    case ipv6.PROTOCOL_ICMPV6:
      return frame.family === 6;
    default:
      return frame.family === 6 && extension.isExtension(frame.protocol);
  }
}

function begin(protocol: number): number {
  const packet = beginPacket(id, protocol);
  clearPieces(packet);
  headerLength[packet] = firstLength[packet] = ecnSeen[packet] = refused[packet] = 0;
  return packet;
}

function rememberFirst(packet: number): void {
  bytes.copyWithin(slotOf(packet) + HEADERS, frame.l3, frame.l4);
  headerLength[packet] = frame.l4 - frame.l3;
  firstLength[packet] = frame.end - frame.l4;
  protocolOf[packet] = frame.protocol;
}

function refuse(packet: number): void {
  counters[Counter.fragments_overlapping]!++;
  if (refused[packet] === 1) return;
  refused[packet] = 1;
  firstLength[packet] = 0;
  makeOldest(packet);
}

/** The first fragment's traffic class, congestion experienced if any fragment has; −1: what came can not be one packet (RFC 3168 §5.3). */
function trafficClassOf(packet: number, first: number): number {
  const seen = ecnSeen[packet]!;
  if ((seen & (1 << CE)) === 0) return first;
  return (seen & (1 << NOT_ECT)) === 0 ? first | CE : -1;
}

/** Writes the headers of the complete packet and parses it. */
function finish(packet: number): number {
  const slot = slotOf(packet);
  const length = lengthOf(packet);
  const family = frame.family;
  const headers = slot + HEADERS;
  const l3 = slot + DATA - (family === 4 ? ipv4.IPV4_HEADER : ipv6.IPV6_HEADER);
  const l2 = l3 - ETHERNET_HEADER;
  const protocol = protocolOf[packet]!;
  const traffic = trafficClassOf(packet, family === 4 ? ipv4.tos(headers) : ipv6.trafficClass(headers));
  releasePacket(packet);
  if (traffic < 0) {
    counters[Counter.fragments_malformed]!++;
    return Verdict.FRAGMENT;
  }
  if (family === 4) {
    const total = ipv4.IPV4_HEADER + length;
    ipv4.writeIpv4(l3, total, protocol, key[KEY_GUEST + 3]!, key[KEY_FAR + 3]!, ipv4.ttl(headers), traffic);
    // Whoever sends fragments does not ask for none.
    ipv4.writeFragment4(l3, total, ipv4.identification(headers), 0, false);
  } else {
    const label = ipv6.flowLabel(headers);
    ipv6.writeIpv6(l3, length, protocol, key, KEY_GUEST, key, KEY_FAR, ipv6.hopLimit(headers), traffic, label);
  }
  bytes.copyWithin(l2, frame.l2, frame.l2 + ETHERNET_HEADER);
  writeVnetPlain(l2 - LINK_HEADER);
  counters[Counter.datagrams_reassembled]!++;
  const verdict = parse(l2 - LINK_HEADER, slot + DATA + length - (l2 - LINK_HEADER), LINK_HEADER > 0);
  frame.fragment = 1;
  return verdict;
}

/**
 * The fragment in `frame`, whose addresses are in `key`. Returns Verdict.FRAGMENT when there is nothing more to do for it; otherwise it has
 * completed a packet, which was parsed with the verdict returned.
 */
export function takeFragment(): number {
  readFragment();
  if (!isServed()) {
    counters[Counter.frames_unknown_protocol]!++;
    return Verdict.FRAGMENT;
  }
  if (!isSound()) {
    counters[Counter.fragments_malformed]!++;
    return Verdict.FRAGMENT;
  }
  // RFC 791 §3.2: the protocol is part of what identifies a packet; RFC 8200 §4.5: it is not.
  const protocol = frame.family === 4 ? frame.protocol : 0;
  const packet = findPacket(id, protocol) || begin(protocol);
  if (refused[packet] === 1) {
    refuse(packet);
    return Verdict.FRAGMENT;
  }
  switch (addPiece(packet, slotOf(packet) + DATA, offset, frame.end - frame.l4, frame.l4, more)) {
    case Piece.CONFLICT:
      refuse(packet);
      return Verdict.FRAGMENT;
    case Piece.COPY:
      counters[Counter.fragments_duplicate]!++;
      return Verdict.FRAGMENT;
    case Piece.KEPT:
      if (offset === 0) rememberFirst(packet);
      ecnSeen[packet]! |= 1 << (frame.trafficClass & 3);
      return Verdict.FRAGMENT;
    default:
      if (offset === 0) rememberFirst(packet);
      ecnSeen[packet]! |= 1 << (frame.trafficClass & 3);
      return finish(packet);
  }
}

/** The packet is given up because its time is over; the guest is told if its first fragment has come. */
export function abandonPacket(packet: number): void {
  counters[Counter.reassemblies_timed_out]!++;
  const l3 = slotOf(packet) + HEADERS;
  const length = firstLength[packet]!;
  const header = headerLength[packet]!;
  releasePacket(packet);
  if (length === 0) return;
  // Headers and data are apart in the slot; nothing needs the room before the data any more.
  const data = slotOf(packet) + DATA;
  bytes.copyWithin(data - header, l3, l3 + header);
  tellTimeExceeded(ipv4.version(l3), data - header, data, length, protocolOf[packet]!);
}
