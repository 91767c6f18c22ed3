/**
 * Connections that the host's side opens: a socket is there, and the guest is asked by a SYN.
 *
 * Until the guest has answered nothing of the far end's data is looked at; it waits in the socket. A guest that refuses, by RST
 * or by silence, has the far end reset.
 */
import { Counter } from '../../shared/counters.ts';
import { MessageId } from '../../shared/messages.ts';
import { logFlow } from '../flow/journal.ts';
import { isIpv4 } from '../flow/packet.ts';
import { FD, FLAGS, KIND, ROW, rows, TCP } from '../flow/row.ts';
import { find, rowsInUse } from '../flow/table.ts';
import { watchFlow } from '../flow/watch.ts';
import { counters } from '../link/counters.ts';
import { kernel } from '../link/kernel.ts';
import { OFFERS_SACK, prepare, sendSynNow, startPeeking, take } from './connection.ts';
import { abandon, end } from './ending.ts';
import { PROTOCOL_TCP } from '../wire/ipv4.ts';
import { DEFAULT_MARKS } from './marking.ts';
import { linkMss } from './mss.ts';
import { MARKS, MSS, RCV_SHIFT, RETRIES, RTO, SACK_PERMITTED, SYN_SENT, TIME_WAIT, TIMESTAMPS } from './row.ts';
import { cancelMeasurement, INITIAL_RTO, scheduleNext } from './timeout.ts';
import { OFFERED_SHIFT } from './window.ts';

/** True when no other connection has the key and the ports; one in TIME-WAIT ends. The guest may be about to call the same far end itself. */
function makeWay(ports: number): boolean {
  const other = find(ports, PROTOCOL_TCP);
  if (other < 0) return true;
  if ((rows[other * ROW + FLAGS]! & TIME_WAIT) === 0) return false;
  end(other, 0);
  return true;
}

/**
 * Opens a connection to the guest for the connected host socket `fd`, which is taken over. The caller has set the key
 * (flow/table.ts): KEY_GUEST is whom to ask, KEY_FAR who the guest shall think it is. `ports` = guest port << 16 | far port.
 * False when it can't be: the far end was told by a reset.
 */
export function openToGuest(fd: number, ports: number): boolean {
  const flow = makeWay(ports) ? take(ports) : -1;
  if (flow < 0) {
    kernel.setAbortive(fd);
    kernel.close(fd);
    return false;
  }
  const row = flow * ROW;
  rows[row + FD] = fd;
  rows[row + MARKS] = DEFAULT_MARKS;
  rows[row + MSS] = linkMss(isIpv4(row));
  rows[row + RCV_SHIFT] = OFFERED_SHIFT;
  prepare(flow);
  rows[row + FLAGS] = SYN_SENT | TIMESTAMPS | (OFFERS_SACK ? SACK_PERMITTED : 0);
  counters[Counter.tcp_flows_opened]!++;
  logFlow(MessageId.FLOW_BEGAN, flow, 0);
  if (watchFlow(flow) < 0) {
    abandon(flow, 0);
    return false;
  }
  startPeeking(flow);
  sendSynNow(flow, 0);
  scheduleNext(flow);
  return true;
}

/**
 * The guest has spoken for the first time on its link: what it was sent before was for nobody (RFC 1122 §2.3.2.2), so who waits for
 * an answer calls again, as if for the first time.
 */
export function callAgain(): void {
  const end = rowsInUse() * ROW;
  for (let row = 0; row < end; row += ROW) {
    if (rows[row + KIND] !== TCP || (rows[row + FLAGS]! & SYN_SENT) === 0) continue;
    rows[row + RETRIES] = 0;
    rows[row + RTO] = INITIAL_RTO;
    cancelMeasurement(row);
    sendSynNow(row / ROW, 0);
    scheduleNext(row / ROW);
  }
}
