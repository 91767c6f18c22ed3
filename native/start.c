/*
 * start — begins loading the worker's runtime, then becomes the supervisor's.
 *
 *   start JAIL NAME RUNTIME ARGS… -- RUNTIME ARGS… -- PROGRAM WORDS…
 *
 * Each runtime needs some 25 ms before its first line of ours runs. The worker's needs no decision of the supervisor for that, so both
 * load at the same time: the words before the first "--" are the jail, its name for `ps` and what its role worker runs; those after it are
 * what this process becomes, and after the second "--" the name that we were called by and what the user wrote. The supervisor finds the
 * jail, its child, in the environment: RAVIOLI_WORKER=PID:CHANNEL:CONTROL, two descriptors. Whatever fails here is left to the supervisor,
 * which then starts the worker itself and says why it can't.
 *
 * A runtime can't be forked, so what is to run in the background is forked here, before there is one: the child becomes the supervisor in
 * a session of its own, the parent waits for one byte of it, its exit status, and leaves; without a byte it leaves with the child's. The
 * supervisor finds the pipe in the environment: RAVIOLI_READY=DESCRIPTOR. Until it is ready the child ends with its parent.
 *
 * Of the descriptors that come along, only the standard ones, those of sd_listen_fds(3) and those that an option names are kept: whoever
 * waits for the end of some pipe must not wait for ours. An option names them by --listen-fd, by --fd (of slirp4netns: --ready-fd and
 * --exit-fd, and any word that is a number where --netns-type=tapfd is said) or by a path with /fd/ in it; other numbers are ports, addresses
 * or parts of names. What one means is for the supervisor to say.
 */
#define _GNU_SOURCE
#include "command_line.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "privileges.h"

#define MAX_WORDS 64
#define MAX_KEPT 256
#define FD_END (1u << 30)
#define FIRST_LISTENER 3 /* SD_LISTEN_FDS_START */
/* Above the numbers that the child's descriptors are put to, and above any standard one that was closed. */
#define PARKING 16

static int compare(const void *a, const void *b) {
  unsigned left = *(const unsigned *)a, right = *(const unsigned *)b;
  return (left > right) - (left < right);
}

/* Sockets of LISTEN_FDS, 0 when they are another process's. */
static unsigned count_listeners(void) {
  const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
  if (!pid || !count || strtol(pid, NULL, 10) != getpid())
    return 0;
  long listeners = strtol(count, NULL, 10);
  return listeners > 0 && listeners < MAX_KEPT ? (unsigned)listeners : 0;
}

struct kept {
  unsigned numbers[MAX_KEPT];
  size_t count;
};

/* False: there is no room left. */
static bool keep(struct kept *kept, unsigned long number) {
  if (number <= STDERR_FILENO || number >= FD_END)
    return true;
  if (kept->count == MAX_KEPT)
    return false;
  kept->numbers[kept->count++] = (unsigned)number;
  return true;
}

static bool keep_numbers(struct kept *kept, const char *at) {
  while (*at) {
    char *end;
    if (!isdigit((unsigned char)*at))
      at++;
    else if (keep(kept, strtoul(at, &end, 10)))
      at = end;
    else
      return false;
  }
  return true;
}

/* A long option, and how many bytes of it tell it from others, with the dashes: such names may be shortened. */
struct long_option {
  const char *name;
  size_t least;
};

/* The options whose value is descriptors. */
struct descriptor_options {
  const char *letters;
  const struct long_option *names;
  /* What makes a descriptor of every word that is a number; NULL: nothing does. */
  const char *sign;
};

static const struct long_option our_names[] = {{"--listen-fd", 4}, {"--fd", 4}, {NULL, 0}};
static const struct long_option slirp_names[] = {{"--ready-fd", 3}, {"--exit-fd", 4}, {NULL, 0}};
static const struct descriptor_options ours = {"F", our_names, NULL}, slirps = {"er", slirp_names, "tapfd"};

/* Of such an option: what follows its name in the word, "" when the value is the next word; else NULL. */
static const char *descriptors_in(const char *word, const struct descriptor_options *options) {
  size_t length = strcspn(word, "=");
  const char *cluster = word[0] == '-' && word[1] != '-' ? strpbrk(word, options->letters) : NULL;
  if (cluster)
    return cluster + 1;
  for (const struct long_option *option = options->names; option->name; option++)
    if (length >= option->least && length <= strlen(option->name) && !strncmp(word, option->name, length))
      return word + length;
  return NULL;
}

/* With more numbers than there is room for, nothing is closed. */
static void close_others(char *const *words, int word_count, const struct descriptor_options *options) {
  struct kept kept = {.count = 0};
  unsigned listeners = count_listeners();
  bool value = false, keeps_numbers = false;
  for (int word = 0; options->sign && word < word_count; word++)
    keeps_numbers = keeps_numbers || strstr(words[word], options->sign);
  while (kept.count < listeners) {
    kept.numbers[kept.count] = FIRST_LISTENER + (unsigned)kept.count;
    kept.count++;
  }
  for (int word = 0; word < word_count; word++) {
    const char *numbers = value || (keeps_numbers && isdigit((unsigned char)*words[word])) ? words[word] : descriptors_in(words[word], options);
    value = !value && numbers && !*numbers;
    if (numbers && !keep_numbers(&kept, numbers))
      return;
    for (const char *at = words[word]; (at = strstr(at, "/fd/"));) {
      at += strlen("/fd/");
      if (isdigit((unsigned char)*at) && !keep(&kept, strtoul(at, NULL, 10)))
        return;
    }
  }
  qsort(kept.numbers, kept.count, sizeof *kept.numbers, compare);
  close_descriptors(FIRST_LISTENER, kept.numbers, kept.count);
}

