/* The words that a machine monitor is started with: whether a machine comes of them, and with another network in them. */
#ifndef MACHINE_WORDS_H
#define MACHINE_WORDS_H

#include <stdbool.h>

/* False: QEMU is only asked something, or is to run no machine, as when libvirt asks what it can do. */
bool start_a_machine(char *const *words);

/* The words with one network, whose back-end is the socket at descriptor `fd`. NULL: out of memory. */
char **connect_machine(char *const *words, int fd);

#endif
