#define _GNU_SOURCE
#include "command_line.h"

#include <string.h>

#include "options.h"

/* supervisor/args.ts: the last component of the name chooses. */
static bool names(const char *program, const char *mode) {
  const char *slash = strrchr(program, '/');
  return strstr(slash ? slash + 1 : program, mode) != NULL;
}

static bool is_number(const char *word) {
  return *word && word[strspn(word, "0123456789")] == 0;
}

struct command_line read_command_line(int count, char **words) {
  struct command_line line = {0};
  const struct command_line mistaken = {.wants_no_worker = true};
  bool foreground = false, joins = false;
  int option, skipped = 0;
  if (count > 1 && strcmp(words[0], "ravioli") == 0 && (strcmp(words[1], "pasta") == 0 || strcmp(words[1], "passt") == 0)) {
    words++;
    count--;
    skipped = 1;
  }
  /* supervisor/slirp/options.ts reads these words; it never goes into the background. */
  if (names(words[0], "slirp4netns"))
    return (struct command_line){.is_slirp = true, .options = count};
  opterr = 0;
  while ((option = getopt_long(count, words, option_letters, option_table, NULL)) != -1) {
    switch (option) {
    case '?':
    case ':':
    case OPTION_HELP:
    case OPTION_VERSION:
    case OPTION_PRINT_CAPABILITIES:
      return mistaken;
    case OPTION_ISOLATION: /* another runtime */
    case OPTION_RUNAS:     /* another user */
    case OPTION_TRACE:     /* its complaints are to be seen */
      line.wants_no_worker = true;
      break;
    case OPTION_FOREGROUND:
      foreground = true;
      break;
    case OPTION_NETNS:
      joins = true;
      break;
    }
  }
  if (names(words[0], "pasta"))
    joins = joins || (optind + 1 == count && is_number(words[optind]));
  else
    joins = names(words[0], "passt");
  line.options = skipped + optind;
  line.background = joins && !foreground;
  return line;
}
