/**
 * The DHCP server of the link (RFC 2131, RFC 4039, RFC 951): it has one address to give, that of the guest, and gives it for ever to whoever
 * asks.
 *
 * Theory of operation. There is nothing to remember: the one address is the guest's whatever is said of it, so a reply depends on the
 * message and on the facts alone. Who asks for another address is told that it is none here (NAK), and begins anew. Who speaks to another
 * server gets no answer, nor does a relay: its clients are on a link of which nothing is known here. What is declined or released stays
 * the guest's.
 */
import { LogLevel, MessageId } from '../../shared/messages.ts';
import { nowMs } from '../flow/clock.ts';
import { log, logs } from '../flow/journal.ts';
import { observeGiven4 } from '../flow/observed.ts';
import { linkMtu } from '../link/mtu.ts';
import { isBroadcast4, isLoopback4, isMulticast4, isUnspecified4 } from '../wire/address.ts';
import { complement, pseudoSum4, sum } from '../wire/checksum.ts';
import * as dhcp from '../wire/dhcp.ts';
import * as option from '../wire/dhcp_option.ts';
import { ETHERNET_HEADER, ETHERTYPE_IPV4, isGroupMac, isZeroMac, sourceMac, writeBroadcastMac, writeEthernet } from '../wire/ethernet.ts';
import type { Frame } from '../wire/frame.ts';
import { IPV4_HEADER, PROTOCOL_UDP, source, writeIpv4 } from '../wire/ipv4.ts';
import { view } from '../wire/memory.ts';
import { length as udpLength, setChecksum, UDP_HEADER, writeUdp } from '../wire/udp.ts';
import { VIRTIO_NET_HDR_GSO_NONE } from '../wire/vnet.ts';
import { address, BOOTP, type DhcpFacts, gateway, setTold, writeOptions } from './dhcp_options.ts';
import { ourMac } from './identity.ts';

const TTL = 255;
const BROADCAST = -1;
/** Bytes of a reply's packet at most, whatever client and link would take: what any Ethernet carries. */
const MOST_PACKET = 1500;
const NO_REPLY = -1;
const LINES_AT_ONCE = 5;
const LINES_INTERVAL = 10_000;

let enabled = false;
let linesAt = 0;
let lines = 0;

/** Sets the facts, at the start and when the host has changed. */
export function setDhcp(facts: DhcpFacts): void {
  enabled = facts.dhcp;
  setTold(facts);
}

/** At most LINES_AT_ONCE lines per 10 s: whoever can send frames can have one with each. A renewal is told to who wants to know more. */
function tell(message: number, type: number, isRenewal: boolean): void {
  const level = isRenewal ? LogLevel.DEBUG : LogLevel.INFO;
  if ((nowMs - linesAt) >>> 0 >= LINES_INTERVAL) {
    linesAt = nowMs;
    lines = 0;
  }
  if (lines === LINES_AT_ONCE || !logs(level)) return;
  lines++;
  const mac = dhcp.clientMac(message);
  log(level, MessageId.DHCP, 4, type, address, view.getUint16(mac), view.getInt32(mac + 2), 0, 0);
}

function isUnicast(word: number): boolean {
  return !isMulticast4(word) && !isLoopback4(word) && !isUnspecified4(word) && !isBroadcast4(word);
}

/** The type of the client's message, BOOTP, or NO_REPLY for one that can't be. */
function typeOf(message: number): number {
  const has = dhcp.clientAddress(message);
  if (has !== 0 && !isUnicast(has)) return NO_REPLY;
  if (!option.hasOption(option.MESSAGE_TYPE)) return BOOTP;
  // Our BOOTP is no type of theirs.
  return option.optionByte(option.MESSAGE_TYPE, 0) || NO_REPLY;
}

/** RFC 2131 §4.3.2. A client that names no address at all asks for the one that there is. */
function answerToRequest(message: number): number {
  if (option.hasOption(option.SERVER_IDENTIFIER) && option.optionAddress(option.SERVER_IDENTIFIER) !== gateway) return NO_REPLY;
  const requested = option.hasOption(option.REQUESTED_ADDRESS) ? option.optionAddress(option.REQUESTED_ADDRESS) : 0;
  const has = dhcp.clientAddress(message);
  const isRight = (requested === 0 || requested === address) && (has === 0 || has === address);
  return isRight ? option.ACK : option.NAK;
}

/** The type of the reply to a message of `type`, BOOTP, or NO_REPLY. */
function answerTo(message: number, type: number): number {
  switch (type) {
    case BOOTP:
      return BOOTP;
    case option.DISCOVER:
      return option.hasOption(option.RAPID_COMMIT) ? option.ACK : option.OFFER;
    case option.REQUEST:
      return answerToRequest(message);
    case option.INFORM:
      return option.ACK;
    default:
      return NO_REPLY;
  }
}

