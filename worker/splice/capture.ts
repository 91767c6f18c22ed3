/**
 * What is spliced, as frames for a capture (`--pcap-spliced`): headers that were never sent, around bytes that were.
 *
 * Theory of operation. A connection is shown as that to the service: from the socket that was opened for it to where it leads, with sequence
 * numbers from 0; its bytes when the reader's socket has taken them, so that nothing is there twice. Its opening and its end are made
 * up. Datagrams are shown from who asked to what was asked. Nothing goes through pipes then, where no byte can be seen, so a capture makes
 * splicing slower; without one it costs a look at one flag for each read.
 */
import { FAR, FD, GUEST, PORTS, ROW, rows } from '../flow/row.ts';
import { COMER } from '../link/arena.ts';
import { beginRecord } from '../link/capture.ts';
import { kernel } from '../link/kernel.ts';
import { isMapped } from '../wire/address.ts';
import { completeChecksum, fold, pseudoSum4, pseudoSum6 } from '../wire/checksum.ts';
import { ETHERNET_HEADER, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../wire/ethernet.ts';
import { IPV4_HEADER, PROTOCOL_TCP, PROTOCOL_UDP, writeIpv4 } from '../wire/ipv4.ts';
import { IPV6_HEADER, writeIpv6 } from '../wire/ipv6.ts';
import { bytes, view } from '../wire/memory.ts';
import { ACK, FIN, SYN, TCP_HEADER, writeTcp } from '../wire/tcp.ts';
import { UDP_HEADER, writeUdp } from '../wire/udp.ts';
import { closePipes } from './pipes.ts';
import { CAPTURED, LEADER, PEER } from './row.ts';

const HOP_LIMIT = 64;
const WINDOW = 0xffff;
const ETHERTYPE_AT = 12;
const TCP_CHECKSUM_AT = 16;
const UDP_CHECKSUM_AT = 6;
/** From the Ethernet header to the end of the IP header. */
const PREFIX4 = ETHERNET_HEADER + IPV4_HEADER;
const PREFIX6 = ETHERNET_HEADER + IPV6_HEADER;

/** What is spliced is recorded. */
export let capturesSpliced = false;

/** The ends of the packet that is being made. */
const from = new Int32Array(4);
const to = new Int32Array(4);
let fromPort = 0;
let toPort = 0;

/** Records what is spliced from now on; nothing has been. */
export function captureSpliced(): void {
  capturesSpliced = true;
  closePipes();
}

/** The other way round. */
function turn(): void {
  for (let word = 0; word < 4; word++) {
    const kept = from[word]!;
    from[word] = to[word]!;
    to[word] = kept;
  }
  const kept = fromPort;
  fromPort = toPort;
  toPort = kept;
}

/** Writes the headers below the transport's of `length` bytes. Where that begins, or −1: the record is lost. */
function beginPacket(protocol: number, length: number): number {
  const isIpv4 = isMapped(to, 0);
  const prefix = isIpv4 ? PREFIX4 : PREFIX6;
  const at = beginRecord(prefix + length);
  if (at < 0) return -1;
  bytes.fill(0, at, at + ETHERTYPE_AT);
  view.setUint16(at + ETHERTYPE_AT, isIpv4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6);
  if (isIpv4) writeIpv4(at + ETHERNET_HEADER, IPV4_HEADER + length, protocol, from[3]!, to[3]!, HOP_LIMIT, 0);
  else writeIpv6(at + ETHERNET_HEADER, length, protocol, from, 0, to, 0, HOP_LIMIT, 0, 0);
  return at + prefix;
}

/** Fills the checksum of the transport's `length` bytes at `l4`, whose field is `offset` bytes behind. */
function finishPacket(protocol: number, l4: number, length: number, offset: number): void {
  const pseudo = isMapped(to, 0) ? pseudoSum4(from[3]!, to[3]!, protocol, length) : pseudoSum6(l4 - IPV6_HEADER, protocol, length);
  view.setUint16(l4 + offset, fold(pseudo));
  completeChecksum(l4, length, offset);
}

/** Sets the ends from those of the opened socket, for what is read from the socket of `flow`. False when it has none any more. */
function setEnds(flow: number): boolean {
  const leader = rows[flow * ROW + LEADER]!;
  const opened = rows[leader * ROW + PEER]! * ROW;
  if (rows[opened + FD]! < 0 || kernel.localName(rows[opened + FD]!, COMER) < 0) return false;
  for (let word = 0; word < 4; word++) {
    from[word] = view.getInt32(COMER + 4 * word);
    to[word] = rows[opened + FAR + word]!;
  }
  fromPort = view.getInt32(COMER + 16, true);
  toPort = rows[opened + PORTS]! & 0xffff;
  if (flow !== leader) turn();
  return true;
}

/** Records a segment with `length` bytes at `payload`, which were read from the socket of `flow`. */
export function captureSegment(flow: number, flags: number, payload: number, length: number): void {
  if (!setEnds(flow)) return;
  const row = flow * ROW;
  const l4 = beginPacket(PROTOCOL_TCP, TCP_HEADER + length);
  if (l4 >= 0) {
    const acknowledged = rows[rows[row + PEER]! * ROW + CAPTURED]!;
    writeTcp(l4, fromPort, toPort, rows[row + CAPTURED]!, acknowledged, TCP_HEADER, flags, WINDOW);
    bytes.copyWithin(l4 + TCP_HEADER, payload, payload + length);
    finishPacket(PROTOCOL_TCP, l4, TCP_HEADER + length, TCP_CHECKSUM_AT);
  }
  rows[row + CAPTURED] = (rows[row + CAPTURED]! + length + ((flags & (SYN | FIN)) !== 0 ? 1 : 0)) | 0;
}

/** The connection has been made: its three first segments. */
export function captureOpening(leader: number): void {
  const follower = rows[leader * ROW + PEER]!;
  rows[leader * ROW + CAPTURED] = 0;
  rows[follower * ROW + CAPTURED] = 0;
  captureSegment(leader, SYN, 0, 0);
  captureSegment(follower, SYN | ACK, 0, 0);
  captureSegment(leader, ACK, 0, 0);
}

/** Records `length` bytes at `at` that the socket of `flow` sends: one datagram, or when `segment` > 0 as many of that length. */
export function captureDatagrams(flow: number, at: number, length: number, segment: number): void {
  const leader = rows[flow * ROW + LEADER]!;
  for (let word = 0; word < 4; word++) {
    from[word] = rows[leader * ROW + GUEST + word]!;
    to[word] = rows[leader * ROW + FAR + word]!;
  }
  fromPort = rows[leader * ROW + PORTS]! >>> 16;
  toPort = rows[leader * ROW + PORTS]! & 0xffff;
  if (flow === leader) turn();
  let done = 0;
  do {
    const size = segment > 0 ? Math.min(segment, length - done) : length;
    const l4 = beginPacket(PROTOCOL_UDP, UDP_HEADER + size);
    if (l4 >= 0) {
      writeUdp(l4, fromPort, toPort, UDP_HEADER + size);
      bytes.copyWithin(l4 + UDP_HEADER, at + done, at + done + size);
      finishPacket(PROTOCOL_UDP, l4, UDP_HEADER + size, UDP_CHECKSUM_AT);
    }
    done += size;
  } while (done < length);
}
