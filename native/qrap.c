/*
 * qrap — starts a QEMU that can't connect to passt by itself (before 7.2), with a socket that is connected.
 *
 *   qrap DESCRIPTOR COMMAND WORDS…    the words are the user's own, with a network of that descriptor among them
 *   qrap WORDS…                       QEMU's words; it is looked for, and its network becomes descriptor 5
 *
 * Theory of operation. The first passt that serves nobody is taken, of those that listen at paths of their own choice. Whether it serves
 * us is seen by an answer: of one that has a machine already the connection is closed instead. Asked is by ARP, what the guest's network
 * card would begin with, in the name of nobody (RFC 7600: 192.0.0.8 is never anybody's). The answer stays in the socket; QEMU has no
 * use for it. A passt that says nothing, for a network without IPv4 say, is given a second and then taken as well.
 *
 * Then this process becomes QEMU: nothing is left of it, and other descriptors and the environment are QEMU's as they came.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "machine_words.h"

/* As in supervisor/machine-socket.ts. */
#define SOCKET_PATH "/tmp/passt_%u.socket"
#define MOST_PATHS 1024u
#define ANSWER_MS 1000
/* Of QEMU's socket when the words are made here. */
#define DESCRIPTOR 5

/* Behind its length: an ARP request (RFC 826) of 192.0.0.8 for 192.0.0.9, and the padding of a short frame (RFC 894). */
static const uint8_t question[4 + 60] = {
    0,    0,    0,    60,                                           /* */
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0, 0, 0, 0, 1, 0x08, 0x06, /* */
    0,    1,    0x08, 0,    6,    4,    0,    1,                      /* */
    0x02, 0,    0,    0,    0,    1,    192,  0, 0, 8,                /* */
    0,    0,    0,    0,    0,    0,    192,  0, 0, 9,
};

/* What the paths had, for whom no socket was found. */
struct found {
  unsigned busy, forbidden;
};

/* A line on stderr, and the exit status. */
#define FAIL(...) (fprintf(stderr, "qrap: " __VA_ARGS__), 1)

static bool answers(int fd) {
  struct pollfd poll_fd = {.fd = fd, .events = POLLIN | POLLRDHUP};
  char byte;
  if (send(fd, question, sizeof question, MSG_NOSIGNAL) != sizeof question)
    return false;
  int ready = poll(&poll_fd, 1, ANSWER_MS);
  return ready == 0 || (ready == 1 && recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1);
}

/* The descriptor, or −1. */
static int connect_to(unsigned number, struct found *found) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, SOCKET_PATH, number);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0)
    return -1;
  if (!connect(fd, (const struct sockaddr *)&address, sizeof address)) {
    if (answers(fd))
      return fd;
    found->busy++;
  } else if (errno == EACCES)
    found->forbidden++;
  close(fd);
  return -1;
}

/* The connected socket becomes `descriptor`. 0, or the exit status. */
static int connect_machine_at(int descriptor) {
  struct found found = {0, 0};
  int fd = -1;
  for (unsigned number = 1; fd < 0 && number <= MOST_PATHS; number++)
    fd = connect_to(number, &found);
  if (fd < 0 && found.busy)
    return FAIL("each passt at " SOCKET_PATH " and on has a machine already; start another passt\n", 1u);
  if (fd < 0 && found.forbidden)
    return FAIL("no passt of this user listens at " SOCKET_PATH " or on; start passt as this user\n", 1u);
  if (fd < 0)
    return FAIL("no passt listens at " SOCKET_PATH " or on; start passt without --socket first\n", 1u);
  if (fd == descriptor)
    return 0;
  if (dup2(fd, descriptor) < 0)
    return FAIL("descriptor %d can't be had: %s; name a smaller one\n", descriptor, strerror(errno));
  close(fd);
  return 0;
}

/* Returns only when there is none. */
static int become_qemu(char **argv) {
  struct utsname system;
  char native[sizeof "qemu-system-" + sizeof system.machine] = "qemu-system-";
  if (!uname(&system))
    strcat(native, system.machine);
  char *const names[] = {"kvm", "qemu-kvm", "/usr/libexec/qemu-kvm", native, "qemu"};
  for (size_t name = 0; name < sizeof names / sizeof *names; name++) {
    argv[0] = names[name];
    execvp(argv[0], argv);
    if (errno != ENOENT)
      return FAIL("%s can't be started: %s\n", argv[0], strerror(errno));
  }
  return FAIL("no QEMU is in PATH, by none of the names kvm, qemu-kvm, %s and qemu; install one\n", native);
}

static int start_command(const char *number, char **command) {
  char *end;
  errno = 0;
  long descriptor = strtol(number, &end, 10);
  if (errno || descriptor <= STDERR_FILENO || descriptor > INT32_MAX)
    return FAIL("'%s' is no descriptor for a socket; give a number from 3 on\n", number);
  if (!*command)
    return FAIL("no command is given; name QEMU behind descriptor %ld\n", descriptor);
  int status = connect_machine_at((int)descriptor);
  if (status)
    return status;
  execvp(*command, command);
  return FAIL("%s can't be started: %s\n", *command, strerror(errno));
}

int main(int argc, char **argv) {
  if (argc < 2)
    return FAIL("nothing to start; give QEMU's options, or a descriptor and a command: qrap 5 COMMAND … -netdev socket,id=s,fd=5\n");
  if (strspn(argv[1], "0123456789") == strlen(argv[1]))
    return start_command(argv[1], argv + 2);
  if (!start_a_machine(argv + 1))
    return become_qemu(argv);
  char **words = connect_machine(argv, DESCRIPTOR);
  if (!words)
    return FAIL("out of memory\n");
  int status = connect_machine_at(DESCRIPTOR);
  return status ? status : become_qemu(words);
}
