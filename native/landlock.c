/*
 * Landlock for a process that needs no file but its own program. The constants are written out, since the headers of the oldest
 * supported distribution know only the first version.
 */
#define _GNU_SOURCE
#include "landlock.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* struct landlock_ruleset_attr of version 6. An older kernel accepts the longer structure as long as its tail is 0. */
struct ruleset {
  uint64_t files;
  uint64_t network;
  uint64_t scopes;
};

#define READ_RIGHTS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FILE_RIGHTS_1 ((1ull << 13) - 1)  /* EXECUTE … MAKE_SYM */
#define FILE_RIGHTS_REFER (1ull << 13)    /* version 2 */
#define FILE_RIGHTS_TRUNCATE (1ull << 14) /* version 3 */
#define NETWORK_TCP 3ull                  /* version 4: bind, connect */
#define SCOPES 3ull                       /* version 6: abstract sockets, signals */

static int allow_execution(int ruleset, const char *path) {
  struct landlock_path_beneath_attr rule = {.allowed_access = LANDLOCK_ACCESS_FS_EXECUTE};
  rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
  if (rule.parent_fd < 0)
    return -1;
  int result = (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
  close(rule.parent_fd);
  return result;
}

/* Path of the loader (PT_INTERP) into `loader`; the empty string for a static program or what is no ELF file. */
static int find_loader(const char *program, char *loader, size_t size) {
  union {
    Elf64_Ehdr elf;
    char bytes[4096];
  } head;
  loader[0] = '\0';
  int fd = open(program, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return -1;
  ssize_t length = read(fd, &head, sizeof head);
  if (length >= (ssize_t)sizeof head.elf && memcmp(head.elf.e_ident, ELFMAG, SELFMAG) == 0)
    for (unsigned i = 0; i < head.elf.e_phnum; i++) {
      Elf64_Phdr segment;
      uint64_t offset = head.elf.e_phoff + (uint64_t)i * sizeof segment;
      if (offset > (uint64_t)length - sizeof segment)
        break;
      memcpy(&segment, head.bytes + offset, sizeof segment);
      if (segment.p_type != PT_INTERP || segment.p_filesz > size)
        continue;
      if (pread(fd, loader, segment.p_filesz, (off_t)segment.p_offset) != (ssize_t)segment.p_filesz)
        loader[0] = '\0';
      loader[size - 1] = '\0';
    }
  close(fd);
  return 0;
}

int restrict_files(const char *program) {
  char loader[256];
  int version = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 1)
    return 0;
  struct ruleset rights = {.files = FILE_RIGHTS_1 & ~(uint64_t)READ_RIGHTS};
  if (version >= 2)
    rights.files |= FILE_RIGHTS_REFER;
  if (version >= 3)
    rights.files |= FILE_RIGHTS_TRUNCATE;
  if (version >= 4)
    rights.network = NETWORK_TCP;
  if (version >= 6)
    rights.scopes = SCOPES;
  if (find_loader(program, loader, sizeof loader))
    return -1;
  int ruleset = (int)syscall(SYS_landlock_create_ruleset, &rights, sizeof rights, 0);
  if (ruleset < 0)
    return -1;
  int result = allow_execution(ruleset, program);
  if (result == 0 && loader[0])
    result = allow_execution(ruleset, loader);
  if (result == 0)
    result = (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
  int error = errno;
  close(ruleset);
  errno = error;
  return result;
}
