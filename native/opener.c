/*
 * opener — answers one fixed-size request with one descriptor, for the one network namespace it lives in.
 *
 *   opener NAME [--join USERNS_FD NETNS_FD | --join-net NETNS_FD] [--allow-loopback4] [--allow-loopback6] SUPERVISOR_FD [WORKER_FD]
 *
 * NAME is what `ps` shows. Started through `jail opener FDS -- …`, which has cleaned environment, descriptors and limits.
 *
 * Theory of operation.
 *
 * Two sockets ask: the supervisor's and the worker's. Until the supervisor sends SEAL only the supervisor's is read, and all verbs
 * are good. SEAL empties the root, gives up every capability and installs the filter; from then on the worker is served as well,
 * and only sockets to the outside are made. The worker is taken for an attacker: what it may reach is decided here, by `permitted`.
 * It can ask for any address but the host's loopback (by default) and those that are shorthand for it; for the rest the kernel and
 * its firewall decide as for any program of this user.
 *
 * Privilege. An ordinary user's opener for the host needs none and never has any; for an empty root it enters a user namespace of its
 * own when it is sealed (sockets, their owner and the ping group are judged by the ids outside, so nothing changes for them).
 * The opener of the guest's namespace joins its user namespace first and has all capabilities there until it is sealed: the tap and
 * the netlink socket need CAP_NET_ADMIN, the empty root CAP_SYS_ADMIN. It is not dumpable from the start, so that the guest's root,
 * who is its equal in there, can't trace it.
 *
 * Nothing blocks. Each request is answered before the next is read; when the answer's socket is full (max_dgram_qlen, often 10) no
 * more requests are read from that side until it drains. A descriptor is closed here as soon as it is sent.
 * A request that is malformed but of the right length is answered -EINVAL, one that the table refuses -EPERM. Any other length is the
 * end: somebody else is at the other side. End of file: the supervisor's ends the opener, the worker's only closes that side.
 *
 * System calls after SEAL, for policies/opener.policy: poll (ppoll), recvfrom, sendmsg, socket, setsockopt, bind, connect,
 * getsockname, close, exit_group.
 */
#define _GNU_SOURCE
#include "opener.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "empty_root.h"
#include "opener_filter.h"
#include "privileges.h"

/* Younger than the headers of the oldest supported distribution. */
#ifndef UDP_GRO
#define UDP_GRO 104
#endif
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

#define MAX_REQUESTS_PER_TURN 64
#define UDP_BUFFER (4 << 20) /* asked for; the kernel gives rmem_max and wmem_max at most */
#define TAP_OFFLOADS (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)

struct peer {
  int socket; /* -1 when closed */
  bool is_supervisor;
  bool waiting; /* `answer` could not be sent yet */
  struct opener_answer answer;
  int descriptor; /* that goes with it, or -1 */
};

union endpoint {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
};

struct flow {
  union endpoint source;
  union endpoint destination;
  socklen_t length;
  bool binds;
  bool is_v6;
};

static bool joined, allow_loopback4, allow_loopback6, sealed, sealing_failed;

static const uint8_t unspecified[16];

static bool is_mapped_v4(const uint8_t *address) {
  return memcmp(address, unspecified, 10) == 0 && address[10] == 0xff && address[11] == 0xff;
}

static bool is_any(const uint8_t *address) {
  return memcmp(address, unspecified, 16) == 0 || (is_mapped_v4(address) && memcmp(address + 12, unspecified, 4) == 0);
}

/* RFC 4291 §2.5.6 and §2.7: addresses that mean something only on one link. */
static bool needs_scope(const uint8_t *v6) {
  return (v6[0] == 0xfe && (v6[1] & 0xc0) == 0x80) || (v6[0] == 0xff && ((v6[1] & 0x0f) == 1 || (v6[1] & 0x0f) == 2));
}

/* RFC 1122 §3.2.1.3 (127/8), RFC 4291 §2.5.3 (::1) and §2.7 (interface-local multicast, ffx1::). */
static bool is_loopback(const uint8_t *address) {
  if (is_mapped_v4(address))
    return address[12] == 127;
  if (address[0] == 0xff && (address[1] & 0x0f) == 1)
    return true;
  return memcmp(address, unspecified, 15) == 0 && address[15] == 1;
}

