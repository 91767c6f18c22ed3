/* Sockets that others come to: accepting, and datagrams with both their addresses. */
#define _GNU_SOURCE
#include "arena.h"
#include "calls.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>

#include "address.h"

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

static napi_value accept_connection(napi_env env, napi_callback_info info)
{
  ARGUMENTS(2);
  RANGE(out, argument[1], 20);
  struct sockaddr_storage name = {.ss_family = AF_UNSPEC};
  socklen_t length = sizeof name;
  int fd = accept4(argument[0], (struct sockaddr *)&name, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0)
    return answer(env, -errno);
  int32_t port = address_bytes((const struct sockaddr *)&name, out);
  memcpy(out + 16, &port, sizeof port);
  return answer(env, fd);
}

static napi_value local_name(napi_env env, napi_callback_info info)
{
  ARGUMENTS(2);
  RANGE(out, argument[1], 20);
  struct sockaddr_storage name = {.ss_family = AF_UNSPEC};
  socklen_t length = sizeof name;
  if (getsockname(argument[0], (struct sockaddr *)&name, &length) < 0)
    return answer(env, -errno);
  int32_t port = address_bytes((const struct sockaddr *)&name, out);
  memcpy(out + 16, &port, sizeof port);
  return answer(env, 0);
}

/* Which address was asked, and the link that the question came by. */
static void read_destination(const struct cmsghdr *header, uint8_t *address, int32_t *interface)
{
  if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO && header->cmsg_len >= CMSG_LEN(sizeof(struct in_pktinfo))) {
    struct in_pktinfo v4;
    memcpy(&v4, CMSG_DATA(header), sizeof v4);
    memset(address, 0, 10);
    address[10] = address[11] = 0xff;
    memcpy(address + 12, &v4.ipi_addr, sizeof v4.ipi_addr);
    *interface = v4.ipi_ifindex;
  }
  if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO && header->cmsg_len >= CMSG_LEN(sizeof(struct in6_pktinfo))) {
    struct in6_pktinfo v6;
    memcpy(&v6, CMSG_DATA(header), sizeof v6);
    memcpy(address, &v6.ipi6_addr, sizeof v6.ipi6_addr);
    *interface = (int32_t)v6.ipi6_ifindex;
  }
}

static napi_value receive_addressed(napi_env env, napi_callback_info info)
{
  ARGUMENTS(4);
  RANGE(to, argument[1], argument[2]);
  RANGE(facts, argument[3], 48);
  union {
    struct cmsghdr align;
    uint8_t bytes[256];
  } control;
  struct sockaddr_storage sender = {.ss_family = AF_UNSPEC};
  struct iovec piece = {to, (size_t)argument[2]};
  struct msghdr message = {.msg_name = &sender,
                           .msg_namelen = sizeof sender,
                           .msg_iov = &piece,
                           .msg_iovlen = 1,
                           .msg_control = control.bytes,
                           .msg_controllen = sizeof control.bytes};
  long length = call_receive_message(argument[0], &message, MSG_DONTWAIT);
  if (length < 0)
    return answer(env, -errno);
  memset(facts, 0, 48);
  int32_t port = address_bytes((const struct sockaddr *)&sender, facts), interface = 0, size = 0, class = 0;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL; header = CMSG_NXTHDR(&message, header)) {
    read_destination(header, facts + 20, &interface);
    if (header->cmsg_level == IPPROTO_UDP && header->cmsg_type == UDP_GRO && header->cmsg_len >= CMSG_LEN(sizeof size))
      memcpy(&size, CMSG_DATA(header), sizeof size);
    class |= traffic_class_of(header);
  }
  memcpy(facts + 16, &port, sizeof port);
  memcpy(facts + 36, &interface, sizeof interface);
  memcpy(facts + 40, &size, sizeof size);
  memcpy(facts + 44, &class, sizeof class);
  return answer(env, (int32_t)length);
}

const struct function listener_functions[] = {
    {"accept", accept_connection}, {"localName", local_name}, {"receiveAddressed", receive_addressed}, {NULL, NULL}};
