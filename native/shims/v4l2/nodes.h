/* SPDX-License-Identifier: Apache-2.0 */
/* Which /dev/videoN there are in this process: one per device and direction, beside the kernel's own. Each has a
 * /dev/mediaN, as the kernel's codecs have: media.h. */
#ifndef PARACORE_SHIMS_V4L2_NODES_H
#define PARACORE_SHIMS_V4L2_NODES_H

#include <stdint.h>

#include "link.h"

enum { NODES_MAX = 2 * SHIM_DEVICES_MAX };

enum node_kind { NODE_VIDEO, NODE_MEDIA, NODE_KINDS };

/* Major numbers. Documentation/admin-guide/devices.txt: 81 is Video4Linux's, 240 is for local use. The kernel finds
 * one for its media devices when it starts, from 254 downwards; what it comes to is another with each kernel, and
 * programs of ours that tell each other a number are to mean the same. */
enum { VIDEO_MAJOR = 81, MEDIA_MAJOR = 240 };

struct node {
    struct shim_link *link;           /* whoever holds the node holds a reference */
    const struct shim_device *device; /* the link's */
    uint32_t direction;               /* enum paracore_direction */
    unsigned number;                  /* the N of /dev/videoN, and the minor number */
    unsigned media;                   /* the same of /dev/mediaN */
    char card[32];                    /* "paracore: vpu0 (decoder)", as v4l2_capability.card */
};

static inline unsigned node_number(const struct node *node, enum node_kind kind)
{
    return kind == NODE_MEDIA ? node->media : node->number;
}

static inline unsigned node_major(enum node_kind kind)
{
    return kind == NODE_MEDIA ? MEDIA_MAJOR : VIDEO_MAJOR;
}

/* "video" or "media": what is before the number in /dev. */
static inline const char *node_prefix(enum node_kind kind)
{
    return kind == NODE_MEDIA ? "media" : "video";
}

/* All nodes, in order of their numbers; the same numbers as before while the backend lives. `nodes` has room for
 * NODES_MAX. Returns how many; 0 when there is no backend. Each has a reference of its own. */
int nodes_list(struct node *nodes);

/* One of them. Returns 0, or -ENOENT. */
int nodes_find(enum node_kind kind, unsigned number, struct node *node);

void nodes_put(struct node *nodes, int count);

#endif
