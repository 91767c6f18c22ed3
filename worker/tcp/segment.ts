/**
 * Segments to the guest: the headers before the payload that lies at TRANSMIT_PAYLOAD, and off they go.
 *
 * The checksum is left to the kernel (NEEDS_CSUM with the pseudo-header sum), segmentation as well (GSO with the guest's
 * MSS). Every field of the virtio-net header is computed here; none comes from a guest.
 */
import { Counter } from '../../shared/counters.ts';
import { isIpv4, pseudoSum, writeNetworkHeaders } from '../flow/packet.ts';
import { FLAGS, PORTS, ROW, rows } from '../flow/row.ts';
import { TRANSMIT_PAYLOAD } from '../link/arena.ts';
import { counters } from '../link/counters.ts';
import { LINK_HEADER } from '../link/link.ts';
import { transmit } from '../flow/transmit.ts';
import { PROTOCOL_TCP } from '../wire/ipv4.ts';
import { IPV6_HEADER } from '../wire/ipv6.ts';
import { ACK, RST, setChecksum, SYN, TCP_CHECKSUM, TCP_HEADER, writeTcp } from '../wire/tcp.ts';
import { synOptionsBytes, TIMESTAMPS_BYTES, writeSynOptions, writeTimestamps } from '../wire/tcp_option.ts';
import {
  VIRTIO_NET_HDR_F_NEEDS_CSUM,
  VIRTIO_NET_HDR_GSO_NONE,
  VIRTIO_NET_HDR_GSO_TCPV4,
  VIRTIO_NET_HDR_GSO_TCPV6,
  writeVnet,
} from '../wire/vnet.ts';
import { ourMss } from './mss.ts';
import {
  ACK_DELAYED,
  ACK_NOW,
  ACKED,
  AHEAD_FIRST,
  MSS,
  RCV_EDGE,
  RCV_NXT,
  RCV_SHIFT,
  SACK_PERMITTED,
  TIMESTAMPS,
  TS_RECENT,
} from './row.ts';
import { writeSack } from './sack.ts';
import { ourTimestamp } from './timestamp.ts';
import { presentWindow } from './window.ts';

/** Largest payload of one frame: as many whole segments as an IP packet of 64 KiB holds. */
export function framePayload(row: number): number {
  const mss = rows[row + MSS]!;
  const most = 65_535 - TCP_HEADER - TIMESTAMPS_BYTES - IPV6_HEADER;
  return mss >= most ? most : most - (most % mss);
}

/** Writes what precedes `payload` bytes at TRANSMIT_PAYLOAD, where `headerBytes` count options that are there already, and transmits. */
function emit(row: number, seq: number, ack: number, flagBits: number, windowField: number, headerBytes: number, payload: number): boolean {
  const l4 = TRANSMIT_PAYLOAD - headerBytes;
  const length = headerBytes + payload;
  const ports = rows[row + PORTS]!;
  const mss = rows[row + MSS]!;
  writeTcp(l4, ports & 0xffff, ports >>> 16, seq, ack, headerBytes, flagBits, windowField);
  const l2 = writeNetworkHeaders(row, l4, length, PROTOCOL_TCP);
  setChecksum(l4, pseudoSum(row, l4, length, PROTOCOL_TCP));
  const segments = payload > mss;
  const gsoType = segments ? (isIpv4(row) ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6) : VIRTIO_NET_HDR_GSO_NONE;
  const at = l2 - LINK_HEADER;
  writeVnet(at, VIRTIO_NET_HDR_F_NEEDS_CSUM, gsoType, TRANSMIT_PAYLOAD - l2, segments ? mss : 0, l4 - l2, TCP_CHECKSUM);
  return transmit(at, TRANSMIT_PAYLOAD + payload - at);
}

/** Writes the options that every segment of the flow carries, before `end`; returns the bytes of the header with them. */
function writeOptions(row: number, end: number): number {
  if ((rows[row + FLAGS]! & TIMESTAMPS) === 0) return TCP_HEADER;
  writeTimestamps(end - TIMESTAMPS_BYTES, ourTimestamp(row), rows[row + TS_RECENT]!);
  return TCP_HEADER + TIMESTAMPS_BYTES;
}

/** Sends a segment with ACK and the present window; `payload` bytes lie at TRANSMIT_PAYLOAD. False when the link refused it: a lost frame. */
export function sendSegment(flow: number, seq: number, flagBits: number, payload: number): boolean {
  const row = flow * ROW;
  const windowField = presentWindow(flow);
  const sack = payload === 0 ? writeSack(flow, TRANSMIT_PAYLOAD) : 0;
  // With a payload, of which whole segments are cut, there is no room for SACK: an ACK that is owed follows alone.
  if (payload === 0 || rows[row + AHEAD_FIRST] === 0) rows[row + FLAGS]! &= ~(ACK_NOW | ACK_DELAYED);
  rows[row + ACKED] = rows[row + RCV_NXT]!;
  const headerBytes = writeOptions(row, TRANSMIT_PAYLOAD - sack) + sack;
  return emit(row, seq, rows[row + RCV_NXT]!, flagBits | ACK, windowField, headerBytes, payload);
}

/**
 * Sends a SYN (`flagBits` 0) or SYN|ACK (`ACK`) with our MSS and the options that the flow's flags and RCV_SHIFT tell. Its
 * window is never scaled (RFC 7323 §2.2).
 */
export function sendSyn(flow: number, seq: number, flagBits: number): boolean {
  const row = flow * ROW;
  const scale = rows[row + RCV_SHIFT]!;
  const sack = (rows[row + FLAGS]! & SACK_PERMITTED) !== 0;
  const timestamps = (rows[row + FLAGS]! & TIMESTAMPS) !== 0;
  const options = synOptionsBytes(scale, sack, timestamps);
  const at = TRANSMIT_PAYLOAD - options;
  writeSynOptions(at, ourMss(isIpv4(row)), scale, sack, timestamps, ourTimestamp(row), flagBits === 0 ? 0 : rows[row + TS_RECENT]!);
  const windowField = Math.min((rows[row + RCV_EDGE]! - rows[row + RCV_NXT]!) | 0, 0xffff);
  return emit(row, seq, flagBits === 0 ? 0 : rows[row + RCV_NXT]!, SYN | flagBits, windowField, TCP_HEADER + options, 0);
}

/** Sends RST|ACK for the flow (RFC 9293 §3.10.7.4); with timestamps, if agreed on (RFC 7323 §3.2). */
export function sendReset(flow: number, seq: number): void {
  const row = flow * ROW;
  counters[Counter.tcp_resets_sent]!++;
  emit(row, seq, rows[row + RCV_NXT]!, RST | ACK, 0, writeOptions(row, TRANSMIT_PAYLOAD), 0);
}

/** Sends RST with the sequence number that the guest takes for acceptable, before any SYN of its came (RFC 9293 §3.10.7.3). */
export function sendResetWithoutAck(flow: number, seq: number): void {
  counters[Counter.tcp_resets_sent]!++;
  emit(flow * ROW, seq, 0, RST, 0, TCP_HEADER, 0);
}
