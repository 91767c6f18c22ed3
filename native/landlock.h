/* Landlock for a process that needs no file but its own program. */
#ifndef LANDLOCK_H
#define LANDLOCK_H

/*
 * From now on this process and what it execs may write, make, remove, rename or truncate no file, execute only `program` (an ELF
 * file) and its loader, bind and connect no TCP socket, send no signal to and connect to no abstract socket of others: as much of it
 * as the kernel knows. Needs no_new_privs. Returns 0, also without Landlock in the kernel, or -1 with errno.
 */
int restrict_files(const char *program);

#endif
