/**
 * ICMP errors of the guest about our segments: from the guest itself, or from a router behind it (a bridge of containers, a
 * VPN). Only what quotes a segment that is really on its way is believed (RFC 5927 §4.1).
 *
 * Packet too big lowers the segment size of the flow (RFC 1191 §6, RFC 8201 §4); unreachable ends a connection that the guest
 * has not answered yet; to an established one both are soft errors (RFC 1122 §4.2.3.9, RFC 5461 §2.2): timers decide.
 */
import { Counter } from '../../shared/counters.ts';
import { FLAGS, ROW, rows } from '../flow/row.ts';
import { find, key, KEY_FAR, KEY_GUEST } from '../flow/table.ts';
import { counters } from '../link/counters.ts';
import { MAPPED_WORD } from '../wire/address.ts';
import { frame } from '../wire/frame.ts';
import { code, FRAGMENTATION_NEEDED4, ICMP_HEADER, PACKET_TOO_BIG6, parameter, type, UNREACHABLE4, UNREACHABLE6 } from '../wire/icmp.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import { destinationPort, sequence, sourcePort, TCP_HEADER } from '../wire/tcp.ts';
import { TIMESTAMPS_BYTES } from '../wire/tcp_option.ts';
import { abandon } from './ending.ts';
import { sendAllAgain } from './recovery.ts';
import { ESTABLISHED, MSS, SND_MAX, SND_UNA, SYN_SENT, TIMESTAMPS } from './row.ts';
import { before } from './sequence.ts';
import { push, pushOn } from './transmit.ts';

/** Ports and sequence number: what every error returns of a segment. */
const QUOTED = 8;
/** Less is taken for an attack on our packet rate; Linux has the same floor. */
const MIN_MTU4 = 552;
const MIN_MTU6 = 1280;
/** RFC 1191 §7: what to try when a router tells no MTU. */
const PLATEAUS = [32_000, 17_914, 8166, 4352, 2002, 1492, 1006, 552];
const EHOSTUNREACH = 113;

/** The flow whose segment the error at `frame.l4` quotes, −1 if there is none; where the quoted TCP header begins is in `quoted`. */
let quoted = 0;
function quotedFlow(): number {
  const packet = frame.l4 + ICMP_HEADER;
  const available = frame.end - packet;
  if (frame.family === 4) {
    if (available < ipv4.IPV4_HEADER || ipv4.version(packet) !== 4 || ipv4.protocol(packet) !== ipv4.PROTOCOL_TCP) return -1;
    quoted = packet + ipv4.headerLength(packet);
    key.fill(0);
    key[KEY_GUEST + 2] = MAPPED_WORD;
    key[KEY_GUEST + 3] = ipv4.destination(packet);
    key[KEY_FAR + 2] = MAPPED_WORD;
    key[KEY_FAR + 3] = ipv4.source(packet);
  } else {
    if (available < ipv6.IPV6_HEADER || ipv6.version(packet) !== 6 || ipv6.nextHeader(packet) !== ipv4.PROTOCOL_TCP) return -1;
    quoted = packet + ipv6.IPV6_HEADER;
    ipv6.readAddress(ipv6.destinationAt(packet), key, KEY_GUEST);
    ipv6.readAddress(ipv6.sourceAt(packet), key, KEY_FAR);
  }
  if (quoted < packet + ipv4.IPV4_HEADER || frame.end - quoted < QUOTED) return -1;
  return find((destinationPort(quoted) << 16) | sourcePort(quoted), ipv4.PROTOCOL_TCP);
}

function nextPlateau(mtu: number): number {
  for (const plateau of PLATEAUS) if (plateau < mtu) return plateau;
  return MIN_MTU4;
}

/** The way to the guest holds packets of `mtu` bytes at most: segments get smaller, and what is on its way is sent again. */
function shrinkSegments(flow: number, mtu: number): void {
  const row = flow * ROW;
  const headers = (frame.family === 4 ? ipv4.IPV4_HEADER : ipv6.IPV6_HEADER) + TCP_HEADER;
  const options = (rows[row + FLAGS]! & TIMESTAMPS) === 0 ? 0 : TIMESTAMPS_BYTES;
  const told = mtu === 0 && frame.family === 4 ? nextPlateau(rows[row + MSS]! + options + headers) : mtu;
  const mss = Math.max(told, frame.family === 4 ? MIN_MTU4 : MIN_MTU6) - headers - options;
  if (mss >= rows[row + MSS]!) return;
  rows[row + MSS] = mss;
  if (rows[row + SND_MAX] !== rows[row + SND_UNA] && sendAllAgain(flow) && push(flow)) pushOn(flow);
}

/** Takes the ICMP message in `frame`. False when it is no error about a segment of ours. */
export function takeAdvice(): boolean {
  const kind = type(frame.l4);
  const ipv4Family = frame.family === 4;
  const tooBig = ipv4Family ? kind === UNREACHABLE4 && code(frame.l4) === FRAGMENTATION_NEEDED4 : kind === PACKET_TOO_BIG6;
  const unreachable = kind === (ipv4Family ? UNREACHABLE4 : UNREACHABLE6) && !tooBig;
  if (!tooBig && !unreachable) return false;
  const flow = quotedFlow();
  if (flow < 0) return false;
  const row = flow * ROW;
  const seq = sequence(quoted);
  if (before(seq, rows[row + SND_UNA]!) || !before(seq, rows[row + SND_MAX]!)) return false;
  counters[Counter.icmp_errors_from_guest]!++;
  const flags = rows[row + FLAGS]!;
  if (tooBig && (flags & ESTABLISHED) !== 0)
    shrinkSegments(flow, ipv4Family ? parameter(frame.l4) & 0xffff : parameter(frame.l4) & 0x7fffffff);
  else if (unreachable && (flags & SYN_SENT) !== 0) abandon(flow, EHOSTUNREACH);
  return true;
}
