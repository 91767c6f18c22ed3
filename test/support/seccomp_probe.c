/* Asks the kernel what a seccomp program answers, without performing the calls: `seccomp_probe FILTER < CALLS`.
 *
 * A call is a line of seven hexadecimal numbers (number and six arguments); the line "int80 NUMBER" uses the 32-bit entry. Each is made in
 * a process of its own, under two programs: first a guard that answers every call but seccomp and exit_group with errno GUARD, then
 * FILTER. The kernel obeys the stricter answer, and of two errnos the later program's: so GUARD means that FILTER allows the call.
 * One line of answer: "allow", "errno N" or "signal N". */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define GUARD 199
#define EXIT_SETUP 250

static struct sock_filter filter[4096];
static struct sock_fprog program = {.filter = filter};

static void install(const struct sock_fprog *chosen)
{
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, chosen) != 0)
    syscall(SYS_exit_group, EXIT_SETUP);
}

#ifdef __x86_64__
static long raw(long number, const unsigned long *a)
{
  register long r10 __asm__("r10") = (long)a[3];
  register long r8 __asm__("r8") = (long)a[4];
  register long r9 __asm__("r9") = (long)a[5];
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

static long raw32(long number)
{
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(0), "c"(0), "d"(0) : "memory");
  return result;
}
#else
static long raw(long number, const unsigned long *a)
{
  long result = syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
  return result < 0 ? -errno : result;
}

static long raw32(long number)
{
  (void)number;
  return -ENOSYS;
}
#endif

static void perform(int legacy, long number, const unsigned long *arguments)
{
  struct sock_filter pass[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | GUARD),
  };
  struct sock_fprog guard = {.len = sizeof pass / sizeof *pass, .filter = pass};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  install(&guard);
  install(&program);
  long result = legacy ? raw32(number) : raw(number, arguments);
  syscall(SYS_exit_group, result < 0 && result > -250 ? -result : 0);
}

int main(int argc, char **argv)
{
  FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
  if (file == NULL) {
    fprintf(stderr, "use: seccomp_probe FILTER < CALLS\n");
    return 2;
  }
  program.len = (unsigned short)fread(filter, sizeof *filter, 4096, file);
  fclose(file);
  char line[256];
  while (fgets(line, sizeof line, stdin) != NULL) {
    unsigned long value[7] = {0};
    int legacy = strncmp(line, "int80 ", 6) == 0;
    char *at = legacy ? line + 6 : line;
    for (int i = 0; i < 7; i++)
      value[i] = strtoul(at, &at, 16);
    pid_t child = fork();
    if (child == 0)
      perform(legacy, (long)value[0], value + 1);
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child)
      return 1;
    if (WIFSIGNALED(status))
      printf("signal %d\n", WTERMSIG(status));
    else if (WEXITSTATUS(status) == GUARD)
      printf("allow\n");
    else
      printf("errno %d\n", WEXITSTATUS(status));
  }
  return 0;
}
