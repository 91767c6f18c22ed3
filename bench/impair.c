/* A bad network between two namespaces: `impair FIRST SECOND INTERFACE [WORD…]`.
 *
 * Makes a tap of that name in each (a name of `ip netns`, or a path like /proc/PID/ns/net), and carries frames between them. The words:
 *
 *   delay=25ms     each frame waits so long
 *   jitter=5ms     and up to so much longer, by chance; the order is kept
 *   loss=0.01%     frames that are lost
 *   reorder=1%     frames that wait `late` longer than the others, which overtake them
 *   late=10ms      default: half of the delay, and 2 ms at least
 *   duplicate=1%   frames that come twice
 *   corrupt=0.1%   frames in which one bit is wrong: no header tells the receiver's kernel that it may trust a checksum
 *   seed=7         another luck
 *
 * `out:` before a word means the way from FIRST to SECOND alone, `in:` the way back; without either it means both.
 *
 * Each frame draws the same number of times, whatever was asked for: the n-th frame of a way has the same luck in every run, and more loss
 * hits the frames that less loss has hit, and others. Frames to a group don't count and are only delayed: kernels send them when they like.
 * netem does all this in the kernel, where it is built in.
 *
 * Writes `ready` when both taps are there; they are gone with the process. SIGTERM ends it with a line of JSON: what befell the frames. */
#include "load.h"

#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>

/* Frames on their way: 200 ms at 1.9 Gbit/s. */
#define QUEUE 32768
#define FRAME 2048
/* Frames that one turn takes from a tap, so that the other way and what is due don't wait for a flood. */
#define BATCH 256

/* Frames in the order in which they leave. */
struct queue {
  struct frame {
    long long due;
    int length;
    char bytes[FRAME - 16];
  } *frames;
  unsigned first, last;
  long long due;
};

struct way {
  int from, to;
  uint64_t seed, luck;
  double loss, reorder, duplicate, corrupt; /* percent */
  double delay, jitter, late;               /* ns; late < 0: the default */
  struct queue punctual, overtaken;
  long long carried, lost, reordered, duplicated, corrupted, overflowed;
};

static volatile sig_atomic_t ended;

static void end(int number) { ended = number; }

/* The kernel drops what it can't queue at the tap, which would be a loss that nobody asked for. By netlink: SIOCSIFTXQLEN asks for a
 * privilege in the first user namespace (net/core/dev_ioctl.c). */
static void lengthen(const char *name) {
  struct {
    struct nlmsghdr header;
    struct ifinfomsg link;
    struct nlattr attribute;
    uint32_t length;
  } request = {
      .header = {.nlmsg_len = sizeof request, .nlmsg_type = RTM_NEWLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
      .link = {.ifi_index = if_nametoindex(name)},
      .attribute = {.nla_len = sizeof request.attribute + sizeof request.length, .nla_type = IFLA_TXQLEN},
      .length = QUEUE / 2,
  };
  struct {
    struct nlmsghdr header;
    struct nlmsgerr answer;
  } reply;
  int route = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (route < 0 || send(route, &request, sizeof request, 0) < 0 || recv(route, &reply, sizeof reply, 0) < 0) die("rtnetlink");
  close(route);
  errno = -reply.answer.error;
  if (errno) die("length of the tap's queue");
}

static int tap(const char *namespace, const char *name) {
  char path[128];
  snprintf(path, sizeof path, "%s%s", strchr(namespace, '/') ? "" : "/run/netns/", namespace);
  int place = open(path, O_RDONLY | O_CLOEXEC);
  if (place < 0 || setns(place, CLONE_NEWNET) < 0) die(path);
  close(place);
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
  struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
  if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0) die("tap");
  lengthen(request.ifr_name);
  return fd;
}

