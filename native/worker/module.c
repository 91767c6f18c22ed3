/* Registers the worker's vocabulary: native/worker.d.ts. */
#include "arena.h"

static napi_value initialize(napi_env env, napi_value exports)
{
  const struct function *families[] = {memory_functions, loop_functions,   stream_functions,
                                       datagram_functions, option_functions, checksum_functions,
                                       listener_functions, splice_functions};
  for (size_t family = 0; family < sizeof families / sizeof *families; family++) {
    for (const struct function *entry = families[family]; entry->name != NULL; entry++) {
      napi_value function;
      if (napi_create_function(env, entry->name, NAPI_AUTO_LENGTH, entry->call, NULL, &function) != napi_ok ||
          napi_set_named_property(env, exports, entry->name, function) != napi_ok)
        return NULL;
    }
  }
  return exports;
}

NAPI_MODULE(NODE_GYP_MODULE_NAME, initialize)
