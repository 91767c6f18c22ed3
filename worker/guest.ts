/**
 * A frame of the guest, and who takes it.
 */
import { Counter } from '../shared/counters.ts';
import { LogLevel, MessageId } from '../shared/messages.ts';
import { isGroup } from './flow/forward.ts';
import { log, logGuestMac, logs } from './flow/journal.ts';
import { expectSeveral, forgetNeighbours, learnNeighbour, learnNeighbour4 } from './flow/neighbours.ts';
import { addressGuest, observe } from './flow/observed.ts';
import { find, key, KEY_FAR, KEY_GUEST } from './flow/table.ts';
import { takeFragment } from './fragment/reassembly.ts';
import { echoFromGuest } from './icmp/ping.ts';
import { GUEST_MAC, OUR_MAC, TRANSMIT } from './link/arena.ts';
import { counters } from './link/counters.ts';
import { LINK_HEADER } from './link/link.ts';
import { receivedAt, receivedHeader, receivedLength } from './link/received.ts';
import { transmit, transmitWhole } from './flow/transmit.ts';
import { answerArp } from './local/arp.ts';
import { answerDhcp } from './local/dhcp.ts';
import { answerDhcpv6, isForDhcpv6 } from './local/dhcpv6.ts';
import { answerEcho } from './local/echo.ts';
import { farewellCount, farewellsSaid } from './local/former.ts';
import { takeIgmp, takeMld } from './local/membership.ts';
import { isNobodys4, isNobodys6 } from './local/identity.ts';
import { advertiseToAll, answerNdp, sayFarewell } from './local/ndp.ts';
import { searchAtOnce, stopSearching } from './search.ts';
import { takeAdvice } from './tcp/advice.ts';
import { open } from './tcp/connection.ts';
import { callAgain } from './tcp/inbound.ts';
import { comesInOrder, segmentFromGuest } from './tcp/receive.ts';
import { answerStray } from './tcp/stray.ts';
import { datagramFromGuest } from './udp/flow.ts';
import { sendRun } from './udp/send.ts';
import { equalWords, isUnspecified4, isUnspecified6, MAPPED_WORD } from './wire/address.ts';
import { senderAddress } from './wire/arp.ts';
import { DHCP_SERVER } from './wire/dhcp.ts';
import { DHCPV6_SERVER } from './wire/dhcpv6.ts';
import { copyMac, equalMac, ETHERNET_HEADER, ETHERTYPE_ARP, isGroupMac, isZeroMac, sourceMac } from './wire/ethernet.ts';
import { counterOf, frame, parse, verifyL4Checksum, Verdict } from './wire/frame.ts';
import * as ipv4 from './wire/ipv4.ts';
import { canBeSuperseded, canGrow, join, supersede } from './wire/join.ts';
import * as ipv6 from './wire/ipv6.ts';
import { ACK, destinationPort as tcpDestination, flags, RST, sourcePort as tcpSource, SYN } from './wire/tcp.ts';
import { destinationPort as udpDestination, sourcePort as udpSource } from './wire/udp.ts';
import { PROTOCOL_IGMP } from './wire/membership.ts';
import { writeVnetPlain } from './wire/vnet.ts';

/** Where an answer of our own is built: a link header, then the Ethernet frame. */
const ANSWER = TRANSMIT;

let wantsTcp = false;
let wantsUdp = false;
let wantsIcmp = false;
let wantsIpv4 = false;
let wantsIpv6 = false;
let wantsNdp = false;
/** Nobody has spoken on this link yet: what was sent to the guest so far may have been for nobody. */
let isSilent = false;

/** Which protocols are served. */
export function setProtocols(protocols: { ipv4: boolean; ipv6: boolean; tcp: boolean; udp: boolean; icmp: boolean; ndp: boolean }): void {
  wantsIpv4 = protocols.ipv4;
  wantsIpv6 = protocols.ipv6;
  wantsTcp = protocols.tcp;
  wantsUdp = protocols.udp;
  wantsIcmp = protocols.icmp;
  wantsNdp = protocols.ndp;
}

function transmitAnswer(length: number, counter: number): boolean {
  if (length === 0) return false;
  writeVnetPlain(ANSWER);
  counters[counter]!++;
  transmit(ANSWER, LINK_HEADER + length);
  return true;
}

/** A DHCP client without an address listens below IP, where nobody puts fragments together. */
function takeDhcp(): number {
  const length = answerDhcp(frame, ANSWER + LINK_HEADER);
  if (length === 0) return ignore(Counter.frames_not_served);
  writeVnetPlain(ANSWER);
  counters[Counter.dhcp_answered]!++;
  transmitWhole(ANSWER, LINK_HEADER + length);
  return 0;
}