/* splitmix64: the next number of a way. */
static uint64_t draw(struct way *way) {
  uint64_t z = way->luck += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/* From 0 up to, not including, `limit`. */
static double chance(struct way *way, double limit) { return (draw(way) >> 11) * 0x1p-53 * limit; }

static void put(struct way *way, struct queue *queue, const char *bytes, int length, long long due) {
  if (queue->first == queue->last) queue->first = queue->last = 0; /* memory is touched as far as it is needed */
  if (queue->last - queue->first == QUEUE) {
    way->overflowed++;
    return;
  }
  struct frame *frame = &queue->frames[queue->last++ % QUEUE];
  frame->due = queue->due = due > queue->due ? due : queue->due;
  frame->length = length;
  memcpy(frame->bytes, bytes, length);
}

static void take(struct way *way, long long time) {
  static char bytes[sizeof((struct frame *)0)->bytes];
  for (int i = 0; i < BATCH; i++) {
    int length = read(way->from, bytes, sizeof bytes);
    if (length <= 0) return;
    if (bytes[0] & 1) {
      put(way, &way->punctual, bytes, length, time + way->delay);
      continue;
    }
    int lost = chance(way, 100) < way->loss, late = chance(way, 100) < way->reorder, twice = chance(way, 100) < way->duplicate;
    int wrong = chance(way, 100) < way->corrupt;
    unsigned bit = chance(way, 8.0 * length);
    long long due = time + way->delay + chance(way, way->jitter) + (late ? way->late : 0);
    way->lost += lost;
    if (lost) continue;
    way->carried++;
    way->reordered += late;
    way->duplicated += twice;
    way->corrupted += wrong;
    if (wrong) bytes[bit / 8] ^= 1 << bit % 8;
    for (int copy = 0; copy <= twice; copy++) put(way, late ? &way->overtaken : &way->punctual, bytes, length, due);
  }
}

static long long give(struct way *way, struct queue *queue, long long time, long long next) {
  for (; queue->first != queue->last; queue->first++) {
    struct frame *frame = &queue->frames[queue->first % QUEUE];
    if (frame->due > time) return frame->due < next ? frame->due : next;
    if (write(way->to, frame->bytes, frame->length) < 0 && errno == EAGAIN) return time + 100000;
  }
  return next;
}

static int refuse(const char *word) {
  fprintf(stderr, "impair: '%s' is not understood: give NAME=NUMBER with a unit, like delay=25ms loss=0.1%% seed=7\n", word);
  return 2;
}

/* A number with one of the units, in percent or ns; 0 when it is not one. */
static int number(const char *text, const char *const *units, const double *worth, double *value) {
  char *rest;
  *value = strtod(text, &rest);
  if (rest == text || !(*value >= 0)) return 0;
  for (int i = 0; units[i]; i++)
    if (!strcmp(rest, units[i])) return *value *= worth[i], 1;
  return 0;
}

static int understand(struct way *way, const char *word) {
  static const char *const times[] = {"us", "ms", "s", 0}, *const parts[] = {"%", 0}, *const plain[] = {"", 0};
  static const double nanoseconds[] = {1e3, 1e6, 1e9}, one[] = {1};
  double seed;
  size_t length = strcspn(word, "=");
  const char *text = word + length + (word[length] != 0);
#define IS(name) (length == sizeof name - 1 && !strncmp(word, name, length))
  if (IS("delay")) return number(text, times, nanoseconds, &way->delay);
  if (IS("jitter")) return number(text, times, nanoseconds, &way->jitter);
  if (IS("late")) return number(text, times, nanoseconds, &way->late);
  if (IS("loss")) return number(text, parts, one, &way->loss);
  if (IS("reorder")) return number(text, parts, one, &way->reorder);
  if (IS("duplicate")) return number(text, parts, one, &way->duplicate);
  if (IS("corrupt")) return number(text, parts, one, &way->corrupt);
  if (IS("seed") && number(text, plain, one, &seed)) return way->seed = seed, 1;
  return 0;
}

static struct frame *memory(void) {
  void *frames = mmap(0, QUEUE * sizeof(struct frame), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (frames == MAP_FAILED) die("memory");
  return frames;
}

static void tell(const char *name, const struct way *way) {
  printf("%s\"%s\":{\"carried\":%lld,\"lost\":%lld,\"reordered\":%lld,\"duplicated\":%lld,\"corrupted\":%lld,\"overflowed\":%lld}",
         name[0] == 'o' ? "{" : ",", name, way->carried, way->lost, way->reordered, way->duplicated, way->corrupted, way->overflowed);
}

static void carry(struct way *ways) {
  struct pollfd wait[2] = {{.fd = ways[0].from, .events = POLLIN}, {.fd = ways[1].from, .events = POLLIN}};
  while (!ended) {
    long long time = now(), next = time + 1000000000LL;
    for (int i = 0; i < 2; i++) {
      take(&ways[i], time);
      next = give(&ways[i], &ways[i].punctual, time, next);
      next = give(&ways[i], &ways[i].overtaken, time, next);
    }
    long long rest = next - now();
    struct timespec timeout = {rest > 0 ? rest / 1000000000LL : 0, rest > 0 ? rest % 1000000000LL : 0};
    ppoll(wait, 2, &timeout, 0);
  }
}

int main(int argc, char **argv) {
  struct way ways[2] = {{.late = -1, .seed = 1}, {.late = -1, .seed = 2}};
  if (argc < 4) return fprintf(stderr, "usage: impair NAMESPACE NAMESPACE INTERFACE [WORD…], see impair.c\n"), 2;
  for (int i = 4; i < argc; i++) {
    int out = !strncmp(argv[i], "out:", 4), in = !strncmp(argv[i], "in:", 3);
    const char *word = argv[i] + (out ? 4 : in ? 3 : 0);
    if ((!in && !understand(&ways[0], word)) || (!out && !understand(&ways[1], word))) return refuse(argv[i]);
  }
  int here = tap(argv[1], argv[3]), there = tap(argv[2], argv[3]);
  for (int i = 0; i < 2; i++) {
    struct way *way = &ways[i];
    way->from = i ? there : here;
    way->to = i ? here : there;
    way->luck = way->seed;
    if (way->late < 0) way->late = way->delay > 4e6 ? way->delay / 2 : 2e6;
    way->punctual.frames = memory();
    way->overtaken.frames = memory();
  }
  struct sigaction action = {.sa_handler = end};
  sigaction(SIGTERM, &action, 0);
  prctl(PR_SET_TIMERSLACK, 1000);
  printf("ready\n");
  fflush(stdout);
  carry(ways);
  tell("out", &ways[0]);
  tell("in", &ways[1]);
  printf("}\n");
}
