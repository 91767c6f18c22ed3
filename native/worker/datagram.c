/* Datagrams: with descriptors, in segments (UDP_GRO), and from the error queue. */
#define _GNU_SOURCE
#include "arena.h"
#include "calls.h"

#include "address.h"

#include <time.h>

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/uio.h>

#define MAX_DESCRIPTORS 253
#define MAX_BATCH 32

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

static napi_value receive_with_descriptors(napi_env env, napi_callback_info info)
{
  ARGUMENTS(5);
  if (argument[4] < 0 || argument[4] > MAX_DESCRIPTORS)
    return answer(env, -EINVAL);
  RANGE(to, argument[1], argument[2]);
  RANGE(fds, argument[3], 4 + 4 * argument[4]);
  union {
    struct cmsghdr align;
    uint8_t bytes[CMSG_SPACE(sizeof(int) * MAX_DESCRIPTORS)];
  } control;
  struct iovec piece = {to, (size_t)argument[2]};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  long length = call_receive_message(argument[0], &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (length < 0)
    return answer(env, -errno);
  int32_t count = 0;
  /* MSG_CTRUNC: the limit on descriptors let only the first of them in. */
  int refused = (message.msg_flags & MSG_TRUNC) != 0;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
      continue;
    size_t passed = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < passed; i++) {
      int fd;
      memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
      if (refused || count >= argument[4]) {
        refused = 1;
        close(fd);
        continue;
      }
      memcpy(fds + 4 + 4 * count, &fd, sizeof fd);
      count++;
    }
  }
  if (refused) {
    for (int32_t i = 0; i < count; i++) {
      int fd;
      memcpy(&fd, fds + 4 + 4 * i, sizeof fd);
      close(fd);
    }
    return answer(env, -EMSGSIZE);
  }
  memcpy(fds, &count, sizeof count);
  return answer(env, (int32_t)length);
}

/* What comes with a message: the segment size of UDP_GRO (0 = single), then TOS or traffic class. */
#define FACTS 8
union facts_control {
  struct cmsghdr align;
  uint8_t bytes[3 * CMSG_SPACE(sizeof(int))];
};

static void store_facts(struct msghdr *message, uint8_t *facts)
{
  int32_t size = 0, class = 0;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL; header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level == IPPROTO_UDP && header->cmsg_type == UDP_GRO && header->cmsg_len >= CMSG_LEN(sizeof size))
      memcpy(&size, CMSG_DATA(header), sizeof size);
    class |= traffic_class_of(header);
  }
  memcpy(facts, &size, sizeof size);
  memcpy(facts + 4, &class, sizeof class);
}

static napi_value receive_segments(napi_env env, napi_callback_info info)
{
  ARGUMENTS(4);
  RANGE(to, argument[1], argument[2]);
  RANGE(facts, argument[3], FACTS);
  union facts_control control;
  struct iovec piece = {to, (size_t)argument[2]};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  long length = call_receive_message(argument[0], &message, MSG_DONTWAIT);
  if (length < 0)
    return answer(env, -errno);
  store_facts(&message, facts);
  return answer(env, (int32_t)length);
}

static napi_value receive_batch(napi_env env, napi_callback_info info)
{
  ARGUMENTS(6);
  int32_t slot = argument[2], length = argument[3], count = argument[4];
  struct mmsghdr messages[MAX_BATCH];
  struct iovec pieces[MAX_BATCH];
  union facts_control controls[MAX_BATCH];
  if (length < 1 || slot < length || count < 1 || count > MAX_BATCH || slot > INT32_MAX / count)
    return answer(env, -EINVAL);
  RANGE(slots, argument[1], slot * (count - 1) + length);
  RANGE(facts, argument[5], count * (4 + FACTS));
  for (int32_t i = 0; i < count; i++) {
    pieces[i] = (struct iovec){slots + (size_t)i * (size_t)slot, (size_t)length};
    messages[i].msg_hdr = (struct msghdr){
        .msg_iov = &pieces[i], .msg_iovlen = 1, .msg_control = controls[i].bytes, .msg_controllen = sizeof controls[i].bytes};
  }
  long received = call_receive_messages(argument[0], messages, (unsigned)count, MSG_DONTWAIT);
  for (long i = 0; i < received; i++) {
    uint8_t *at = facts + i * (4 + FACTS);
    int32_t stored = (int32_t)messages[i].msg_len;
    memcpy(at, &stored, sizeof stored);
    store_facts(&messages[i].msg_hdr, at + 4);
  }
  return answer_call(env, received);
}