function sendToAll(length: number): boolean {
  writeVnetPlain(ANSWER);
  counters[Counter.router_advertisements]!++;
  return transmit(ANSWER, LINK_HEADER + length);
}

/** Sends a router advertisement to everybody on the link, and one from each address that is ours no more. False when the link refused it. */
export function sendRouterAdvertisement(): boolean {
  if (!sendToAll(advertiseToAll(ANSWER + LINK_HEADER))) return false;
  const count = farewellCount();
  for (let index = 0; index < count; index++) sendToAll(sayFarewell(index, ANSWER + LINK_HEADER));
  farewellsSaid();
  return true;
}

/** Puts the frame's addresses into the flow key; the guest is the source. */
function readKey(): void {
  if (frame.family === 4) {
    key[KEY_GUEST] = 0;
    key[KEY_GUEST + 1] = 0;
    key[KEY_GUEST + 2] = MAPPED_WORD;
    key[KEY_GUEST + 3] = ipv4.source(frame.l3);
    key[KEY_FAR] = 0;
    key[KEY_FAR + 1] = 0;
    key[KEY_FAR + 2] = MAPPED_WORD;
    key[KEY_FAR + 3] = ipv4.destination(frame.l3);
  } else {
    ipv6.readAddress(ipv6.sourceAt(frame.l3), key, KEY_GUEST);
    ipv6.readAddress(ipv6.destinationAt(frame.l3), key, KEY_FAR);
  }
}

function destinationIsGroup(): boolean {
  return isGroup(key, KEY_FAR, frame.family);
}

/** Counts a frame that leads to nothing, and none of those that follow it. */
function ignore(counter: number): number {
  counters[counter]!++;
  return 0;
}

/** Whether no answer could reach who has sent this: the source is unspecified, ours, or where the packet goes to. */
function sourceIsNobodys(): boolean {
  if (frame.family === 4) {
    const source = key[KEY_GUEST + 3]!;
    return isUnspecified4(source) || source === key[KEY_FAR + 3] || isNobodys4(source);
  }
  return isUnspecified6(key, KEY_GUEST) || equalWords(key, KEY_GUEST, key, KEY_FAR) || isNobodys6(key, KEY_GUEST);
}

/** Joins to the flow's segment in `frame`, which is the one at `index` of its batch, those of the `following` ones that go on with it. How many. */
function joinFollowing(flow: number, index: number, following: number): number {
  if (following === 0) return 0;
  const grows = canGrow();
  if (!(grows || canBeSuperseded()) || !comesInOrder(flow)) return 0;
  let joined = 0;
  for (let next = 1; next <= following; next++) {
    const at = receivedAt[index + next]!;
    const length = receivedLength(index + next);
    if (!(grows ? join(at, length, receivedHeader > 0) : supersede(at, length, receivedHeader > 0))) break;
    counters[Counter.bytes_from_guest]! += length - receivedHeader;
    joined++;
  }
  counters[Counter.frames_from_guest]! += joined;
  return joined;
}

function takeTcp(index: number, following: number): number {
  const from = tcpSource(frame.l4);
  const to = tcpDestination(frame.l4);
  if (from === 0 || to === 0 || destinationIsGroup()) return ignore(Counter.frames_not_served);
  const ports = (from << 16) | to;
  const flow = find(ports, ipv4.PROTOCOL_TCP);
  if (flow < 0 && sourceIsNobodys()) return ignore(Counter.frames_bad_address);
  const joined = flow < 0 ? 0 : joinFollowing(flow, index, following);
  if (flow >= 0 && !segmentFromGuest(flow)) return joined;
  if ((flags(frame.l4) & (SYN | ACK | RST)) !== SYN || !open(ports)) answerStray(key);
  return joined;
}

function takeUdp(): number {
  const from = udpSource(frame.l4);
  const to = udpDestination(frame.l4);
  if (frame.family === 4 && to === DHCP_SERVER) return takeDhcp();
  if (frame.family === 6 && to === DHCPV6_SERVER && isForDhcpv6(key, KEY_FAR)) {
    return transmitAnswer(answerDhcpv6(frame, ANSWER + LINK_HEADER), Counter.dhcpv6_answered) ? 0 : ignore(Counter.frames_not_served);
  }
  if (!wantsUdp || from === 0 || to === 0) return ignore(Counter.frames_not_served);
  if (sourceIsNobodys()) return ignore(Counter.frames_bad_address);
  datagramFromGuest((from << 16) | to);
  return 0;
}

