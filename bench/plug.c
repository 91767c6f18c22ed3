/* A machine without a machine: `plug NAMESPACE INTERFACE SOCKET`.
 *
 * Makes a tap of that name in the namespace (a name of `ip netns`, or a path like /proc/PID/ns/net), connects to the UNIX socket as QEMU's
 * `-netdev stream` does, and carries frames between the two: each with four bytes of length before it on the socket. The tap has no
 * offloads, like a network card of QEMU behind such a socket, so the namespace's kernel makes and checks every checksum.
 *
 * Connects again, once a second, when the socket closes. Writes `ready` when the tap is there, `connected` and `gone` as it happens. */
#include "load.h"

#include <stdbool.h>

#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/un.h>

#define FRAME 65536
#define OUT (4 << 20)
#define IN (4 << 20)

static int make_tap(const char *namespace, const char *name) {
  char path[128];
  snprintf(path, sizeof path, "%s%s", strchr(namespace, '/') ? "" : "/run/netns/", namespace);
  int place = open(path, O_RDONLY | O_CLOEXEC);
  if (place < 0 || setns(place, CLONE_NEWNET) < 0) die(path);
  close(place);
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
  if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0) die("tap");
  return fd;
}

static int connect_to(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  for (;;) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) die("socket");
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
      int size = 4 << 20;
      setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
      fcntl(fd, F_SETFL, O_NONBLOCK);
      return fd;
    }
    close(fd);
    sleep(1);
  }
}

static char out[OUT], in[IN];
static size_t out_length, in_length;

/* Frames of the tap into `out`. */
static void take_frames(int tap) {
  while (out_length + 4 + FRAME <= OUT) {
    ssize_t length = read(tap, out + out_length + 4, FRAME);
    if (length <= 0) return;
    uint32_t prefix = htonl((uint32_t)length);
    memcpy(out + out_length, &prefix, sizeof prefix);
    out_length += 4 + (size_t)length;
  }
}

/* Whole frames of `in` to the tap; what it refuses is lost, as on any wire. */
static bool give_frames(int tap) {
  size_t at = 0;
  while (in_length - at >= 4) {
    uint32_t prefix;
    memcpy(&prefix, in + at, sizeof prefix);
    size_t length = ntohl(prefix);
    if (length < 14 || length > 65535) return false;
    if (in_length - at - 4 < length) break;
    if (write(tap, in + at + 4, length) < 0 && errno != EIO && errno != EINVAL && errno != EAGAIN) die("tap");
    at += 4 + length;
  }
  memmove(in, in + at, in_length - at);
  in_length -= at;
  return true;
}

static void carry(int tap, int fd) {
  out_length = in_length = 0;
  for (;;) {
    struct pollfd polls[] = {{tap, out_length + 4 + FRAME <= OUT ? POLLIN : 0, 0}, {fd, POLLIN | (out_length ? POLLOUT : 0), 0}};
    if (poll(polls, 2, -1) < 0) die("poll");
    if (polls[0].revents) take_frames(tap);
    if (out_length) {
      ssize_t sent = send(fd, out, out_length, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno != EAGAIN) return;
      if (sent > 0) {
        memmove(out, out + sent, out_length - (size_t)sent);
        out_length -= (size_t)sent;
      }
    }
    if (polls[1].revents & (POLLIN | POLLHUP | POLLERR)) {
      ssize_t got = recv(fd, in + in_length, IN - in_length, MSG_DONTWAIT);
      if (got == 0 || (got < 0 && errno != EAGAIN)) return;
      if (got > 0) in_length += (size_t)got;
      if (!give_frames(tap)) return;
    }
  }
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: plug NAMESPACE INTERFACE SOCKET\n");
    return 2;
  }
  prctl(PR_SET_PDEATHSIG, 9);
  setvbuf(stdout, NULL, _IOLBF, 0);
  int tap = make_tap(argv[1], argv[2]);
  puts("ready");
  for (;;) {
    int fd = connect_to(argv[3]);
    puts("connected");
    carry(tap, fd);
    close(fd);
    puts("gone");
  }
}
