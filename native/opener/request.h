/*
 * The question to an opener and its answer, native byte order. shared/opener.ts is the same layout for TypeScript; a test compares
 * the two. Each is one datagram of an AF_UNIX SOCK_SEQPACKET socket.
 */
#ifndef OPENER_REQUEST_H
#define OPENER_REQUEST_H

#include <stdint.h>

struct opener_request {
  uint32_t id;
  uint8_t verb;
  uint8_t family; /* 4 or 6 */
  uint8_t flags;  /* of the verb, else 0 */
  uint8_t hop_limit;
  uint32_t interface; /* scope of a link-local destination, link of a group, else 0 */
  uint16_t source_port;
  uint16_t destination_port;
  uint8_t source[16]; /* network order, IPv4 as ::ffff:a.b.c.d */
  uint8_t destination[16];
  uint16_t mss;
  uint8_t traffic_class;
  uint8_t reserved[13]; /* 0 */
};

struct opener_answer {
  uint32_t id;
  int32_t result; /* >= 0, a descriptor comes with it except for OUTBOUND, SEAL, RESOLVER and PORTS; or -errno */
};

/* In the place of an id, without a question: the set-up failed with `result`, and the opener has ended. */
enum opener_notice {
  NOTICE_USER_NAMESPACE = 256,
  NOTICE_NETWORK_NAMESPACE = 257,
};

enum opener_verb {
  VERB_TCP_CONNECT = 1,
  VERB_UDP_CONNECT = 2,
  VERB_PING = 3,
  VERB_UDP_GROUP = 4,
  VERB_UDP_REPLIES = 5,
  VERB_TCP_LISTEN = 6,
  VERB_UDP_LISTEN = 7,
  VERB_TAP = 16,
  VERB_NETLINK = 17,
  VERB_SOCKET_DIAGNOSIS = 18,
  VERB_OUTBOUND = 19,
  VERB_SEAL = 32,
  VERB_RESOLVER = 33,
  VERB_PORTS = 34,
};

/* Flags of TCP_LISTEN and UDP_LISTEN. */
enum listen_flag {
  LISTEN_BOTH_FAMILIES = 1,
  LISTEN_FREE_BIND = 2,
};

/* Of UDP_CONNECT: what was heard between bind and connect stays in the socket. Of TCP_CONNECT: so does who ends the connect. */
enum connect_flag {
  CONNECT_KEEP = 1,
  CONNECT_ERRORS = 2,
};

/* Flags of PORTS. */
enum ports_flag {
  PORTS_UDP = 1,
  PORTS_ANSWER = 2,
  PORTS_WITHDRAW = 4,
};

_Static_assert(sizeof(struct opener_request) == 64, "a request is 64 bytes");
_Static_assert(sizeof(struct opener_answer) == 8, "an answer is 8 bytes");

#endif
