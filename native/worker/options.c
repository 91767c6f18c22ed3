/* What a socket is asked about itself, and its end. */
#define _GNU_SOURCE
#include "arena.h"

#include <sys/socket.h>
#include <unistd.h>

static napi_value get_option(napi_env env, napi_callback_info info)
{
  ARGUMENTS(3);
  int value = 0;
  socklen_t length = sizeof value;
  if (getsockopt(argument[0], argument[1], argument[2], &value, &length) < 0)
    return answer(env, -errno);
  return answer(env, value);
}

static napi_value set_option(napi_env env, napi_callback_info info)
{
  ARGUMENTS(4);
  int value = argument[3];
  return answer_call(env, setsockopt(argument[0], argument[1], argument[2], &value, sizeof value));
}

static napi_value get_option_bytes(napi_env env, napi_callback_info info)
{
  ARGUMENTS(5);
  RANGE(out, argument[3], argument[4]);
  socklen_t length = (socklen_t)argument[4];
  if (getsockopt(argument[0], argument[1], argument[2], out, &length) < 0)
    return answer(env, -errno);
  return answer(env, (int32_t)length);
}

/* close() sends a reset instead of a FIN (SO_LINGER with time 0). */
static napi_value set_abortive(napi_env env, napi_callback_info info)
{
  ARGUMENTS(1);
  struct linger abortive = {.l_onoff = 1, .l_linger = 0};
  return answer_call(env, setsockopt(argument[0], SOL_SOCKET, SO_LINGER, &abortive, sizeof abortive));
}

static napi_value shut_down(napi_env env, napi_callback_info info)
{
  ARGUMENTS(2);
  return answer_call(env, shutdown(argument[0], argument[1]));
}

static napi_value close_fd(napi_env env, napi_callback_info info)
{
  ARGUMENTS(1);
  return answer_call(env, close(argument[0]));
}

const struct function option_functions[] = {{"getOption", get_option},
                                            {"setOption", set_option},
                                            {"getOptionBytes", get_option_bytes},
                                            {"setAbortive", set_abortive},
                                            {"shutdown", shut_down},
                                            {"close", close_fd},
                                            {NULL, NULL}};
