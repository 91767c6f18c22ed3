/* A bad network between two namespaces: `impair NAMESPACE NAMESPACE INTERFACE DELAY-µs LOSS-‰ REORDER-‰`.
 *
 * Makes a tap of that name in each (names of `ip netns`), and carries frames between them: each waits for the delay, some are lost, some wait
 * half as long again and so are overtaken. The same seed every time: two runs meet the same luck. netem does this in the kernel, where it
 * is built in. Writes `ready` when both taps are there; they are gone with the process. */
#include "load.h"

#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

#define QUEUE 8192
#define FRAME 2048

/* Frames that wait equally long, so that the first in is the first out. */
struct queue {
  struct frame {
    long long due;
    int length;
    char bytes[FRAME];
  } *frames;
  unsigned first, last;
};

struct way {
  int from, to;
  struct queue punctual, late;
};

static long long delay;
static unsigned loss, reorder;

static int tap(const char *namespace, const char *name) {
  char path[128];
  snprintf(path, sizeof path, "/run/netns/%s", namespace);
  int place = open(path, O_RDONLY | O_CLOEXEC);
  if (place < 0 || setns(place, CLONE_NEWNET) < 0) die(path);
  close(place);
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
  struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
  if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0) die("tap");
  return fd;
}

/* xorshift: good enough to choose frames, and the same everywhere. */
static unsigned chance(void) {
  static uint32_t state = 2463534242u;
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state % 1000;
}

static void take(struct way *way, long long time) {
  for (;;) {
    struct queue *queue = chance() < reorder ? &way->late : &way->punctual;
    struct frame *frame = &queue->frames[queue->last % QUEUE];
    frame->length = read(way->from, frame->bytes, FRAME);
    if (frame->length <= 0) return;
    if (chance() < loss || queue->last - queue->first == QUEUE - 1) continue;
    frame->due = time + (queue == &way->late ? delay * 3 / 2 : delay);
    queue->last++;
  }
}

static long long give(struct way *way, struct queue *queue, long long time, long long next) {
  while (queue->first != queue->last) {
    struct frame *frame = &queue->frames[queue->first % QUEUE];
    if (frame->due > time) return frame->due < next ? frame->due : next;
    if (write(way->to, frame->bytes, frame->length) < 0 && errno == EAGAIN) return time + 100000;
    queue->first++;
  }
  return next;
}

int main(int argc, char **argv) {
  if (argc != 7) return fprintf(stderr, "usage: impair NAMESPACE NAMESPACE INTERFACE DELAY-µs LOSS-‰ REORDER-‰\n"), 2;
  delay = atoi(argv[4]) * 1000LL;
  loss = atoi(argv[5]);
  reorder = atoi(argv[6]);
  int here = tap(argv[1], argv[3]), there = tap(argv[2], argv[3]);
  struct way ways[2] = {{.from = here, .to = there}, {.from = there, .to = here}};
  for (int i = 0; i < 2; i++) {
    ways[i].punctual.frames = calloc(QUEUE, sizeof(struct frame));
    ways[i].late.frames = calloc(QUEUE, sizeof(struct frame));
  }
  prctl(PR_SET_TIMERSLACK, 1000);
  printf("ready\n");
  fflush(stdout);
  struct pollfd wait[2] = {{.fd = here, .events = POLLIN}, {.fd = there, .events = POLLIN}};
  for (;;) {
    long long time = now(), next = time + 1000000000LL;
    for (int i = 0; i < 2; i++) {
      take(&ways[i], time);
      next = give(&ways[i], &ways[i].punctual, time, next);
      next = give(&ways[i], &ways[i].late, time, next);
    }
    long long rest = next - now();
    struct timespec timeout = {rest > 0 ? rest / 1000000000LL : 0, rest > 0 ? rest % 1000000000LL : 0};
    ppoll(wait, 2, &timeout, 0);
  }
}
