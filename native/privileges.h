/* Giving up power for good; shared by jail and opener. Each returns 0, or -1 with errno. */
#ifndef PRIVILEGES_H
#define PRIVILEGES_H

#include <stddef.h>

struct sock_filter;

/* No capability now but those of `kept` (bits 1 << CAP_…, below 32) that are there; none by exec, by uid 0 or by a file, ever again;
   no_new_privs; no core, no ptrace by equals. */
int drop_privileges(unsigned kept);

/* Installs a seccomp filter on this (the only) thread. Needs no_new_privs. */
int install_filter(const struct sock_filter *filter, size_t count);

/* Closes every descriptor from `first` on but `kept` (ascending, `count` of them). */
int close_descriptors(unsigned first, const unsigned *kept, size_t count);

/* SIGKILL for this process when its parent dies. A change of credentials may clear it: call it after the last one. */
int die_with_parent(void);

#endif
