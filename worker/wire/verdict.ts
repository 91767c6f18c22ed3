/**
 * What became of a frame that was looked at. Small ints, so that a `switch` is cheap.
 */
import { Counter } from '../../shared/counters.ts';

/** Verdicts of `frame.parse` and of each format's `check`. */
export const Verdict = {
  OK: 0,
  /** Not even the virtio-net or Ethernet header is whole. */
  TOO_SHORT: 1,
  /** Unknown or contradictory virtio-net offload facts. */
  BAD_VNET: 2,
  UNKNOWN_ETHERTYPE: 3,
  BAD_ARP: 4,
  /** Version or header length. */
  BAD_IPV4_HEADER: 5,
  /** Total length below the header's or above what came. */
  BAD_IPV4_LENGTH: 6,
  BAD_IPV4_CHECKSUM: 7,
  BAD_IPV6_HEADER: 8,
  BAD_IPV6_LENGTH: 9,
  /** Extension header or option that overruns, is out of place, repeats too often or asks to be discarded. */
  BAD_IPV6_EXTENSION: 10,
  /** 127.0.0.0/8 or ::1 on the link. */
  LOOPBACK_ADDRESS: 11,
  /** Multicast source, unspecified destination, a group of the node itself, or an IPv4-mapped address in an IPv6 header. */
  BAD_ADDRESS: 12,
  FRAGMENT: 13,
  UNKNOWN_PROTOCOL: 14,
  BAD_TCP: 15,
  BAD_UDP: 16,
  BAD_ICMP: 17,
  /** Option that overruns, or asks for another way. */
  BAD_IPV4_OPTION: 18,
} as const;
export type Verdict = (typeof Verdict)[keyof typeof Verdict];

/** The counter (`shared/counters.ts`) of a verdict other than OK. */
export function counterOf(verdict: number): number {
  switch (verdict) {
    case Verdict.UNKNOWN_ETHERTYPE:
    case Verdict.UNKNOWN_PROTOCOL:
      return Counter.frames_unknown_protocol;
    case Verdict.LOOPBACK_ADDRESS:
      return Counter.frames_loopback_address;
    case Verdict.BAD_ADDRESS:
      return Counter.frames_bad_address;
    case Verdict.BAD_IPV4_CHECKSUM:
      return Counter.frames_bad_checksum;
    case Verdict.FRAGMENT:
      return Counter.frames_fragment;
    default:
      return Counter.frames_malformed;
  }
}
