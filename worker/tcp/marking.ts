/**
 * The guest's hop limit and DSCP (RFC 2474 §3) on the connection's host socket: the SYN goes out with those of the guest's SYN, so a trace
 * by TCP meets the routers that it would meet on the host; what follows has those of the guest's latest segment. ECN bits are between
 * each kernel and its peer (RFC 3168 §6.1).
 */
import { ASKS_WHO } from '../flow/opener.ts';
import { DEFAULT_HOP_LIMIT, setTrafficClass, setUnicastHops } from '../flow/path.ts';
import { rows } from '../flow/row.ts';
import { frame } from '../wire/frame.ts';
import { MARKS } from './row.ts';

const HOP_LIMIT = 0xff;
const DSCP_SHIFT = 8;
const ECN_BITS = 2;
const TRAFFIC_CLASS_SHIFT = 8;

/** Of a socket that was told nothing. */
export const DEFAULT_MARKS = DEFAULT_HOP_LIMIT;

/** Hop limit and, from bit 8, DSCP of the segment in `frame`. A hop limit of 0, which no kernel sends, is 1. */
export function marksAsked(): number {
  return Math.max(frame.hopLimit, 1) | ((frame.trafficClass >>> ECN_BITS) << DSCP_SHIFT);
}

/** The hop limit in `marks`, 0 when it is what a new socket has. */
export function hopLimitOf(marks: number): number {
  const hopLimit = marks & HOP_LIMIT;
  return hopLimit === DEFAULT_HOP_LIMIT ? 0 : hopLimit;
}

/** The TOS or traffic class in `marks`, its ECN bits 0. */
function trafficClassOf(marks: number): number {
  return (marks >>> DSCP_SHIFT) << ECN_BITS;
}

/** `marks` as the request for a socket has them, which asks who ends the connect, too (flow/opener.ts). */
export function marksOfSocket(marks: number): number {
  return hopLimitOf(marks) | (trafficClassOf(marks) << TRAFFIC_CLASS_SHIFT) | ASKS_WHO;
}

/** What the flow's host socket sends from now on has the `marks`. */
export function mark(row: number, marks: number): void {
  const before = rows[row + MARKS]!;
  rows[row + MARKS] = marks;
  if (((marks ^ before) & HOP_LIMIT) !== 0) setUnicastHops(row, marks & HOP_LIMIT);
  if (trafficClassOf(marks) !== trafficClassOf(before)) setTrafficClass(row, trafficClassOf(marks));
}
