/* Bytes from socket to socket that never come to this memory: pipes, and splice through them. */
#define _GNU_SOURCE
#include "arena.h"
#include "calls.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define LEAST_SIZE (1 << 16)

static napi_value make_pipe(napi_env env, napi_callback_info info)
{
  ARGUMENTS(2);
  RANGE(out, argument[1], 8);
  int ends[2];
  if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0)
    return answer(env, -errno);
  /* Refused where the user's pipes hold too many pages already; at the least it has the size it was born with. */
  for (int size = argument[0]; size > LEAST_SIZE && fcntl(ends[0], F_SETPIPE_SZ, size) < 0; size /= 2)
    ;
  int32_t pair[2] = {ends[0], ends[1]};
  memcpy(out, pair, sizeof pair);
  return answer_call(env, fcntl(ends[0], F_GETPIPE_SZ));
}

static napi_value splice_bytes(napi_env env, napi_callback_info info)
{
  ARGUMENTS(3);
  if (argument[2] < 0)
    return answer(env, -EINVAL);
  return answer_call(env, call_splice(argument[0], argument[1], (size_t)argument[2], SPLICE_F_MOVE | SPLICE_F_NONBLOCK));
}

const struct function splice_functions[] = {{"makePipe", make_pipe}, {"splice", splice_bytes}, {NULL, NULL}};
