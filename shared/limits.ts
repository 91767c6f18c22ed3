/**
 * Every bound of the product, in one place. A number that appears here appears nowhere else.
 */

/** Rows of the flow table. */
export const MAX_FLOWS = 131_072;

/** Descriptors of the worker that are not flows (channel, tap, openers, epoll, runtime, pipes), kept free below RLIMIT_NOFILE. */
export const RESERVED_DESCRIPTORS = 128;

/** Listening sockets that the worker may hold: all that rules of both sides can ask for. Descriptors end sooner. */
export const MAX_LISTENERS = 655_360;

/** Bytes of one datagram of the channel. */
export const MAX_ENVELOPE = 65_536;

/** Descriptors one datagram may carry (SCM_MAX_FD). */
export const MAX_PASSED_DESCRIPTORS = 253;

/** struct virtio_net_hdr, without num_buffers (virtio 1.2 §5.1.6; TUNSETVNETHDRSZ default). */
export const VNET_HEADER = 10;

/** Largest frame either way: 64 KiB of IP packet, Ethernet and virtio-net header. */
export const MAX_FRAME = 65_535 + 14 + VNET_HEADER;

/** Default MTU of the guest's link: (65535 − 14) rounded down to a multiple of 4 (behaviour of pasta). */
export const DEFAULT_MTU = 65_520;

/** Largest MTU that can be asked for with `-m`. */
export const MAX_MTU = 65_521;

/** Flows that one message of the worker lists, and rows that it looks through for them: some hundred microseconds without traffic. */
export const FLOWS_PER_PAGE = 128;
export const ROWS_PER_PAGE = 8192;

/** Groups that a guest can be in. */
export const MAX_MEMBERSHIPS = 64;
/** Sources that are kept of each of them, before it counts as open to all. */
export const MAX_SOURCES = 16;

/** Milliseconds that TCP connections are given, 0 = never; the peer's: its handshake's tries take 19 s. An idle guest is left alone. */
export const DEFAULT_TCP_TIMEOUTS = { handshake: 19_000, idle: 7_200_000, halfClosed: 7_200_000, keepAlive: 0 } as const;

/** Milliseconds that an idle UDP flow is kept: while one end only has spoken, and once both have. Linux connection tracking's, and the peer's. */
export const DEFAULT_UDP_TIMEOUTS = { unanswered: 30_000, answered: 120_000 } as const;

/** Bounds of what can be asked for in their place, ms: no flood of probes, and half of what a clock of int32 can tell apart. */
export const MIN_TIMEOUT = 100;
export const MAX_TIMEOUT = 1_000_000_000;

/** Bytes of one opener request and one answer (native/opener/request.h). */
export const OPENER_REQUEST = 64;
export const OPENER_ANSWER = 8;

/** Bytes per row of the flow table in the memfd, of which half is touched by few flows (worker/flow/row.ts). */
export const FLOW_ROW_BYTES = 512;

/** Packets of the guest that are put together from fragments at the same time; each may be 64 KiB. */
export const MAX_REASSEMBLIES = 128;

/** Milliseconds that the fragments of a packet may be apart (RFC 1122 §3.3.2, RFC 8200 §4.5), and that while many packets wait for some. */
export const REASSEMBLY_TIME = 60_000;
export const REASSEMBLY_TIME_UNDER_PRESSURE = 1000;

/** Bytes that a UDP datagram may carry: what an IPv6 packet has room for, and 20 more than an IPv4 packet has (RFC 8200 §3, RFC 768). */
export const LARGEST_DATAGRAM = 65_535 - 8;

/** Forwarding rules of one side, as many as the protocol of the control socket can carry (pesto's), and the ports they may listen on. */
export const MAX_FORWARDING_RULES = 255;
export const MAX_FORWARDED_PORTS = 327_680;

/** Ports for connections that ask for none (RFC 6335 §6). */
export const EPHEMERAL_PORTS = { first: 49_152, last: 65_535 } as const;
