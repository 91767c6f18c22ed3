/**
 * How the guest wants a datagram treated on its way: how many hops it may take, and whether it may be fragmented. The flow's host
 * socket is told when that changes, so routers see what they would see of the guest's own packet: traceroute and path MTU discovery
 * work, and we are no hop.
 *
 * Who may fragment. To IPv6, and to Linux on IPv4, "don't fragment" is what every datagram says, also those of a program that
 * doesn't care and writes 64 KiB at once because the guest's link takes them. Whoever tells the path MTU to that guest has it cut
 * all its datagrams into small ones, and loses the first. So a datagram is kept whole only where its sender can mean it: when it is no
 * longer than what an Ethernet carries; when it has no identification, so could not be fragmented by anybody (RFC 6864 §4.1; that is
 * how Linux marks a socket that discovers the path MTU itself); when it is sent to die on the way. Others the host's kernel fragments.
 * A connected socket counts its datagrams, and passes 0: among numbered ones, the first without a number is one of these.
 */
import { kernel } from '../link/kernel.ts';
import { frame } from '../wire/frame.ts';
import { isMulticast4, isMulticast6 } from '../wire/address.ts';
import { dontFragment, identification } from '../wire/ipv4.ts';
import { isIpv4 } from './packet.ts';
import { FAR, FD, NUMBERED, PATH, rows, SENT_LENGTH } from './row.ts';

/** A path word: the hop limit, this bit when the datagram must not be fragmented, and from bit 16 the TOS or traffic class. */
const WHOLE = 0x100;
const TRAFFIC_CLASS = 0xff0000;
const TRAFFIC_CLASS_SHIFT = 16;
const HOP_LIMIT = 0xff;
/** The hop limit of a new socket: what hosts have by default (RFC 1700). */
export const DEFAULT_HOP_LIMIT = 64;
/** What a new socket does: that, and fragments. */
const DEFAULT_PATH = DEFAULT_HOP_LIMIT;

const ETHERNET_MTU = 1500;
/** Internet paths have fewer hops than what hosts begin with (RFC 1122 §3.2.1.7); traceroute stops at 30. */
const PROBE_HOPS = 30;

const IPPROTO_IP = 0;
const IP_TOS = 1;
const IP_TTL = 2;
const IP_MTU_DISCOVER = 10;
const IP_RECVTTL = 12;
const IP_MULTICAST_TTL = 33;
const IPPROTO_IPV6 = 41;
const IPV6_UNICAST_HOPS = 16;
const IPV6_MULTICAST_HOPS = 18;
const IPV6_MTU_DISCOVER = 23;
const IPV6_RECVHOPLIMIT = 51;
const IPV6_TCLASS = 67;
/** Values of both MTU_DISCOVER: fragment where the path is known to be narrow; never fragment, and trust no cached MTU. */
const PMTUDISC_WANT = 1;
const PMTUDISC_PROBE = 3;

/** Whether the flow's IPv4 datagrams have no identification; this one may only have come to number 0. */
function isUnnumbered(row: number): boolean {
  const before = rows[row + NUMBERED];
  rows[row + NUMBERED] = identification(frame.l3) === 0 ? 0 : 1;
  return before === 0 && rows[row + NUMBERED] === 0;
}

function mustStayWhole(row: number): boolean {
  if (frame.fragment !== 0 || (frame.family === 4 && !dontFragment(frame.l3))) return false;
  const length = frame.gsoSize > 0 ? frame.payload - frame.l3 + frame.gsoSize : frame.end - frame.l3;
  return length <= ETHERNET_MTU || frame.hopLimit <= PROBE_HOPS || (frame.family === 4 && isUnnumbered(row));
}

/** Whether the flow's last datagram was one that the host's kernel may fragment. */
export function mayFragment(row: number): boolean {
  return (rows[row + PATH]! & WHOLE) === 0;
}

/** The path word of the datagram in `frame`, which is the next of the flow in `row`. */
export function pathAsked(row: number): number {
  const marked = frame.hopLimit | (frame.trafficClass << TRAFFIC_CLASS_SHIFT);
  return mustStayWhole(row) ? marked | WHOLE : marked;
}

/** The flow has a new socket; `tells` when the hop limits of errors and answers are wanted from the start. */
export function openPath(row: number, tells: boolean): void {
  // To a group a new socket goes one hop (RFC 1112 §6.1), which is as good as unknown.
  rows[row + PATH] = isMulticastRow(row) ? 0 : DEFAULT_PATH;
  if (tells) tellHopLimits(row);
}

/** From now on the hop limits of what comes to the flow's socket are told. */
function tellHopLimits(row: number): void {
  if (isIpv4(row)) kernel.setOption(rows[row + FD]!, IPPROTO_IP, IP_RECVTTL, 1);
  else kernel.setOption(rows[row + FD]!, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
}

function isMulticastRow(row: number): boolean {
  return isIpv4(row) ? isMulticast4(rows[row + FAR + 3]!) : isMulticast6(rows, row + FAR);
}

/** Groups have a hop limit of their own (RFC 1112 §6.1, RFC 3493 §5.2), and nobody complains of what has died on its way to them. */
function setHopLimit(row: number, hopLimit: number): void {
  const fd = rows[row + FD]!;
  const ipv4 = isIpv4(row);
  if (isMulticastRow(row)) {
    if (ipv4) kernel.setOption(fd, IPPROTO_IP, IP_MULTICAST_TTL, hopLimit);
    else kernel.setOption(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, hopLimit);
    return;
  }
  tellHopLimits(row);
  setUnicastHops(row, hopLimit);
}

/** Sets how many hops (1–255) what the flow's socket sends may take. */
export function setUnicastHops(row: number, hopLimit: number): void {
  if (isIpv4(row)) kernel.setOption(rows[row + FD]!, IPPROTO_IP, IP_TTL, hopLimit);
  else kernel.setOption(rows[row + FD]!, IPPROTO_IPV6, IPV6_UNICAST_HOPS, hopLimit);
}

/** Sets the TOS or traffic class of what the flow's socket sends: DSCP << 2 | ECN (RFC 2474 §3, RFC 3168 §5). TCP's kernel keeps ECN for itself. */
export function setTrafficClass(row: number, trafficClass: number): void {
  if (isIpv4(row)) kernel.setOption(rows[row + FD]!, IPPROTO_IP, IP_TOS, trafficClass);
  else kernel.setOption(rows[row + FD]!, IPPROTO_IPV6, IPV6_TCLASS, trafficClass);
}

function changePath(row: number, word: number): void {
  const fd = rows[row + FD]!;
  const ipv4 = isIpv4(row);
  const changed = rows[row + PATH]! ^ word;
  rows[row + PATH] = word;
  if ((changed & HOP_LIMIT) !== 0) setHopLimit(row, Math.max(word & HOP_LIMIT, 1));
  if ((changed & TRAFFIC_CLASS) !== 0) setTrafficClass(row, (word & TRAFFIC_CLASS) >>> TRAFFIC_CLASS_SHIFT);
  if ((changed & WHOLE) !== 0) {
    const discovery = (word & WHOLE) !== 0 ? PMTUDISC_PROBE : PMTUDISC_WANT;
    if (ipv4) kernel.setOption(fd, IPPROTO_IP, IP_MTU_DISCOVER, discovery);
    else kernel.setOption(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, discovery);
  }
}

/** The flow's next datagram, `length` bytes with its transport header, goes as its path word says. */
export function setPath(row: number, word: number, length: number): void {
  rows[row + SENT_LENGTH] = length;
  if (rows[row + PATH] !== word) changePath(row, word);
}
