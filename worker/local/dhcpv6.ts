/**
 * The DHCPv6 server of the link (RFC 8415): it has one address to give, that of the guest, and gives it for ever to whoever asks.
 *
 * Theory of operation. As with DHCP there is nothing to remember: a reply depends on the message and on the facts alone. The first
 * association for addresses (IA_NA) of a message has the address; temporary addresses and prefixes there are none. Who has another
 * address is told that it has ended when it renews, and that it is none of this link when it asks. A relay gets no answer: its clients
 * are on a link of which nothing is known here.
 */
import { LogLevel, MessageId } from '../../shared/messages.ts';
import { nowMs } from '../flow/clock.ts';
import { log, logs } from '../flow/journal.ts';
import { observeGiven6 } from '../flow/observed.ts';
import { isLinkLocal6, isMulticast6, isUnspecified6 } from '../wire/address.ts';
import { complement, pseudoSum6, sum } from '../wire/checksum.ts';
import * as dhcpv6 from '../wire/dhcpv6.ts';
import { ETHERNET_HEADER, ETHERTYPE_IPV6, isGroupMac, sourceMac, writeEthernet } from '../wire/ethernet.ts';
import type { Frame } from '../wire/frame.ts';
import { destinationAt, IPV6_HEADER, readAddress, sourceAt, writeIpv6 } from '../wire/ipv6.ts';
import { PROTOCOL_UDP } from '../wire/ipv4.ts';
import { view } from '../wire/memory.ts';
import { length as udpLength, setChecksum, UDP_HEADER, writeUdp } from '../wire/udp.ts';
import { VIRTIO_NET_HDR_GSO_NONE } from '../wire/vnet.ts';
import * as reply from './dhcpv6_options.ts';
import { isNobodys6, isOurs6, linkLocal, ourMac } from './identity.ts';

const HOP_LIMIT = 255;
const LINES_AT_ONCE = 5;
const LINES_INTERVAL = 10_000;

let enabled = false;
let linesAt = 0;
let lines = 0;
const client = new Int32Array(4);
const destination = new Int32Array(4);

/** Sets the facts, at the start and when the host has changed. */
export function setDhcpv6(facts: reply.Dhcpv6Facts): void {
  enabled = facts.dhcpv6;
  reply.setTold(facts);
}

/**
 * At most LINES_AT_ONCE lines per 10 s: whoever can send frames can have one with each. A renewal is told to who wants to know more. `event` is
 * a type of a client's message, or ADVERTISE = refused.
 */
function tell(frame: Frame, event: number): void {
  const level = event === dhcpv6.RENEW || event === dhcpv6.REBIND ? LogLevel.DEBUG : LogLevel.INFO;
  if ((nowMs - linesAt) >>> 0 >= LINES_INTERVAL) {
    linesAt = nowMs;
    lines = 0;
  }
  if (lines === LINES_AT_ONCE || !logs(level)) return;
  lines++;
  const mac = sourceMac(frame.l2);
  const { address } = reply;
  const words = [address[0], address[1], address[2], address[3]] as [number, number, number, number];
  log(level, MessageId.DHCPV6, 6, (event << 16) | view.getUint16(mac), view.getInt32(mac + 2), ...words);
}

/** Whether a datagram to DHCPV6_SERVER at the address in `words` from `at` is for us, and never for a host behind: a group, the link, ourselves. */
export function isForDhcpv6(words: Int32Array, at: number): boolean {
  return isMulticast6(words, at) || isLinkLocal6(words, at) || isOurs6(words, at);
}

/** RFC 8415 §16: what each type of message must have and must not. */
function isValid(type: number): boolean {
  const isNamed = dhcpv6.clientAt >= 0;
  const namesServer = dhcpv6.serverAt >= 0;
  switch (type) {
    case dhcpv6.SOLICIT:
    case dhcpv6.CONFIRM:
    case dhcpv6.REBIND:
      return isNamed && !namesServer;
    case dhcpv6.REQUEST:
    case dhcpv6.RENEW:
    case dhcpv6.RELEASE:
    case dhcpv6.DECLINE:
      return isNamed && namesServer && reply.isOurIdentifier();
    case dhcpv6.INFORMATION_REQUEST:
      return dhcpv6.associations === 0 && (!namesServer || reply.isOurIdentifier());
    default:
      return false;
  }
}

/** RFC 8415 §18.4: these come by multicast. The others are discarded when they don't (RFC 8415 §16). */
function isToldToUseMulticast(type: number): boolean {
  return type === dhcpv6.REQUEST || type === dhcpv6.RENEW || type === dhcpv6.RELEASE || type === dhcpv6.DECLINE;
}