/* A pair as the supervisor's addon makes them; ours is inherited, theirs is not. */
static bool make_pair(int pair[2]) {
  int made[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, made))
    return false;
  pair[0] = fcntl(made[0], F_DUPFD, PARKING);
  pair[1] = fcntl(made[1], F_DUPFD_CLOEXEC, PARKING);
  close(made[0]);
  close(made[1]);
  return pair[0] >= 0 && pair[1] >= 0;
}

/* `words`: the jail's name, then what it runs. */
static pid_t start_worker(const char *jail, char **words, int channel, int control) {
  char *argv[MAX_WORDS + 5] = {words[0], "worker", "4", "--"};
  char *const nothing[] = {NULL};
  posix_spawn_file_actions_t actions;
  pid_t pid = -1;
  for (size_t i = 0; i < MAX_WORDS && words[i + 1]; i++)
    argv[4 + i] = words[i + 1];
  if (posix_spawn_file_actions_init(&actions))
    return -1;
  bool failed = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0) ||
                posix_spawn_file_actions_adddup2(&actions, 0, 1) || posix_spawn_file_actions_adddup2(&actions, 0, 2) ||
                posix_spawn_file_actions_adddup2(&actions, channel, 3) || posix_spawn_file_actions_adddup2(&actions, control, 4) ||
                posix_spawn_file_actions_addclosefrom_np(&actions, 5) || posix_spawn(&pid, jail, &actions, NULL, argv, nothing);
  posix_spawn_file_actions_destroy(&actions);
  return failed ? -1 : pid;
}

/* What the process that the user started does while the service comes up. */
static _Noreturn void await_service(pid_t service, int ready) {
  unsigned char code;
  ssize_t length;
  int status;
  do
    length = read(ready, &code, 1);
  while (length < 0 && errno == EINTR);
  if (length == 1)
    _exit(code);
  while (waitpid(service, &status, 0) < 0 && errno == EINTR)
    ;
  if (WIFSIGNALED(status))
    fprintf(stderr, "start: the service was ended by signal %d before it was ready\n", WTERMSIG(status));
  /* Status 0 is an orderly end, and no readiness. */
  _exit(WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : 1);
}

/* Goes on as the service; the parent never comes back. When it can't be forked there is no service, and the caller is told. */
static bool enter_background(void) {
  int ready[2];
  char text[16];
  const pid_t parent = getpid();
  const bool listens = count_listeners() > 0;
  if (pipe2(ready, O_CLOEXEC))
    return false;
  pid_t service = fork();
  if (service < 0)
    return false;
  if (service > 0) {
    close(ready[1]);
    await_service(service, ready[0]);
  }
  close(ready[0]);
  int parked = fcntl(ready[1], F_DUPFD, PARKING);
  close(ready[1]);
  if (parked < 0 || prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) || getppid() != parent)
    _exit(1);
  setsid();
  snprintf(text, sizeof text, "%d", parked);
  setenv("RAVIOLI_READY", text, 1);
  if (listens) {
    snprintf(text, sizeof text, "%d", (int)getpid());
    setenv("LISTEN_PID", text, 1);
  }
  return true;
}

/* supervisor/run-as.ts: such a root becomes somebody else before anything is started. */
static bool is_mighty_root(void) {
  char map[64] = "";
  unsigned inner, outer, count;
  if (geteuid() != 0)
    return false;
  int fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
  ssize_t length = fd < 0 ? 0 : read(fd, map, sizeof map - 1);
  if (fd >= 0)
    close(fd);
  return length > 0 && sscanf(map, "%u %u %u", &inner, &outer, &count) == 3 && !inner && !outer && count == UINT32_MAX;
}

/* The place of the first "--" from `at` on, or `argc`. */
static int find_separator(int argc, char **argv, int at) {
  while (at < argc && strcmp(argv[at], "--"))
    at++;
  return at;
}

int main(int argc, char **argv) {
  int channel[2], control[2];
  char found[64];
  int end = find_separator(argc, argv, 1);
  int program = find_separator(argc, argv, end + 1);
  if (end < 4 || end - 3 > MAX_WORDS || program <= end + 1 || program + 1 >= argc) {
    fprintf(stderr, "start: expected JAIL NAME RUNTIME ARGS -- RUNTIME ARGS -- PROGRAM; see the top of native/start.c\n");
    return 1;
  }
  char **supervisor = argv + end + 1;
  argv[end] = NULL;
  /* Without the second separator: the supervisor's words follow its program. */
  memmove(argv + program, argv + program + 1, (size_t)(argc - program) * sizeof *argv);
  struct command_line line = read_command_line(argc - program - 1, argv + program);
  unsetenv("RAVIOLI_WORKER");
  unsetenv("RAVIOLI_READY");
  close_others(argv + program, line.options, line.is_slirp ? &slirps : &ours);
  if (line.background && !enter_background()) {
    perror("start: there can be no process in the background");
    return 1;
  }
  if (!line.wants_no_worker && !is_mighty_root() && make_pair(channel) && make_pair(control)) {
    pid_t pid = start_worker(argv[1], argv + 2, channel[1], control[1]);
    snprintf(found, sizeof found, "%d:%d:%d", (int)pid, channel[0], control[0]);
    if (pid > 0)
      setenv("RAVIOLI_WORKER", found, 1);
  }
  execvp(supervisor[0], supervisor);
  perror("start: the runtime can't be started; run 'npm ci'");
  return 1;
}
