/* What the launcher needs to know of the user's words before the supervisor reads them. */
#ifndef COMMAND_LINE_H
#define COMMAND_LINE_H

#include <stdbool.h>

struct command_line {
  /* The run shall outlive the process that was started. */
  bool background;
  /* No worker is needed, or not the usual one. */
  bool wants_no_worker;
  /* The words are those of slirp4netns, whose options are others. */
  bool is_slirp;
  /* Words up to the command or process ID that they end with. */
  int options;
};

/* `words` are the name that we were called by and what the user wrote; a line with a mistake wants neither background nor worker. */
struct command_line read_command_line(int count, char **words);

#endif
