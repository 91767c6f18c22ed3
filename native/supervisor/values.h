/*
 * What every family of the supervisor's addon shares: reading arguments and making results. A wrong argument is -EINVAL, never a
 * throw; the few functions that throw say so in native/supervisor.d.ts.
 */
#ifndef RAVIOLI_SUPERVISOR_VALUES_H
#define RAVIOLI_SUPERVISOR_VALUES_H

#include <errno.h>
#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* SCM_MAX_FD of the kernel, the most that one datagram carries. */
#define MAX_PASSED_DESCRIPTORS 253

/* Largest datagram that is read: 1 MiB, for netlink dumps. */
#define MAX_DATAGRAM (1 << 20)

/* Fetches exactly `count` arguments; false when fewer were given. */
bool read_arguments(napi_env env, napi_callback_info info, napi_value *values, size_t count);

/* An int32; false for anything that is no number. */
bool read_int(napi_env env, napi_value value, int32_t *result);

/* A Uint8Array's or Buffer's memory, good until the call returns; false for anything else. */
bool read_bytes(napi_env env, napi_value value, uint8_t **bytes, size_t *length);

napi_value make_int(napi_env env, int32_t value);
napi_value make_null(napi_env env);

/* A new Uint8Array with a copy of the bytes, or NULL with an exception pending. */
napi_value make_bytes(napi_env env, const void *bytes, size_t length);

/* The result of a system call: itself, or -errno. */
napi_value make_result(napi_env env, long result);

struct function {
  const char *name;
  napi_callback call;
};
extern const struct function descriptor_functions[], channel_functions[], watch_functions[], process_functions[], netlink_functions[],
    spawn_functions[], terminal_functions[], tap_functions[], local_functions[], socket_functions[];

#endif
