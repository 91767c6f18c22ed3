/* Datagrams with descriptors on AF_UNIX SOCK_SEQPACKET sockets. */
#define _GNU_SOURCE
#include "values.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union ancillary {
  struct cmsghdr header;
  char bytes[CMSG_SPACE(MAX_PASSED_DESCRIPTORS * sizeof(int))];
};

struct descriptors {
  int fds[MAX_PASSED_DESCRIPTORS];
  size_t count;
};

static void close_all(const struct descriptors *received) {
  for (size_t i = 0; i < received->count; i++)
    close(received->fds[i]);
}

/* An array of numbers >= 0, at most as many as one datagram carries; false for anything else. */
static bool read_descriptors(napi_env env, napi_value array, struct descriptors *result) {
  bool is_array;
  uint32_t length;
  if (napi_is_array(env, array, &is_array) != napi_ok || !is_array || napi_get_array_length(env, array, &length) != napi_ok ||
      length > MAX_PASSED_DESCRIPTORS)
    return false;
  for (uint32_t i = 0; i < length; i++) {
    napi_value element;
    if (napi_get_element(env, array, i, &element) != napi_ok || !read_int(env, element, &result->fds[i]) || result->fds[i] < 0)
      return false;
  }
  result->count = length;
  return true;
}

static napi_value make_descriptors(napi_env env, const struct descriptors *received) {
  napi_value array;
  if (napi_create_array_with_length(env, received->count, &array) != napi_ok)
    return NULL;
  for (uint32_t i = 0; i < received->count; i++) {
    napi_value fd = make_int(env, received->fds[i]);
    if (!fd || napi_set_element(env, array, i, fd) != napi_ok)
      return NULL;
  }
  return array;
}

static napi_value socket_pair(napi_env env, napi_callback_info info) {
  struct descriptors pair = {.count = 2};
  (void)info;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair.fds)) {
    napi_throw_error(env, NULL, strerror(errno));
    return NULL;
  }
  napi_value result = make_descriptors(env, &pair);
  if (!result)
    close_all(&pair);
  return result;
}

static napi_value send_with_descriptors(napi_env env, napi_callback_info info) {
  napi_value argument[3];
  int32_t socket;
  struct iovec bytes;
  struct descriptors sent = {.count = 0};
  union ancillary control;
  if (!read_arguments(env, info, argument, 3) || !read_int(env, argument[0], &socket) ||
      !read_bytes(env, argument[1], (uint8_t **)&bytes.iov_base, &bytes.iov_len) || !read_descriptors(env, argument[2], &sent))
    return make_int(env, -EINVAL);
  struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
  if (sent.count) {
    memset(&control, 0, sizeof control);
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(sent.count * sizeof(int));
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sent.count * sizeof(int));
    memcpy(CMSG_DATA(&control.header), sent.fds, sent.count * sizeof(int));
  }
  return make_result(env, sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
}

/* Collects what came along; more than fits is reported by the kernel as MSG_CTRUNC. */
static void collect_descriptors(struct msghdr *message, struct descriptors *received) {
  received->count = 0;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
      continue;
    size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count && received->count < MAX_PASSED_DESCRIPTORS; i++)
      memcpy(&received->fds[received->count++], CMSG_DATA(header) + i * sizeof(int), sizeof(int));
  }
}

static napi_value make_datagram(napi_env env, const void *bytes, size_t length, const struct descriptors *received) {
  napi_value result;
  if (napi_create_object(env, &result) != napi_ok)
    return NULL;
  napi_value copy = make_bytes(env, bytes, length);
  napi_value fds = make_descriptors(env, received);
  if (!copy || !fds || napi_set_named_property(env, result, "bytes", copy) != napi_ok ||
      napi_set_named_property(env, result, "fds", fds) != napi_ok)
    return NULL;
  return result;
}

static napi_value receive_datagram(napi_env env, int socket, void *bytes, size_t size) {
  union ancillary control;
  struct descriptors received;
  struct iovec vector = {bytes, size};
  struct msghdr message = {
      .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  ssize_t length = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (length < 0)
    return make_int(env, -errno);
  collect_descriptors(&message, &received);
  napi_value result;
  if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
    result = make_int(env, -EMSGSIZE);
  else if (length == 0)
    result = make_null(env);
  else if ((result = make_datagram(env, bytes, (size_t)length, &received)))
    return result;
  close_all(&received);
  return result;
}

static napi_value receive_with_descriptors(napi_env env, napi_callback_info info) {
  napi_value argument[2];
  int32_t socket, size;
  if (!read_arguments(env, info, argument, 2) || !read_int(env, argument[0], &socket) || !read_int(env, argument[1], &size) ||
      size < 1 || size > MAX_DATAGRAM)
    return make_int(env, -EINVAL);
  void *bytes = malloc((size_t)size);
  if (!bytes)
    return make_int(env, -ENOMEM);
  napi_value result = receive_datagram(env, socket, bytes, (size_t)size);
  free(bytes);
  return result;
}

const struct function channel_functions[] = {
    {"socketPair", socket_pair},
    {"sendWithDescriptors", send_with_descriptors},
    {"receiveWithDescriptors", receive_with_descriptors},
    {NULL, NULL},
};
