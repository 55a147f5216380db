/* SPDX-License-Identifier: Apache-2.0 */
/* Controls (control.rst and ext-ctrls-codec.rst), by the rules of v4l2-ctrls-api.c. */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tables.h"
#include "user.h"

static const struct control {
    uint32_t id, type;
    const char *name;
    int32_t least, most, step, usual;
    uint32_t flags;
    enum who who;
    uint32_t codec;           /* enum paracore_codec whose sessions have it; 0: all */
    uint32_t wire;            /* enum paracore_control, if the device has to have it */
    const char *const *menu;  /* NULL entries cannot be chosen */
    const int32_t *values;    /* what the wire has for each of the menu */
} CONTROLS[] = {CONTROL_ROWS};

#define CONTROL_COUNT (sizeof CONTROLS / sizeof *CONTROLS)
_Static_assert(CONTROL_COUNT <= CONTROLS_MAX, "struct v4l2_file has a value for each");

/* --- which there are -------------------------------------------------------------------------------------------- */

static bool serves(const struct v4l2_file *file, const struct control *control,
                   const struct paracore_video_capability_query_reply *capability)
{
    return capability->direction == file->node.direction &&
           (control->codec == 0 || control->codec == capability->codec) &&
           (control->wire == 0 || capability->controls >> control->wire & 1);
}

/* Whether any of the device's codecs has it. */
static bool has(const struct v4l2_file *file, const struct control *control)
{
    const struct shim_device *device = file->node.device;

    if (!(control->who & (is_decoder(file) ? DECODERS : ENCODERS)))
        return false;
    for (uint32_t n = 0; n < device->capability_count; n++)
        if (serves(file, control, &device->capabilities[n]))
            return true;
    return false;
}

static const struct control *find(const struct v4l2_file *file, uint32_t id)
{
    for (unsigned n = 0; n < CONTROL_COUNT; n++)
        if (CONTROLS[n].id == id && has(file, &CONTROLS[n]))
            return &CONTROLS[n];
    return NULL;
}

/* The first after this one; the table is in order of the numbers. */
static const struct control *find_next(const struct v4l2_file *file, uint32_t id)
{
    for (unsigned n = 0; n < CONTROL_COUNT; n++)
        if (CONTROLS[n].id > id && has(file, &CONTROLS[n]))
            return &CONTROLS[n];
    return NULL;
}

/* --- values ----------------------------------------------------------------------------------------------------- */

static unsigned index_of(const struct control *control)
{
    return (unsigned)(control - CONTROLS);
}

static int32_t value_of(const struct v4l2_file *file, const struct control *control)
{
    bool volatile_value = control->flags & V4L2_CTRL_FLAG_VOLATILE;

    if (volatile_value)
        return file->buffers_min ? (int32_t)file->buffers_min : 1;
    return file->controls[index_of(control)];
}

void controls_reset(struct v4l2_file *file)
{
    for (unsigned n = 0; n < CONTROL_COUNT; n++)
        file->controls[n] = CONTROLS[n].usual;
}

/* Returns 0 with *value as the device takes it, -ERANGE, -EACCES or -EINVAL. */
static int validate(const struct control *control, int32_t *value)
{
    if (control->flags & V4L2_CTRL_FLAG_READ_ONLY)
        return -EACCES;
    if (control->menu) {
        if (*value < control->least || *value > control->most)
            return -ERANGE;
        return control->menu[*value] ? 0 : -EINVAL;
    }
    if (control->type == V4L2_CTRL_TYPE_INTEGER)
        *value = *value < control->least ? control->least : *value > control->most ? control->most : *value;
    else
        *value = 0;
    return 0;
}

static int64_t wire_value(const struct control *control, int32_t value)
{
    return control->values ? control->values[value] : value;
}

static bool is_fatal(int error)
{
    return error == -EPIPE || error == -EPROTO || error == -ETIMEDOUT || error == -EIO;
}

/* One that this codec does not take, or not with this value, or not any more, changes nothing. */
static int tell_device(struct v4l2_file *file, const struct control *control)
{
    const struct paracore_video_capability_query_reply *capability = file_capability(file);

    if (control->wire == 0 || !capability || !serves(file, control, capability))
        return 0;
    int error = stream_control(file, control->wire, wire_value(control, value_of(file, control)));
    return is_fatal(error) ? -EIO : 0;
}

/*
 * A codec that looks ahead holds back dozens of pictures, and programs that know only hardware wait for the first
 * of them for ever: unless B pictures are asked for, each picture is to come out as soon as it went in.
 */
static int keep_delay_low(struct v4l2_file *file)
{
    const struct control *b_frames = find(file, V4L2_CID_MPEG_VIDEO_B_FRAMES);
    bool reorders = b_frames && value_of(file, b_frames) > 0;
    int error = stream_control(file, PARACORE_CONTROL_LOW_DELAY, !reorders);

    return is_fatal(error) ? -EIO : 0;
}

