/* Reading arguments and making results, for every family of the supervisor's addon. */
#include "values.h"

#include <string.h>

bool read_arguments(napi_env env, napi_callback_info info, napi_value *values, size_t count) {
  size_t given = count;
  return napi_get_cb_info(env, info, &given, values, NULL, NULL) == napi_ok && given >= count;
}

bool read_int(napi_env env, napi_value value, int32_t *result) {
  return napi_get_value_int32(env, value, result) == napi_ok;
}

bool read_bytes(napi_env env, napi_value value, uint8_t **bytes, size_t *length) {
  bool is_typed_array;
  napi_typedarray_type type;
  void *data;
  if (napi_is_typedarray(env, value, &is_typed_array) != napi_ok || !is_typed_array)
    return false;
  if (napi_get_typedarray_info(env, value, &type, length, &data, NULL, NULL) != napi_ok || type != napi_uint8_array)
    return false;
  *bytes = data;
  return true;
}

napi_value make_int(napi_env env, int32_t value) {
  napi_value result;
  return napi_create_int32(env, value, &result) == napi_ok ? result : NULL;
}

napi_value make_null(napi_env env) {
  napi_value result;
  return napi_get_null(env, &result) == napi_ok ? result : NULL;
}

napi_value make_bytes(napi_env env, const void *bytes, size_t length) {
  napi_value buffer, result;
  void *data;
  if (napi_create_arraybuffer(env, length, &data, &buffer) != napi_ok)
    return NULL;
  if (length)
    memcpy(data, bytes, length);
  return napi_create_typedarray(env, napi_uint8_array, length, buffer, 0, &result) == napi_ok ? result : NULL;
}

napi_value make_result(napi_env env, long result) {
  return make_int(env, result < 0 ? -errno : (int32_t)result);
}
