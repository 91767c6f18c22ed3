/** Flows to a group or to all on the link, and the socket that hears the replies (replies.ts): who gets which socket when. */
import { Counter } from '../../shared/counters.ts';
import { counters } from '../link/counters.ts';
import { udpOpened } from './flow.ts';
import { askFromPort, endReplies, hearReplies, nextAsker } from './replies.ts';

const EAGAIN = 11;

/** The opener's answer about the socket that hears replies: the flows that have waited for its port ask now, or end. */
export function repliesOpened(flow: number, result: number, socket: number): void {
  const heard = hearReplies(flow, result, socket);
  if (result < 0) counters[Counter.opener_refused]!++;
  for (let asker = nextAsker(flow); asker >= 0; asker = nextAsker(flow)) {
    if (heard < 0) udpOpened(asker, heard, -1);
    else if (!askFromPort(asker, flow)) udpOpened(asker, -EAGAIN, -1);
  }
  if (heard < 0) endReplies(flow);
}
