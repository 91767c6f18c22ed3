/**
 * What became of an echo request, told to the guest as a router or the far host would: by ICMP (RFC 792) or ICMPv6 (RFC 4443).
 *
 * The kernel returns the request as it was on its way. On the host's side it had an identifier that may be another one; the guest gets
 * back its own, with the checksum that its own had.
 */
import { errorCode, errorType, errorWord, MOST_RETURNED, tellQueue, tellRefusal } from '../flow/error_queue.ts';
import { sendIcmpError, writePacketInError } from '../flow/icmp_error.ts';
import { isIpv4 } from '../flow/packet.ts';
import { PORTS, PROTOCOL, ROW, rows } from '../flow/row.ts';
import { SPLIT } from '../link/arena.ts';
import { changeIdentifier4, fillChecksum6, ICMP_HEADER, writeIdentifier } from '../wire/icmp.ts';
import { IPV6_HEADER } from '../wire/ipv6.ts';
import { bytes } from '../wire/memory.ts';

/** Makes the request that the host has sent, `length` bytes of it at `at`, the guest's again. */
function giveGuestsIdentifier(row: number, at: number, length: number): void {
  const id = rows[row + PORTS]! >>> 16;
  if (isIpv4(row)) changeIdentifier4(at, id);
  else {
    // The sum has the sender's address in it, which was another one: it can only be made anew, right if all of the request came back.
    writeIdentifier(at, id);
    fillChecksum6(at - IPV6_HEADER, at, length);
  }
}

/** Tells the guest of the error about its request of `original` bytes, of which `returned` bytes lie at `message`: SPLIT, if they came back from the host. */
function tell(row: number, message: number, returned: number, original: number): void {
  if (returned < ICMP_HEADER) return;
  const length = Math.min(returned, MOST_RETURNED);
  const at = writePacketInError(row, rows[row + PROTOCOL]!, Math.max(original, length), errorType);
  bytes.copyWithin(at, message, message + length);
  if (message === SPLIT) giveGuestsIdentifier(row, at, length);
  sendIcmpError(row, errorType, errorCode, errorWord, length);
}

/** A request of `length` bytes at `message` could not be sent at all: `errno` of this host. */
export function tellLocalError(flow: number, errno: number, message: number, length: number): void {
  tellRefusal(tell, flow * ROW, errno, message, length, 0);
}

/** Tells the guest of each error in the flow's queue; true when one is about the request of `length` bytes at `message` (flow/error_queue.ts). */
export function tellErrors(flow: number, message: number, length: number): boolean {
  return tellQueue(tell, flow * ROW, message, length, 0);
}
