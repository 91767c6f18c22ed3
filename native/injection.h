/* Typing into somebody else's terminal; used by jail. */
#ifndef INJECTION_H
#define INJECTION_H

/* From now on, and in every program that this one becomes, the ioctls that put input into a terminal fail with EPERM. Needs
   CAP_SYS_ADMIN in the user namespace, so no_new_privs isn't needed and set-user-ID programs keep working. 0, or -1 with errno. */
int refuse_injection(void);

#endif
