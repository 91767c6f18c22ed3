/* Processes that libuv did not start, and what the supervisor does to itself. */
#define _GNU_SOURCE
#include "values.h"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define COMM_SIZE 16 /* TASK_COMM_LEN */

/* Only one process, never a group or everybody. */
static bool read_pid(napi_env env, napi_value value, int32_t *pid) {
  return read_int(env, value, pid) && *pid > 0;
}

static napi_value open_pidfd(napi_env env, napi_callback_info info) {
  napi_value argument[1];
  int32_t pid;
  if (!read_arguments(env, info, argument, 1) || !read_pid(env, argument[0], &pid))
    return make_int(env, -EINVAL);
  return make_result(env, syscall(SYS_pidfd_open, pid, 0));
}

static napi_value reap(napi_env env, napi_callback_info info) {
  napi_value argument[1], result;
  int32_t pid;
  int status;
  if (!read_arguments(env, info, argument, 1) || !read_pid(env, argument[0], &pid))
    return make_int(env, -EINVAL);
  pid_t reaped = waitpid(pid, &status, WNOHANG);
  if (reaped < 0)
    return make_int(env, -errno);
  if (reaped == 0)
    return make_null(env);
  napi_value code = make_int(env, WIFEXITED(status) ? WEXITSTATUS(status) : 0);
  napi_value number = make_int(env, WIFSIGNALED(status) ? WTERMSIG(status) : 0);
  if (!code || !number || napi_create_object(env, &result) != napi_ok ||
      napi_set_named_property(env, result, "code", code) != napi_ok ||
      napi_set_named_property(env, result, "signal", number) != napi_ok)
    return NULL;
  return result;
}

static napi_value send_signal(napi_env env, napi_callback_info info) {
  napi_value argument[2];
  int32_t pid, number;
  if (!read_arguments(env, info, argument, 2) || !read_pid(env, argument[0], &pid) || !read_int(env, argument[1], &number))
    return make_int(env, -EINVAL);
  return make_result(env, kill(pid, number));
}

static napi_value harden(napi_env env, napi_callback_info info) {
  napi_value argument[1];
  char name[COMM_SIZE];
  size_t length;
  if (!read_arguments(env, info, argument, 1) ||
      napi_get_value_string_utf8(env, argument[0], name, sizeof name, &length) != napi_ok)
    return make_int(env, -EINVAL);
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
    return make_int(env, -errno);
  return make_result(env, prctl(PR_SET_NAME, name, 0, 0, 0));
}

/* The standard descriptors become /dev/null, the folder /, the end of our parent means nothing any more, and it is told to leave. */
static int leave_parent(int ready) {
  static const char success = 0;
  int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (nothing < 0)
    return -errno;
  for (int fd = 0; fd <= 2; fd++)
    if (dup2(nothing, fd) < 0)
      return -errno;
  close(nothing);
  if (chdir("/") || prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0))
    return -errno;
  ssize_t written = write(ready, &success, 1);
  int error = errno;
  close(ready);
  return written == 1 ? 0 : -error;
}

static napi_value detach(napi_env env, napi_callback_info info) {
  napi_value argument[1];
  int32_t ready;
  if (!read_arguments(env, info, argument, 1) || !read_int(env, argument[0], &ready))
    return make_int(env, -EINVAL);
  return make_int(env, leave_parent(ready));
}

/* Without the runtime's own end: the kernel frees what it would free by hand. */
static napi_value leave(napi_env env, napi_callback_info info) {
  napi_value argument[1];
  int32_t code;
  if (!read_arguments(env, info, argument, 1) || !read_int(env, argument[0], &code))
    return make_int(env, -EINVAL);
  _exit(code);
}

static napi_value trim(napi_env env, napi_callback_info info) {
  (void)info;
  return make_int(env, malloc_trim(0));
}

const struct function process_functions[] = {
    {"pidfd", open_pidfd},
    {"reap", reap},
    {"kill", send_signal},
    {"harden", harden},
    {"detach", detach},
    {"leave", leave},
    {"trim", trim},
    {NULL, NULL},
};
