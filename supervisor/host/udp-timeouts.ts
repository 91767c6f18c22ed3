/**
 * How long the host's own connection tracking keeps idle UDP flows: the guest's are kept as long, so that a host which was tuned needs no
 * option.
 */
import { readFileSync } from 'node:fs';
import { DEFAULT_UDP_TIMEOUTS, MAX_TIMEOUT } from '../../shared/limits.ts';

/** Milliseconds: while one end only has spoken, and once both have. */
export interface UdpTimeouts {
  readonly unanswered: number;
  readonly answered: number;
}

function read(path: string, otherwise: number): number {
  try {
    const text = readFileSync(path, 'latin1').trim();
    return /^[1-9][0-9]{0,9}$/.test(text) ? Math.min(Number(text) * 1000, MAX_TIMEOUT) : otherwise;
  } catch {
    return otherwise;
  }
}

/** Those of the kernel; Linux's own defaults where it has no connection tracking, or one that keeps nothing. */
export function readUdpTimeouts(folder = '/proc/sys/net/netfilter'): UdpTimeouts {
  return {
    unanswered: read(`${folder}/nf_conntrack_udp_timeout`, DEFAULT_UDP_TIMEOUTS.unanswered),
    answered: read(`${folder}/nf_conntrack_udp_timeout_stream`, DEFAULT_UDP_TIMEOUTS.answered),
  };
}
