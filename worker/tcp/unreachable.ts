/**
 * The far end of a SYN can't be reached: the guest is told by ICMP or ICMPv6, as by the router or host that has said so, or as a router
 * would when this host has found it out (RFC 1122 §4.2.3.9). The packet in error is the guest's SYN, of which the first eight bytes
 * matter: ports and sequence number.
 *
 * The opener has the kernel keep who ends a connect, in the socket's error queue. Once a connection is there that is over: what such a
 * socket is told of would end it, which RFC 1122 §4.2.3.9 forbids for what a router says.
 */
import { errorCode, errorType, errorWord, takeRefusal } from '../flow/error_queue.ts';
import { blameFar, sendIcmpError, unreachableCode, writePacketInError } from '../flow/icmp_error.ts';
import { isIpv4 } from '../flow/packet.ts';
import { FD, PORTS, ROW, rows } from '../flow/row.ts';
import { kernel } from '../link/kernel.ts';
import { UNREACHABLE4, UNREACHABLE6 } from '../wire/icmp.ts';
import { PROTOCOL_TCP } from '../wire/ipv4.ts';
import { SYN, TCP_HEADER, writeTcp } from '../wire/tcp.ts';
import { hopLimitOf } from './marking.ts';
import { IRS, MARKS } from './row.ts';

const ECONNREFUSED = 111;

const IPPROTO_IP = 0;
const IP_RECVERR = 11;
const IPPROTO_IPV6 = 41;
const IPV6_RECVERR = 25;
const IPV6_RECVHOPLIMIT = 51;

function tell(row: number, type: number, code: number, word: number): void {
  const ports = rows[row + PORTS]!;
  const at = writePacketInError(row, PROTOCOL_TCP, TCP_HEADER, type);
  writeTcp(at, ports >>> 16, ports & 0xffff, rows[row + IRS]!, 0, TCP_HEADER, SYN, 0);
  sendIcmpError(row, type, code, word, TCP_HEADER);
}

/** Tells the guest that its SYN met `errno` on the way. False for an error that is the far host's own word: that is a RST. */
export function tellUnreachable(flow: number, errno: number): boolean {
  const row = flow * ROW;
  if (rows[row + FD]! >= 0 && takeRefusal(row)) {
    tell(row, errorType, errorCode, errorWord);
    return true;
  }
  const ipv4 = isIpv4(row);
  const code = errno === ECONNREFUSED ? -1 : unreachableCode(errno, ipv4);
  if (code < 0) return false;
  blameFar(row);
  tell(row, ipv4 ? UNREACHABLE4 : UNREACHABLE6, code, 0);
  return true;
}

/** The connect is through: the flow's socket keeps no errors any more, nor how far they have come. */
export function stopListening(row: number): void {
  const fd = rows[row + FD]!;
  if (isIpv4(row)) {
    kernel.setOption(fd, IPPROTO_IP, IP_RECVERR, 0);
    return;
  }
  kernel.setOption(fd, IPPROTO_IPV6, IPV6_RECVERR, 0);
  // With it the kernel would keep a copy of the header of each segment that comes.
  if (hopLimitOf(rows[row + MARKS]!) !== 0) kernel.setOption(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 0);
}
