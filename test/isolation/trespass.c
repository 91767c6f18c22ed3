/* trespass SECURITY LABEL ATTACK PREY: tries one thing in the place of a room that was taken over, with every layer of isolation off but the
 * policy of AppArmor or SELinux. It takes on the room's label itself (SECURITY is `apparmor` or `selinux`), as root, with all capabilities.
 * PREY is the number of a process that has nothing to do with us. Exit status 0: it worked; 1: it was refused. Never part of the product. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <unistd.h>

static pid_t prey;

static int read_file(void) { return open("/etc/passwd", O_RDONLY); }
static int write_file(void) { return open("/tmp/trespass", O_WRONLY | O_CREAT, 0600); }
static int read_process(void) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/environ", (int)prey);
  return open(path, O_RDONLY);
}
static int open_tap(void) { return open("/dev/net/tun", O_RDWR); }
static int execute(void) { return execl("/bin/true", "true", (char *)NULL); }
static int trace(void) { return (int)ptrace(PTRACE_SEIZE, prey, 0, 0); }
static int end_process(void) { return kill(prey, SIGTERM); }
static int mount_proc(void) { return mount("proc", "/proc", "proc", 0, NULL); }
static int new_mounts(void) { return unshare(CLONE_NEWNS); }
static int become_user(void) { return setresuid(65534, 65534, 65534); }
static int tcp_socket(void) { return socket(AF_INET, SOCK_STREAM, 0); }
static int netlink_socket(void) { return socket(AF_NETLINK, SOCK_RAW, 0); }
static int packet_socket(void) { return socket(AF_PACKET, SOCK_DGRAM, 0); }
static int raw_socket(void) { return socket(AF_INET, SOCK_RAW, 1); }
static int vsock(void) { return socket(AF_VSOCK, SOCK_STREAM, 0); }
static int executable_memory(void) {
  return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}

static int take_on(const char *security, const char *text) {
  int apparmor = strcmp(security, "apparmor") == 0;
  int fd = open(apparmor ? "/proc/self/attr/apparmor/current" : "/proc/self/attr/current", O_WRONLY | O_CLOEXEC);
  int result = fd < 0 || write(fd, text, strlen(text)) < 0 ? -1 : 0;
  close(fd);
  return result;
}
static const char *security;
static int shed_label(void) {
  return take_on(security, strcmp(security, "apparmor") == 0 ? "changeprofile unconfined" : "system_u:system_r:unconfined_t:s0");
}

static const struct {
  const char *name;
  int (*attack)(void);
} attacks[] = {
    {"read-file", read_file},           {"write-file", write_file},         {"read-process", read_process},
    {"open-tap", open_tap},             {"execute", execute},               {"trace", trace},
    {"end-process", end_process},       {"mount", mount_proc},              {"new-mounts", new_mounts},
    {"become-user", become_user},       {"tcp-socket", tcp_socket},         {"netlink-socket", netlink_socket},
    {"packet-socket", packet_socket},   {"raw-socket", raw_socket},         {"vsock", vsock},
    {"executable-memory", executable_memory}, {"shed-label", shed_label},
};

int main(int argc, char **argv) {
  char label[256];
  if (argc != 5) {
    fprintf(stderr, "use: trespass apparmor|selinux LABEL ATTACK PREY\n");
    return 2;
  }
  security = argv[1];
  prey = (pid_t)strtol(argv[4], NULL, 10);
  snprintf(label, sizeof label, strcmp(security, "apparmor") == 0 ? "changeprofile %s" : "%s", argv[2]);
  if (take_on(security, label)) {
    perror("trespass: the label can't be taken on");
    return 2;
  }
  for (size_t at = 0; at < sizeof attacks / sizeof *attacks; at++)
    if (strcmp(argv[3], attacks[at].name) == 0) {
      /* Nothing is written: that would ask the policy again. */
      _exit(attacks[at].attack() < 0);
    }
  return 2;
}
