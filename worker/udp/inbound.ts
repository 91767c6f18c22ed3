/**
 * UDP flows that begin on the host's side: a far end has sent a datagram to a port that is forwarded to the guest.
 *
 * Theory of operation. A listener hears every far end; each gets a flow, and a socket of its own that is bound to the listener's
 * port and connected to the far end: what the guest answers leaves from the address and port that were asked. The first datagram goes
 * to the guest at once; the socket is only needed for the answer, which waits for it. Until the socket is connected the far end's
 * datagrams still come to the listener, and go to the flow by this same function. So no datagram overtakes another
 * if whoever has the listener empties it before the flow's socket is read for the first time (worker/listener.ts).
 */
import { Verb } from '../../shared/opener.ts';
import { requestSocket } from '../flow/opener.ts';
import { ROW, rows } from '../flow/row.ts';
import { find, key, KEY_GUEST } from '../flow/table.ts';
import { TRANSMIT_PAYLOAD } from '../link/arena.ts';
import { MAPPED_WORD } from '../wire/address.ts';
import { PROTOCOL_UDP } from '../wire/ipv4.ts';
import { deliver } from './deliver.ts';
import { noteDatagram, start, takeUdp } from './flow.ts';
import { FROM_HOST, LISTENER } from './row.ts';

function keyFamily(): number {
  return key[KEY_GUEST] === 0 && key[KEY_GUEST + 1] === 0 && key[KEY_GUEST + 2] === MAPPED_WORD ? 4 : 6;
}

/**
 * The listener `listener` on `hostPort` has received `length` bytes, at TRANSMIT_PAYLOAD (`segment` > 0: datagrams of that length), from `farPort`
 * of `target`, to `source` (flow/forward.ts). The caller has set the key (flow/table.ts): KEY_GUEST is whom it is for, KEY_FAR who the guest shall
 * think it is from; `ports` = guest port << 16 | port it is from, as the guest sees it. False when it was dropped for want of room.
 */
export function datagramFromHost(
  ports: number,
  hostPort: number,
  farPort: number,
  length: number,
  segment: number,
  trafficClass: number,
  listener: number,
): boolean {
  let flow = find(ports, PROTOCOL_UDP);
  if (flow < 0) {
    flow = takeUdp(ports);
    if (flow < 0) return false;
    if (!start(flow, requestSocket(Verb.UDP_CONNECT, flow, keyFamily(), hostPort, farPort, 0), FROM_HOST)) return false;
    rows[flow * ROW + LISTENER] = listener;
  }
  noteDatagram(flow, FROM_HOST);
  deliver(flow * ROW, TRANSMIT_PAYLOAD, length, segment, trafficClass);
  return true;
}
