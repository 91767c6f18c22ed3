/*
 * opener — answers one fixed-size request with one descriptor, for the one network namespace it lives in.
 *
 *   opener NAME [--join USERNS_FD NETNS_FD | --join-net NETNS_FD] [--low-ports] [--allow-loopback4] [--allow-loopback6]
 *          SUPERVISOR_FD [WORKER_FD]
 *
 * NAME is what `ps` shows. Started through `jail opener FDS -- …`, which has cleaned environment, descriptors and limits.
 *
 * Theory of operation.
 *
 * Two sockets ask: the supervisor's and the worker's. Until the supervisor sends SEAL only the supervisor's is read, and all verbs
 * are good. SEAL empties the root, gives up every capability and installs the filter; from then on the worker is served as well,
 * and only sockets to the outside are made. The worker is taken for an attacker: what it may reach is decided in table.c, by `permitted`.
 * It can ask for any address but the host's loopback (by default) and those that are shorthand for it; for the rest the kernel and
 * its firewall decide as for any program of this user. Where the host's resolver is on the loopback, the supervisor names it with
 * RESOLVER, sealed or not, and the worker reaches that one address on the two ports of DNS. Ports of the loopback that rules of
 * forwarding lead to, or listen on, are named with PORTS. Listening sockets are made for the supervisor only (listener.c).
 *
 * Privilege. An ordinary user's opener for the host needs none and never has any; for an empty root it enters a user namespace of its
 * own when it is sealed (sockets, their owner and the ping group are judged by the ids outside, so nothing changes for them).
 * The opener of the guest's namespace joins its user namespace first and has all capabilities there until it is sealed: the tap and
 * what is done over netlink need CAP_NET_ADMIN, the empty root CAP_SYS_ADMIN. With --low-ports it keeps CAP_NET_BIND_SERVICE, where it
 * has it: of the user namespace that it has joined, or of our own, to which the network namespace belongs then (Podman's root). Rules
 * listen on low ports of the guest's loopback (-T) as well. It is not dumpable from the start, so that the guest's root,
 * who is its equal in there, can't trace it.
 *
 * Nothing blocks. Each request is answered before the next is read; when the answer's socket is full (max_dgram_qlen, often 10) no
 * more requests are read from that side until it drains. A descriptor is closed here as soon as it is sent.
 * A request that is malformed but of the right length is answered -EINVAL, one that the table refuses -EPERM. Any other length is the
 * end: somebody else is at the other side. End of file: the supervisor's ends the opener, the worker's only closes that side.
 *
 * System calls after SEAL, for policies/opener.policy: poll (ppoll), recvfrom, sendmsg, socket, setsockopt, bind, connect,
 * listen, getsockname, close, exit_group.
 */
#define _GNU_SOURCE
#include "opener.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../privileges.h"

#define MAX_REQUESTS_PER_TURN 64

struct peer {
  int socket; /* -1 when closed */
  bool is_supervisor;
  bool waiting; /* `answer` could not be sent yet */
  struct opener_answer answer;
  int descriptor; /* that goes with it, or -1 */
};

bool joined, keeps_low_ports, sealed, sealing_failed;

static int answer_setup(const struct peer *peer, const struct opener_request *request, int *descriptor) {
  if (!peer->is_supervisor || sealed)
    return -EPERM;
  switch (request->verb) {
  case VERB_TAP:
    return open_tap(request, descriptor);
  case VERB_OUTBOUND:
    return set_outbound(request);
  case VERB_NETLINK:
    return open_netlink(NETLINK_ROUTE, descriptor);
  case VERB_SOCKET_DIAGNOSIS:
    return open_netlink(NETLINK_SOCK_DIAG, descriptor);
  default:
    return seal();
  }
}

static bool is_reserved_zero(const struct opener_request *request) {
  for (size_t at = 0; at < sizeof request->reserved; at++)
    if (request->reserved[at])
      return false;
  return true;
}

