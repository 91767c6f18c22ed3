/* What every family of the worker's addon shares: the arena, the checks on it, and the reading of arguments.
 *
 * The arena is one ArrayBuffer, bound once. Every function takes offsets into it; `arena_range` is the only way from an
 * offset to a pointer, and it refuses what does not lie inside. Nothing here looks at a byte of a packet. */
#ifndef RAVIOLI_WORKER_ARENA_H
#define RAVIOLI_WORKER_ARENA_H

#include <errno.h>
#include <node_api.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_ARGUMENTS 6

extern uint8_t *arena_base;
extern size_t arena_size;

/* The bytes [offset, offset + length) of the arena, or NULL. */
static inline uint8_t *arena_range(int32_t offset, int32_t length)
{
  if (offset < 0 || length < 0 || (size_t)offset > arena_size || (size_t)length > arena_size - (size_t)offset)
    return NULL;
  return arena_base + offset;
}

/* Reads exactly `count` int32 arguments; false when one is missing or not a number. */
static inline int read_arguments(napi_env env, napi_callback_info info, int32_t *values, size_t count)
{
  napi_value arguments[MAX_ARGUMENTS];
  size_t given = MAX_ARGUMENTS;
  if (napi_get_cb_info(env, info, &given, arguments, NULL, NULL) != napi_ok || given < count)
    return 0;
  for (size_t i = 0; i < count; i++)
    if (napi_get_value_int32(env, arguments[i], &values[i]) != napi_ok)
      return 0;
  return 1;
}

static inline napi_value answer(napi_env env, int32_t value)
{
  napi_value result;
  return napi_create_int32(env, value, &result) == napi_ok ? result : NULL;
}

/* The result of a system call as ≥ 0 or −errno. */
static inline napi_value answer_call(napi_env env, long result)
{
  return answer(env, result < 0 ? -errno : (int32_t)result);
}

#define ARGUMENTS(count)                                 \
  int32_t argument[count];                               \
  if (!read_arguments(env, info, argument, count))       \
  return answer(env, -EINVAL)

#define RANGE(name, offset, length)                      \
  uint8_t *name = arena_range(offset, length);           \
  if (name == NULL)                                      \
  return answer(env, -EFAULT)

/* Each family adds its functions to the exports; module.c calls them all. */
struct function {
  const char *name;
  napi_callback call;
};
extern const struct function memory_functions[], loop_functions[], stream_functions[], datagram_functions[], option_functions[],
    checksum_functions[], listener_functions[], splice_functions[];

#endif
