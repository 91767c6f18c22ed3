/** Segments of the guest that belong to no connection: RFC 9293 §3.10.7.1. */
import { Counter } from '../../shared/counters.ts';
import { ETHERNET_HEADER, writeEthernet } from '../wire/ethernet.ts';
import { GUEST_MAC, OUR_MAC, TRANSMIT_PAYLOAD } from '../link/arena.ts';
import { counters } from '../link/counters.ts';
import { LINK_HEADER } from '../link/link.ts';
import { transmit } from '../flow/transmit.ts';
import { pseudoSum4, pseudoSum6 } from '../wire/checksum.ts';
import { etherType } from '../wire/ethernet.ts';
import { frame } from '../wire/frame.ts';
import { IPV4_HEADER, PROTOCOL_TCP, writeIpv4 } from '../wire/ipv4.ts';
import { IPV6_HEADER, writeIpv6 } from '../wire/ipv6.ts';
import {
  ACK,
  acknowledgement,
  destinationPort,
  FIN,
  flags,
  RST,
  sequence,
  setChecksum,
  sourcePort,
  SYN,
  TCP_CHECKSUM,
  TCP_HEADER,
  writeTcp,
} from '../wire/tcp.ts';
import { VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_NONE, writeVnet } from '../wire/vnet.ts';

const HOP_LIMIT = 255;

/** Answers the segment in `frame`, whose addresses are `words` (guest at 0, far at 4), by RST, unless it is one itself. */
export function answerStray(words: Int32Array): void {
  const bits = flags(frame.l4);
  if ((bits & RST) !== 0) return;
  const l4 = TRANSMIT_PAYLOAD - TCP_HEADER;
  const hasAck = (bits & ACK) !== 0;
  const length = frame.end - frame.payload + ((bits & SYN) !== 0 ? 1 : 0) + ((bits & FIN) !== 0 ? 1 : 0);
  const seq = hasAck ? acknowledgement(frame.l4) : 0;
  const ack = hasAck ? 0 : (sequence(frame.l4) + length) | 0;
  writeTcp(l4, destinationPort(frame.l4), sourcePort(frame.l4), seq, ack, TCP_HEADER, hasAck ? RST : RST | ACK, 0);
  const ipv4 = frame.family === 4;
  const l3 = l4 - (ipv4 ? IPV4_HEADER : IPV6_HEADER);
  const l2 = l3 - ETHERNET_HEADER;
  if (ipv4) {
    writeIpv4(l3, IPV4_HEADER + TCP_HEADER, PROTOCOL_TCP, words[7]!, words[3]!, HOP_LIMIT, 0);
    setChecksum(l4, pseudoSum4(words[7]!, words[3]!, PROTOCOL_TCP, TCP_HEADER));
  } else {
    writeIpv6(l3, TCP_HEADER, PROTOCOL_TCP, words, 4, words, 0, HOP_LIMIT, 0, 0);
    setChecksum(l4, pseudoSum6(l3, PROTOCOL_TCP, TCP_HEADER));
  }
  writeEthernet(l2, GUEST_MAC, OUR_MAC, etherType(frame.l2));
  writeVnet(l2 - LINK_HEADER, VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_NONE, TRANSMIT_PAYLOAD - l2, 0, l4 - l2, TCP_CHECKSUM);
  counters[Counter.tcp_resets_sent]!++;
  transmit(l2 - LINK_HEADER, TRANSMIT_PAYLOAD - l2 + LINK_HEADER);
}
