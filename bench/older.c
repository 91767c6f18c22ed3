/* Runs a program as under a kernel before 6.2 and 6.9: `older COMMAND…`. A tap has no USO (TUN_F_USO4, TUN_F_USO6), and SO_PEEK_OFF is refused,
 * with the errors that those kernels give. So the same machine tells what the two are worth, and the product needs no option for it. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* linux/if_tun.h of older systems has no name for them. */
#define USO 0x60

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define REFUSE(error) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
/* Goes on when equal, skips `skipped` instructions otherwise. */
#define IF(value, skipped) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skipped)

/* Both machines that the product is for are little-endian: a field's low word is its first. */
static struct sock_filter filter[] = {
  LOAD(nr),
  IF(SYS_setsockopt, 6),
  LOAD(args[1]),
  IF(SOL_SOCKET, 3),
  LOAD(args[2]),
  IF(SO_PEEK_OFF, 1),
  REFUSE(EOPNOTSUPP),
  ALLOW,
  IF(SYS_ioctl, 5),
  LOAD(args[1]),
  IF(TUNSETOFFLOAD, 3),
  LOAD(args[2]),
  BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, USO, 0, 1),
  REFUSE(EINVAL),
  ALLOW,
};

int main(int argc, char **argv)
{
  struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
  if (argc < 2) {
    fprintf(stderr, "use: older COMMAND...\n");
    return 2;
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program)) {
    fprintf(stderr, "older: %s\n", strerror(errno));
    return 1;
  }
  execvp(argv[1], argv + 1);
  fprintf(stderr, "older: %s: %s\n", argv[1], strerror(errno));
  return 127;
}
