/* Runs a program behind one layer of the worker's isolation and no other, for tests:
 *
 *   one_layer none|prelude|landlock|pivot -- PROGRAM ARGS…
 *
 * `pivot` behaves towards descriptor 4 as `jail worker` does: it reports the pid, waits for a byte, empties the root, and reports that. */
#define _GNU_SOURCE
#include <linux/filter.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "empty_root.h"
#include "jail.h"
#include "landlock.h"
#include "prelude_filter.h"
#include "privileges.h"

#define CONTROL 4

static char *const environment[] = {"MALLOC_ARENA_MAX=1", "UV_THREADPOOL_SIZE=1", NULL};

static void report(int32_t step, int32_t value)
{
  struct jail_message message = {step, value};
  send(CONTROL, &message, sizeof message, MSG_NOSIGNAL);
}

/* 0 in the child, which is the caller's, as the jail's is; the parent half ends here. */
static pid_t fork_for_pivot(void)
{
  char byte;
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS) || prepare_root() || chdir("/"))
    return -1;
  pid_t pid = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, 0);
  if (pid <= 0)
    return pid;
  close(3);
  report(STEP_PID, pid);
  struct pollfd control = {.fd = CONTROL, .events = POLLIN}; /* the test's socket pairs are non-blocking */
  if (poll(&control, 1, -1) == 1 && recv(CONTROL, &byte, 1, 0) == 1 && enter_empty_root() == 0)
    report(STEP_PIVOTED, 0);
  return 1;
}

int main(int argc, char **argv)
{
  if (argc < 4 || strcmp(argv[2], "--") != 0) {
    fprintf(stderr, "use: one_layer none|prelude|landlock|pivot -- PROGRAM ARGS\n");
    return 2;
  }
  if (strcmp(argv[1], "pivot") == 0) {
    pid_t pid = fork_for_pivot();
    if (pid != 0)
      return pid < 0 ? 3 : 0;
  }
  close(CONTROL);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    return 4;
  if (strcmp(argv[1], "landlock") == 0 && restrict_files(argv[3]))
    return 5;
  if (strcmp(argv[1], "prelude") == 0 && install_filter(prelude_filter, sizeof prelude_filter / sizeof *prelude_filter))
    return 6;
  execve(argv[3], argv + 3, environment);
  return 7;
}
