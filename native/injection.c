/* A command that has no terminal of its own shares the user's, and older kernels let it push input there (TIOCSTI, TIOCLINUX), which
   the user's shell runs once the command has ended. This filter is looked at for every ioctl of the command and nothing else. */
#include "injection.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IF_EQUAL(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (yes), (no))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, (action))

#ifdef __x86_64__
#define NATIVE AUDIT_ARCH_X86_64
/* The x32 table has its own number for it. */
#define OTHER_IOCTL (0x40000000u + 514)
#else
#define NATIVE AUDIT_ARCH_AARCH64
#define OTHER_IOCTL SYS_ioctl
#endif
/* Of the 32-bit tables of both machines (i386, arm). */
#define COMPAT_IOCTL 54

int refuse_injection(void) {
  struct sock_filter filter[] = {
      LOAD(arch),
      IF_EQUAL(NATIVE, 0, 3),
      LOAD(nr),
      IF_EQUAL(SYS_ioctl, 3, 0),
      IF_EQUAL(OTHER_IOCTL, 2, 5),
      LOAD(nr),
      IF_EQUAL(COMPAT_IOCTL, 0, 3),
      /* The request is an int: the low half, which comes first on both machines. */
      LOAD(args[1]),
      IF_EQUAL(TIOCSTI, 2, 0),
      IF_EQUAL(TIOCLINUX, 1, 0),
      RETURN(SECCOMP_RET_ALLOW),
      RETURN(SECCOMP_RET_ERRNO | EPERM),
  };
  struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}
