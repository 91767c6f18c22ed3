/* The near end of every measurement: makes one kind of traffic to serve.c and prints one line of JSON.
 *
 *   load out|in                 ADDRESS PORT SECONDS [PARALLEL]
 *   load rr|crr|udp-rr          ADDRESS PORT SECONDS [COUNT]      at most so many
 *   load udp-out|udp-in         ADDRESS PORT SECONDS SIZE RATE
 *   load hold|udp-hold          ADDRESS PORT COUNT       then: a line on stdin makes all flows echo again, end of file ends
 *   load time                   COUNT COMMAND…           milliseconds from start to exit
 *
 * Times are microseconds, but those of a stream milliseconds: `stall`, the longest that a receiver had to wait for more, and `rto`, what the
 * sending kernel waits before it sends again, 0 where we receive. A peer that stops moving must not hang the measurement: every wait has a
 * limit, and what did not come is missing from the count. */
#include "load.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define MAX_SAMPLES (4 << 20)

static struct target target;
static double seconds;
static char *host;
static int base_port;

static int connected(int type, int offset) {
  char port[8];
  snprintf(port, sizeof port, "%d", base_port + offset);
  resolve(&target, host, port);
  int fd = socket(target.address.ss_family, type, 0);
  if (fd < 0) die("socket");
  limit(fd, SO_SNDTIMEO, 10000); /* also limits connect */
  if (connect(fd, (struct sockaddr *)&target.address, target.length) < 0) die("connect");
  limit(fd, SO_SNDTIMEO, 100);
  limit(fd, SO_RCVTIMEO, 1000);
  if (type == SOCK_STREAM) nodelay(fd);
  else deepen(fd);
  return fd;
}

/* One flow of a measurement. */
struct flow {
  struct counted counted;
  double timeout; /* ms: the kernel's retransmission timeout at the end */
};

static double retransmission_timeout(int fd) {
  struct tcp_info info = {0};
  socklen_t length = sizeof info;
  getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length);
  return info.tcpi_rto / 1e3;
}

static void *stream_out(void *result) {
  static char data[STREAM_BUFFER];
  struct flow *flow = result;
  int fd = connected(SOCK_STREAM, 1);
  uint32_t asked = htonl(seconds * 1000);
  send(fd, &asked, sizeof asked, 0);
  long long end = now() + seconds * 1e9;
  while (now() < end)
    if (send(fd, data, sizeof data, MSG_NOSIGNAL) < 0 && errno != EAGAIN) break;
  flow->timeout = retransmission_timeout(fd);
  shutdown(fd, SHUT_WR);
  limit(fd, SO_RCVTIMEO, 10000);
  if (recv(fd, &flow->counted, sizeof flow->counted, MSG_WAITALL) != sizeof flow->counted) die("no count from the sink");
  return 0;
}

static void *stream_in(void *result) {
  static __thread char data[STREAM_BUFFER];
  struct counted *counted = &((struct flow *)result)->counted;
  int fd = connected(SOCK_STREAM, 2);
  uint32_t asked = htonl(seconds * 1000);
  send(fd, &asked, sizeof asked, 0);
  limit(fd, SO_RCVTIMEO, 100);
  long long begin = now(), end = begin + seconds * 1e9;
  while (now() < end) {
    ssize_t got = recv(fd, data, sizeof data, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN)) break;
    if (got > 0) arrived(counted, got);
  }
  arrived(counted, 0);
  counted->nanoseconds = now() - begin;
  return 0;
}

static void stream(void *(*work)(void *), int parallel) {
  pthread_t threads[64];
  struct flow flows[64] = {0};
  double bytes = 0, rate = 0, stall = 0, timeout = 0;
  for (int i = 0; i < parallel; i++) pthread_create(&threads[i], 0, work, &flows[i]);
  for (int i = 0; i < parallel; i++) {
    struct counted *counted = &flows[i].counted;
    pthread_join(threads[i], 0);
    bytes += counted->amount;
    rate += counted->amount * 8.0 / counted->nanoseconds;
    if (counted->stalled > stall) stall = counted->stalled;
    if (i == 0 || flows[i].timeout < timeout) timeout = flows[i].timeout; /* others may have been backed off just now */
  }
  printf("{\"bytes\":%.0f,\"gbit\":%.4f,\"stall\":%.1f,\"rto\":%.1f}\n", bytes, rate, stall / 1e6, timeout);
}

