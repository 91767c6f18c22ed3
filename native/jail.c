/*
 * jail — the launcher of the rooms and of the command: prepares namespaces, ids, limits and the pre-exec filter, then execs.
 *
 *   jail worker  CONTROL_FD -- PROGRAM ARGS…
 *   jail command CONTROL_FD [--no-userns] [--no-pidns] [--hostname NAME] [--argv0 NAME] [--session] -- COMMAND ARGS…
 *   jail opener  FD,FD… -- PROGRAM ARGS…      (ascending)
 *
 * Theory of operation.
 *
 * CONTROL_FD is a socket to the supervisor; what is said on it is in jail.h. End of file on it means that the supervisor is gone
 * or has given up, and everything ends. Every process also has a parent-death signal. The name in `ps` is that of argv[0].
 *
 * worker: the jail makes the namespaces and forks. The child is the supervisor's own child (CLONE_PARENT), pid 1 of its pid
 * namespace; it gives up all power and execs the runtime, which keeps 0, 1, 2 and the channel, 3. The parent half keeps its
 * capabilities inside the user namespace, with CONTROL_FD as its only socket, until the supervisor sends one byte (the runtime has
 * loaded all its files): then it empties the root of the shared mount namespace and exits.
 * The uid in the namespace is 65534, so that not even the name of root is there; outside it is the caller's, who can read the
 * program. The network namespace is an empty one: every socket of the worker is made elsewhere. Where network namespaces are
 * forbidden the worker goes without that layer, the only one that may be missing besides Landlock.
 *
 * command: the child is made in all its namespaces at once, so that its pid is good for opening them from the moment it is
 * reported. It is uid 0 there, prepares the rest, reports ready, waits for one byte and execs with the caller's environment and
 * without any descriptor beyond 2. The jail waits outside of the namespaces (the user's root in there can't trace it), holding
 * nothing, passes signals on and ends as the command ends. If it is killed, the command, being pid 1, ends with all its
 * descendants. With --no-pidns only the command itself can be ended so: its background processes outlive it, as with `unshare`.
 * With --no-userns it stays who it is, with the rights that making the other namespaces takes; then nothing keeps it from the jail.
 *
 * opener: no namespaces here (it joins some itself, see opener/opener.c), only what is needed for a clean start.
 */
#define _GNU_SOURCE
#include "injection.h"
#include "jail.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <link.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "empty_root.h"
#include "landlock.h"
#include "prelude_filter.h"
#include "privileges.h"

#define NOBODY 65534
#define MAX_HOSTNAME 64
#define MAX_KEPT_DESCRIPTORS 16

/* The whole environment of worker and openers: nothing of the caller's (NODE_OPTIONS, LD_*, proxies) reaches them. A second malloc
   arena would open a file of /sys at its birth, and more threads than needed would be there to seal. */
static char *const room_environment[] = {"PATH=/usr/bin:/bin", "LANG=C", "MALLOC_ARENA_MAX=1", "UV_THREADPOOL_SIZE=1", NULL};

struct command {
  bool user_namespace;
  bool pid_namespace;
  bool session;
  const char *hostname;
  const char *argv0;
  char **argv;
};

static int control = -1;

static void report(int32_t step, int32_t value) {
  struct jail_message message = {step, value};
  if (control >= 0)
    send(control, &message, sizeof message, MSG_NOSIGNAL);
  else
    dprintf(STDERR_FILENO, "jail: step %d failed: %s\n", step, strerror(value));
}

static _Noreturn void fail(int32_t step) {
  report(step, errno);
  _exit(1);
}

static _Noreturn void refuse_arguments(const char *what, const char *value) {
  dprintf(STDERR_FILENO, "jail: %s: %s; see the top of native/jail.c\n", what, value);
  _exit(1);
}

/* A descriptor >= `lowest` from decimal digits up to the end or a comma. */
static unsigned parse_descriptor(const char *text, unsigned lowest, char **end) {
  errno = 0;
  unsigned long fd = strtoul(text, end, 10);
  if (*end == text || (**end && **end != ',') || errno || fd < lowest || fd > 1u << 30 || fcntl((int)fd, F_GETFD) < 0)
    refuse_arguments("not an open descriptor for this role", text);
  return (unsigned)fd;
}

static bool supervisor_is_gone(void) {
  struct pollfd socket = {.fd = control};
  return poll(&socket, 1, 0) == 1;
}

