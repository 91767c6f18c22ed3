/**
 * The dialogue between the demonstration and its end in the namespace: one order, one answer.
 */

/** What the end in the namespace is to do; address, port and milliseconds are of no meaning to `gateways`. */
export interface Order {
  readonly what: 'gateways' | 'upload' | 'download' | 'tcp' | 'udp' | 'connections';
  readonly address: string;
  readonly port: number;
  readonly milliseconds: number;
}

/** Default gateways of the namespace, an IPv6 link-local one with its interface; null without one. */
export interface Gateways {
  readonly ipv4: string | null;
  readonly ipv6: string | null;
}

/** One transfer, from its start until the receiver had the last byte. */
export interface Transfer {
  readonly bytes: number;
  readonly seconds: number;
  /** As many bytes arrived as were sent, and every one of them is the same. */
  readonly same: boolean;
}

/** Round trips of one byte, in µs. */
export interface RoundTrips {
  readonly p50: number;
  readonly p99: number;
}

export interface Rate {
  readonly perSecond: number;
}

export type Answer = Gateways | Transfer | RoundTrips | Rate;
