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
import { LINK_HEADER } from '../link/tap.ts';
import { transmit } from '../flow/transmit.ts';
import { PROTOCOL_TCP } from '../wire/ipv4.ts';
import { IPV6_HEADER } from '../wire/ipv6.ts';
import { ACK, RST, setChecksum, SYN, TCP_CHECKSUM, TCP_HEADER, writeTcp, writeTcpSynOptions } from '../wire/tcp.ts';
import {
  VIRTIO_NET_HDR_F_NEEDS_CSUM,
  VIRTIO_NET_HDR_GSO_NONE,
  VIRTIO_NET_HDR_GSO_TCPV4,
  VIRTIO_NET_HDR_GSO_TCPV6,
  writeVnet,
} from '../wire/vnet.ts';
import { ourMss } from './mss.ts';
import { ACK_DELAYED, ACK_NOW, ACKED, MSS, RCV_EDGE, RCV_NXT, RCV_SHIFT } from './row.ts';
import { presentWindow } from './window.ts';

const MSS_OPTION = 4;
const SCALE_OPTION = 4;

/** Largest payload of one frame: as many whole segments as an IP packet of 64 KiB holds. */
export function framePayload(row: number): number {
  const mss = rows[row + MSS]!;
  const most = 65_535 - TCP_HEADER - IPV6_HEADER;
  return mss >= most ? most : most - (most % mss);
}

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

/** Sends a segment with ACK and the present window; `payload` bytes lie at TRANSMIT_PAYLOAD. False when the link refused it: a lost frame. */
export function sendSegment(flow: number, seq: number, flagBits: number, payload: number): boolean {
  const row = flow * ROW;
  const windowField = presentWindow(flow);
  rows[row + FLAGS]! &= ~(ACK_NOW | ACK_DELAYED);
  rows[row + ACKED] = rows[row + RCV_NXT]!;
  return emit(row, seq, rows[row + RCV_NXT]!, flagBits | ACK, windowField, TCP_HEADER, payload);
}

/** Sends SYN|ACK with our MSS and, when the guest offered one, a window scale. Its window is never scaled (RFC 7323 §2.2). */
export function sendSynAck(flow: number, seq: number): boolean {
  const row = flow * ROW;
  const scale = rows[row + RCV_SHIFT]!;
  const options = scale < 0 ? MSS_OPTION : MSS_OPTION + SCALE_OPTION;
  writeTcpSynOptions(TRANSMIT_PAYLOAD - options, ourMss(isIpv4(row)), scale);
  const windowField = Math.min((rows[row + RCV_EDGE]! - rows[row + RCV_NXT]!) | 0, 0xffff);
  return emit(row, seq, rows[row + RCV_NXT]!, SYN | ACK, windowField, TCP_HEADER + options, 0);
}

/** Sends RST|ACK for the flow (RFC 9293 §3.10.7.4). */
export function sendReset(flow: number, seq: number): void {
  const row = flow * ROW;
  counters[Counter.tcp_resets_sent]!++;
  emit(row, seq, rows[row + RCV_NXT]!, RST | ACK, 0, TCP_HEADER, 0);
}
