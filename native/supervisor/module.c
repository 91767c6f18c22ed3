/* Registers the supervisor's vocabulary: native/supervisor.d.ts. */
#include "values.h"

static napi_value initialize(napi_env env, napi_value exports) {
  const struct function *const families[] = {descriptor_functions, channel_functions, watch_functions, process_functions,
                                             netlink_functions,    spawn_functions,      terminal_functions, tap_functions,
                                             local_functions,      socket_functions};
  for (size_t family = 0; family < sizeof families / sizeof *families; family++) {
    for (const struct function *entry = families[family]; entry->name; entry++) {
      napi_value function;
      if (napi_create_function(env, entry->name, NAPI_AUTO_LENGTH, entry->call, NULL, &function) != napi_ok ||
          napi_set_named_property(env, exports, entry->name, function) != napi_ok)
        return NULL;
    }
  }
  return exports;
}

NAPI_MODULE(NODE_GYP_MODULE_NAME, initialize)
