/**
 * ICMP (RFC 792) and ICMPv6 (RFC 4443) errors about fragments, as the host that they are for would send them.
 */
import { complainer, PACKET_IN_ERROR, sendIcmpErrorTo, setComplainerDistance } from '../flow/icmp_error.ts';
import { isBroadcast4, isMulticast4, isMulticast6, isUnspecified4, isUnspecified6 } from '../wire/address.ts';
import { ECHO_REPLY4, ECHO_REQUEST4, PARAMETER_PROBLEM6, TIME_EXCEEDED4, TIME_EXCEEDED6, type } from '../wire/icmp.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import { bytes } from '../wire/memory.ts';

/** RFC 792, RFC 4443 §3.3: fragment reassembly time exceeded. */
const REASSEMBLY = 1;
/** No more of a packet is ever returned (RFC 4443 §2.4 (c)). */
const MOST_RETURNED = 1280;
const INFORMATIONAL6 = 0x80;

const sender = new Int32Array(4);

/** Who sent the packet at `l3` gets the error, unless nobody may (RFC 1122 §3.2.2, RFC 4443 §2.4 (e)). */
function complain(
  family: number,
  l3: number,
  data: number,
  length: number,
  protocol: number,
  about: number,
  code: number,
  word: number,
): void {
  if (family === 4) {
    sender[3] = ipv4.source(l3);
    complainer[3] = ipv4.destination(l3);
    if (isUnspecified4(sender[3]) || isMulticast4(complainer[3]!) || isBroadcast4(complainer[3]!)) return;
    if (protocol === ipv4.PROTOCOL_ICMP && type(data) !== ECHO_REQUEST4 && type(data) !== ECHO_REPLY4) return;
  } else {
    ipv6.readAddress(ipv6.sourceAt(l3), sender, 0);
    ipv6.readAddress(ipv6.destinationAt(l3), complainer, 0);
    if (isUnspecified6(sender, 0) || isMulticast6(complainer, 0)) return;
    if (protocol === ipv6.PROTOCOL_ICMPV6 && (type(data) & INFORMATIONAL6) === 0) return;
  }
  const header = data - l3;
  const returned = Math.min(header + length, MOST_RETURNED);
  bytes.copyWithin(PACKET_IN_ERROR, l3, l3 + returned);
  setComplainerDistance(0);
  sendIcmpErrorTo(sender, 0, family === 4, about, code, word, returned);
}

/** The first fragment, whose header is at `l3` and whose `length` bytes of data (8 at least) are at `data`, has waited for the others in vain. */
export function tellTimeExceeded(family: number, l3: number, data: number, length: number, protocol: number): void {
  complain(family, l3, data, length, protocol, family === 4 ? TIME_EXCEEDED4 : TIME_EXCEEDED6, REASSEMBLY, 0);
}

/**
 * The IPv6 fragment at `l3` can not be right: `pointer` is where, in bytes from there. `protocol` is that of its data, 0 when they begin with
 * no header.
 */
export function tellParameterProblem(l3: number, data: number, length: number, protocol: number, code: number, pointer: number): void {
  complain(6, l3, data, length, protocol, PARAMETER_PROBLEM6, code, pointer);
}
