/* What the supervisor asks of a tap, and does to it, before it gives it away. */
#include "values.h"

#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>

static napi_value keep_tap(napi_env env, napi_callback_info info) {
  napi_value argument[1];
  int32_t fd;
  if (!read_arguments(env, info, argument, 1) || !read_int(env, argument[0], &fd))
    return make_int(env, -EINVAL);
  return make_result(env, ioctl(fd, TUNSETPERSIST, 1));
}

static napi_value tap_flags(napi_env env, napi_callback_info info) {
  napi_value argument[1];
  struct ifreq request = {.ifr_flags = 0};
  int32_t fd;
  if (!read_arguments(env, info, argument, 1) || !read_int(env, argument[0], &fd))
    return make_int(env, -EINVAL);
  int result = ioctl(fd, TUNGETIFF, &request);
  return make_result(env, result < 0 ? result : (uint16_t)request.ifr_flags);
}

const struct function tap_functions[] = {{"keepTap", keep_tap}, {"tapFlags", tap_flags}, {NULL, NULL}};