static bool is_group(const uint8_t *address) {
  if (!is_mapped_v4(address))
    return address[0] == 0xff;
  return (address[12] & 0xf0) == 0xe0 || memcmp(address + 12, "\xff\xff\xff\xff", 4) == 0;
}

/* The table: what may be reached, as which source. To connect to 0.0.0.0 or :: means this host's loopback, too. */
static bool permitted(const struct opener_request *request) {
  bool allow_loopback = request->family == 4 ? allow_loopback4 : allow_loopback6;
  if (!allow_loopback && (is_loopback(request->destination) || is_any(request->destination) || is_loopback(request->source)))
    return false;
  return request->verb != VERB_TCP_CONNECT || !is_group(request->destination);
}

static void fill_endpoint(union endpoint *endpoint, const struct opener_request *request, const uint8_t *address, uint16_t port) {
  memset(endpoint, 0, sizeof *endpoint);
  if (request->family == 4) {
    endpoint->v4.sin_family = AF_INET;
    endpoint->v4.sin_port = htons(port);
    memcpy(&endpoint->v4.sin_addr, address + 12, 4);
    return;
  }
  endpoint->v6.sin6_family = AF_INET6;
  endpoint->v6.sin6_port = htons(port);
  if (!is_any(address))
    memcpy(&endpoint->v6.sin6_addr, address, 16);
  if (needs_scope(address))
    endpoint->v6.sin6_scope_id = request->interface;
}

/* Checks the addresses of a request and makes socket addresses of them: 0, -EINVAL or -EPERM. */
static int parse_flow(struct flow *flow, const struct opener_request *request) {
  if (request->family != 4 && request->family != 6)
    return -EINVAL;
  bool v4 = request->family == 4;
  if (is_mapped_v4(request->destination) != v4)
    return -EINVAL;
  if (!is_any(request->source) && is_mapped_v4(request->source) != v4)
    return -EINVAL;
  if (!permitted(request))
    return -EPERM;
  bool scoped = !v4 && (needs_scope(request->destination) || needs_scope(request->source));
  if (scoped != (request->interface != 0))
    return -EINVAL;
  fill_endpoint(&flow->destination, request, request->destination, request->destination_port);
  fill_endpoint(&flow->source, request, request->source, request->source_port);
  flow->length = v4 ? sizeof flow->source.v4 : sizeof flow->source.v6;
  flow->binds = request->source_port || !is_any(request->source);
  flow->is_v6 = !v4;
  return 0;
}

static int set_option(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value);
}

