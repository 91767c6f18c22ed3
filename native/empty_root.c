/*
 * An empty, read-only root directory for every process of this mount namespace.
 *
 * pivot_root moves the root and the working directory of all threads that still have the old root as theirs, so the parent half of
 * jail can do it for the worker. A process with any other working directory would keep the old tree reachable through "..":
 * whoever is to be moved must have done chdir("/") before.
 */
#define _GNU_SOURCE
#include "empty_root.h"

#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

int prepare_root(void) {
  struct statfs root;
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || statfs("/", &root))
    return -1;
  if (root.f_type != RAMFS_MAGIC && root.f_type != TMPFS_MAGIC)
    return 0;
  /* Perhaps an initramfs: its mount has no parent and pivot_root refuses it (EINVAL), so stand on a copy mounted over it. The
     path "/.." leads to what is mounted over "/", the path "/" does not. */
  if (mount("/", "/", NULL, MS_BIND | MS_REC, NULL) || chdir("/..") || chroot("."))
    return -1;
  return 0;
}

int enter_empty_root(void) {
  /* /proc exists wherever this gets so far: the maps of the user namespace were written through it. */
  if (mount("tmpfs", "/proc", "tmpfs", MS_NODEV | MS_NOEXEC | MS_NOSUID | MS_RDONLY, "nr_inodes=2,nr_blocks=1,mode=0555"))
    return -1;
  if (chdir("/proc") || syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH))
    return -1;
  return chdir("/");
}
