/* What the two ends of a measurement share: the clock, sockets, and the messages of serve.c. */
#pragma once
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define STREAM_BUFFER (256 * 1024)

/* Answer of a sink: bytes or datagrams, the time they took, and of a stream the longest wait for more, once the first had come. */
struct counted {
  long long amount, nanoseconds, stalled, latest;
};

/* What a datagram source shall send; rate 0 is as fast as it goes. */
struct order {
  uint32_t size, rate, milliseconds;
};

/* Follows what was ordered: how many datagrams the source's socket took. */
struct order_end {
  long long mark, sent;
};

struct target {
  struct sockaddr_storage address;
  socklen_t length;
};

static inline void die(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

static inline long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

/* Bytes have arrived, or, with 0, the time is over. */
static inline void arrived(struct counted *counted, long long bytes) {
  long long time = now(), waited = counted->amount ? time - counted->latest : 0;
  if (waited > counted->stalled) counted->stalled = waited;
  counted->latest = time;
  counted->amount += bytes;
}

static inline void nodelay(int fd) { setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)); }

static inline void limit(int fd, int option, int milliseconds) {
  struct timeval value = {milliseconds / 1000, milliseconds % 1000 * 1000};
  setsockopt(fd, SOL_SOCKET, option, &value, sizeof value);
}

static inline void resolve(struct target *target, const char *host, const char *port) {
  struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *found;
  int error = getaddrinfo(host, port, &hints, &found);
  if (error) {
    fprintf(stderr, "%s port %s: %s\n", host, port, gai_strerror(error));
    exit(1);
  }
  memcpy(&target->address, found->ai_addr, found->ai_addrlen);
  target->length = found->ai_addrlen;
  freeaddrinfo(found);
}

/* A datagram socket that holds what comes while this process does not run: two cores are shared by up to four processes. */
static inline void deepen(int fd) { setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){4 << 20}, sizeof(int)); }

static inline int bound(const struct target *target, int type) {
  int fd = socket(target->address.ss_family, type, 0);
  if (fd < 0) die("socket");
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
  if (type == SOCK_DGRAM) deepen(fd);
  if (bind(fd, (const struct sockaddr *)&target->address, target->length) < 0) die("bind");
  if (type == SOCK_STREAM && listen(fd, 4096) < 0) die("listen");
  return fd;
}

/* Sends datagrams in bursts of a millisecond, and returns how many the socket took. */
static inline long long flood(int fd, const struct order *order, const struct sockaddr *to, socklen_t length) {
  static char datagram[65536] = "d";
  uint32_t size = ntohl(order->size), rate = ntohl(order->rate);
  long long begin = now(), end = begin + ntohl(order->milliseconds) * 1000000LL, sent = 0, tried = 0, time;
  while ((time = now()) < end) {
    long long due = rate ? (time - begin) * rate / 1000000000LL : tried + 64;
    for (; tried < due; tried++)
      if (sendto(fd, datagram, size, 0, to, length) == (ssize_t)size) sent++;
    struct timespec pause = {0, 1000000};
    if (rate) nanosleep(&pause, 0);
  }
  return sent;
}