static int by_size(const void *a, const void *b) {
  float difference = *(const float *)a - *(const float *)b;
  return (difference > 0) - (difference < 0);
}

static int exchange(int fd) {
  char byte = 'e';
  return send(fd, &byte, 1, MSG_NOSIGNAL) == 1 && recv(fd, &byte, 1, 0) == 1;
}

static int connect_exchange_close(void) {
  int fd = socket(target.address.ss_family, SOCK_STREAM, 0);
  limit(fd, SO_SNDTIMEO, 2000);
  limit(fd, SO_RCVTIMEO, 2000);
  nodelay(fd);
  int done = connect(fd, (struct sockaddr *)&target.address, target.length) == 0 && exchange(fd);
  close(fd);
  return done;
}

static void transactions(int type, int each_connects, int most) {
  static float samples[MAX_SAMPLES];
  int count = 0, lost = 0, fd = connected(type, 0);
  for (int i = 0; i < 20; i++) exchange(fd); /* the flow exists on both sides before the clock starts */
  long long begin = now(), before = begin, end = begin + seconds * 1e9;
  while (before < end && count + lost < most) {
    int done = each_connects ? connect_exchange_close() : exchange(fd);
    long long after = now();
    if (done) samples[count++] = (after - before) / 1e3;
    else lost++;
    before = after;
  }
  qsort(samples, count, sizeof *samples, by_size);
  printf("{\"count\":%d,\"lost\":%d,\"rate\":%.1f,\"p50\":%.2f,\"p99\":%.2f,\"max\":%.1f}\n", count, lost, count / ((before - begin) / 1e9),
         samples[count / 2], samples[(int)(count * 0.99)], count ? samples[count - 1] : 0);
}

static struct counted ask(int fd, char what) {
  struct counted counted = {.amount = -1};
  limit(fd, SO_RCVTIMEO, 300);
  for (int i = 0; i < 10 && counted.amount < 0; i++) {
    struct counted answer;
    send(fd, &what, 1, 0);
    if (recv(fd, &answer, sizeof answer, 0) == sizeof answer) counted = answer;
  }
  if (counted.amount < 0) die("no answer from the datagram sink");
  return counted;
}

static void datagrams_out(const struct order *order) {
  int fd = connected(SOCK_DGRAM, 1);
  ask(fd, 'z');
  long long sent = flood(fd, order, 0, 0);
  usleep(300000);
  struct counted counted = ask(fd, 'q');
  printf("{\"sent\":%lld,\"received\":%lld,\"rate\":%.1f}\n", sent, counted.amount, counted.amount * 1e9 / (counted.nanoseconds + 1));
}

static void datagrams_in(const struct order *order) {
  static char data[65536];
  int fd = connected(SOCK_DGRAM, 2);
  long long received = 0, first = 0, last = 0;
  struct order_end end = {0, 0};
  ssize_t got;
  send(fd, order, sizeof *order, 0);
  limit(fd, SO_RCVTIMEO, seconds * 1e3 + 2000);
  while ((got = recv(fd, data, sizeof data, 0)) > 0) {
    if (data[0] == 'e' && got == sizeof end) {
      memcpy(&end, data, sizeof end);
      break;
    }
    last = now();
    if (received++ == 0) first = last;
  }
  if (end.mark == 0) die("the end of the datagrams was lost");
  printf("{\"sent\":%lld,\"received\":%lld,\"rate\":%.1f}\n", end.sent, received, received * 1e9 / (last - first + 1));
}

static int echoed(const int *flows, int count) {
  char byte = 'h';
  int back = 0;
  for (int i = 0; i < count; i++) {
    limit(flows[i], SO_RCVTIMEO, 1000);
    send(flows[i], &byte, 1, MSG_NOSIGNAL);
    if (i % 64 != 63 && i != count - 1) continue;
    for (int j = i & ~63; j <= i; j++) back += recv(flows[j], &byte, 1, 0) == 1;
  }
  return back;
}

