/* Giving up power for good; shared by jail and opener. */
#define _GNU_SOURCE
#include "privileges.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SECUREBITS                                                                                                                 \
  (SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |        \
   SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)

int drop_privileges(unsigned kept) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct held[2], rest[2] = {{0, 0, 0}, {0, 0, 0}};

  /* Without CAP_SETPCAP (an ordinary user who never had any) these two are refused, and there is nothing to take away. */
  if (prctl(PR_SET_SECUREBITS, SECUREBITS, 0, 0, 0) && errno != EPERM)
    return -1;
  for (unsigned long capability = 0; capability < 64; capability++)
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) && errno != EPERM && errno != EINVAL)
      return -1;
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
    return -1;
  if (syscall(SYS_capget, &header, held))
    return -1;
  rest[0].effective = rest[0].permitted = held[0].permitted & kept;
  if (syscall(SYS_capset, &header, rest))
    return -1;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    return -1;
  return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

int install_filter(const struct sock_filter *filter, size_t count) {
  struct sock_fprog program = {.len = (unsigned short)count, .filter = (struct sock_filter *)(unsigned long)filter};
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

static int close_range_of(unsigned first, unsigned last) {
  if (first > last)
    return 0;
#ifdef SYS_close_range
  if (syscall(SYS_close_range, first, last, 0) == 0)
    return 0;
  if (errno != ENOSYS && errno != EPERM)
    return -1;
#endif
  /* A container's filter may not know close_range (Linux 5.9). The hard limit: the soft one may have been lowered meanwhile. */
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit))
    return -1;
  for (unsigned fd = first; fd <= last && fd < limit.rlim_max; fd++)
    close((int)fd);
  return 0;
}

int close_descriptors(unsigned first, const unsigned *kept, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (kept[i] < first)
      continue;
    if (kept[i] > first && close_range_of(first, kept[i] - 1))
      return -1;
    first = kept[i] + 1;
  }
  return close_range_of(first, ~0u);
}

int die_with_parent(void) {
  return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}
