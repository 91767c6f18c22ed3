/* Sockets that others come to: made for the supervisor alone, which gives them to the worker. */
#define _GNU_SOURCE
#include "opener.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

/* Younger than the headers of the oldest supported distribution. */
#ifndef UDP_GRO
#define UDP_GRO 104
#endif
#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78
#endif

#define BACKLOG 4096 /* asked for; the kernel gives somaxconn at most */
#define UDP_BUFFER (4 << 20)

static int prepare_tcp(int fd) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_OOBINLINE, 1);
  /* A port left in TIME_WAIT by those who came before is free; one that somebody listens on is not. */
  return set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
}

/* Which of the host's addresses was asked is needed to answer from it. Nothing is sent, so no errors come. */
static int prepare_udp(int fd, bool v6, bool v4) {
  set_option(fd, IPPROTO_UDP, UDP_GRO, 1); /* Linux 5.0 */
  set_option(fd, SOL_SOCKET, SO_RCVBUF, UDP_BUFFER);
  if (v6 && (set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) || set_option(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1)))
    return -1;
  if (v4 && (set_option(fd, IPPROTO_IP, IP_PKTINFO, 1) || set_option(fd, IPPROTO_IP, IP_RECVTOS, 1)))
    return -1;
  return 0;
}

static int bind_listener(int fd, const struct opener_request *request, const union endpoint *local, bool tcp) {
  bool v6 = request->family == 6;
  bool both = request->flags & LISTEN_BOTH_FAMILIES;
  if (v6 && set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, !both))
    return -1;
  if (request->flags & LISTEN_FREE_BIND && set_option(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_FREEBIND : IP_FREEBIND, 1))
    return -1;
  if (tcp ? prepare_tcp(fd) : prepare_udp(fd, v6, !v6 || both))
    return -1;
  if (request->interface && bind_to_link(fd, (int)request->interface))
    return -1;
  if (bind(fd, &local->any, v6 ? sizeof local->v6 : sizeof local->v4))
    return -1;
  /* The sockets of UDP flows share the port from now on; had it been so before, somebody else's could have been shared, too. */
  return tcp ? listen(fd, BACKLOG) : set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
}

int open_listener(const struct opener_request *request, int *descriptor) {
  bool tcp = request->verb == VERB_TCP_LISTEN;
  union endpoint local;
  if ((request->family != 4 && request->family != 6) || request->flags & ~(LISTEN_BOTH_FAMILIES | LISTEN_FREE_BIND))
    return -EINVAL;
  if (request->family == 4 && request->flags & LISTEN_BOTH_FAMILIES)
    return -EINVAL;
  fill_endpoint(&local, request, request->source, request->source_port);
  int fd = socket(request->family == 6 ? AF_INET6 : AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return -errno;
  if (bind_listener(fd, request, &local, tcp))
    return give_up(fd);
  *descriptor = fd;
  return bound_port(fd);
}