int controls_apply(struct v4l2_file *file)
{
    int error = keep_delay_low(file);

    for (unsigned n = 0; error == 0 && n < CONTROL_COUNT; n++)
        if (file->controls_changed & 1u << n)
            error = tell_device(file, &CONTROLS[n]);
    return error;
}

static void describe(struct v4l2_file *file, const struct control *control, struct v4l2_event_ctrl *event)
{
    *event = (struct v4l2_event_ctrl){.type = control->type, .value = value_of(file, control), .flags = control->flags,
                                      .minimum = control->least, .maximum = control->most, .step = control->step,
                                      .default_value = control->usual};
}

bool control_describe(struct v4l2_file *file, uint32_t id, struct v4l2_event_ctrl *event)
{
    const struct control *control = find(file, id);

    if (control)
        describe(file, control, event);
    return control;
}

/* The value has been validated. One that a codec at work cannot change any more is for the next stream. */
static void set(struct v4l2_file *file, const struct control *control, int32_t value)
{
    struct v4l2_event_ctrl event;
    unsigned n = index_of(control);
    bool changed = file->controls[n] != value;

    if (control->type == V4L2_CTRL_TYPE_BUTTON) {
        file->key_frame_wanted = true;
        return;
    }
    file->controls[n] = value;
    file->controls_changed |= 1u << n;
    if (changed && file->queues[OUTPUT_QUEUE].streaming)
        (void)tell_device(file, control);
    describe(file, control, &event);
    event.changes = V4L2_EVENT_CTRL_CH_VALUE;
    if (changed)
        event_control(file, control->id, &event);
}

/* --- enumeration ------------------------------------------------------------------------------------------------ */

static const struct control *query(const struct v4l2_file *file, uint32_t id)
{
    uint32_t number = id & V4L2_CTRL_ID_MASK;

    if (id & V4L2_CTRL_FLAG_NEXT_CTRL)
        return find_next(file, number);
    return id & V4L2_CTRL_FLAG_NEXT_COMPOUND ? NULL : find(file, number);
}

int ioctl_queryctrl(struct v4l2_file *file, int fd, void *argument)
{
    struct v4l2_queryctrl *wanted = argument;
    const struct control *control = query(file, wanted->id);

    (void)fd;
    if (!control)
        return -EINVAL;
    *wanted = (struct v4l2_queryctrl){.id = control->id, .type = control->type, .minimum = control->least,
                                      .maximum = control->most, .step = control->step,
                                      .default_value = control->usual, .flags = control->flags};
    snprintf((char *)wanted->name, sizeof wanted->name, "%s", control->name);
    return 0;
}

int ioctl_query_ext_ctrl(struct v4l2_file *file, int fd, void *argument)
{
    struct v4l2_query_ext_ctrl *wanted = argument;
    const struct control *control = query(file, wanted->id);

    (void)fd;
    if (!control)
        return -EINVAL;
    *wanted = (struct v4l2_query_ext_ctrl){.id = control->id, .type = control->type, .minimum = control->least,
                                           .maximum = control->most, .default_value = control->usual,
                                           .step = (unsigned)control->step,
                                           .flags = control->flags, .elem_size = 4, .elems = 1};
    snprintf(wanted->name, sizeof wanted->name, "%s", control->name);
    return 0;
}

int ioctl_querymenu(struct v4l2_file *file, int fd, void *argument)
{
    struct v4l2_querymenu *wanted = argument;
    const struct control *control = find(file, wanted->id);

    (void)fd;
    if (!control || !control->menu || wanted->index < (uint32_t)control->least ||
        wanted->index > (uint32_t)control->most || !control->menu[wanted->index])
        return -EINVAL;
    snprintf((char *)wanted->name, sizeof wanted->name, "%s", control->menu[wanted->index]);
    return 0;
}

/* --- one at a time ---------------------------------------------------------------------------------------------- */

int ioctl_g_ctrl(struct v4l2_file *file, int fd, void *argument)
{
    struct v4l2_control *wanted = argument;
    const struct control *control = find(file, wanted->id);

    (void)fd;
    if (!control)
        return -EINVAL;
    if (control->flags & V4L2_CTRL_FLAG_WRITE_ONLY)
        return -EACCES;
    wanted->value = value_of(file, control);
    return 0;
}

int ioctl_s_ctrl(struct v4l2_file *file, int fd, void *argument)
{
    struct v4l2_control *wanted = argument;
    const struct control *control = find(file, wanted->id);

    (void)fd;
    if (!control)
        return -EINVAL;
    int error = validate(control, &wanted->value);
    if (error == 0)
        set(file, control, wanted->value);
    return error;
}

