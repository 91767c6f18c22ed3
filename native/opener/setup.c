/* What only the supervisor can have, before the seal; and the seal. */
#define _GNU_SOURCE
#include "opener.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../empty_root.h"
#include "../privileges.h"
#include "opener_filter.h"

/* Younger than the headers of the oldest supported distribution. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

#define TAP_OFFLOADS (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)

int open_tap(const struct opener_request *request, int *descriptor) {
  struct ifreq interface = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
  _Static_assert(sizeof interface.ifr_name == sizeof request->destination, "a name fills the field of the address");
  if (request->destination[IFNAMSIZ - 1] || !request->destination[0])
    return -EINVAL;
  memcpy(interface.ifr_name, request->destination, IFNAMSIZ);
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0)
    return -errno;
  if (ioctl(fd, TUNSETIFF, &interface))
    return give_up(fd);
  unsigned offloads = TAP_OFFLOADS | TUN_F_USO4 | TUN_F_USO6; /* USO: Linux 6.2 */
  if (ioctl(fd, TUNSETOFFLOAD, offloads)) {
    offloads = TAP_OFFLOADS;
    if (ioctl(fd, TUNSETOFFLOAD, offloads))
      return give_up(fd);
  }
  *descriptor = fd;
  return (int)offloads;
}

int open_netlink(int protocol, int *descriptor) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
  if (fd < 0)
    return -errno;
  *descriptor = fd;
  return 0;
}

/* The end of the set-up. Nothing of it may be left out: a failure ends the opener after the answer. */
int seal(void) {
  /* Whoever joined a namespace has the right to mount; the host's opener has it only in a user namespace of its own. */
  int namespaces = joined ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS;
  /* Rules lead to services of the host from the same ports of the guest's loopback, low ones too. */
  unsigned kept = keeps_low_ports ? 1u << CAP_NET_BIND_SERVICE : 0;
  sealed = unshare(namespaces) == 0 && prepare_root() == 0 && enter_empty_root() == 0 && drop_privileges(kept) == 0 &&
           die_with_parent() == 0 && install_filter(opener_filter, sizeof opener_filter / sizeof opener_filter[0]) == 0;
  sealing_failed = !sealed;
  return sealed ? 0 : -errno;
}