function answerSolicit(message: number, request: number, end: number): number {
  const isRapid = dhcpv6.wantsRapidCommit;
  reply.beginReply(message, request, isRapid ? dhcpv6.REPLY : dhcpv6.ADVERTISE);
  if (isRapid) reply.tellRapidCommit();
  else reply.tellPreference();
  reply.tellAssociations(request, end, dhcpv6.SOLICIT);
  reply.tellNames();
  return isRapid ? dhcpv6.REQUEST : dhcpv6.SOLICIT;
}

function answerLease(message: number, request: number, end: number, type: number): number {
  reply.beginReply(message, request, dhcpv6.REPLY);
  const isGiven = reply.tellAssociations(request, end, type);
  reply.tellNames();
  return isGiven ? type : dhcpv6.ADVERTISE;
}

/** RFC 8415 §18.3.3 (not: any address of the prefix is right; a client with another one would never get the one that is reached from outside). */
function answerConfirm(message: number, request: number, end: number): number {
  const addresses = reply.addressesOfMessage(request, end);
  if (addresses === reply.Addresses.NONE) return 0;
  const isRight = addresses === reply.Addresses.RIGHT;
  reply.beginReply(message, request, dhcpv6.REPLY);
  reply.tellStatus(isRight ? dhcpv6.SUCCESS : dhcpv6.NOT_ON_LINK);
  return isRight ? dhcpv6.CONFIRM : dhcpv6.ADVERTISE;
}

function answerReturn(message: number, request: number, end: number, type: number): number {
  reply.beginReply(message, request, dhcpv6.REPLY);
  reply.tellStatus(dhcpv6.SUCCESS);
  reply.tellUnknownAssociations(request, end);
  return type;
}

function answerInformation(message: number, request: number): number {
  reply.beginReply(message, request, dhcpv6.REPLY);
  reply.tellRefreshTime();
  reply.tellNames();
  return dhcpv6.INFORMATION_REQUEST;
}

/** Writes the reply's message, and returns what to tell of it; 0 = there is none. */
function writeReply(message: number, request: number, end: number): number {
  const type = dhcpv6.messageType(request);
  if (!isValid(type)) return 0;
  if (!isMulticast6(destination, 0)) {
    if (!isToldToUseMulticast(type)) return 0;
    reply.beginReply(message, request, dhcpv6.REPLY);
    reply.tellStatus(dhcpv6.USE_MULTICAST);
    return dhcpv6.ADVERTISE;
  }
  switch (type) {
    case dhcpv6.SOLICIT:
      return answerSolicit(message, request, end);
    case dhcpv6.CONFIRM:
      return answerConfirm(message, request, end);
    case dhcpv6.RELEASE:
    case dhcpv6.DECLINE:
      return answerReturn(message, request, end, type);
    case dhcpv6.INFORMATION_REQUEST:
      return answerInformation(message, request);
    default:
      return answerLease(message, request, end, type);
  }
}

/**
 * Writes at `out` the reply to the datagram under `frame`, which went to DHCPV6_SERVER and is for us. Returns the bytes of the Ethernet frame (at
 * most 1514, no virtio-net header), or 0 when there is none. `out` must not overlap the request.
 */
export function answerDhcpv6(frame: Frame, out: number): number {
  const request = frame.l4 + UDP_HEADER;
  const end = frame.l4 + udpLength(frame.l4);
  if (!enabled || frame.gsoType !== VIRTIO_NET_HDR_GSO_NONE || isGroupMac(sourceMac(frame.l2))) return 0;
  readAddress(sourceAt(frame.l3), client, 0);
  readAddress(destinationAt(frame.l3), destination, 0);
  if (isUnspecified6(client, 0) || isMulticast6(client, 0) || isNobodys6(client, 0) || !dhcpv6.readMessage(request, end)) return 0;
  const l3 = out + ETHERNET_HEADER;
  const l4 = l3 + IPV6_HEADER;
  const event = writeReply(l4 + UDP_HEADER, request, end);
  if (event === 0) return 0;
  tell(frame, event);
  if (event === dhcpv6.REQUEST || reply.hasMoved) observeGiven6(reply.address);
  const length = UDP_HEADER + reply.endReply(l4 + UDP_HEADER);
  writeEthernet(out, sourceMac(frame.l2), ourMac, ETHERTYPE_IPV6);
  writeIpv6(l3, length, PROTOCOL_UDP, linkLocal, 0, client, 0, HOP_LIMIT, 0, 0);
  writeUdp(l4, dhcpv6.DHCPV6_SERVER, dhcpv6.DHCPV6_CLIENT, length);
  const checksum = complement(sum(l4, length, pseudoSum6(l3, PROTOCOL_UDP, length)));
  // RFC 8200 §8.1.
  setChecksum(l4, checksum === 0 ? 0xffff : checksum);
  return ETHERNET_HEADER + IPV6_HEADER + length;
}
