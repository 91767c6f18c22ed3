/**
 * The MSS we announce to the guest: how much it puts into one segment (RFC 9293 §3.7.1).
 */
import { linkMtu } from '../link/mtu.ts';
import { IPV4_HEADER } from '../wire/ipv4.ts';
import { IPV6_HEADER } from '../wire/ipv6.ts';
import { TCP_HEADER } from '../wire/tcp.ts';

/**
 * Never more than this, whatever the MTU. A kernel sends no part of a segment: with segments larger than the window it
 * waits for a probe, and the window of a connection may fall to an eighth of its send buffer (46 KB at first) before that
 * is taken for too small (tcp/window.ts). What the guest hands over at once is a superframe of 64 KiB all the same.
 */
export const LARGEST_MSS = 4096;

/** What one packet of the guest's link holds, for segments to the guest. */
export function linkMss(ipv4: boolean): number {
  return linkMtu - TCP_HEADER - (ipv4 ? IPV4_HEADER : IPV6_HEADER);
}

/** What we ask the guest to put into one segment. */
export function ourMss(ipv4: boolean): number {
  return Math.min(linkMss(ipv4), LARGEST_MSS);
}
