/**
 * The question to an opener: 64 bytes, native byte order; the answer: 8 bytes and at most one descriptor.
 * The same layout in C is `native/opener/request.h`; a test compares the two.
 */

/** Offsets into the request. Addresses are 16 bytes in network order, IPv4 as ::ffff:a.b.c.d. */
export const OpenerRequest = {
  /** u32, echoed in the answer. */
  ID: 0,
  /** u8, `Verb`. */
  VERB: 4,
  /** u8, 4 or 6. */
  FAMILY: 5,
  /** u8, `ListenFlag`, `ConnectFlag` or `PortsFlag` by the verb, else 0. */
  FLAGS: 6,
  /** u8, IP_TTL or IPV6_UNICAST_HOPS of the new socket, 0 = the kernel's. */
  HOP_LIMIT: 7,
  /** u32, ifindex: scope of a link-local destination, link of a group (0 = the route's), else 0. */
  INTERFACE: 8,
  /** u16: port to bind, 0 = the kernel's choice. For PING: the echo identifier. */
  SOURCE_PORT: 12,
  /** u16: port to connect to. */
  DESTINATION_PORT: 14,
  /** 16 bytes: address to bind, :: or ::ffff:0.0.0.0 = any. */
  SOURCE: 16,
  /** 16 bytes: address to connect to. For TAP: name of the interface, NUL-padded. */
  DESTINATION: 32,
  /** u16: TCP_MAXSEG of the new socket, 0 = the kernel's. */
  MSS: 48,
  /** u8, IP_TOS or IPV6_TCLASS of the new socket. TCP's kernel keeps the ECN bits for itself. */
  TRAFFIC_CLASS: 50,
  /** 13 bytes, must be 0. */
  RESERVED: 51,
} as const;

/** In the place of an ID, without a question: this namespace can't be joined, and the opener has ended. */
export const Notice = { USER_NAMESPACE: 256, NETWORK_NAMESPACE: 257 } as const;

/** What can be asked of an opener. SETUP verbs are refused once it is sealed (all but those of sockets). */
export const Verb = {
  /** Non-blocking TCP socket, NODELAY, bound if asked, connect started: result 0 also for EINPROGRESS. FLAGS: `ConnectFlag`. */
  TCP_CONNECT: 1,
  /** UDP socket, bound to SOURCE:SOURCE_PORT, connected to DESTINATION; RECVERR, UDP_GRO where the kernel has it. Result: the local port. */
  UDP_CONNECT: 2,
  /** Ping socket (SOCK_DGRAM, IPPROTO_ICMP or ICMPV6), bound with the identifier if free, connected. Result: the identifier in use. */
  PING: 3,
  /** As UDP_CONNECT, to a group or a broadcast address: INTERFACE is the link it leaves by. */
  UDP_GROUP: 4,
  /**
   * UDP socket for what single hosts answer to a group: bound, alone, to the address that DESTINATION is asked from and to SOURCE_PORT
   * if that is free. Connected to nobody, so nothing can be sent on it. Result: the local port.
   */
  UDP_REPLIES: 5,
  /**
   * Listening TCP socket on SOURCE:SOURCE_PORT; INTERFACE > 0 binds it to that link. What it accepts has NODELAY and OOBINLINE. FLAGS:
   * `ListenFlag`. DESTINATION is any. Result: the local port. Only the supervisor's socket may ask, sealed or not.
   */
  TCP_LISTEN: 6,
  /** The same of UDP, connected to nobody: PKTINFO, UDP_GRO where the kernel has it. No other socket may have the port when it is bound. */
  UDP_LISTEN: 7,
  /** SETUP. Open /dev/net/tun, IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, non-blocking, offloads on. Result: TUN_F_* bits accepted. */
  TAP: 16,
  /** SETUP. NETLINK_ROUTE socket of this network namespace. */
  NETLINK: 17,
  /** SETUP. NETLINK_SOCK_DIAG socket of this network namespace: it tells which ports are listened on. */
  SOCKET_DIAGNOSIS: 18,
  /**
   * SETUP. Sockets of FAMILY that ask for no source, to destinations beyond this host and its links, are bound to SOURCE unless that is
   * any, and to the link INTERFACE unless that is 0. No descriptor; the result is what a socket for that says now, and it counts all the same.
   */
  OUTBOUND: 19,
  /** SETUP. Ends the set-up: installs the sealed filter. No descriptor; result 0. Only the supervisor's socket may ask. */
  SEAL: 32,
  /**
   * The host's resolver of FAMILY is DESTINATION, an address of its loopback: TCP and UDP to its ports 53 and 853 are not refused.
   * The unspecified address: there is none. No descriptor; result 0. Only the supervisor's socket may ask, sealed or not.
   */
  RESOLVER: 33,
  /**
   * Ports SOURCE_PORT to DESTINATION_PORT of the host's loopback, both families, are not refused: to connect to, or, with
   * `PortsFlag.ANSWER`, to speak from by UDP. No descriptor; result 0. Only the supervisor's socket may ask, sealed or not.
   */
  PORTS: 34,
} as const;
export type Verb = (typeof Verb)[keyof typeof Verb];

/** FLAGS of TCP_LISTEN and UDP_LISTEN. */
export const ListenFlag = {
  /** FAMILY 6 and any address: IPv4 as well. */
  BOTH_FAMILIES: 1,
  /** The address may be one that this host does not have yet (IP_FREEBIND). */
  FREE_BIND: 2,
} as const;

/** FLAGS of UDP_CONNECT and TCP_CONNECT. */
export const ConnectFlag = {
  /** UDP. What was heard between bind and connect stays in the socket: it may be from anybody. */
  KEEP: 1,
  /** TCP. The socket keeps who ends the connect (RECVERR) and, with a HOP_LIMIT, how far that one is; whoever gets it turns that off when it is connected. */
  ERRORS: 2,
} as const;

/** FLAGS of PORTS. */
export const PortsFlag = {
  /** UDP's ports, else TCP's. */
  UDP: 1,
  /** Ports that listen here: whoever asked may be answered. */
  ANSWER: 2,
  /** Not any more. */
  WITHDRAW: 4,
} as const;

/** Offsets into the answer. */
export const OpenerAnswer = {
  /** u32 of the request. */
  ID: 0,
  /** i32: ≥ 0 (see `Verb`; a descriptor comes with it) or −errno (none comes). −EPERM: the opener's own table says no. */
  RESULT: 4,
} as const;
