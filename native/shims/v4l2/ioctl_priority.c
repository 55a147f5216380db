/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Priorities (app-pri.rst): while one file of a node has a higher one, the others may look but not change anything.
 * Files of this process only; domains have the device by its backend's policy.
 */
#include "internal.h"

#include <errno.h>

static unsigned holders[NODES_MAX][V4L2_PRIORITY_RECORD + 1]; /* atomic */

static unsigned *slot(const struct v4l2_file *file, uint32_t priority)
{
    return &holders[file->node.number % NODES_MAX][priority];
}

void priority_set(struct v4l2_file *file, uint32_t priority)
{
    if (file->priority)
        __atomic_sub_fetch(slot(file, file->priority), 1, __ATOMIC_RELAXED);
    file->priority = priority;
    if (priority)
        __atomic_add_fetch(slot(file, priority), 1, __ATOMIC_RELAXED);
}

static uint32_t highest(const struct v4l2_file *file)
{
    for (uint32_t priority = V4L2_PRIORITY_RECORD; priority > V4L2_PRIORITY_UNSET; priority--)
        if (__atomic_load_n(slot(file, priority), __ATOMIC_RELAXED))
            return priority;
    return V4L2_PRIORITY_UNSET;
}

bool priority_allows(const struct v4l2_file *file)
{
    return file->priority >= highest(file);
}

int ioctl_g_priority(struct v4l2_file *file, int fd, void *argument)
{
    (void)fd;
    *(uint32_t *)argument = highest(file);
    return 0;
}

int ioctl_s_priority(struct v4l2_file *file, int fd, void *argument)
{
    uint32_t priority = *(uint32_t *)argument;

    (void)fd;
    if (priority <= V4L2_PRIORITY_UNSET || priority > V4L2_PRIORITY_RECORD)
        return -EINVAL;
    priority_set(file, priority);
    return 0;
}