/* A new socket with what all kinds have in common, or -errno. */
static int make_socket(const struct flow *flow, const struct opener_request *request, int type, int protocol) {
  int fd = socket(flow->is_v6 ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
  if (fd < 0)
    return -errno;
  if (flow->is_v6)
    set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (request->hop_limit)
    set_option(fd, flow->is_v6 ? IPPROTO_IPV6 : IPPROTO_IP, flow->is_v6 ? IPV6_UNICAST_HOPS : IP_TTL, request->hop_limit);
  return fd;
}

/* Closes the socket and makes a result of errno. */
static int give_up(int fd) {
  int error = errno;
  close(fd);
  return -error;
}

/* The port, or echo identifier, that the socket is bound to. */
static int bound_port(int fd) {
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

static int open_tcp(struct flow *flow, const struct opener_request *request, int *descriptor) {
  int fd = make_socket(flow, request, SOCK_STREAM, 0);
  if (fd < 0)
    return fd;
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_OOBINLINE, 1);
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

static int open_udp(struct flow *flow, const struct opener_request *request, int *descriptor) {
  int fd = make_socket(flow, request, SOCK_DGRAM, 0);
  if (fd < 0)
    return fd;
  /* One socket of the guest speaks to many destinations from one port: so do ours, each connected to one of them. */
  set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  set_option(fd, flow->is_v6 ? IPPROTO_IPV6 : IPPROTO_IP, flow->is_v6 ? IPV6_RECVERR : IP_RECVERR, 1);
  set_option(fd, IPPROTO_UDP, UDP_GRO, 1); /* Linux 5.0 */
  set_option(fd, SOL_SOCKET, SO_RCVBUF, UDP_BUFFER);
  set_option(fd, SOL_SOCKET, SO_SNDBUF, UDP_BUFFER);
  if (flow->binds && bind_or_any_port(fd, flow))
    return give_up(fd);
  if (connect(fd, &flow->destination.any, flow->length))
    return give_up(fd);
  /* Between bind and connect anybody could send to us; nothing that is here already is an answer. */
  while (flow->binds && recv(fd, NULL, 0, MSG_DONTWAIT | MSG_TRUNC) >= 0)
    ;
  *descriptor = fd;
  return bound_port(fd);
}

static int open_ping(struct flow *flow, const struct opener_request *request, int *descriptor) {
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

static int open_tap(const struct opener_request *request, int *descriptor) {
  struct ifreq interface = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
  _Static_assert(sizeof interface.ifr_name == sizeof request->destination, "a name fills the field of the address");
  if (request->destination[IFNAMSIZ - 1] || !request->destination[0])
    return -EINVAL;
  memcpy(interface.ifr_name, request->destination, IFNAMSIZ);
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0)
    return -errno;
  if (ioctl(fd, TUNSETIFF, &interface))
    return give_up(fd);
  unsigned offloads = TAP_OFFLOADS | TUN_F_USO4 | TUN_F_USO6; /* USO: Linux 6.2 */
  if (ioctl(fd, TUNSETOFFLOAD, offloads)) {
    offloads = TAP_OFFLOADS;
    if (ioctl(fd, TUNSETOFFLOAD, offloads))
      return give_up(fd);
  }
  *descriptor = fd;
  return (int)offloads;
}

static int open_netlink(int *descriptor) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
  if (fd < 0)
    return -errno;
  *descriptor = fd;
  return 0;
}

/* The end of the set-up. Nothing of it may be left out: a failure ends the opener after the answer. */
static int seal(void) {
  /* Whoever joined a namespace has the right to mount; the host's opener has it only in a user namespace of its own. */
  int namespaces = joined ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS;
  sealed = unshare(namespaces) == 0 && prepare_root() == 0 && enter_empty_root() == 0 && drop_privileges() == 0 &&
           die_with_parent() == 0 && install_filter(opener_filter, sizeof opener_filter / sizeof opener_filter[0]) == 0;
  sealing_failed = !sealed;
  return sealed ? 0 : -errno;
}

static int answer_setup(const struct peer *peer, const struct opener_request *request, int *descriptor) {
  if (!peer->is_supervisor || sealed)
    return -EPERM;
  switch (request->verb) {
  case VERB_TAP:
    return open_tap(request, descriptor);
  case VERB_NETLINK:
    return open_netlink(descriptor);
  default:
    return seal();
  }
}

/* The result of a request; `*descriptor` is set when one comes with it. */
static int answer_request(const struct peer *peer, const struct opener_request *request, int *descriptor) {
  struct flow flow;
  int result;
  if (request->flags || memcmp(request->reserved, unspecified, sizeof request->reserved))
    return -EINVAL;
  switch (request->verb) {
  case VERB_TAP:
  case VERB_NETLINK:
  case VERB_SEAL:
    return answer_setup(peer, request, descriptor);
  case VERB_TCP_CONNECT:
    result = parse_flow(&flow, request);
    return result ? result : open_tcp(&flow, request, descriptor);
  case VERB_UDP_CONNECT:
    result = parse_flow(&flow, request);
    return result ? result : open_udp(&flow, request, descriptor);
  case VERB_PING:
    result = parse_flow(&flow, request);
    return result ? result : open_ping(&flow, request, descriptor);
  default:
    return -EINVAL;
  }
}

static void close_peer(struct peer *peer) {
  if (peer->is_supervisor)
    _exit(0);
  if (peer->descriptor >= 0)
    close(peer->descriptor);
  close(peer->socket);
  *peer = (struct peer){.socket = -1, .descriptor = -1};
}

static ssize_t send_answer(const struct peer *peer) {
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct iovec bytes = {(void *)(unsigned long)&peer->answer, sizeof peer->answer};
  struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
  if (peer->descriptor >= 0) {
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.header), &peer->descriptor, sizeof(int));
  }
  return sendmsg(peer->socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Sends the peer's answer. False when it has to wait, or when the peer is gone. */
static bool deliver(struct peer *peer) {
  peer->waiting = true;
  ssize_t sent = send_answer(peer);
  if (sent < 0 && errno == ETOOMANYREFS && peer->descriptor >= 0) {
    /* As many descriptors are in flight as this user may have open, and no event tells when there are fewer. */
    close(peer->descriptor);
    peer->descriptor = -1;
    peer->answer.result = -EMFILE;
    sent = send_answer(peer);
  }
  if (sent < 0) {
    if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS && errno != ENOMEM)
      close_peer(peer);
    return false;
  }
  if (peer->descriptor >= 0)
    close(peer->descriptor);
  peer->descriptor = -1;
  peer->waiting = false;
  return true;
}

