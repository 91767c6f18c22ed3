/* The one thing the supervisor does to a tap before it gives it away. */
#include "values.h"

#include <linux/if_tun.h>
#include <sys/ioctl.h>

static napi_value keep_tap(napi_env env, napi_callback_info info) {
  napi_value argument[1];
  int32_t fd;
  if (!read_arguments(env, info, argument, 1) || !read_int(env, argument[0], &fd))
    return make_int(env, -EINVAL);
  return make_result(env, ioctl(fd, TUNSETPERSIST, 1));
}

const struct function tap_functions[] = {{"keepTap", keep_tap}, {NULL, NULL}};
