/**
 * At which rate the guest is told of errors (RFC 4443 §2.4 (f), RFC 1812 §4.3.2.8): what Linux allows a host.
 *
 * Theory of operation. Two buckets of tokens, filled by time. What tells of the path's MTU has one of its own: it is the one error
 * without which a connection stands still (RFC 2923 §2.1), and a program that floods closed ports must not take it from the others.
 */
import { nowMs } from './clock.ts';

/** Errors per second, and how many at once. */
const RATE = 1000;
const BURST = 50;

const tokens = new Float64Array([BURST, BURST]);
const filledAt = new Int32Array(2);

/** True when one more error may be told now, which then counts; `tooBig`: it tells of the path's MTU. */
export function mayTell(tooBig: boolean): boolean {
  const bucket = tooBig ? 1 : 0;
  const elapsed = Math.max((nowMs - filledAt[bucket]!) | 0, 0);
  const filled = Math.min(BURST, tokens[bucket]! + (elapsed * RATE) / 1000);
  filledAt[bucket] = nowMs;
  tokens[bucket] = filled < 1 ? filled : filled - 1;
  return filled >= 1;
}
