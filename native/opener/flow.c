/* The sockets of flows: made, given their few options, bound, and connected. */
#define _GNU_SOURCE
#include "opener.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

/* Younger than the headers of the oldest supported distribution. */
#ifndef UDP_GRO
#define UDP_GRO 104
#endif
#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62
#endif

#define UDP_BUFFER (4 << 20) /* asked for; the kernel gives rmem_max and wmem_max at most */

int set_option(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value);
}

int bind_to_link(int fd, int link) { return set_option(fd, SOL_SOCKET, SO_BINDTOIFINDEX, link); }

/* A new socket with what all kinds have in common, or -errno. */
static int make_socket(const struct flow *flow, const struct opener_request *request, int type, int protocol) {
  int fd = socket(flow->is_v6 ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
  if (fd < 0)
    return -errno;
  if (flow->device && bind_to_link(fd, flow->device))
    return give_up(fd);
  if (flow->is_v6)
    set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (request->hop_limit)
    set_option(fd, flow->is_v6 ? IPPROTO_IPV6 : IPPROTO_IP, flow->is_v6 ? IPV6_UNICAST_HOPS : IP_TTL, request->hop_limit);
  if (request->traffic_class)
    set_option(fd, flow->is_v6 ? IPPROTO_IPV6 : IPPROTO_IP, flow->is_v6 ? IPV6_TCLASS : IP_TOS, request->traffic_class);
  return fd;
}

/* Closes the socket and makes a result of errno. */
int give_up(int fd) {
  int error = errno;
  close(fd);
  return -error;
}

int bound_port(int fd) {
  union endpoint name;
  socklen_t length = sizeof name;
  if (getsockname(fd, &name.any, &length))
    return -errno;
  return ntohs(name.any.sa_family == AF_INET ? name.v4.sin_port : name.v6.sin6_port);
}

/* Binds to the port asked for; if that is taken or privileged, to one of the kernel's choice. */
static int bind_or_any_port(int fd, struct flow *flow) {
  if (bind(fd, &flow->source.any, flow->length) == 0)
    return 0;
  if (errno != EADDRINUSE && errno != EACCES)
    return -1;
  if (flow->is_v6)
    flow->source.v6.sin6_port = 0;
  else
    flow->source.v4.sin_port = 0;
  return bind(fd, &flow->source.any, flow->length);
}

int open_tcp(struct flow *flow, const struct opener_request *request, int *descriptor) {
  int fd = make_socket(flow, request, SOCK_STREAM, 0);
  if (fd < 0)
    return fd;
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_OOBINLINE, 1);
  /* Who ends the connect, and how far that one is (Linux 5.8). */
  if (request->flags & CONNECT_ERRORS)
    set_option(fd, flow->is_v6 ? IPPROTO_IPV6 : IPPROTO_IP, flow->is_v6 ? IPV6_RECVERR : IP_RECVERR, 1);
  if ((request->flags & CONNECT_ERRORS) && request->hop_limit)
    set_option(fd, flow->is_v6 ? IPPROTO_IPV6 : IPPROTO_IP, flow->is_v6 ? IPV6_RECVHOPLIMIT : IP_RECVTTL, 1);
  if (request->mss && set_option(fd, IPPROTO_TCP, TCP_MAXSEG, request->mss))
    return give_up(fd);
  if (flow->binds) {
    /* A port left in TIME_WAIT is free for another destination; without a port, connect chooses, knowing the destination. */
    set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (bind(fd, &flow->source.any, flow->length))
      return give_up(fd);
  }
  if (connect(fd, &flow->destination.any, flow->length) && errno != EINPROGRESS)
    return give_up(fd);
  *descriptor = fd;
  return 0;
}

/* RFC 1112 §6.1, RFC 3493 §5.2: the link that what is sent to a group leaves by. The worker sets its hop limit. */
static int prepare_group(int fd, const struct flow *flow, const struct opener_request *request) {
  if (flow->is_v6)
    return set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)request->interface);
  struct ip_mreqn link = {.imr_ifindex = (int)request->interface};
  set_option(fd, SOL_SOCKET, SO_BROADCAST, 1);
  set_option(fd, IPPROTO_IP, IP_UNICAST_IF, (int)htonl(request->interface));
  return setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &link, sizeof link);
}

