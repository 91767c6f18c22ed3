/* What the kernel says of a datagram's addresses and marks, in the form that crosses to the worker. */
#ifndef RAVIOLI_WORKER_ADDRESS_H
#define RAVIOLI_WORKER_ADDRESS_H

#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

/* An address as 16 bytes, IPv4 mapped; zeroes for any other family. Returns the port. */
static inline int32_t address_bytes(const struct sockaddr *address, uint8_t *out)
{
  memset(out, 0, 16);
  if (address->sa_family == AF_INET) {
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
    out[10] = out[11] = 0xff;
    memcpy(out + 12, &v4->sin_addr, 4);
    return ntohs(v4->sin_port);
  }
  if (address->sa_family != AF_INET6)
    return 0;
  const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
  memcpy(out, &v6->sin6_addr, 16);
  return ntohs(v6->sin6_port);
}

/* One byte of IPv4, an int of IPv6; 0 when the socket was not asked to tell. */
static inline int32_t traffic_class_of(const struct cmsghdr *header)
{
  int class = 0;
  if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_TOS && header->cmsg_len >= CMSG_LEN(1))
    class = *CMSG_DATA(header);
  if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_TCLASS && header->cmsg_len >= CMSG_LEN(sizeof class))
    memcpy(&class, CMSG_DATA(header), sizeof class);
  return class;
}

#endif