static void hold(int type, int wanted) {
  int *flows = calloc(wanted, sizeof *flows), count = 0, tenth = wanted / 10 ? wanted / 10 : 1;
  long long begin = now(), early = 0, late = begin;
  char line[64];
  while (count < wanted) {
    int fd = socket(target.address.ss_family, type, 0);
    if (fd < 0) break;
    limit(fd, SO_SNDTIMEO, 3000);
    limit(fd, SO_RCVTIMEO, 3000);
    if (connect(fd, (struct sockaddr *)&target.address, target.length) < 0 || !exchange(fd)) break;
    flows[count++] = fd;
    if (count == tenth) early = now();
    if (count == wanted - tenth) late = now();
  }
  const char *why = count < wanted ? strerror(errno) : "";
  double first = early ? tenth * 1e9 / (early - begin) : 0, last = count == wanted ? tenth * 1e9 / (now() - late) : 0;
  do {
    int back = echoed(flows, count);
    printf("{\"open\":%d,\"echoed\":%d,\"first\":%.1f,\"last\":%.1f,\"error\":\"%s\"}\n", count, back, first, last, why);
    fflush(stdout);
  } while (fgets(line, sizeof line, stdin));
}

static void time_command(int count, char **command) {
  float samples[1000];
  for (int i = 0; i < count && i < 1000; i++) {
    int status;
    long long begin = now();
    pid_t child = vfork();
    if (child == 0) {
      execvp(command[0], command);
      _exit(127);
    }
    waitpid(child, &status, 0);
    samples[i] = (now() - begin) / 1e6;
    if (!WIFEXITED(status) || WEXITSTATUS(status)) {
      fprintf(stderr, "%s: status %d\n", command[0], status);
      exit(1);
    }
  }
  qsort(samples, count, sizeof *samples, by_size);
  printf("{\"count\":%d,\"p50\":%.2f,\"min\":%.2f,\"max\":%.2f}\n", count, samples[count / 2], samples[0], samples[count - 1]);
}

int main(int argc, char **argv) {
  if (argc < 4 || (argc < 5 && strcmp(argv[1], "time"))) return fprintf(stderr, "usage: load KIND ADDRESS PORT SECONDS|COUNT …, see load.c\n"), 2;
  const char *kind = argv[1];
  if (!strcmp(kind, "time")) return time_command(atoi(argv[2]), argv + 3), 0;
  host = argv[2];
  base_port = atoi(argv[3]);
  seconds = atof(argv[4]);
  int parallel = argc > 5 ? atoi(argv[5]) : 1;
  int most = argc > 5 && atoi(argv[5]) < MAX_SAMPLES ? atoi(argv[5]) : MAX_SAMPLES;
  resolve(&target, host, argv[3]);
  prctl(PR_SET_TIMERSLACK, 1000);
  if (!strcmp(kind, "out")) stream(stream_out, parallel);
  else if (!strcmp(kind, "in")) stream(stream_in, parallel);
  else if (!strcmp(kind, "rr")) transactions(SOCK_STREAM, 0, most);
  else if (!strcmp(kind, "crr")) transactions(SOCK_STREAM, 1, most);
  else if (!strcmp(kind, "udp-rr")) transactions(SOCK_DGRAM, 0, most);
  else if (!strcmp(kind, "hold")) hold(SOCK_STREAM, atoi(argv[4]));
  else if (!strcmp(kind, "udp-hold")) hold(SOCK_DGRAM, atoi(argv[4]));
  else if (argc > 6) {
    struct order order = {htonl(atoi(argv[5])), htonl(atoi(argv[6])), htonl(seconds * 1000)};
    if (!strcmp(kind, "udp-out")) datagrams_out(&order);
    else if (!strcmp(kind, "udp-in")) datagrams_in(&order);
    else return fprintf(stderr, "load: unknown kind %s\n", kind), 2;
  } else return fprintf(stderr, "load: unknown kind %s, or too few arguments\n", kind), 2;
}