/** RFC 2131 §4.1, §4.3.2, §4.3.5: where the reply goes, int32. */
function destinationOf(message: number, from: number, type: number, reply: number): number {
  const has = dhcp.clientAddress(message);
  if (reply === option.NAK) return BROADCAST;
  if (type !== option.DISCOVER && has !== 0) return has;
  if (type === option.INFORM) return isUnspecified4(from) ? BROADCAST : from;
  return dhcp.wantsBroadcast(message) ? BROADCAST : address;
}

/** Bytes that the reply may have: what the client takes (RFC 2132 §9.10) and the link carries. */
function mostBytes(type: number): number {
  // RFC 1534 §2: a BOOTP client takes what it sends.
  if (type === BOOTP) return dhcp.BOOTP_MESSAGE;
  const isSaid = option.optionLength(option.MAXIMUM_MESSAGE) === 2;
  const said = isSaid ? (option.optionByte(option.MAXIMUM_MESSAGE, 0) << 8) | option.optionByte(option.MAXIMUM_MESSAGE, 1) : 0;
  const most = Math.min(said, linkMtu, MOST_PACKET);
  return Math.max(most, dhcp.LEAST_PACKET) - IPV4_HEADER - UDP_HEADER;
}

/** A client speaks from its own MAC; behind a bridge it may be another one than the frame's. */
function writeLinkHeader(out: number, frame: Frame, message: number, isBroadcast: boolean): void {
  const client = dhcp.clientMac(message);
  const hasOwn = dhcp.hasMac(message) && !isGroupMac(client) && !isZeroMac(client);
  writeEthernet(out, hasOwn ? client : sourceMac(frame.l2), ourMac, ETHERTYPE_IPV4);
  // RFC 1122 §3.3.6.
  if (isBroadcast) writeBroadcastMac(out);
}

/**
 * Writes at `out` the reply to the datagram under `frame`, which went to DHCP_SERVER. Returns the bytes of the Ethernet frame (342…1514, no
 * virtio-net header), or 0 when there is none. `out` must not overlap the request.
 */
export function answerDhcp(frame: Frame, out: number): number {
  const message = frame.l4 + UDP_HEADER;
  const end = frame.l4 + udpLength(frame.l4);
  if (!enabled || frame.gsoType !== VIRTIO_NET_HDR_GSO_NONE || !dhcp.isRequest(message, end - message)) return 0;
  if (dhcp.relayAddress(message) !== 0 || !option.readOptions(message, end)) return 0;
  const type = typeOf(message);
  const reply = answerTo(message, type);
  if (reply === NO_REPLY) {
    if (type === option.DECLINE || type === option.RELEASE) tell(message, type, false);
    return 0;
  }
  const to = destinationOf(message, source(frame.l3), type, reply);
  const isLease = reply === option.ACK && type !== option.INFORM;
  const isRenewal = isLease && type === option.REQUEST && dhcp.clientAddress(message) !== 0;
  tell(message, reply, isRenewal);
  if (isLease && !isRenewal) observeGiven4(address);
  writeLinkHeader(out, frame, message, to === BROADCAST);
  return writePacket(out, message, type, reply, to);
}

/** RFC 2131 §4.3.1, table 3: what the fields of each kind of reply have. */
function writePacket(out: number, message: number, type: number, reply: number, to: number): number {
  const l3 = out + ETHERNET_HEADER;
  const l4 = l3 + IPV4_HEADER;
  const has = type === option.DISCOVER || reply === option.NAK ? 0 : dhcp.clientAddress(message);
  const isGiven = reply !== option.NAK && type !== option.INFORM && (type !== BOOTP || has === 0);
  const isLease = type !== option.INFORM && reply !== option.NAK;
  dhcp.writeReply(l4 + UDP_HEADER, message, has, isGiven ? address : 0);
  const isRapid = type === option.DISCOVER && reply === option.ACK;
  const length = UDP_HEADER + writeOptions(l4 + UDP_HEADER, mostBytes(type), reply, isLease, isRapid);
  writeIpv4(l3, IPV4_HEADER + length, PROTOCOL_UDP, gateway, to, TTL, 0);
  writeUdp(l4, dhcp.DHCP_SERVER, dhcp.DHCP_CLIENT, length);
  const checksum = complement(sum(l4, length, pseudoSum4(gateway, to, PROTOCOL_UDP, length)));
  // RFC 768: 0 would mean that there is none.
  setChecksum(l4, checksum === 0 ? 0xffff : checksum);
  return ETHERNET_HEADER + IPV4_HEADER + length;
}
