/**
 * What became of a datagram, told to the guest as a router or the far host would: by ICMP (RFC 792) or ICMPv6 (RFC 4443).
 *
 * The kernel keeps the errors of a host socket in its error queue, each with the datagram's payload and, for an ICMP error,
 * type, code and sender. The packet in error that the guest gets back carries its own addresses and ports.
 */
import { blameFar, complainer, sendIcmpError, unreachableCode, writePacketInError } from '../flow/icmp_error.ts';
import { isIpv4 } from '../flow/packet.ts';
import { FD, PORTS, ROW, rows } from '../flow/row.ts';
import { ERROR_RECORD, SPLIT } from '../link/arena.ts';
import { kernel } from '../link/kernel.ts';
import { isLoopback4, isLoopback6, isMapped, isUnspecified6 } from '../wire/address.ts';
import { FRAGMENTATION_NEEDED4, PACKET_TOO_BIG6, UNREACHABLE4, UNREACHABLE6 } from '../wire/icmp.ts';
import { IPV4_HEADER, PROTOCOL_UDP } from '../wire/ipv4.ts';
import { IPV6_HEADER, readAddress } from '../wire/ipv6.ts';
import { bytes, view } from '../wire/memory.ts';
import { UDP_HEADER, writeUdp } from '../wire/udp.ts';
import { HEARD_BY } from './row.ts';

/** More of a payload never fits into an error (RFC 4443 §3.1: 1280 bytes in all). */
const MOST_PAYLOAD = 1232;

// Offsets into the record of native.receiveError.
const ERRNO = 0;
const ORIGIN = 4;
const TYPE = 8;
const CODE = 12;
const INFO = 16;
const OFFENDER = 20;

const ORIGIN_LOCAL = 1;
const ORIGIN_ICMP = 2;
const ORIGIN_ICMP6 = 3;

const EMSGSIZE = 90;

/** Tells the guest about its datagram with `payloadLength` bytes from `payload`. */
function tell(row: number, type: number, code: number, word: number, payload: number, payloadLength: number): void {
  // Nobody complains about what was sent to a group (RFC 1122 §3.2.2), but of its size (RFC 4443 §2.4 (e.3)).
  if (rows[row + HEARD_BY] !== 0 && (isIpv4(row) || type !== PACKET_TOO_BIG6)) return;
  const length = UDP_HEADER + Math.min(payloadLength, MOST_PAYLOAD);
  const ports = rows[row + PORTS]!;
  const at = writePacketInError(row, PROTOCOL_UDP, length);
  writeUdp(at, ports >>> 16, ports & 0xffff, length);
  bytes.copyWithin(at + UDP_HEADER, payload, payload + length - UDP_HEADER);
  sendIcmpError(row, type, code, word, (isIpv4(row) ? IPV4_HEADER : IPV6_HEADER) + length);
}

/** Who complains is the offender, unless the guest knows it by the far address only: a mapped host, or nobody's address. */
function blameOffender(row: number): void {
  readAddress(ERROR_RECORD + OFFENDER, complainer, 0);
  const ipv4 = isMapped(complainer, 0);
  const unknown = ipv4 ? isLoopback4(complainer[3]!) || complainer[3] === 0 : isLoopback6(complainer, 0) || isUnspecified6(complainer, 0);
  if (unknown || ipv4 !== isIpv4(row)) blameFar(row);
}

/** A datagram of `length` bytes from `payload` could not be sent at all: `errno` of this host. */
export function tellLocalError(flow: number, errno: number, info: number, payload: number, length: number): void {
  const row = flow * ROW;
  const ipv4 = isIpv4(row);
  blameFar(row);
  if (errno === EMSGSIZE) {
    if (info <= 0) return;
    if (ipv4) tell(row, UNREACHABLE4, FRAGMENTATION_NEEDED4, info, payload, length);
    else tell(row, PACKET_TOO_BIG6, 0, info, payload, length);
    return;
  }
  const code = unreachableCode(errno, ipv4);
  if (code >= 0) tell(row, ipv4 ? UNREACHABLE4 : UNREACHABLE6, code, 0, payload, length);
}

/** Empties the flow's error queue and tells the guest of each error. */
export function tellErrors(flow: number): void {
  const row = flow * ROW;
  for (;;) {
    const length = kernel.receiveError(rows[row + FD]!, SPLIT, MOST_PAYLOAD, ERROR_RECORD);
    if (length < 0) return;
    const origin = view.getInt32(ERROR_RECORD + ORIGIN, true);
    const info = view.getInt32(ERROR_RECORD + INFO, true);
    if (origin === ORIGIN_LOCAL) tellLocalError(flow, view.getInt32(ERROR_RECORD + ERRNO, true), info, SPLIT, length);
    else if (origin === (isIpv4(row) ? ORIGIN_ICMP : ORIGIN_ICMP6)) {
      const type = view.getInt32(ERROR_RECORD + TYPE, true);
      const code = view.getInt32(ERROR_RECORD + CODE, true);
      const tooBig = isIpv4(row) ? type === UNREACHABLE4 && code === FRAGMENTATION_NEEDED4 : type === PACKET_TOO_BIG6;
      blameOffender(row);
      tell(row, type, code, tooBig ? info : 0, SPLIT, length);
    }
  }
}