/* Verbs of the supervisor alone look at their flags themselves. */
static bool are_flags_good(const struct opener_request *request) {
  if (request->verb == VERB_TCP_LISTEN || request->verb == VERB_UDP_LISTEN || request->verb == VERB_PORTS)
    return true;
  int flags = request->verb == VERB_UDP_CONNECT ? CONNECT_KEEP : request->verb == VERB_TCP_CONNECT ? CONNECT_ERRORS : 0;
  return (request->flags & ~flags) == 0;
}

/* The result of a request; `*descriptor` is set when one comes with it. */
static int answer_request(const struct peer *peer, const struct opener_request *request, int *descriptor) {
  struct flow flow;
  int result;
  if (!is_reserved_zero(request) || !are_flags_good(request))
    return -EINVAL;
  switch (request->verb) {
  case VERB_TAP:
  case VERB_NETLINK:
  case VERB_SOCKET_DIAGNOSIS:
  case VERB_OUTBOUND:
  case VERB_SEAL:
    return answer_setup(peer, request, descriptor);
  case VERB_RESOLVER:
    return peer->is_supervisor ? set_resolver(request) : -EPERM;
  case VERB_PORTS:
    return peer->is_supervisor ? set_ports(request) : -EPERM;
  case VERB_TCP_LISTEN:
  case VERB_UDP_LISTEN:
    return peer->is_supervisor ? open_listener(request, descriptor) : -EPERM;
  case VERB_TCP_CONNECT:
    result = parse_flow(&flow, request);
    return result ? result : open_tcp(&flow, request, descriptor);
  case VERB_UDP_CONNECT:
  case VERB_UDP_GROUP:
    result = parse_flow(&flow, request);
    return result ? result : open_udp(&flow, request, descriptor);
  case VERB_UDP_REPLIES:
    result = parse_flow(&flow, request);
    return result ? result : open_udp_replies(&flow, request, descriptor);
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
  dprintf(STDERR_FILENO, "opener: %s: %s; see the top of native/opener/opener.c\n", what, value ? value : "(end of arguments)");
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

/* EINVAL for a user namespace: it is ours already, and the network namespace decides. The supervisor is told which can't be joined. */
static void join(int fd, int kind, const struct peer *supervisor) {
  if (fd < 0)
    return;
  if (setns(fd, kind) && !(kind == CLONE_NEWUSER && errno == EINVAL)) {
    struct opener_answer notice = {kind == CLONE_NEWUSER ? NOTICE_USER_NAMESPACE : NOTICE_NETWORK_NAMESPACE, -errno};
    send(supervisor->socket, &notice, sizeof notice, MSG_NOSIGNAL);
    _exit(1);
  }
  joined = true;
  close(fd);
}

int main(int argc, char **argv) {
  struct peer supervisor = {.socket = -1, .is_supervisor = true, .descriptor = -1};
  struct peer worker = {.socket = -1, .descriptor = -1};
  int user = -1, network = -1;
  if (argc < 3)
    refuse_arguments("expected a name and descriptors", argv[argc - 1]);
  char **option = argv + 2;
  prctl(PR_SET_NAME, argv[1], 0, 0, 0);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  for (; *option && strncmp(*option, "--", 2) == 0; option++) {
    if (strcmp(*option, "--join") == 0) {
      user = parse_descriptor(*++option);
      network = parse_descriptor(*++option);
    } else if (strcmp(*option, "--join-net") == 0) {
      network = parse_descriptor(*++option);
    } else if (strcmp(*option, "--low-ports") == 0) {
      keeps_low_ports = true;
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
  join(user, CLONE_NEWUSER, &supervisor);
  join(network, CLONE_NEWNET, &supervisor);
  if (die_with_parent())
    refuse_arguments("no parent-death signal", strerror(errno));
  serve_forever(&supervisor, &worker);
}
