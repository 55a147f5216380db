/* SPDX-License-Identifier: Apache-2.0 */
/* Which /dev/videoN there are in this process: one per device and direction, beside the kernel's own. */
#ifndef PARACORE_SHIMS_V4L2_NODES_H
#define PARACORE_SHIMS_V4L2_NODES_H

#include <stdint.h>

#include "link.h"

enum { NODES_MAX = 2 * SHIM_DEVICES_MAX };

/* Devices of Video4Linux have this major number (Documentation/admin-guide/devices.txt). */
enum { NODE_MAJOR = 81 };

struct node {
    struct shim_link *link;           /* whoever holds the node holds a reference */
    const struct shim_device *device; /* the link's */
    uint32_t direction;               /* enum paracore_direction */
    unsigned number;                  /* the N of /dev/videoN, and the minor number */
    char card[32];                    /* "paracore: vpu0 (decoder)", as v4l2_capability.card */
};

/* All nodes, in order of their numbers; the same numbers as before while the backend lives. `nodes` has room for
 * NODES_MAX. Returns how many; 0 when there is no backend. Each has a reference of its own. */
int nodes_list(struct node *nodes);

/* One of them. Returns 0, or -ENOENT. */
int nodes_find(unsigned number, struct node *node);

void nodes_put(struct node *nodes, int count);

#endif
