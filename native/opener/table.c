/* What may be reached: the one place that decides it, from the addresses of a request alone. */
#define _GNU_SOURCE
#include "opener.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

bool allow_loopback4, allow_loopback6;

static const uint8_t unspecified[16];

/* The host's resolvers on its loopback, as the supervisor has named them; unspecified = none. */
static uint8_t resolver4[16], resolver6[16];

/* What the supervisor has named for sockets that ask for no source; any and 0 = nothing. */
static uint8_t outbound4[16], outbound6[16];
static int device4, device6;

#define PORTS 65536
#define WORD 32

/* Ports of the loopback that the supervisor has named: to be reached by TCP and by UDP, and to be answered from by UDP. */
enum port_set { REACH_TCP, REACH_UDP, ANSWER_UDP, PORT_SETS };
static uint32_t port_sets[PORT_SETS][PORTS / WORD];

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

/* DNS (RFC 1035 §4.2) and DNS over TLS and QUIC (RFC 7858 §3.1, RFC 9250 §4.1.1) of the host's resolver. */
static bool is_name_service(const struct opener_request *request) {
  const uint8_t *resolver = request->family == 4 ? resolver4 : resolver6;
  if (request->verb != VERB_TCP_CONNECT && request->verb != VERB_UDP_CONNECT)
    return false;
  if (request->destination_port != 53 && request->destination_port != 853)
    return false;
  return !is_any(request->destination) && memcmp(request->destination, resolver, sizeof resolver4) == 0;
}

int set_resolver(const struct opener_request *request) {
  uint8_t *resolver = request->family == 4 ? resolver4 : resolver6;
  if (request->family != 4 && request->family != 6)
    return -EINVAL;
  if (is_any(request->destination)) {
    memset(resolver, 0, sizeof resolver4);
    return 0;
  }
  if (!is_loopback(request->destination) || is_group(request->destination))
    return -EINVAL;
  if (is_mapped_v4(request->destination) != (request->family == 4))
    return -EINVAL;
  memcpy(resolver, request->destination, sizeof resolver4);
  return 0;
}

int set_ports(const struct opener_request *request) {
  if (request->flags & ~(PORTS_UDP | PORTS_ANSWER | PORTS_WITHDRAW) || (request->flags & PORTS_ANSWER && !(request->flags & PORTS_UDP)))
    return -EINVAL;
  if (request->source_port == 0 || request->source_port > request->destination_port)
    return -EINVAL;
  uint32_t *set = port_sets[request->flags & PORTS_ANSWER ? ANSWER_UDP : request->flags & PORTS_UDP ? REACH_UDP : REACH_TCP];
  for (uint32_t port = request->source_port; port <= request->destination_port; port++) {
    uint32_t bit = UINT32_C(1) << port % WORD;
    if (request->flags & PORTS_WITHDRAW)
      set[port / WORD] &= ~bit;
    else
      set[port / WORD] |= bit;
  }
  return 0;
}

int set_outbound(const struct opener_request *request) {
  bool v4 = request->family == 4;
  union endpoint local;
  int error = 0;
  if ((!v4 && request->family != 6) || (!is_any(request->source) && is_mapped_v4(request->source) != v4) || request->interface > INT_MAX)
    return -EINVAL;
  int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return -errno;
  if (request->interface) {
    *(v4 ? &device4 : &device6) = (int)request->interface;
    error = bind_to_link(fd, (int)request->interface) ? errno : 0;
  }
  if (!error && !is_any(request->source)) {
    memcpy(v4 ? outbound4 : outbound6, request->source, sizeof outbound4);
    fill_endpoint(&local, request, request->source, 0);
    error = bind(fd, &local.any, v4 ? sizeof local.v4 : sizeof local.v6) ? errno : 0;
  }
  close(fd);
  return -error;
}

static bool has_port(enum port_set set, uint16_t port) { return port_sets[set][port / WORD] >> port % WORD & 1; }

/* What the rules of forwarding need of the loopback. */
static bool is_forwarded(const struct opener_request *request) {
  if (request->verb == VERB_TCP_CONNECT)
    return has_port(REACH_TCP, request->destination_port);
  if (request->verb != VERB_UDP_CONNECT)
    return false;
  return has_port(REACH_UDP, request->destination_port) || has_port(ANSWER_UDP, request->source_port);
}

/* A broadcast address of a subnet looks like any other; the kernel knows it. */
static bool is_for_groups(const struct opener_request *request) {
  return request->verb == VERB_UDP_GROUP || request->verb == VERB_UDP_REPLIES;
}

/* The table: what may be reached, as which source. To connect to 0.0.0.0 or :: means this host's loopback, too. */
static bool permitted(const struct opener_request *request) {
  bool allow_loopback = (request->family == 4 ? allow_loopback4 : allow_loopback6) || is_forwarded(request);
  if (!allow_loopback && is_loopback(request->source))
    return false;
  if (!allow_loopback && !is_name_service(request) && (is_loopback(request->destination) || is_any(request->destination)))
    return false;
  return is_for_groups(request) || request->verb == VERB_PING || !is_group(request->destination);
}

bool permitted_source(const union endpoint *endpoint) {
  uint8_t address[16] = {[10] = 0xff, [11] = 0xff};
  bool v4 = endpoint->any.sa_family == AF_INET;
  if (v4)
    memcpy(address + 12, &endpoint->v4.sin_addr, 4);
  else
    memcpy(address, &endpoint->v6.sin6_addr, 16);
  return (v4 ? allow_loopback4 : allow_loopback6) || (!is_loopback(address) && !is_any(address));
}

/* RFC 1112 §6.1: what is sent to a group leaves by the link asked for, whatever its scope; else a link is named where it must be. */
static bool names_its_link(const struct opener_request *request) {
  bool scoped = request->family == 6 && (needs_scope(request->destination) || needs_scope(request->source));
  if (is_for_groups(request) && is_group(request->destination))
    return !scoped || request->interface;
  return scoped == (request->interface != 0);
}

void fill_endpoint(union endpoint *endpoint, const struct opener_request *request, const uint8_t *address, uint16_t port) {
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
int parse_flow(struct flow *flow, const struct opener_request *request) {
  if (request->family != 4 && request->family != 6)
    return -EINVAL;
  bool v4 = request->family == 4;
  if (is_mapped_v4(request->destination) != v4)
    return -EINVAL;
  if (!is_any(request->source) && is_mapped_v4(request->source) != v4)
    return -EINVAL;
  if (!permitted(request))
    return -EPERM;
  if (!names_its_link(request))
    return -EINVAL;
  fill_endpoint(&flow->destination, request, request->destination, request->destination_port);
  bool goes_out = is_any(request->source) && !is_loopback(request->destination) && !is_any(request->destination) &&
                  !request->interface && !is_for_groups(request);
  const uint8_t *source = goes_out && !is_any(v4 ? outbound4 : outbound6) ? (v4 ? outbound4 : outbound6) : request->source;
  fill_endpoint(&flow->source, request, source, request->source_port);
  flow->length = v4 ? sizeof flow->source.v4 : sizeof flow->source.v6;
  flow->binds = request->source_port || !is_any(source);
  flow->device = goes_out ? (v4 ? device4 : device6) : 0;
  flow->is_v6 = !v4;
  return 0;
}
