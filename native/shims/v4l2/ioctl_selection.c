/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where in a buffer the picture is. A program learns it and cannot change it: pictures are as the codec makes them.
 *
 * Only pictures in one piece have more than is visible: their format says how many rows lie between the planes
 * (dev-decoder.rst, Initialization: the coded resolution), the rectangle which of them are to be seen.
 */
#include "internal.h"

#include <errno.h>

enum extent { PICTURE, BOUNDS };

/* v4l2-ioctl.c, v4l_g_selection(): in either API, a queue may be called by its type of either. */
static const struct target {
    enum who who;
    uint32_t types[2];
    uint32_t target;
    enum extent extent;
    bool settable;
} TARGETS[] = {
#define DECODED {V4L2_BUF_TYPE_VIDEO_CAPTURE, V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE}
#define GIVEN {V4L2_BUF_TYPE_VIDEO_OUTPUT, V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE}
    {DECODERS, DECODED, V4L2_SEL_TGT_CROP, PICTURE, true},
    {DECODERS, DECODED, V4L2_SEL_TGT_CROP_DEFAULT, PICTURE, false},
    {DECODERS, DECODED, V4L2_SEL_TGT_CROP_BOUNDS, BOUNDS, false},
    {DECODERS, DECODED, V4L2_SEL_TGT_COMPOSE, PICTURE, true},
    {DECODERS, DECODED, V4L2_SEL_TGT_COMPOSE_DEFAULT, PICTURE, false},
    {DECODERS, DECODED, V4L2_SEL_TGT_COMPOSE_BOUNDS, BOUNDS, false},
    {ENCODERS, GIVEN, V4L2_SEL_TGT_CROP, PICTURE, true},
    {ENCODERS, GIVEN, V4L2_SEL_TGT_CROP_DEFAULT, PICTURE, false},
    {ENCODERS, GIVEN, V4L2_SEL_TGT_CROP_BOUNDS, BOUNDS, false},
};

static const struct target *find(const struct v4l2_file *file, uint32_t type, uint32_t number)
{
    for (size_t n = 0; n < sizeof TARGETS / sizeof *TARGETS; n++) {
        const struct target *target = &TARGETS[n];
        if (target->who == file_who(file) && target->target == number &&
            (target->types[0] == type || target->types[1] == type))
            return target;
    }
    return NULL;
}

static int show(struct v4l2_file *file, const struct target *target, struct v4l2_rect *rectangle)
{
    const struct side *raw = &file->sides[raw_queue(file)];
    int error = target ? side_settle(file, raw_queue(file)) : -EINVAL;

    if (error == 0)
        *rectangle = target->extent == PICTURE ? raw->visible
                                               : (struct v4l2_rect){.width = raw->width, .height = raw->height};
    return error;
}

int ioctl_g_selection(struct v4l2_file *file, int fd, void *argument)
{
    struct v4l2_selection *selection = argument;

    (void)fd;
    return show(file, find(file, selection->type, selection->target), &selection->r);
}

/* Between the first unit and the format that is in it there is but a guess. ffmpeg 5.1 asks then: it would go on with the
 * guess, for the format it asks for next may be the true one, so that no change is left to be seen. */
static bool is_guess(const struct v4l2_file *file)
{
    return is_decoder(file) && file->queues[OUTPUT_QUEUE].streaming && !file->source_known;
}

int ioctl_s_selection(struct v4l2_file *file, int fd, void *argument)
{
    struct v4l2_selection *selection = argument;
    const struct target *target = find(file, selection->type, selection->target);

    (void)fd;
    if (target && target->settable && is_guess(file))
        return -EBUSY;
    return target && target->settable ? show(file, target, &selection->r) : -EINVAL;
}

/* --- the calls before those, as v4l2-ioctl.c serves them ------------------------------------------------------- */

static bool is_output(uint32_t type)
{
    return type == V4L2_BUF_TYPE_VIDEO_OUTPUT || type == V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE;
}

int ioctl_cropcap(struct v4l2_file *file, int fd, void *argument)
{
    struct v4l2_cropcap *crop = argument;
    bool output = is_output(crop->type);
    uint32_t bounds = output ? V4L2_SEL_TGT_COMPOSE_BOUNDS : V4L2_SEL_TGT_CROP_BOUNDS;
    uint32_t usual = output ? V4L2_SEL_TGT_COMPOSE_DEFAULT : V4L2_SEL_TGT_CROP_DEFAULT;

    (void)fd;
    crop->pixelaspect = (struct v4l2_fract){1, 1};
    int error = show(file, find(file, crop->type, bounds), &crop->bounds);
    return error ? error : show(file, find(file, crop->type, usual), &crop->defrect);
}

int ioctl_g_crop(struct v4l2_file *file, int fd, void *argument)
{
    struct v4l2_crop *crop = argument;
    uint32_t target = is_output(crop->type) ? V4L2_SEL_TGT_COMPOSE : V4L2_SEL_TGT_CROP;

    (void)fd;
    return show(file, find(file, crop->type, target), &crop->c);
}

int ioctl_s_crop(struct v4l2_file *file, int fd, void *argument)
{
    return ioctl_g_crop(file, fd, argument); /* changes nothing, and the program is not told what is: _IOW */
}
