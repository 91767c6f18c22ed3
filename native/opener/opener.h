/* The opener's parts: opener.c (the dialogue), table.c (what may be reached), flow.c (sockets of flows), listener.c (sockets that others
 * come to), setup.c (before the seal). */
#ifndef OPENER_H
#define OPENER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "request.h"

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
  int device; /* the only link that it may leave by, 0 = any */
  bool is_v6;
};

/* Whose namespace this is, and what the command line has allowed; set before the first request. */
extern bool joined, keeps_low_ports, allow_loopback4, allow_loopback6;
extern bool sealed, sealing_failed;

/* Checks the addresses of a request and makes socket addresses of them: 0, -EINVAL or -EPERM. */
int parse_flow(struct flow *flow, const struct opener_request *request);

/* Makes the request's destination the one address of the loopback that is reached for name service; any address: none is. 0 or -EINVAL. */
int set_resolver(const struct opener_request *request);

/* Takes ports of the loopback into what may be reached or answered from, or out of it. 0 or -EINVAL. */
int set_ports(const struct opener_request *request);

/* Names the source and the link of sockets that ask for none: 0, or -errno of a socket that is made to try it. */
int set_outbound(const struct opener_request *request);

/* Whether a socket may have this local address, which a route has chosen. */
bool permitted_source(const union endpoint *endpoint);

/* Each makes a socket for what `parse_flow` has let through: >= 0 and the descriptor, or -errno. */
int open_tcp(struct flow *flow, const struct opener_request *request, int *descriptor);
int open_udp(struct flow *flow, const struct opener_request *request, int *descriptor);
int open_udp_replies(struct flow *flow, const struct opener_request *request, int *descriptor);
int open_ping(struct flow *flow, const struct opener_request *request, int *descriptor);

/* A socket that others come to: only for the supervisor. */
int open_listener(const struct opener_request *request, int *descriptor);

/* The port, or echo identifier, that the socket is bound to, or -errno. */
int bound_port(int fd);
int set_option(int fd, int level, int name, int value);

/* The socket leaves by this link alone (Linux 5.7 for ordinary users). */
int bind_to_link(int fd, int link);

/* A socket address of 16 bytes of a request; a link-local one is scoped to its interface. */
void fill_endpoint(union endpoint *endpoint, const struct opener_request *request, const uint8_t *address, uint16_t port);

/* Closes the socket and makes a result of errno. */
int give_up(int fd);

/* Before the seal only; the caller has checked that. */
int open_tap(const struct opener_request *request, int *descriptor);
int open_netlink(int protocol, int *descriptor);
int seal(void);

#endif