/* True when the supervisor sent its byte, false at end of file. The socket may be a non-blocking one. */
static bool wait_for_byte(void) {
  struct pollfd socket = {.fd = control, .events = POLLIN};
  char byte;
  ssize_t length;
  do {
    poll(&socket, 1, -1);
    length = recv(control, &byte, 1, MSG_DONTWAIT);
  } while (length < 0 && (errno == EINTR || errno == EAGAIN));
  return length == 1;
}

/* Standard descriptors that are closed would be filled by whatever is opened next. */
static void fill_standard_descriptors(void) {
  for (int fd = 0; fd <= 2; fd++)
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
      fail(FAIL_DESCRIPTORS);
}

static void reset_signals(void) {
  sigset_t none;
  for (int number = 1; number < NSIG; number++)
    signal(number, SIG_DFL);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

static void write_text(const char *path, const char *text, bool required) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if ((fd < 0 || write(fd, text, strlen(text)) < 0) && required)
    fail(FAIL_ID_MAP);
  if (fd >= 0)
    close(fd);
}

/* One uid and one gid are all that an unprivileged user may map (user_namespaces(7)), and setgroups has to be denied before. */
static void map_ids(unsigned inner, uid_t uid, gid_t gid) {
  char line[64];
  write_text("/proc/self/setgroups", "deny", true);
  snprintf(line, sizeof line, "%u %u 1\n", inner, uid);
  write_text("/proc/self/uid_map", line, true);
  snprintf(line, sizeof line, "%u %u 1\n", inner, gid);
  write_text("/proc/self/gid_map", line, true);
}

static pid_t clone_process(unsigned long flags, int *pidfd) {
  return (pid_t)syscall(SYS_clone, flags | SIGCHLD, NULL, pidfd, NULL, 0);
}

/* What worker and openers have in common: limits, and a session of their own, so that no key of the user's terminal reaches them. */
static void limit_room(const unsigned *kept, size_t count) {
  const struct rlimit zero = {0, 0};
  struct rlimit files;
  if (close_descriptors(3, kept, count) || getrlimit(RLIMIT_NOFILE, &files))
    fail(FAIL_DESCRIPTORS);
  files.rlim_cur = files.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &files) || setrlimit(RLIMIT_CORE, &zero) || setrlimit(RLIMIT_MEMLOCK, &zero) ||
      setrlimit(RLIMIT_MSGQUEUE, &zero))
    fail(FAIL_DESCRIPTORS);
  setsid();
  reset_signals();
}

/* The worker's half after the fork: from here on less with every line. */
static _Noreturn void become_worker(char **argv) {
  if (chdir("/"))
    fail(FAIL_MOUNTS);
  setsid();
  if (drop_privileges(0))
    fail(FAIL_PRIVILEGES);
  if (restrict_files(argv[0]))
    fail(FAIL_LANDLOCK);
  if (die_with_parent())
    fail(FAIL_PRIVILEGES);
  if (supervisor_is_gone())
    _exit(1);
  if (install_filter(prelude_filter, sizeof prelude_filter / sizeof prelude_filter[0]))
    fail(FAIL_FILTER);
  execve(argv[0], argv, room_environment);
  fail(FAIL_EXEC);
}

/* The parent half: the only one that still may mount. */
static int pivot_worker(pid_t pid, int pidfd) {
  const unsigned kept[] = {(unsigned)(control < pidfd ? control : pidfd), (unsigned)(control < pidfd ? pidfd : control)};
  close_descriptors(0, kept, 2);
  report(STEP_PID, pid);
  if (wait_for_byte()) {
    if (enter_empty_root() == 0) {
      report(STEP_PIVOTED, 0);
      return 0;
    }
    report(FAIL_PIVOT, errno);
  }
  syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
  return 1;
}

