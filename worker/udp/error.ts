/**
 * What became of a datagram, told to the guest as a router or the far host would: by ICMP (RFC 792) or ICMPv6 (RFC 4443). The packet
 * in error that the guest gets back carries its own addresses and ports.
 */
import { errorCode, errorType, errorWord, MOST_RETURNED, tellQueue, tellRefusal } from '../flow/error_queue.ts';
import { sendIcmpError, writePacketInError } from '../flow/icmp_error.ts';
import { isIpv4 } from '../flow/packet.ts';
import { PORTS, ROW, rows } from '../flow/row.ts';
import { PACKET_TOO_BIG6 } from '../wire/icmp.ts';
import { PROTOCOL_UDP } from '../wire/ipv4.ts';
import { bytes } from '../wire/memory.ts';
import { UDP_HEADER, writeUdp } from '../wire/udp.ts';
import { HEARD_BY } from './row.ts';

/** Tells the guest of the error about its datagram of `original` bytes with its header, of whose payload `returned` bytes lie at `payload`. */
function tell(row: number, payload: number, returned: number, original: number): void {
  // Nobody complains about what was sent to a group (RFC 1122 §3.2.2), but of its size (RFC 4443 §2.4 (e.3)).
  if (rows[row + HEARD_BY] !== 0 && (isIpv4(row) || errorType !== PACKET_TOO_BIG6)) return;
  const length = Math.min(returned, MOST_RETURNED);
  const ports = rows[row + PORTS]!;
  const total = Math.max(original, UDP_HEADER + length);
  const at = writePacketInError(row, PROTOCOL_UDP, total, errorType);
  writeUdp(at, ports >>> 16, ports & 0xffff, total);
  bytes.copyWithin(at + UDP_HEADER, payload, payload + length);
  sendIcmpError(row, errorType, errorCode, errorWord, UDP_HEADER + length);
}

/** A datagram of `length` bytes from `payload` could not be sent at all: `errno` of this host. */
export function tellLocalError(flow: number, errno: number, payload: number, length: number): void {
  tellRefusal(tell, flow * ROW, errno, payload, length, UDP_HEADER);
}

/** Tells the guest of each error in the flow's queue; true when one is about the datagram of `length` bytes from `payload` (flow/error_queue.ts). */
export function tellErrors(flow: number, payload: number, length: number): boolean {
  return tellQueue(tell, flow * ROW, payload, length, UDP_HEADER);
}
