/* Netlink sockets, plain send and receive on them, and what can be learnt from a socket at start-up. */
#define _GNU_SOURCE
#include "values.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static napi_value netlink_socket(napi_env env, napi_callback_info info) {
  napi_value argument[1];
  int32_t protocol;
  if (!read_arguments(env, info, argument, 1) || !read_int(env, argument[0], &protocol))
    return make_int(env, -EINVAL);
  return make_result(env, socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
}

static napi_value send_bytes(napi_env env, napi_callback_info info) {
  napi_value argument[2];
  int32_t fd;
  uint8_t *bytes;
  size_t length;
  if (!read_arguments(env, info, argument, 2) || !read_int(env, argument[0], &fd) || !read_bytes(env, argument[1], &bytes, &length))
    return make_int(env, -EINVAL);
  return make_result(env, send(fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL));
}

static napi_value receive_into(napi_env env, int fd, void *bytes, size_t size) {
  ssize_t length = recv(fd, bytes, size, MSG_DONTWAIT | MSG_TRUNC);
  if (length < 0)
    return errno == EAGAIN ? make_null(env) : make_int(env, -errno);
  if ((size_t)length > size)
    return make_int(env, -EMSGSIZE);
  return make_bytes(env, bytes, (size_t)length);
}

static napi_value receive_bytes(napi_env env, napi_callback_info info) {
  napi_value argument[2];
  int32_t fd, size;
  if (!read_arguments(env, info, argument, 2) || !read_int(env, argument[0], &fd) || !read_int(env, argument[1], &size) || size < 1 ||
      size > MAX_DATAGRAM)
    return make_int(env, -EINVAL);
  void *bytes = malloc((size_t)size);
  if (!bytes)
    return make_int(env, -ENOMEM);
  napi_value result = receive_into(env, fd, bytes, (size_t)size);
  free(bytes);
  return result;
}

static napi_value wait_for(napi_env env, napi_callback_info info, short events) {
  napi_value argument[2];
  int32_t fd, timeout;
  if (!read_arguments(env, info, argument, 2) || !read_int(env, argument[0], &fd) || !read_int(env, argument[1], &timeout))
    return make_int(env, -EINVAL);
  struct pollfd poll_fd = {.fd = fd, .events = events};
  int ready;
  /* A signal waits for the loop, and what we wait for has not come: the time begins anew. */
  do
    ready = poll(&poll_fd, 1, timeout);
  while (ready < 0 && errno == EINTR);
  return make_result(env, ready);
}

static napi_value wait_readable(napi_env env, napi_callback_info info) { return wait_for(env, info, POLLIN); }

static napi_value wait_writable(napi_env env, napi_callback_info info) { return wait_for(env, info, POLLOUT); }

/* TCP knows SO_PEEK_OFF since Linux 6.9, IPv6 somewhat later; a socket of a family that is switched off knows nothing. */
static napi_value probe_peek_offset(napi_env env, napi_callback_info info) {
  napi_value argument[1];
  int32_t family;
  const int offset = 0;
  if (!read_arguments(env, info, argument, 1) || !read_int(env, argument[0], &family) || (family != 4 && family != 6))
    return make_int(env, -EINVAL);
  int fd = socket(family == 4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
  if (fd < 0)
    return make_int(env, 0);
  int works = setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof offset) == 0;
  close(fd);
  return make_int(env, works);
}

const struct function netlink_functions[] = {
    {"netlinkSocket", netlink_socket},
    {"send", send_bytes},
    {"receive", receive_bytes},
    {"waitReadable", wait_readable},
    {"waitWritable", wait_writable},
    {"probePeekOffset", probe_peek_offset},
    {NULL, NULL},
};
