/* Descriptors that Node.js has no call for: memory files, the limit, closing. */
#define _GNU_SOURCE
#include "values.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* Younger than the headers of the oldest supported distribution (Linux 6.3). */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

#define MAX_MEMFD_NAME 250 /* memfd_create(2): 249 bytes and the NUL */

static napi_value close_descriptor(napi_env env, napi_callback_info info) {
  napi_value argument[1];
  int32_t fd;
  if (!read_arguments(env, info, argument, 1) || !read_int(env, argument[0], &fd))
    return make_int(env, -EINVAL);
  return make_result(env, close(fd));
}

/* A sealed length: whoever maps it can't be killed (SIGBUS) by somebody who truncates it. */
static int make_memfd(const char *name, off_t length) {
  int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
  if (fd < 0 && errno == EINVAL)
    fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0)
    return -errno;
  if (ftruncate(fd, length) || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
    int error = errno;
    close(fd);
    return -error;
  }
  return fd;
}

static napi_value create_memfd(napi_env env, napi_callback_info info) {
  napi_value argument[2];
  char name[MAX_MEMFD_NAME];
  size_t name_length;
  int64_t length;
  if (!read_arguments(env, info, argument, 2) || napi_get_value_int64(env, argument[1], &length) != napi_ok || length < 0 ||
      napi_get_value_string_utf8(env, argument[0], name, sizeof name, &name_length) != napi_ok)
    return make_int(env, -EINVAL);
  return make_int(env, make_memfd(name, (off_t)length));
}

static napi_value raise_descriptor_limit(napi_env env, napi_callback_info info) {
  struct rlimit limit;
  (void)info;
  if (getrlimit(RLIMIT_NOFILE, &limit))
    return make_int(env, -errno);
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit))
    return make_int(env, -errno);
  return make_int(env, limit.rlim_cur > INT32_MAX ? INT32_MAX : (int32_t)limit.rlim_cur);
}

const struct function descriptor_functions[] = {
    {"close", close_descriptor},
    {"memfd", create_memfd},
    {"raiseDescriptorLimit", raise_descriptor_limit},
    {NULL, NULL},
};
