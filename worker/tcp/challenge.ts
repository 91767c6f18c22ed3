/**
 * Challenge ACKs: the answer to what an attacker who guesses numbers might send (RFC 5961 §3.2, §4.2, §5.2), and to segments
 * that don't fit (RFC 9293 §3.10.7.4). Bounded per flow (RFC 5961 §7): a bound shared by flows would tell one about another.
 */
import { Counter } from '../../shared/counters.ts';
import { nowMs } from '../flow/clock.ts';
import { ROW, rows } from '../flow/row.ts';
import { counters } from '../link/counters.ts';
import { acknowledgeNow } from './acknowledge.ts';
import { CHALLENGED_AT, CHALLENGES } from './row.ts';

/** RFC 5961 §7 proposes ten in five seconds. */
const MOST = 10;
const INTERVAL = 5000;

/** Tells the guest where the connection stands, unless it was told that often lately. */
export function challenge(flow: number): void {
  const row = flow * ROW;
  if (((nowMs - rows[row + CHALLENGED_AT]!) | 0) >= INTERVAL || rows[row + CHALLENGES] === 0) {
    rows[row + CHALLENGED_AT] = nowMs;
    rows[row + CHALLENGES] = 0;
  }
  if (rows[row + CHALLENGES]! >= MOST) return;
  rows[row + CHALLENGES]!++;
  counters[Counter.tcp_challenges]!++;
  acknowledgeNow(flow);
}
