/* An empty, read-only root directory for every process of this mount namespace. Each returns 0, or -1 with errno. */
#ifndef EMPTY_ROOT_H
#define EMPTY_ROOT_H

/* Once, in a new mount namespace and before others are forked into it: private mounts, and a root that pivot_root accepts. */
int prepare_root(void);

/* Every process of the mount namespace whose root and working directory are "/" stands in the empty root afterwards. */
int enter_empty_root(void);

#endif
