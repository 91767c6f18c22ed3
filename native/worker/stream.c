/* Bytes in order: the tap's packets and TCP sockets. */
#define _GNU_SOURCE
#include "arena.h"
#include "calls.h"

#include <string.h>
#include <sys/uio.h>

/* Where SO_PEEK_OFF is missing, the bytes before the wanted ones are peeked into here and never read. */
static uint8_t skipped[1 << 16];
#define MAX_SKIP_PIECES 256

static napi_value read_bytes(napi_env env, napi_callback_info info)
{
  ARGUMENTS(3);
  RANGE(to, argument[1], argument[2]);
  return answer_call(env, call_read(argument[0], to, (size_t)argument[2]));
}

static napi_value write_bytes(napi_env env, napi_callback_info info)
{
  ARGUMENTS(3);
  RANGE(from, argument[1], argument[2]);
  return answer_call(env, call_write(argument[0], from, (size_t)argument[2]));
}

static napi_value read_packets(napi_env env, napi_callback_info info)
{
  ARGUMENTS(6);
  int32_t fd = argument[0], slot = argument[2], count = argument[4];
  int64_t total = 0;
  if (slot < 1 || count < 1 || count > 1024 || slot > INT32_MAX / count)
    return answer(env, -EINVAL);
  RANGE(slots, argument[1], slot * count);
  RANGE(lengths, argument[3], count * 4);
  for (int32_t i = 0; i < count; i++) {
    long length = call_read(fd, slots + (size_t)i * (size_t)slot, (size_t)slot);
    if (length < 0)
      return answer(env, i > 0 ? i : -errno);
    int32_t stored = (int32_t)length;
    memcpy(lengths + i * 4, &stored, sizeof stored);
    total += length;
    if (total >= argument[5])
      return answer(env, i + 1);
  }
  return answer(env, count);
}

static napi_value send_bytes(napi_env env, napi_callback_info info)
{
  ARGUMENTS(4);
  RANGE(from, argument[1], argument[2]);
  return answer_call(env, call_send(argument[0], from, (size_t)argument[2], argument[3] | MSG_NOSIGNAL | MSG_DONTWAIT));
}

static napi_value receive_bytes(napi_env env, napi_callback_info info)
{
  ARGUMENTS(4);
  RANGE(to, argument[1], argument[2]);
  return answer_call(env, call_receive(argument[0], to, (size_t)argument[2], argument[3] | MSG_DONTWAIT));
}

static napi_value discard(napi_env env, napi_callback_info info)
{
  ARGUMENTS(2);
  if (argument[1] < 0)
    return answer(env, -EINVAL);
  return answer_call(env, call_receive(argument[0], NULL, (size_t)argument[1], MSG_TRUNC | MSG_DONTWAIT));
}

static napi_value peek_behind(napi_env env, napi_callback_info info)
{
  ARGUMENTS(4);
  struct iovec pieces[MAX_SKIP_PIECES + 1];
  size_t count = 0;
  int32_t skip = argument[1];
  RANGE(to, argument[2], argument[3]);
  if (skip < 0 || skip > (int32_t)(MAX_SKIP_PIECES * sizeof skipped))
    return answer(env, -EINVAL);
  for (int32_t left = skip; left > 0; left -= (int32_t)sizeof skipped)
    pieces[count++] = (struct iovec){skipped, left < (int32_t)sizeof skipped ? (size_t)left : sizeof skipped};
  pieces[count++] = (struct iovec){to, (size_t)argument[3]};
  struct msghdr message = {.msg_iov = pieces, .msg_iovlen = count};
  long length = call_receive_message(argument[0], &message, MSG_PEEK | MSG_DONTWAIT);
  if (length <= 0)
    return answer_call(env, length);
  /* Data that is only what was skipped is nothing new; 0 is kept for the end of the stream. */
  return answer(env, length > skip ? (int32_t)length - skip : -EAGAIN);
}

const struct function stream_functions[] = {{"read", read_bytes},       {"write", write_bytes},     {"readPackets", read_packets},
                                            {"send", send_bytes},       {"receive", receive_bytes}, {"discard", discard},
                                            {"peekBehind", peek_behind}, {NULL, NULL}};
