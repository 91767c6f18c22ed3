/**
 * Log lines of the worker. The worker sends an id and integers; the supervisor makes the text.
 */

/** Severity, ascending in verbosity: a message is shown when its level ≤ the configured one. */
export const LogLevel = { ERROR: 0, WARNING: 1, INFO: 2, DEBUG: 3, TRACE: 4 } as const;
export type LogLevel = (typeof LogLevel)[keyof typeof LogLevel];

/** Ids of the worker's log messages; the texts are in `supervisor/log.ts`. */
export const MessageId = {
  /** values: flows open, limit. At most one per 10 s. */
  FLOW_LIMIT: 1,
  /** values: errno of the opener for a ping socket. At most one per run. */
  PING_REFUSED: 2,
  /** values: errno of a tap read or write that the worker can't survive. */
  TAP_FAILED: 3,
  /** no values: the tap's namespace is gone (EBADFD or EIO on the tap). */
  TAP_GONE: 4,
  /** values: protocol (6, 17, 1, 58), flow, guest port, far port, errno or 0. Debug: a flow ended. */
  FLOW_ENDED: 5,
  /** values: protocol, flow, guest port, far port. Debug: a flow began. */
  FLOW_BEGAN: 6,
  /** values: length, ethertype or protocol. Trace: a frame came from the guest. */
  FRAME_IN: 7,
  /** values: length, ethertype or protocol. Trace: a frame went to the guest. */
  FRAME_OUT: 8,
  /** values: six bytes of the MAC. The guest's MAC was learnt or changed. */
  GUEST_MAC: 9,
  /** values: `TcpLimit`, guest port << 16 | far port, four words of the far address. A connection was ended by a limit of time. */
  TCP_EXPIRED: 10,
  /** values: `Stall`, guest port << 16 | far port, how many so far. At most one per 10 s. A connection had stopped by a mistake of ours. */
  STALL_REPAIRED: 11,
  /** values: 1 joined or 0 left, how many groups now, four words of the group. Debug: the guest has reported a change of its groups. */
  MEMBERSHIP: 12,
  /** values: type of the message (RFC 2132 §9.6, 0 = BOOTP), the guest's address, two bytes and four bytes of the client's MAC. At most five per 10 s. */
  DHCP: 13,
  /**
   * values: type of the client's message (RFC 8415 §7.3, 2 = it was refused) << 16 | two bytes of its MAC, four bytes, four words of the guest's
   * address. At most five per 10 s.
   */
  DHCPV6: 14,
  /** values: errno. What is captured can't be written, and nothing is from now on. */
  CAPTURE_ENDED: 15,
} as const;
export type MessageId = (typeof MessageId)[keyof typeof MessageId];

/** What a connection has reached that is ended for its inactivity. */
export const TcpLimit = { NONE: 0, CONNECTING: 1, HANDSHAKE: 2, IDLE: 3, HALF_CLOSED: 4, KEEPALIVE: 5 } as const;
export type TcpLimit = (typeof TcpLimit)[keyof typeof TcpLimit];

/** What a connection lacked that nothing would have set going again. */
export const Stall = { NONE: 0, TIMER: 1, RETRANSMISSION: 2, ACKNOWLEDGEMENT: 3, DATA: 4, END: 5, EVENT: 6 } as const;
export type Stall = (typeof Stall)[keyof typeof Stall];