/* --- several at once -------------------------------------------------------------------------------------------- */

enum { EXTENDED_MAX = 1024 }; /* V4L2_CID_MAX_CTRLS: controls of one call */

/* One of an array that the program has. Returns 0, or a negative error. */
static int fetch(const struct v4l2_ext_controls *all, uint32_t n, struct v4l2_ext_control *one)
{
    return user_read(one, (uintptr_t)all->controls + n * sizeof *one, sizeof *one);
}

static int store(const struct v4l2_ext_controls *all, uint32_t n, const struct v4l2_ext_control *one)
{
    return user_write((uintptr_t)all->controls + n * sizeof *one, one, sizeof *one);
}

static uint32_t class_of(uint32_t which)
{
    return which == V4L2_CTRL_WHICH_CUR_VAL || which == V4L2_CTRL_WHICH_DEF_VAL ? 0 : V4L2_CTRL_ID2WHICH(which);
}

/* An empty list asks whether there are controls of a class. */
static int check_class(const struct v4l2_file *file, uint32_t class)
{
    return class == 0 || find(file, class | 1) ? 0 : -EINVAL;
}

static int lookup(const struct v4l2_file *file, struct v4l2_ext_controls *all, uint32_t n,
                  struct v4l2_ext_control *one, const struct control **control)
{
    uint32_t class = class_of(all->which);
    int error = fetch(all, n, one);

    if (error)
        return error;
    all->error_idx = n;
    *control = find(file, one->id);
    return *control && (class == 0 || V4L2_CTRL_ID2WHICH(one->id) == class) ? 0 : -EINVAL;
}

static int check_array(struct v4l2_ext_controls *all)
{
    if (all->which == V4L2_CTRL_WHICH_REQUEST_VAL || all->count > EXTENDED_MAX)
        return -EINVAL;
    all->error_idx = all->count;
    return 0;
}

int ioctl_g_ext_ctrls(struct v4l2_file *file, int fd, void *argument)
{
    struct v4l2_ext_controls *all = argument;
    struct v4l2_ext_control one;
    const struct control *control;
    int error = check_array(all);

    (void)fd;
    if (error == 0 && all->count == 0)
        return check_class(file, class_of(all->which));
    for (uint32_t n = 0; error == 0 && n < all->count; n++) {
        error = lookup(file, all, n, &one, &control);
        if (error == 0 && control->flags & V4L2_CTRL_FLAG_WRITE_ONLY)
            error = -EACCES;
        if (error == 0) {
            one.value = all->which == V4L2_CTRL_WHICH_DEF_VAL ? control->usual : value_of(file, control);
            error = store(all, n, &one);
        }
    }
    all->error_idx = all->count;
    return error;
}

/* Checks all of them before any is set. */
static int validate_all(struct v4l2_file *file, struct v4l2_ext_controls *all)
{
    struct v4l2_ext_control one;
    const struct control *control;
    int error = all->which == V4L2_CTRL_WHICH_DEF_VAL ? -EINVAL : check_array(all);

    for (uint32_t n = 0; error == 0 && n < all->count; n++)
        error = lookup(file, all, n, &one, &control);
    for (uint32_t n = 0; error == 0 && n < all->count; n++) {
        error = lookup(file, all, n, &one, &control);
        int32_t value = one.value;
        if (error == 0)
            error = validate(control, &value);
        one.value = value;
        if (error == 0)
            error = store(all, n, &one);
    }
    if (error == 0)
        all->error_idx = all->count;
    return error;
}

int ioctl_try_ext_ctrls(struct v4l2_file *file, int fd, void *argument)
{
    struct v4l2_ext_controls *all = argument;

    (void)fd;
    if (all->count == 0 && all->which != V4L2_CTRL_WHICH_REQUEST_VAL && all->which != V4L2_CTRL_WHICH_DEF_VAL) {
        all->error_idx = 0;
        return check_class(file, class_of(all->which));
    }
    return validate_all(file, all);
}

int ioctl_s_ext_ctrls(struct v4l2_file *file, int fd, void *argument)
{
    struct v4l2_ext_controls *all = argument;
    struct v4l2_ext_control one;
    const struct control *control;
    int error = ioctl_try_ext_ctrls(file, fd, argument);

    if (error) {
        all->error_idx = all->count; /* none was set */
        return error;
    }
    for (uint32_t n = 0; error == 0 && n < all->count; n++) {
        error = lookup(file, all, n, &one, &control);
        int32_t value = one.value;
        if (error == 0 && (error = validate(control, &value)) == 0) /* it may have been changed meanwhile */
            set(file, control, value);
    }
    all->error_idx = all->count;
    return error;
}
