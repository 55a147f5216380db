/* SPDX-License-Identifier: Apache-2.0 */
/* Events (vidioc-subscribe-event.rst): what a program asked to hear of, in order of occurrence. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#define EVERY_CHANGE V4L2_EVENT_SRC_CH_RESOLUTION

static bool subscribed(const struct v4l2_file *file, uint32_t type, uint32_t id)
{
    for (uint32_t n = 0; n < file->subscription_count; n++)
        if (file->subscriptions[n].type == type && file->subscriptions[n].id == id)
            return true;
    return false;
}

static void forget(struct v4l2_file *file, uint32_t type, uint32_t id)
{
    uint32_t kept = 0;

    for (uint32_t n = 0; n < file->event_count; n++)
        if (file->events[n].type != type || file->events[n].id != id)
            file->events[kept++] = file->events[n];
    file->event_count = kept;
}

/* The newest of a kind stands for all of it, as for those that videodev keeps one of. */
static void tell(struct v4l2_file *file, struct v4l2_event *event)
{
    if (!subscribed(file, event->type, event->id))
        return;
    forget(file, event->type, event->id);
    if (file->event_count == EVENTS_MAX)
        memmove(file->events, file->events + 1, sizeof *event * --file->event_count);
    clock_gettime(CLOCK_MONOTONIC, &event->timestamp);
    event->sequence = file->event_sequence++;
    file->events[file->event_count++] = *event;
}

void event_source_change(struct v4l2_file *file)
{
    struct v4l2_event event = {.type = V4L2_EVENT_SOURCE_CHANGE, .u.src_change.changes = EVERY_CHANGE};

    tell(file, &event);
}

void event_eos(struct v4l2_file *file)
{
    struct v4l2_event event = {.type = V4L2_EVENT_EOS};

    tell(file, &event);
}

void event_control(struct v4l2_file *file, uint32_t id, const struct v4l2_event_ctrl *control)
{
    struct v4l2_event event = {.type = V4L2_EVENT_CTRL, .id = id, .u.ctrl = *control};

    tell(file, &event);
}

/* --- ioctls --------------------------------------------------------------------------------------------------- */

static bool can_subscribe(struct v4l2_file *file, const struct v4l2_event_subscription *wanted)
{
    struct v4l2_event_ctrl control;

    switch (wanted->type) {
    case V4L2_EVENT_EOS:
        return wanted->id == 0;
    case V4L2_EVENT_SOURCE_CHANGE:
        return is_decoder(file) && wanted->id == 0;
    case V4L2_EVENT_CTRL:
        return control_describe(file, wanted->id, &control);
    default:
        return false;
    }
}

static void tell_initial(struct v4l2_file *file, const struct v4l2_event_subscription *wanted)
{
    struct v4l2_event_ctrl control;

    if (!(wanted->flags & V4L2_EVENT_SUB_FL_SEND_INITIAL))
        return;
    if (wanted->type == V4L2_EVENT_CTRL && control_describe(file, wanted->id, &control) &&
        control.type != V4L2_CTRL_TYPE_CTRL_CLASS) {
        control.changes = V4L2_EVENT_CTRL_CH_VALUE | V4L2_EVENT_CTRL_CH_FLAGS;
        event_control(file, wanted->id, &control);
    }
    if (wanted->type == V4L2_EVENT_SOURCE_CHANGE && file->source_known)
        event_source_change(file);
}

int ioctl_subscribe_event(struct v4l2_file *file, int fd, void *argument)
{
    const struct v4l2_event_subscription *wanted = argument;

    (void)fd;
    if (!can_subscribe(file, wanted))
        return -EINVAL;
    if (subscribed(file, wanted->type, wanted->id))
        return 0;
    if (file->subscription_count == SUBSCRIPTIONS_MAX)
        return -ENOMEM;
    file->subscriptions[file->subscription_count].type = wanted->type;
    file->subscriptions[file->subscription_count++].id = wanted->id;
    tell_initial(file, wanted);
    return 0;
}

int ioctl_unsubscribe_event(struct v4l2_file *file, int fd, void *argument)
{
    const struct v4l2_event_subscription *unwanted = argument;
    uint32_t kept = 0;

    (void)fd;
    if (unwanted->type == V4L2_EVENT_ALL) {
        file->subscription_count = file->event_count = 0;
        return 0;
    }
    for (uint32_t n = 0; n < file->subscription_count; n++)
        if (file->subscriptions[n].type != unwanted->type || file->subscriptions[n].id != unwanted->id)
            file->subscriptions[kept++] = file->subscriptions[n];
    file->subscription_count = kept;
    forget(file, unwanted->type, unwanted->id);
    return 0;
}

int ioctl_dqevent(struct v4l2_file *file, int fd, void *argument)
{
    struct v4l2_event *event = argument;

    while (file->event_count == 0) {
        if (file->gone || file->broken)
            return -EIO;
        if (fcntl(fd, F_GETFL) & O_NONBLOCK)
            return -ENOENT;
        if (file_sleep(file, NULL) != 0)
            return -EINTR;
    }
    *event = file->events[0];
    event->pending = --file->event_count;
    memmove(file->events, file->events + 1, sizeof *event * file->event_count);
    return 0;
}
