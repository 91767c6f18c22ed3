/* Modes and size of a terminal. libuv's raw mode still translates newlines, and sets nothing on any terminal but the first. */
#define _GNU_SOURCE
#include "values.h"

#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>

static napi_value get_modes(napi_env env, napi_callback_info info) {
  napi_value argument[1];
  int32_t fd;
  struct termios modes;
  if (!read_arguments(env, info, argument, 1) || !read_int(env, argument[0], &fd))
    return make_int(env, -EINVAL);
  if (tcgetattr(fd, &modes))
    return make_int(env, -errno);
  return make_bytes(env, &modes, sizeof modes);
}

/* TCSANOW: waiting for output to drain would hang on a terminal that is stuck. */
static napi_value apply_modes(napi_env env, napi_callback_info info, bool raw) {
  napi_value argument[2];
  int32_t fd;
  uint8_t *bytes;
  size_t length;
  struct termios modes;
  if (!read_arguments(env, info, argument, 2) || !read_int(env, argument[0], &fd) ||
      !read_bytes(env, argument[1], &bytes, &length) || length != sizeof modes)
    return make_int(env, -EINVAL);
  memcpy(&modes, bytes, sizeof modes);
  if (raw)
    cfmakeraw(&modes);
  return make_result(env, tcsetattr(fd, TCSANOW, &modes));
}

static napi_value set_modes(napi_env env, napi_callback_info info) {
  return apply_modes(env, info, false);
}

static napi_value set_raw(napi_env env, napi_callback_info info) {
  return apply_modes(env, info, true);
}

/* Columns in the upper 16 bits, rows in the lower. */
static napi_value get_size(napi_env env, napi_callback_info info) {
  napi_value argument[1];
  int32_t fd;
  struct winsize size;
  if (!read_arguments(env, info, argument, 1) || !read_int(env, argument[0], &fd))
    return make_int(env, -EINVAL);
  if (ioctl(fd, TIOCGWINSZ, &size))
    return make_int(env, -errno);
  return make_int(env, (size.ws_col & 0x7fff) << 16 | size.ws_row);
}

const struct function terminal_functions[] = {
    {"terminalModes", get_modes},
    {"setTerminalModes", set_modes},
    {"setTerminalRaw", set_raw},
    {"terminalSize", get_size},
    {NULL, NULL},
};