static int run_worker(char **argv) {
  const unsigned long namespaces = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID;
  const unsigned kept[] = {3, (unsigned)control};
  const uid_t uid = geteuid();
  const gid_t gid = getegid();
  int pidfd = -1;

  fill_standard_descriptors();
  limit_room(kept, 2);
  if (access(argv[0], X_OK))
    fail(FAIL_EXEC);
  setgroups(0, NULL); /* root only; a user's groups can't be given up where setgroups is denied */
  if (unshare(CLONE_NEWUSER))
    fail(FAIL_USER_NAMESPACE);
  map_ids(NOBODY, uid, gid);
  if (unshare(namespaces | CLONE_NEWNET) && unshare(namespaces))
    fail(FAIL_NAMESPACES);
  if (prepare_root())
    fail(FAIL_MOUNTS);
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) || die_with_parent())
    fail(FAIL_PRIVILEGES);
  if (supervisor_is_gone())
    return 1;
  pid_t pid = clone_process(CLONE_PARENT | CLONE_PIDFD, &pidfd);
  if (pid < 0)
    fail(FAIL_FORK);
  if (pid == 0)
    become_worker(argv);
  return pivot_worker(pid, pidfd);
}

/* The command's half. A byte from the pipe `jail` says that the pid was reported (nothing of ours may come before that); the pipe
   hangs up when the jail dies, which covers the time before the parent-death signal. */
static _Noreturn void become_command(const struct command *command, uid_t uid, gid_t gid, int jail) {
  struct pollfd hangup = {.fd = jail};
  const unsigned kept = (unsigned)control;
  char byte;
  if (die_with_parent())
    fail(FAIL_PRIVILEGES);
  if (read(jail, &byte, 1) != 1 || poll(&hangup, 1, 0) == 1)
    _exit(1);
  if (command->user_namespace)
    map_ids(0, uid, gid);
  /* In a user namespace of its own that is so already: what is mounted here is not seen outside. */
  else if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL))
    fail(FAIL_PROC);
  if (command->pid_namespace && mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
    fail(FAIL_PROC);
  /* Unprivileged ping for the namespace's root, the only group there is. Some containers have a read-only /proc/sys. */
  write_text("/proc/sys/net/ipv4/ping_group_range", "0 0", false);
  if (command->hostname && sethostname(command->hostname, strnlen(command->hostname, MAX_HOSTNAME)))
    fail(FAIL_HOSTNAME);
  if (command->session ? setsid() < 0 || ioctl(STDIN_FILENO, TIOCSCTTY, 0) : refuse_injection())
    fail(FAIL_TERMINAL);
  report(STEP_READY, 0);
  if (!wait_for_byte())
    _exit(1);
  if (close_descriptors(3, &kept, 1))
    fail(FAIL_DESCRIPTORS);
  reset_signals();
  const char *program = command->argv[0];
  if (command->argv0)
    command->argv[0] = (char *)(unsigned long)command->argv0;
  execvp(program, command->argv);
  fail(FAIL_EXEC);
}

/* Nobody else runs this program by now, so every page that it has looked at would count as this process's; what is needed comes again. */
static void forget_program(void) {
  extern const char __executable_start[];
  const ElfW(Phdr) *segment = (const ElfW(Phdr) *)getauxval(AT_PHDR);
  for (unsigned long left = getauxval(AT_PHNUM); segment && left > 0; left--, segment++)
    if (segment->p_type == PT_LOAD && !(segment->p_flags & PF_W))
      madvise((void *)(__executable_start + segment->p_vaddr), segment->p_memsz, MADV_DONTNEED);
}

/* Waits for the command, passing on what was sent to us. What the terminal sent (SI_KERNEL) went to the command as well. */
static int wait_for_command(pid_t pid, const sigset_t *signals) {
  for (;;) {
    siginfo_t info;
    int number = sigwaitinfo(signals, &info);
    if (number == SIGCHLD) {
      int status;
      if (waitpid(pid, &status, WNOHANG) == pid)
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    } else if (number > 0 && info.si_code != SI_KERNEL) {
      kill(pid, number);
    }
  }
}

/* Signals of the waiting jail: blocked and fetched, or ignored so that it never stops, which the command's end would wait for. */
static void block_signals(sigset_t *signals) {
  static const int fetched[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCONT, SIGWINCH};
  static const int ignored[] = {SIGTSTP, SIGTTIN, SIGTTOU, SIGPIPE};
  reset_signals();
  sigemptyset(signals);
  for (size_t i = 0; i < sizeof fetched / sizeof *fetched; i++)
    sigaddset(signals, fetched[i]);
  sigprocmask(SIG_BLOCK, signals, NULL);
  for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
    signal(ignored[i], SIG_IGN);
}

