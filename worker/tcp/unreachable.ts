/**
 * The far end of a SYN can't be reached: the guest is told by ICMP or ICMPv6, as a router would (RFC 1122 §4.2.3.9). The
 * packet in error is the guest's SYN, of which the first eight bytes matter: ports and sequence number.
 */
import { blameFar, sendIcmpError, unreachableCode, writePacketInError } from '../flow/icmp_error.ts';
import { isIpv4 } from '../flow/packet.ts';
import { PORTS, ROW, rows } from '../flow/row.ts';
import { UNREACHABLE4, UNREACHABLE6 } from '../wire/icmp.ts';
import { PROTOCOL_TCP } from '../wire/ipv4.ts';
import { SYN, TCP_HEADER, writeTcp } from '../wire/tcp.ts';
import { IRS } from './row.ts';

const ECONNREFUSED = 111;

/** Tells the guest that its SYN met `errno` on the way. False for an error that is the far host's own word: that is a RST. */
export function tellUnreachable(flow: number, errno: number): boolean {
  const row = flow * ROW;
  const ipv4 = isIpv4(row);
  const code = errno === ECONNREFUSED ? -1 : unreachableCode(errno, ipv4);
  if (code < 0) return false;
  const ports = rows[row + PORTS]!;
  const at = writePacketInError(row, PROTOCOL_TCP, TCP_HEADER, ipv4 ? UNREACHABLE4 : UNREACHABLE6);
  writeTcp(at, ports >>> 16, ports & 0xffff, rows[row + IRS]!, 0, TCP_HEADER, SYN, 0);
  blameFar(row);
  sendIcmpError(row, ipv4 ? UNREACHABLE4 : UNREACHABLE6, code, 0, TCP_HEADER);
  return true;
}
