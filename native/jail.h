/*
 * What jail says on its control socket: datagrams of 8 bytes, native byte order.
 * Steps below 100 are progress; from 100 on the step failed, `value` is the errno and jail has given up.
 */
#ifndef JAIL_H
#define JAIL_H

#include <stdint.h>

struct jail_message {
  int32_t step;
  int32_t value;
};

enum jail_step {
  STEP_PID = 1,     /* value: pid of the worker or the command, as the supervisor's pid namespace counts */
  STEP_PIVOTED = 2, /* worker: the root is empty now */
  STEP_READY = 3,   /* command: prepared, waits for one byte; then end of file here means that the exec succeeded */

  FAIL_DESCRIPTORS = 100, /* closing or limiting descriptors */
  FAIL_USER_NAMESPACE,    /* EPERM: forbidden to this user; ENOSPC: user.max_user_namespaces */
  FAIL_ID_MAP,            /* uid_map, gid_map or setgroups in /proc/self */
  FAIL_EXEC,              /* the program itself: ENOENT, EACCES, ENOEXEC … */
  FAIL_NAMESPACES,        /* mount, ipc, uts, pid or net namespace */
  FAIL_MOUNTS,            /* making the mounts private, or standing on "/" */
  FAIL_PROC,              /* mounting a fresh /proc: EPERM in a container that masks parts of its own */
  FAIL_FORK,
  FAIL_PRIVILEGES, /* securebits, bounding set, capabilities, no_new_privs */
  FAIL_LANDLOCK,
  FAIL_FILTER, /* the pre-exec seccomp filter */
  FAIL_PIVOT,
  FAIL_HOSTNAME,
  FAIL_TERMINAL, /* --session: making stdin the controlling terminal */
};

#endif