/* Reads and answers until there are no more requests, no more room for answers, or it is the other peer's turn. */
static void serve(struct peer *peer) {
  struct opener_request request;
  if (peer->waiting && !deliver(peer))
    return;
  for (int turn = 0; turn < MAX_REQUESTS_PER_TURN; turn++) {
    /* recv, not recvmsg: descriptors that come along are dropped by the kernel. */
    ssize_t length = recv(peer->socket, &request, sizeof request, MSG_DONTWAIT | MSG_TRUNC);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
      return;
    if (length <= 0) {
      close_peer(peer);
      return;
    }
    if (length != sizeof request)
      _exit(1);
    peer->answer.id = request.id;
    peer->answer.result = answer_request(peer, &request, &peer->descriptor);
    if (peer->answer.result < 0 && peer->descriptor >= 0) {
      close(peer->descriptor);
      peer->descriptor = -1;
    }
    bool delivered = deliver(peer);
    if (sealing_failed)
      _exit(1);
    if (!delivered)
      return;
  }
}

static _Noreturn void serve_forever(struct peer *supervisor, struct peer *worker) {
  struct peer *const peers[] = {supervisor, worker};
  for (;;) {
    struct pollfd polls[2];
    for (int i = 0; i < 2; i++) {
      polls[i].fd = i == 0 || sealed ? peers[i]->socket : -1;
      polls[i].events = peers[i]->waiting ? POLLOUT : POLLIN;
    }
    if (poll(polls, 2, -1) < 0)
      continue;
    for (int i = 0; i < 2; i++)
      if (polls[i].revents)
        serve(peers[i]);
  }
}

static _Noreturn void refuse_arguments(const char *what, const char *value) {
  dprintf(STDERR_FILENO, "opener: %s: %s; see the top of native/opener.c\n", what, value ? value : "(end of arguments)");
  _exit(1);
}

static int parse_descriptor(const char *text) {
  char *end = NULL;
  errno = 0;
  unsigned long fd = text ? strtoul(text, &end, 10) : 0;
  if (!text || end == text || *end || errno || fd > 1u << 30 || fcntl((int)fd, F_SETFD, FD_CLOEXEC))
    refuse_arguments("not an open descriptor", text);
  return (int)fd;
}

/* EINVAL for a user namespace: it is ours already, as for podman, and the network namespace decides. */
static void join(int fd, int kind, const char *what) {
  if (setns(fd, kind) && !(kind == CLONE_NEWUSER && errno == EINVAL)) {
    dprintf(STDERR_FILENO, "opener: can't join the %s namespace: %s\n", what, strerror(errno));
    _exit(1);
  }
  joined = true;
  close(fd);
}

int main(int argc, char **argv) {
  struct peer supervisor = {.socket = -1, .is_supervisor = true, .descriptor = -1};
  struct peer worker = {.socket = -1, .descriptor = -1};
  if (argc < 3)
    refuse_arguments("expected a name and descriptors", argv[argc - 1]);
  char **option = argv + 2;
  prctl(PR_SET_NAME, argv[1], 0, 0, 0);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  for (; *option && strncmp(*option, "--", 2) == 0; option++) {
    if (strcmp(*option, "--join") == 0) {
      join(parse_descriptor(*++option), CLONE_NEWUSER, "user");
      join(parse_descriptor(*++option), CLONE_NEWNET, "network");
    } else if (strcmp(*option, "--join-net") == 0) {
      join(parse_descriptor(*++option), CLONE_NEWNET, "network");
    } else if (strcmp(*option, "--allow-loopback4") == 0) {
      allow_loopback4 = true;
    } else if (strcmp(*option, "--allow-loopback6") == 0) {
      allow_loopback6 = true;
    } else {
      refuse_arguments("not an option", *option);
    }
  }
  supervisor.socket = parse_descriptor(*option++);
  if (*option)
    worker.socket = parse_descriptor(*option++);
  if (*option)
    refuse_arguments("one argument too many", *option);
  if (die_with_parent())
    refuse_arguments("no parent-death signal", strerror(errno));
  serve_forever(&supervisor, &worker);
}
