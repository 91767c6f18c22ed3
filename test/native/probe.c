/*
 * Stands for a room's program in tests of native/: answers one line per datagram on descriptor 3 with what it sees or what it may do.
 * A result of a call is `0` or the errno; a listing is words with blanks between them.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static char reply[60000];

static void add(const char *text) {
  strncat(reply, text, sizeof reply - strlen(reply) - 2);
  strcat(reply, " ");
}

static void add_number(long number) {
  char text[32];
  snprintf(text, sizeof text, "%ld", number);
  add(text);
}

static void add_result(long result) {
  add_number(result < 0 ? errno : 0);
}

static void list(const char *path) {
  DIR *directory = opendir(path);
  if (!directory) {
    add_result(-1);
    return;
  }
  for (struct dirent *entry; (entry = readdir(directory));)
    if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
      add(entry->d_name);
  closedir(directory);
}

static void list_descriptors(void) {
  for (int fd = 0; fd < 1024; fd++)
    if (fcntl(fd, F_GETFD) >= 0)
      add_number(fd);
}

static void connect_tcp(const char *port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  add_result(connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof address));
}

static void connect_abstract(const char *name) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t length = strlen(name);
  memcpy(address.sun_path + 1, name, length);
  add_result(connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address,
                     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length)));
}

static void exec(const char *path) {
  execl(path, path, NULL);
  add_result(-1);
}

static void list_limits(void) {
  static const int kinds[] = {RLIMIT_CORE, RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE};
  struct rlimit limit;
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    getrlimit(kinds[i], &limit), add_number((long)limit.rlim_max);
  getrlimit(RLIMIT_NOFILE, &limit), add_number(limit.rlim_cur == limit.rlim_max);
}

static void answer(const char *verb, const char *argument) {
  extern char **environ;
  if (!strcmp(verb, "environment"))
    for (char **entry = environ; *entry; entry++)
      add(*entry);
  else if (!strcmp(verb, "descriptors"))
    list_descriptors();
  else if (!strcmp(verb, "ids"))
    add_number(getpid()), add_number(getppid()), add_number(getuid()), add_number(getsid(0));
  else if (!strcmp(verb, "limits"))
    list_limits();
  else if (!strcmp(verb, "list"))
    list(argument);
  else if (!strcmp(verb, "read"))
    add_result(open(argument, O_RDONLY));
  else if (!strcmp(verb, "write"))
    add_result(open(argument, O_WRONLY));
  else if (!strcmp(verb, "create"))
    add_result(open(argument, O_WRONLY | O_CREAT, 0600));
  else if (!strcmp(verb, "exec"))
    exec(argument);
  else if (!strcmp(verb, "kill"))
    add_result(kill(atoi(argument), 0));
  else if (!strcmp(verb, "tcp"))
    connect_tcp(argument);
  else if (!strcmp(verb, "abstract"))
    connect_abstract(argument);
  else if (!strcmp(verb, "io_uring"))
    add_result(syscall(SYS_io_uring_setup, 1, NULL));
  else if (!strcmp(verb, "unshare"))
    add_result(unshare(CLONE_NEWUSER));
  else if (!strcmp(verb, "pause"))
    for (;;)
      pause();
  else if (!strcmp(verb, "exit"))
    _exit(atoi(argument));
  else
    add("?");
}

int main(void) {
  for (;;) {
    char line[512];
    struct pollfd channel = {.fd = 3, .events = POLLIN};
    poll(&channel, 1, -1);
    ssize_t length = recv(3, line, sizeof line - 1, 0);
    if (length <= 0)
      return 0;
    line[length] = '\0';
    char *argument = strchr(line, ' ');
    if (argument)
      *argument++ = '\0';
    reply[0] = '\0';
    answer(line, argument ? argument : "");
    if (!reply[0])
      add("-");
    send(3, reply, strlen(reply), MSG_NOSIGNAL);
  }
}
