/* The arena, shared mappings and the seal: what happens once, before the first packet. */
#define _GNU_SOURCE
#include "arena.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

uint8_t *arena_base;
size_t arena_size;

static napi_value bind_arena(napi_env env, napi_callback_info info)
{
  napi_value buffer;
  size_t given = 1;
  void *data;
  size_t length;
  napi_ref keep;
  if (arena_base != NULL)
    return answer(env, -EBUSY);
  if (napi_get_cb_info(env, info, &given, &buffer, NULL, NULL) != napi_ok || given != 1 ||
      napi_get_arraybuffer_info(env, buffer, &data, &length) != napi_ok || length > INT32_MAX)
    return answer(env, -EINVAL);
  /* The reference is never released: the arena lives as long as the process. */
  if (napi_create_reference(env, buffer, 1, &keep) != napi_ok)
    return answer(env, -ENOMEM);
  arena_base = data;
  arena_size = length;
  return answer(env, 0);
}

static napi_value map_shared(napi_env env, napi_callback_info info)
{
  ARGUMENTS(2);
  napi_value buffer;
  void *data = argument[1] > 0 ? mmap(NULL, (size_t)argument[1], PROT_READ | PROT_WRITE, MAP_SHARED, argument[0], 0) : MAP_FAILED;
  if (data == MAP_FAILED) {
    napi_throw_error(env, NULL, "mmap of the shared columns failed");
    return NULL;
  }
  if (napi_create_external_arraybuffer(env, data, (size_t)argument[1], NULL, NULL, &buffer) != napi_ok) {
    munmap(data, (size_t)argument[1]);
    napi_throw_error(env, NULL, "the runtime refuses external memory");
    return NULL;
  }
  return buffer;
}

static napi_value seal(napi_env env, napi_callback_info info)
{
  ARGUMENTS(2);
  RANGE(filter, argument[0], argument[1]);
  if (argument[1] == 0 || argument[1] % (int32_t)sizeof(struct sock_filter) != 0 ||
      argument[1] / (int32_t)sizeof(struct sock_filter) > BPF_MAXINSNS)
    return answer(env, -EINVAL);
  struct sock_fprog program = {.len = (unsigned short)((size_t)argument[1] / sizeof(struct sock_filter)), .filter = (void *)filter};
  /* The jail's went with the exec: no core, no ptrace by others of the same user. */
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
    return answer(env, -errno);
  /* What the start has freed: there will be no other occasion. */
  malloc_trim(0);
  long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
  /* TSYNC answers the id of a thread that could not follow. */
  return result > 0 ? answer(env, -ESRCH) : answer_call(env, result);
}

const struct function memory_functions[] = {
    {"bindArena", bind_arena}, {"mapShared", map_shared}, {"seal", seal}, {NULL, NULL}};