static napi_value receive_from(napi_env env, napi_callback_info info)
{
  ARGUMENTS(4);
  RANGE(to, argument[1], argument[2]);
  RANGE(source, argument[3], 20);
  struct sockaddr_storage sender = {.ss_family = AF_UNSPEC};
  struct iovec piece = {to, (size_t)argument[2]};
  struct msghdr message = {.msg_name = &sender, .msg_namelen = sizeof sender, .msg_iov = &piece, .msg_iovlen = 1};
  long length = call_receive_message(argument[0], &message, MSG_DONTWAIT);
  if (length < 0)
    return answer(env, -errno);
  int32_t port = address_bytes((const struct sockaddr *)&sender, source);
  memcpy(source + 16, &port, sizeof port);
  return answer(env, (int32_t)length);
}

/* IP_RECVTTL or IPV6_RECVHOPLIMIT, 0 when the socket was not asked to tell. */
static int32_t hop_limit_of(const struct cmsghdr *header)
{
  int limit = 0;
  if (((header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_TTL) ||
       (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_HOPLIMIT)) &&
      header->cmsg_len >= CMSG_LEN(sizeof limit))
    memcpy(&limit, CMSG_DATA(header), sizeof limit);
  return limit;
}

static napi_value receive_distant(napi_env env, napi_callback_info info)
{
  ARGUMENTS(4);
  RANGE(to, argument[1], argument[2]);
  RANGE(out, argument[3], 4);
  union {
    struct cmsghdr align;
    uint8_t bytes[CMSG_SPACE(sizeof(int))];
  } control;
  struct iovec piece = {to, (size_t)argument[2]};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  long length = call_receive_message(argument[0], &message, MSG_DONTWAIT);
  if (length < 0)
    return answer(env, -errno);
  int32_t limit = 0;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL; header = CMSG_NXTHDR(&message, header))
    limit |= hop_limit_of(header);
  memcpy(out, &limit, sizeof limit);
  return answer(env, (int32_t)length);
}

static napi_value receive_error(napi_env env, napi_callback_info info)
{
  ARGUMENTS(4);
  RANGE(to, argument[1], argument[2]);
  RANGE(record, argument[3], 40);
  union {
    struct cmsghdr align;
    uint8_t bytes[CMSG_SPACE(sizeof(struct sock_extended_err) + sizeof(struct sockaddr_in6)) + 64];
  } control;
  struct iovec piece = {to, (size_t)argument[2]};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  long length = call_receive_message(argument[0], &message, MSG_ERRQUEUE | MSG_DONTWAIT);
  if (length < 0)
    return answer(env, -errno);
  memset(record, 0, 40);
  int32_t limit = 0;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL; header = CMSG_NXTHDR(&message, header)) {
    limit |= hop_limit_of(header);
    if (!((header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_RECVERR) ||
          (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_RECVERR)) ||
        header->cmsg_len < CMSG_LEN(sizeof(struct sock_extended_err) + sizeof(struct sockaddr_in)))
      continue;
    struct {
      struct sock_extended_err error;
      struct sockaddr_in6 offender;
    } copy;
    size_t size = header->cmsg_len - CMSG_LEN(0);
    memset(&copy, 0, sizeof copy);
    memcpy(&copy, CMSG_DATA(header), size < sizeof copy ? size : sizeof copy);
    int32_t fields[5] = {(int32_t)copy.error.ee_errno, copy.error.ee_origin, copy.error.ee_type, copy.error.ee_code,
                         (int32_t)copy.error.ee_info};
    memcpy(record, fields, sizeof fields);
    address_bytes(SO_EE_OFFENDER(&copy.error), record + 20);
  }
  memcpy(record + 36, &limit, sizeof limit);
  return answer(env, (int32_t)length);
}

const struct function datagram_functions[] = {{"receiveWithDescriptors", receive_with_descriptors},
                                              {"receiveSegments", receive_segments},
                                              {"receiveBatch", receive_batch},
                                              {"receiveFrom", receive_from},
                                              {"receiveDistant", receive_distant},
                                              {"receiveError", receive_error},
                                              {NULL, NULL}};
