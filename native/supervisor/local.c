/*
 * AF_UNIX sockets by path: the listening end that only its owner may connect to, who has connected, whether somebody listens; and the host's
 * log.
 */
#define _GNU_SOURCE
#include "values.h"

#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 128

/* A path of 1 to 107 bytes and its NUL (unix(7)). */
static bool read_path(napi_env env, napi_value value, struct sockaddr_un *address) {
  size_t length;
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok || length < 1 || length >= sizeof address->sun_path)
    return false;
  return napi_get_value_string_utf8(env, value, address->sun_path, sizeof address->sun_path, &length) == napi_ok &&
         strlen(address->sun_path) == length;
}

static int make_socket(int type) {
  int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  return fd < 0 ? -errno : fd;
}

static int fail(int fd) {
  int error = errno;
  close(fd);
  return -error;
}

/* The mode of the socket is the file's from the moment it exists, less the umask: nobody else can connect before it is set. */
static napi_value local_listen(napi_env env, napi_callback_info info) {
  napi_value argument[1];
  struct sockaddr_un address;
  if (!read_arguments(env, info, argument, 1) || !read_path(env, argument[0], &address))
    return make_int(env, -EINVAL);
  int fd = make_socket(SOCK_STREAM);
  if (fd >= 0 && (fchmod(fd, S_IRUSR | S_IWUSR) || bind(fd, (const struct sockaddr *)&address, sizeof address)))
    return make_int(env, fail(fd));
  if (fd >= 0 && listen(fd, BACKLOG)) {
    int error = fail(fd);
    unlink(address.sun_path);
    return make_int(env, error);
  }
  return make_int(env, fd);
}

/* With `abstract`, a name that begins with '@' is one of no file (unix(7)), as NOTIFY_SOCKET has it. */
static napi_value connect_to(napi_env env, napi_callback_info info, int type, bool abstract) {
  napi_value argument[1];
  struct sockaddr_un address;
  if (!read_arguments(env, info, argument, 1) || !read_path(env, argument[0], &address))
    return make_int(env, -EINVAL);
  socklen_t length = sizeof address;
  if (abstract && address.sun_path[0] == '@') {
    length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(address.sun_path));
    address.sun_path[0] = '\0';
  }
  int fd = make_socket(type);
  if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, length))
    return make_int(env, fail(fd));
  return make_int(env, fd);
}

static napi_value local_connect(napi_env env, napi_callback_info info) {
  return connect_to(env, info, SOCK_STREAM, false);
}

static napi_value local_datagram(napi_env env, napi_callback_info info) {
  return connect_to(env, info, SOCK_DGRAM, true);
}

static napi_value local_accept(napi_env env, napi_callback_info info) {
  napi_value argument[1], result;
  int32_t listener;
  struct ucred client;
  socklen_t length = sizeof client;
  if (!read_arguments(env, info, argument, 1) || !read_int(env, argument[0], &listener))
    return make_int(env, -EINVAL);
  int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0)
    return make_int(env, -errno);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &client, &length))
    return make_int(env, fail(fd));
  napi_value descriptor = make_int(env, fd);
  napi_value pid = make_int(env, client.pid);
  napi_value uid;
  if (descriptor && pid && napi_create_uint32(env, client.uid, &uid) == napi_ok && napi_create_object(env, &result) == napi_ok &&
      napi_set_named_property(env, result, "fd", descriptor) == napi_ok && napi_set_named_property(env, result, "pid", pid) == napi_ok &&
      napi_set_named_property(env, result, "uid", uid) == napi_ok)
    return result;
  close(fd);
  return NULL;
}

static napi_value hung_up(napi_env env, napi_callback_info info) {
  napi_value argument[1];
  int32_t fd;
  if (!read_arguments(env, info, argument, 1) || !read_int(env, argument[0], &fd))
    return make_int(env, -EINVAL);
  struct pollfd poll_fd = {.fd = fd, .events = POLLRDHUP};
  int ready = poll(&poll_fd, 1, 0);
  if (ready > 0 && poll_fd.revents & POLLNVAL)
    return make_int(env, -EBADF);
  return make_result(env, ready);
}

const struct function local_functions[] = {
    {"localListen", local_listen},
    {"localConnect", local_connect},
    {"localDatagram", local_datagram},
    {"localAccept", local_accept},
    {"hungUp", hung_up},
    {NULL, NULL},
};
