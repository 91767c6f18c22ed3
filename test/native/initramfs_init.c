/*
 * First process of a machine whose root is the initramfs itself: starts jail and opener as an ordinary user, prints what they and the
 * probe say, one `key: value` per line, and switches the machine off.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../native/jail.h"
#include "../../native/opener/request.h"

/* Starts a program as uid 65534 with two sockets as descriptors 3 and 4. */
static pid_t start(int third, int fourth, char *const *argv) {
  pid_t pid = fork();
  if (pid)
    return pid;
  third = fcntl(third, F_DUPFD, 10);
  fourth = fcntl(fourth, F_DUPFD, 10);
  dup2(third, 3);
  dup2(fourth, 4);
  if (setgid(65534) || setuid(65534))
    _exit(1);
  execv(argv[0], argv);
  _exit(1);
}

static void print_step(int control) {
  struct jail_message message = {0, 0};
  recv(control, &message, sizeof message, 0);
  printf("step: %d %d\n", message.step, message.step == STEP_PID ? 0 : message.value);
}

static void ask(int channel, const char *question) {
  char reply[4096];
  send(channel, question, strlen(question), 0);
  ssize_t length = recv(channel, reply, sizeof reply - 1, 0);
  printf("%s: %.*s\n", question, length < 0 ? 0 : (int)length, reply);
}

static void try_worker(void) {
  char *const argv[] = {"/jail", "worker", "4", "--", "/probe", NULL};
  int channel[2], control[2];
  socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel);
  socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control);
  start(channel[1], control[1], argv);
  print_step(control[0]);
  ask(channel[0], "read /probe");
  send(control[0], "x", 1, 0);
  print_step(control[0]);
  ask(channel[0], "list /");
  ask(channel[0], "list ..");
  ask(channel[0], "read /probe");
  ask(channel[0], "read /../probe");
  ask(channel[0], "read /proc/self/status");
}

static void try_opener(void) {
  char *const argv[] = {"/jail", "opener", "3", "--", "/opener", "name", "3", NULL};
  struct opener_request request = {.verb = VERB_SEAL};
  struct opener_answer answer = {0, -1};
  char path[64];
  int sockets[2], entries = 0;
  socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets);
  pid_t pid = start(sockets[1], sockets[1], argv);
  send(sockets[0], &request, sizeof request, 0);
  recv(sockets[0], &answer, sizeof answer, 0);
  printf("seal: %d\n", answer.result);
  snprintf(path, sizeof path, "/proc/%d/root/", pid);
  DIR *directory = opendir(path);
  while (directory && readdir(directory))
    entries++;
  printf("entries: %d\n", entries);
}

int main(void) {
  mkdir("/proc", 0755);
  mount("proc", "/proc", "proc", 0, NULL);
  setvbuf(stdout, NULL, _IONBF, 0);
  printf("\n");
  try_worker();
  try_opener();
  printf("done: 1\n");
  reboot(RB_POWER_OFF);
}