/* Which limit was it: forbidden user namespaces are by far the most frequent cause, and have another cure than the rest. */
static int32_t blame_namespace(void) {
  int error = errno;
  pid_t probe = clone_process(CLONE_NEWUSER, NULL);
  if (probe == 0)
    _exit(0);
  if (probe > 0)
    waitpid(probe, NULL, 0);
  errno = error;
  return probe < 0 ? FAIL_USER_NAMESPACE : FAIL_NAMESPACES;
}

static int run_command(const struct command *command) {
  unsigned long namespaces = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS;
  const uid_t uid = geteuid();
  const gid_t gid = getegid();
  sigset_t signals;
  int jail[2];

  if (command->user_namespace)
    namespaces |= CLONE_NEWUSER;
  if (command->pid_namespace)
    namespaces |= CLONE_NEWPID;
  /* A terminal belongs to one session. Its hangup for ours, a SIGHUP, has to be ignored while it is not blocked yet. */
  signal(SIGHUP, SIG_IGN);
  if (command->session)
    ioctl(STDIN_FILENO, TIOCNOTTY);
  block_signals(&signals);
  if (die_with_parent())
    fail(FAIL_PRIVILEGES);
  if (supervisor_is_gone())
    return 1;
  if (pipe2(jail, O_CLOEXEC))
    fail(FAIL_DESCRIPTORS);
  pid_t pid = clone_process(namespaces, NULL);
  if (pid < 0)
    fail(command->user_namespace ? blame_namespace() : FAIL_NAMESPACES);
  if (pid == 0) {
    close(jail[1]);
    become_command(command, uid, gid, jail[0]);
  }
  report(STEP_PID, pid);
  const unsigned kept = (unsigned)jail[1];
  if (write(jail[1], "", 1) != 1)
    return 1;
  close_descriptors(0, &kept, 1);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  forget_program();
  return wait_for_command(pid, &signals);
}

static int run_opener(const char *descriptors, char **argv) {
  unsigned kept[MAX_KEPT_DESCRIPTORS];
  size_t count = 0;
  char *end = (char *)(unsigned long)descriptors;
  do {
    if (count == MAX_KEPT_DESCRIPTORS)
      refuse_arguments("too many descriptors", descriptors);
    kept[count] = parse_descriptor(count ? end + 1 : descriptors, count ? kept[count - 1] + 1 : 3, &end);
    fcntl((int)kept[count++], F_SETFD, 0);
  } while (*end == ',');
  fill_standard_descriptors();
  limit_room(kept, count);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || die_with_parent())
    fail(FAIL_PRIVILEGES);
  execve(argv[0], argv, room_environment);
  fail(FAIL_EXEC);
}

/* argv from the role's options on, up to and with "--". */
static char **parse_options(struct command *command, char **argv) {
  for (; *argv; argv++) {
    if (strcmp(*argv, "--") == 0 && argv[1])
      return argv + 1;
    else if (!command)
      break;
    else if (strcmp(*argv, "--no-userns") == 0)
      command->user_namespace = false;
    else if (strcmp(*argv, "--no-pidns") == 0)
      command->pid_namespace = false;
    else if (strcmp(*argv, "--session") == 0)
      command->session = true;
    else if (strcmp(*argv, "--hostname") == 0 && argv[1])
      command->hostname = *++argv;
    else if (strcmp(*argv, "--argv0") == 0 && argv[1])
      command->argv0 = *++argv;
    else
      break;
  }
  refuse_arguments("not an option of this role, or no program after it", *argv ? *argv : "(end of arguments)");
}

int main(int argc, char **argv) {
  struct command command = {.user_namespace = true, .pid_namespace = true};
  char *end;
  if (argc < 5)
    refuse_arguments("expected a role, descriptors, -- and a program", argc > 1 ? argv[1] : "(nothing)");
  prctl(PR_SET_NAME, program_invocation_short_name, 0, 0, 0);
  if (strcmp(argv[1], "opener") == 0)
    return run_opener(argv[2], parse_options(NULL, argv + 3));
  bool is_worker = strcmp(argv[1], "worker") == 0;
  if (!is_worker && strcmp(argv[1], "command"))
    refuse_arguments("not a role", argv[1]);
  control = (int)parse_descriptor(argv[2], is_worker ? 4 : 3, &end);
  fcntl(control, F_SETFD, FD_CLOEXEC);
  command.argv = parse_options(is_worker ? NULL : &command, argv + 3);
  return is_worker ? run_worker(command.argv) : run_command(&command);
}
