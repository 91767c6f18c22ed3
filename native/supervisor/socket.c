/* What a socket is and how it is set: for those that somebody else made and handed in. */
#define _GNU_SOURCE
#include "values.h"

#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

static napi_value get_option(napi_env env, napi_callback_info info) {
  napi_value argument[3];
  int32_t fd, level, name;
  int value = 0;
  socklen_t length = sizeof value;
  if (!read_arguments(env, info, argument, 3) || !read_int(env, argument[0], &fd) || !read_int(env, argument[1], &level) ||
      !read_int(env, argument[2], &name))
    return make_int(env, -EINVAL);
  return make_int(env, getsockopt(fd, level, name, &value, &length) ? -errno : value);
}

static napi_value set_option(napi_env env, napi_callback_info info) {
  napi_value argument[4];
  int32_t fd, level, name, value;
  if (!read_arguments(env, info, argument, 4) || !read_int(env, argument[0], &fd) || !read_int(env, argument[1], &level) ||
      !read_int(env, argument[2], &name) || !read_int(env, argument[3], &value))
    return make_int(env, -EINVAL);
  return make_result(env, setsockopt(fd, level, name, &value, sizeof value));
}

static napi_value get_name(napi_env env, napi_callback_info info) {
  napi_value argument[1];
  int32_t fd;
  struct sockaddr_storage name;
  socklen_t length = sizeof name;
  if (!read_arguments(env, info, argument, 1) || !read_int(env, argument[0], &fd))
    return make_int(env, -EINVAL);
  if (getsockname(fd, (struct sockaddr *)&name, &length))
    return make_int(env, -errno);
  return make_bytes(env, &name, length < sizeof name ? length : sizeof name);
}

static napi_value get_interface(napi_env env, napi_callback_info info) {
  napi_value argument[1], result;
  int32_t fd;
  char name[IFNAMSIZ];
  socklen_t length = sizeof name;
  if (!read_arguments(env, info, argument, 1) || !read_int(env, argument[0], &fd))
    return make_int(env, -EINVAL);
  if (getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &length))
    return make_int(env, -errno);
  return napi_create_string_utf8(env, name, length ? strnlen(name, length) : 0, &result) == napi_ok ? result : NULL;
}

static napi_value set_non_blocking(napi_env env, napi_callback_info info) {
  napi_value argument[1];
  int32_t fd;
  if (!read_arguments(env, info, argument, 1) || !read_int(env, argument[0], &fd))
    return make_int(env, -EINVAL);
  int flags = fcntl(fd, F_GETFL);
  return make_result(env, flags < 0 ? flags : fcntl(fd, F_SETFL, flags | O_NONBLOCK));
}

const struct function socket_functions[] = {
    {"socketOption", get_option},
    {"setSocketOption", set_option},
    {"socketName", get_name},
    {"socketInterface", get_interface},
    {"setNonBlocking", set_non_blocking},
    {NULL, NULL},
};