function takeIcmp(): number {
  // RFC 6980 §5: what is told about neighbours never comes in fragments.
  const whole = frame.family === 6 && frame.fragment === 0;
  if (whole && wantsNdp && transmitAnswer(answerNdp(frame, ANSWER + LINK_HEADER), Counter.ndp_answered)) return 0;
  if (frame.family === 6 && takeMld(frame)) return 0;
  if (!wantsIcmp || destinationIsGroup()) return ignore(Counter.frames_not_served);
  if (sourceIsNobodys()) return ignore(Counter.frames_bad_address);
  if (transmitAnswer(answerEcho(frame, ANSWER + LINK_HEADER), Counter.echo_answered) || takeAdvice()) return 0;
  echoFromGuest();
  return 0;
}

/** There is another link, and who is behind it has not spoken yet. */
export function expectGuest(): void {
  isSilent = true;
  forgetNeighbours();
}

/** Another MAC speaks on the link: the addresses known so far are the first one's, unless it is the same guest under a new one. Both may say so. */
function rememberFirst(): void {
  for (const family of [4, 6]) if (addressGuest(family, false)) learnNeighbour(key, KEY_GUEST, GUEST_MAC);
  searchAtOnce();
}

/** The guest's MAC is whatever its last frame came from. False when that is no station's (IEEE 802.3), or ours. */
function learnMac(): boolean {
  const mac = sourceMac(frame.l2);
  if (isGroupMac(mac)) return false;
  if (equalMac(mac, GUEST_MAC)) return true;
  if (isZeroMac(mac) || equalMac(mac, OUR_MAC)) return false;
  if (isGroupMac(GUEST_MAC)) isSilent = true;
  else if (!isSilent && expectSeveral()) rememberFirst();
  copyMac(GUEST_MAC, mac);
  logGuestMac();
  return true;
}

/**
 * The packet in `frame`, whose addresses are in `key`; it is the one at `index` of its batch when others are `following`. How many of these
 * are done with it.
 */
function packetFromGuest(index: number, following: number): number {
  // The guest's own kernel leaves the sum to us, or has seen that it is right; what it only forwards may have come over a bad link.
  if (!verifyL4Checksum()) {
    counters[Counter.frames_bad_checksum]!++;
    return 0;
  }
  // What other flows begin may end a flow that has something to send.
  if (frame.protocol !== ipv4.PROTOCOL_UDP) sendRun();
  let joined = 0;
  switch (frame.protocol) {
    case ipv4.PROTOCOL_TCP:
      joined = wantsTcp ? takeTcp(index, following) : ignore(Counter.frames_not_served);
      break;
    case ipv4.PROTOCOL_UDP:
      takeUdp();
      break;
    case PROTOCOL_IGMP:
      takeIgmp(frame);
      break;
    default:
      takeIcmp();
  }
  return joined;
}

/** The fragment in `frame`; the packet that it completes is like any other. */
function fragmentFromGuest(): void {
  if (frame.family === 4 ? !wantsIpv4 : !wantsIpv6) {
    ignore(Counter.frames_not_served);
    return;
  }
  readKey();
  const verdict = takeFragment();
  if (verdict === Verdict.FRAGMENT) return;
  if (verdict === Verdict.OK) packetFromGuest(0, 0);
  else ignore(counterOf(verdict));
}

/** Handles the frame at `index` of the batch (link/received.ts). How many of the `following` ones are done with it. */
export function frameFromGuest(index: number, following: number): number {
  const length = receivedLength(index);
  const verdict = parse(receivedAt[index]!, length, receivedHeader > 0);
  counters[Counter.frames_from_guest]!++;
  counters[Counter.bytes_from_guest]! += length - receivedHeader;
  if (verdict !== Verdict.OK && verdict !== Verdict.FRAGMENT) return ignore(counterOf(verdict));
  if (!learnMac()) return ignore(Counter.frames_bad_address);
  if (isSilent) {
    isSilent = false;
    stopSearching();
    callAgain();
  }
  if (verdict === Verdict.FRAGMENT) {
    ignore(Counter.frames_fragment);
    fragmentFromGuest();
    return 0;
  }
  if (logs(LogLevel.TRACE))
    log(
      LogLevel.TRACE,
      MessageId.FRAME_IN,
      2,
      length - receivedHeader,
      frame.protocol === 0 ? frame.etherType : frame.protocol,
      0,
      0,
      0,
      0,
    );
  if (frame.etherType === ETHERTYPE_ARP) {
    if (!wantsIpv4) return ignore(Counter.frames_not_served);
    learnNeighbour4(senderAddress(frame.l2 + ETHERNET_HEADER), sourceMac(frame.l2));
    transmitAnswer(answerArp(frame.l2, ANSWER + LINK_HEADER), Counter.arp_answered);
    return 0;
  }
  if (frame.family === 4 ? !wantsIpv4 : !wantsIpv6) return ignore(Counter.frames_not_served);
  readKey();
  learnNeighbour(key, KEY_GUEST, sourceMac(frame.l2));
  observe(frame.family);
  return packetFromGuest(index, following);
}
