/*
 * Callbacks when a descriptor is readable.
 *
 * Theory of operation. A watch is one uv_poll_t and a reference to its JavaScript function, on the loop of the environment. It lives
 * until stop(): then the handle is closed at once and the memory is freed when libuv has let go of it. stop() may be called from
 * within the callback and more than once; the object's finalizer never frees a running watch, because a watch that nobody holds a
 * reference to must still call. libuv has one watch per descriptor, and the descriptor must stay open until stop().
 */
#define _GNU_SOURCE
#include "values.h"

#include <stdlib.h>
#include <string.h>

/* The part of libuv's interface that is needed here; node-api-headers has no uv.h. Handles are opaque, of the size that libuv says. */
typedef struct uv_poll_s uv_poll_t;
typedef void (*uv_poll_cb)(uv_poll_t *handle, int status, int events);
enum { UV_POLL = 8, UV_READABLE = 1, UV_DISCONNECT = 4 };
size_t uv_handle_size(int type);
int uv_poll_init(struct uv_loop_s *loop, uv_poll_t *handle, int fd);
int uv_poll_start(uv_poll_t *handle, int events, uv_poll_cb callback);
void uv_close(uv_poll_t *handle, void (*closed)(uv_poll_t *handle));
void *uv_handle_get_data(const uv_poll_t *handle);
void uv_handle_set_data(uv_poll_t *handle, void *data);

struct watch {
  uv_poll_t *handle; /* NULL once stopped */
  napi_env env;
  napi_ref readable;
  napi_async_context context;
  unsigned holders; /* the JavaScript object, the running handle */
};

static void let_go(struct watch *watch) {
  if (--watch->holders == 0)
    free(watch);
}

static void handle_closed(uv_poll_t *handle) {
  struct watch *watch = uv_handle_get_data(handle);
  free(handle);
  let_go(watch);
}

static void end_watch(void *data) {
  struct watch *watch = data;
  if (!watch->handle)
    return;
  napi_remove_env_cleanup_hook(watch->env, end_watch, watch);
  uv_close(watch->handle, handle_closed);
  watch->handle = NULL;
  napi_delete_reference(watch->env, watch->readable);
  napi_async_destroy(watch->env, watch->context);
}

static void call_readable(uv_poll_t *handle, int status, int events) {
  struct watch *watch = uv_handle_get_data(handle);
  napi_env env = watch->env;
  napi_handle_scope scope;
  napi_value global, function, error;
  (void)status;
  (void)events;
  if (napi_open_handle_scope(env, &scope) != napi_ok)
    return;
  if (napi_get_reference_value(env, watch->readable, &function) == napi_ok && napi_get_global(env, &global) == napi_ok &&
      napi_make_callback(env, watch->context, global, function, 0, NULL, NULL) == napi_pending_exception &&
      napi_get_and_clear_last_exception(env, &error) == napi_ok)
    napi_fatal_exception(env, error);
  napi_close_handle_scope(env, scope);
}

static napi_value stop(napi_env env, napi_callback_info info) {
  void *data = NULL;
  napi_value result;
  if (napi_get_cb_info(env, info, NULL, NULL, NULL, &data) == napi_ok && data)
    end_watch(data);
  return napi_get_undefined(env, &result) == napi_ok ? result : NULL;
}

static void function_collected(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  let_go(data);
}

/* Starts polling; 0 or libuv's -errno, and then nothing is left of it. */
static int start_polling(struct watch *watch, int fd) {
  struct uv_loop_s *loop;
  if (napi_get_uv_event_loop(watch->env, &loop) != napi_ok)
    return -EINVAL;
  uv_poll_t *handle = malloc(uv_handle_size(UV_POLL));
  if (!handle)
    return -ENOMEM;
  int result = uv_poll_init(loop, handle, fd);
  if (result) {
    free(handle);
    return result;
  }
  uv_handle_set_data(handle, watch);
  watch->handle = handle;
  watch->holders++;
  return uv_poll_start(handle, UV_READABLE | UV_DISCONNECT, call_readable);
}

static napi_value throw_error(napi_env env, int error) {
  napi_throw_error(env, NULL, strerror(error));
  return NULL;
}

static napi_value watch_descriptor(napi_env env, napi_callback_info info) {
  napi_value argument[2], object, name, function;
  napi_valuetype type;
  int32_t fd;
  if (!read_arguments(env, info, argument, 2) || !read_int(env, argument[0], &fd) || fd < 0 ||
      napi_typeof(env, argument[1], &type) != napi_ok || type != napi_function)
    return throw_error(env, EINVAL);
  struct watch *watch = calloc(1, sizeof *watch);
  if (!watch)
    return throw_error(env, ENOMEM);
  watch->env = env;
  watch->holders = 1;
  if (napi_create_string_utf8(env, "watch", NAPI_AUTO_LENGTH, &name) != napi_ok || napi_create_object(env, &object) != napi_ok ||
      napi_create_function(env, "stop", NAPI_AUTO_LENGTH, stop, watch, &function) != napi_ok ||
      napi_set_named_property(env, object, "stop", function) != napi_ok ||
      napi_add_finalizer(env, function, watch, function_collected, NULL, NULL) != napi_ok) {
    free(watch);
    return NULL;
  }
  napi_create_reference(env, argument[1], 1, &watch->readable);
  napi_async_init(env, NULL, name, &watch->context);
  napi_add_env_cleanup_hook(env, end_watch, watch);
  int error = start_polling(watch, fd);
  if (error == 0)
    return object;
  if (watch->handle) {
    end_watch(watch);
  } else {
    napi_remove_env_cleanup_hook(env, end_watch, watch);
    napi_delete_reference(env, watch->readable);
    napi_async_destroy(env, watch->context);
  }
  return throw_error(env, -error);
}

const struct function watch_functions[] = {
    {"watch", watch_descriptor},
    {NULL, NULL},
};
