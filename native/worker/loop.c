/* Waiting and time: epoll and the clocks. */
#define _GNU_SOURCE
#include "arena.h"
#include "calls.h"

#include <string.h>
#include <time.h>

#define MAX_EVENTS 256

static napi_value clock_now(napi_env env, napi_callback_info info)
{
  ARGUMENTS(1);
  RANGE(out, argument[0], 8);
  struct timespec now;
  if (clock_gettime(CLOCK_MONOTONIC, &now) < 0)
    return answer(env, -errno);
  uint64_t microseconds = (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
  int32_t pair[2] = {(int32_t)(uint32_t)(microseconds / 1000u), (int32_t)(uint32_t)microseconds};
  memcpy(out, pair, sizeof pair);
  return answer(env, 0);
}

static napi_value wall_clock_now(napi_env env, napi_callback_info info)
{
  ARGUMENTS(1);
  RANGE(out, argument[0], 8);
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now) < 0)
    return answer(env, -errno);
  int32_t pair[2] = {(int32_t)(uint32_t)now.tv_sec, (int32_t)(now.tv_nsec / 1000)};
  memcpy(out, pair, sizeof pair);
  return answer(env, 0);
}

static napi_value epoll_make(napi_env env, napi_callback_info info)
{
  (void)info;
  return answer_call(env, epoll_create1(EPOLL_CLOEXEC));
}

static napi_value epoll_control(napi_env env, napi_callback_info info)
{
  ARGUMENTS(6);
  struct epoll_event event = {.events = (uint32_t)argument[3],
                              .data.u64 = (uint64_t)(uint32_t)argument[5] << 32 | (uint32_t)argument[4]};
  return answer_call(env, epoll_ctl(argument[0], argument[1], argument[2], &event));
}

static napi_value epoll_await(napi_env env, napi_callback_info info)
{
  static struct epoll_event events[MAX_EVENTS];
  ARGUMENTS(4);
  if (argument[2] < 1 || argument[2] > MAX_EVENTS)
    return answer(env, -EINVAL);
  RANGE(out, argument[1], argument[2] * 12);
  long count = call_epoll_wait(argument[0], events, argument[2], argument[3]);
  for (long i = 0; i < count; i++) {
    int32_t record[3] = {(int32_t)events[i].events, (int32_t)(uint32_t)events[i].data.u64, (int32_t)(events[i].data.u64 >> 32)};
    memcpy(out + i * 12, record, sizeof record);
  }
  return answer_call(env, count);
}

const struct function loop_functions[] = {
    {"clock", clock_now},          {"wallClock", wall_clock_now}, {"epollCreate", epoll_make}, {"epollControl", epoll_control},
    {"epollWait", epoll_await}, {NULL, NULL}};
