/* The far end of every measurement: `serve ADDRESS PORT` answers until it is killed.
 *
 *   TCP PORT    echo: what comes is sent back, any number of connections
 *   TCP PORT+1  sink: 4 bytes of milliseconds, then data; answers with a struct counted when the time is over
 *   TCP PORT+2  source: 4 bytes of milliseconds, then sends for so long and closes
 *   UDP PORT    echo
 *   UDP PORT+1  sink: 'd' is counted, 'z' resets the count, 'q' asks for it
 *   UDP PORT+2  source: a struct order, then datagrams come back at that rate, and a struct order_end says how many
 *
 * One process per port, so that one kind of work does not delay another; all die with the first. Writes `ready` when all ports are bound. */
#include "load.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static char buffer[STREAM_BUFFER];

static void echo(int listener, int datagram) {
  int queue = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, ready[256];
  epoll_ctl(queue, EPOLL_CTL_ADD, listener, &event);
  event.data.fd = datagram;
  epoll_ctl(queue, EPOLL_CTL_ADD, datagram, &event);
  for (;;) {
    int count = epoll_wait(queue, ready, 256, -1);
    for (int i = 0; i < count; i++) {
      int fd = ready[i].data.fd;
      if (fd == listener) {
        int taken = accept4(listener, 0, 0, SOCK_NONBLOCK);
        if (taken < 0) continue;
        nodelay(taken);
        event.data.fd = taken;
        epoll_ctl(queue, EPOLL_CTL_ADD, taken, &event);
      } else if (fd == datagram) {
        struct sockaddr_storage from;
        socklen_t length = sizeof from;
        ssize_t got = recvfrom(fd, buffer, sizeof buffer, MSG_DONTWAIT, (struct sockaddr *)&from, &length);
        if (got >= 0) sendto(fd, buffer, got, 0, (struct sockaddr *)&from, length);
      } else {
        ssize_t got = recv(fd, buffer, sizeof buffer, 0);
        if (got > 0) send(fd, buffer, got, MSG_NOSIGNAL);
        else if (got == 0 || errno != EAGAIN) close(fd);
      }
    }
  }
}

static long long asked(int fd) {
  uint32_t milliseconds;
  if (recv(fd, &milliseconds, sizeof milliseconds, MSG_WAITALL) != sizeof milliseconds) exit(1);
  return ntohl(milliseconds) * 1000000LL;
}

static void sink(int fd) {
  struct counted counted = {0};
  long long duration = asked(fd), begin = now(), end = begin + duration;
  limit(fd, SO_RCVTIMEO, 100);
  ssize_t got = 1;
  while (now() < end && got != 0) {
    got = recv(fd, buffer, sizeof buffer, 0);
    if (got > 0) arrived(&counted, got);
    else if (got < 0 && errno != EAGAIN) exit(1);
  }
  if (got != 0) arrived(&counted, 0);
  counted.nanoseconds = now() - begin;
  send(fd, &counted, sizeof counted, MSG_NOSIGNAL);
  for (end = now() + 5000000000LL; now() < end && (got > 0 || (got < 0 && errno == EAGAIN));) got = recv(fd, buffer, sizeof buffer, 0);
}

static void source(int fd) {
  long long duration = asked(fd), end = now() + duration;
  limit(fd, SO_SNDTIMEO, 100);
  while (now() < end)
    if (send(fd, buffer, sizeof buffer, MSG_NOSIGNAL) < 0 && errno != EAGAIN) exit(0);
}

static void per_connection(int listener, void (*work)(int)) {
  signal(SIGCHLD, SIG_IGN);
  for (;;) {
    int taken = accept(listener, 0, 0);
    if (taken < 0) continue;
    if (fork() == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      nodelay(taken);
      work(taken);
      exit(0);
    }
    close(taken);
  }
}

static void datagram_sink(int fd) {
  struct counted counted = {0};
  long long first = 0;
  for (;;) {
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    ssize_t got = recvfrom(fd, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &length);
    if (got < 1) continue;
    if (buffer[0] == 'd') {
      long long time = now();
      if (counted.amount++ == 0) first = time;
      counted.nanoseconds = time - first;
      continue;
    }
    if (buffer[0] == 'z') memset(&counted, 0, sizeof counted);
    sendto(fd, &counted, sizeof counted, 0, (struct sockaddr *)&from, length);
  }
}

static void datagram_source(int fd) {
  for (;;) {
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    struct order order;
    if (recvfrom(fd, &order, sizeof order, 0, (struct sockaddr *)&from, &length) != sizeof order) continue;
    struct order_end end = {'e', flood(fd, &order, (struct sockaddr *)&from, length)};
    for (int i = 0; i < 3; i++) { /* apart, so that a full queue does not lose them all */
      usleep(30000);
      sendto(fd, &end, sizeof end, 0, (struct sockaddr *)&from, length);
    }
  }
}

int main(int argc, char **argv) {
  if (argc != 3) return fprintf(stderr, "usage: serve ADDRESS PORT\n"), 2;
  int base = atoi(argv[2]);
  struct target target[3];
  int stream[3], datagram[3];
  signal(SIGPIPE, SIG_IGN);
  for (int i = 0; i < 3; i++) {
    char port[8];
    snprintf(port, sizeof port, "%d", base + i);
    resolve(&target[i], argv[1], port);
    stream[i] = bound(&target[i], SOCK_STREAM);
    datagram[i] = bound(&target[i], SOCK_DGRAM);
  }
  pid_t parent = getpid();
  for (int work = 0; work < 4; work++) {
    if (fork() != 0) continue;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) return 1;
    if (work == 0) per_connection(stream[1], sink);
    if (work == 1) per_connection(stream[2], source);
    if (work == 2) datagram_sink(datagram[1]);
    if (work == 3) datagram_source(datagram[2]);
  }
  printf("ready\n");
  fflush(stdout);
  fcntl(stream[0], F_SETFL, O_NONBLOCK);
  echo(stream[0], datagram[0]);
}
