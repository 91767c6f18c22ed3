/**
 * Datagrams of the host's sockets to the guest. What the kernel has joined (UDP_GRO) goes in one frame where the guest's kernel
 * splits it again (USO), else in as many as it was.
 */
import { Counter } from '../../shared/counters.ts';
import { isIpv4, pseudoSum, writeMarkedHeaders } from '../flow/packet.ts';
import { PORTS, rows } from '../flow/row.ts';
import { transmit } from '../flow/transmit.ts';
import { counters } from '../link/counters.ts';
import { linkMtu } from '../link/mtu.ts';
import { LINK_HEADER, takesUdpSegments } from '../link/link.ts';
import { IPV4_HEADER, PROTOCOL_UDP } from '../wire/ipv4.ts';
import { IPV6_HEADER } from '../wire/ipv6.ts';
import { setChecksum, UDP_CHECKSUM, UDP_HEADER, writeUdp } from '../wire/udp.ts';
import { VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_NONE, VIRTIO_NET_HDR_GSO_UDP_L4, writeVnet } from '../wire/vnet.ts';

/** Sends `length` bytes at `payload` to the guest, as one datagram or as segments of `segment` bytes that its kernel splits. */
function sendToGuest(row: number, payload: number, length: number, segment: number, trafficClass: number): void {
  const l4 = payload - UDP_HEADER;
  const total = UDP_HEADER + length;
  const ports = rows[row + PORTS]!;
  writeUdp(l4, ports & 0xffff, ports >>> 16, total);
  const l2 = writeMarkedHeaders(row, l4, total, PROTOCOL_UDP, trafficClass);
  setChecksum(l4, pseudoSum(row, l4, total, PROTOCOL_UDP));
  const at = l2 - LINK_HEADER;
  const type = segment > 0 ? VIRTIO_NET_HDR_GSO_UDP_L4 : VIRTIO_NET_HDR_GSO_NONE;
  writeVnet(at, VIRTIO_NET_HDR_F_NEEDS_CSUM, type, payload - l2, segment, l4 - l2, UDP_CHECKSUM);
  transmit(at, payload + length - at);
}

/** Whether the guest's kernel may split such datagrams for us: it takes superframes, and each fits the link without being fragmented. */
function fitLink(row: number, segment: number): boolean {
  const ipv4 = isIpv4(row);
  return takesUdpSegments(ipv4 ? 4 : 6) && (ipv4 ? IPV4_HEADER : IPV6_HEADER) + UDP_HEADER + segment <= linkMtu;
}

/** Delivers the `length` bytes at `payload` to the guest of the flow in `row`; `segment` > 0: datagrams of that length, all with `trafficClass`. */
export function deliver(row: number, payload: number, length: number, segment: number, trafficClass: number): void {
  counters[Counter.udp_datagrams_in]! += segment > 0 && length > segment ? Math.ceil(length / segment) : 1;
  if (segment <= 0 || length <= segment) sendToGuest(row, payload, length, 0, trafficClass);
  else if (fitLink(row, segment)) sendToGuest(row, payload, length, segment, trafficClass);
  else {
    // The headers of a piece overwrite the end of the one before, which is sent already.
    for (let at = 0; at < length; at += segment) sendToGuest(row, payload + at, Math.min(segment, length - at), 0, trafficClass);
  }
}
