/* The one computation in C: the RFC 1071 sum over payload, for links whose receiver won't compute it. */
#include "arena.h"

#include <string.h>

/* 32-bit words into a 64-bit sum: the carries of 2³² additions fit. GCC vectorises a loop of unknown length at -O3 only: 42 GB/s, not 14. */
__attribute__((optimize("O3"))) static uint64_t sum_words(const uint8_t *at, size_t words)
{
  uint64_t sum = 0;
  for (size_t i = 0; i < words; i++) {
    uint32_t word;
    memcpy(&word, at + 4 * i, sizeof word);
    sum += word;
  }
  return sum;
}

static napi_value checksum(napi_env env, napi_callback_info info)
{
  ARGUMENTS(3);
  RANGE(at, argument[0], argument[1]);
  size_t length = (size_t)argument[1];
  uint64_t sum = sum_words(at, length / 4);
  at += length & ~(size_t)3;
  length &= 3;
  if (length > 0) {
    uint8_t tail[4] = {0};
    uint32_t word;
    memcpy(tail, at, length);
    memcpy(&word, tail, sizeof word);
    sum += word;
  }
  while (sum >> 16 != 0)
    sum = (sum & 0xffff) + (sum >> 16);
  /* RFC 1071 §2(B): summed in the machine's byte order, swapped once at the end. */
  uint32_t network = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ((uint32_t)sum >> 8 | ((uint32_t)sum & 0xff) << 8) : (uint32_t)sum;
  network += (uint32_t)argument[2] & 0xffff;
  network = (network & 0xffff) + (network >> 16);
  return answer(env, (int32_t)network);
}

const struct function checksum_functions[] = {{"checksum", checksum}, {NULL, NULL}};