int open_udp(struct flow *flow, const struct opener_request *request, int *descriptor) {
  int fd = make_socket(flow, request, SOCK_DGRAM, 0);
  if (fd < 0)
    return fd;
  /* One socket of the guest speaks to many destinations from one port: so do ours, each connected to one of them. */
  set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  set_option(fd, flow->is_v6 ? IPPROTO_IPV6 : IPPROTO_IP, flow->is_v6 ? IPV6_RECVERR : IP_RECVERR, 1);
  set_option(fd, IPPROTO_UDP, UDP_GRO, 1); /* Linux 5.0 */
  set_option(fd, flow->is_v6 ? IPPROTO_IPV6 : IPPROTO_IP, flow->is_v6 ? IPV6_RECVTCLASS : IP_RECVTOS, 1);
  set_option(fd, SOL_SOCKET, SO_RCVBUF, UDP_BUFFER);
  set_option(fd, SOL_SOCKET, SO_SNDBUF, UDP_BUFFER);
  if (request->verb == VERB_UDP_GROUP && prepare_group(fd, flow, request))
    return give_up(fd);
  if (flow->binds && bind_or_any_port(fd, flow))
    return give_up(fd);
  if (connect(fd, &flow->destination.any, flow->length))
    return give_up(fd);
  /* Between bind and connect anybody could send to us; nothing that is here already is an answer. */
  while (flow->binds && !(request->flags & CONNECT_KEEP) && recv(fd, NULL, 0, MSG_DONTWAIT | MSG_TRUNC) >= 0)
    ;
  *descriptor = fd;
  return bound_port(fd);
}

/* Which address the route asks the group from: a socket that is connected has it. Never the same socket: IPv6's can't be disconnected. */
static int choose_source(struct flow *flow, const struct opener_request *request) {
  socklen_t length = sizeof flow->source;
  int fd = make_socket(flow, request, SOCK_DGRAM, 0);
  if (fd < 0)
    return fd;
  if (prepare_group(fd, flow, request) || connect(fd, &flow->destination.any, flow->length) || getsockname(fd, &flow->source.any, &length))
    return give_up(fd);
  close(fd);
  if (flow->is_v6)
    flow->source.v6.sin6_port = htons(request->source_port);
  else
    flow->source.v4.sin_port = htons(request->source_port);
  return permitted_source(&flow->source) ? 0 : -EPERM;
}

/*
 * Bound to one address, the socket gets nothing that was sent to a group or to all. It is bound without SO_REUSEADDR: a port that
 * anybody has already, avahi's 5353 for one, stays theirs alone. The flows of the same port come afterwards, and they share it.
 */
int open_udp_replies(struct flow *flow, const struct opener_request *request, int *descriptor) {
  int chosen = choose_source(flow, request);
  if (chosen)
    return chosen;
  int fd = make_socket(flow, request, SOCK_DGRAM, 0);
  if (fd < 0)
    return fd;
  set_option(fd, SOL_SOCKET, SO_RCVBUF, UDP_BUFFER);
  if (bind_or_any_port(fd, flow) || set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1))
    return give_up(fd);
  *descriptor = fd;
  return bound_port(fd);
}

int open_ping(struct flow *flow, const struct opener_request *request, int *descriptor) {
  int fd = make_socket(flow, request, SOCK_DGRAM, flow->is_v6 ? (int)IPPROTO_ICMPV6 : (int)IPPROTO_ICMP);
  if (fd < 0)
    return fd;
  set_option(fd, flow->is_v6 ? IPPROTO_IPV6 : IPPROTO_IP, flow->is_v6 ? IPV6_RECVERR : IP_RECVERR, 1);
  /* Ping sockets are born with it, would share an identifier, and one of them would get all replies. */
  set_option(fd, SOL_SOCKET, SO_REUSEADDR, 0);
  if (bind_or_any_port(fd, flow))
    return give_up(fd);
  if (connect(fd, &flow->destination.any, flow->length))
    return give_up(fd);
  *descriptor = fd;
  return bound_port(fd);
}
