/* SPDX-License-Identifier: Apache-2.0 */
/*
 * V4L2's two APIs, of which a node speaks one: the multi-planar one, and the single-planar one, whose pictures are
 * one piece of memory.
 *
 * Theory of operation. Those who serve ioctls know the multi-planar API only. What a program of the other one passes
 * is made into that on its way in and back on its way out, here and nowhere else; ioctl.c's table says where in an
 * argument there is something to translate.
 */
#ifndef PARACORE_SHIMS_V4L2_PLANAR_H
#define PARACORE_SHIMS_V4L2_PLANAR_H

#include <linux/videodev2.h>
#include <stddef.h>
#include <stdint.h>

enum planar { MULTI_PLANAR, SINGLE_PLANAR };

/* What of an argument is otherwise in the other API. */
enum shape {
    SAME,   /* nothing */
    TYPE,   /* only an enum v4l2_buf_type */
    FORMAT, /* a struct v4l2_format; it begins with its type */
    BUFFER, /* the argument is a struct buffer_argument */
};

struct differs {
    enum shape shape;
    size_t at; /* octets into the argument: where the type is */
};

typedef struct v4l2_plane plane_array[VIDEO_MAX_PLANES];

/* A buffer with its planes, which the multi-planar API has in an array elsewhere. */
struct buffer_argument {
    struct v4l2_buffer v4l2;
    uint32_t plane_count; /* that the program has room for */
    plane_array planes;
};

/* What the program wants of the nodes that it opens: $PARACORE_V4L2_PLANES is "single" or "multi", which is usual. */
enum planar planar_wanted(void);

/* V4L2_CAP_VIDEO_M2M or its twin. */
uint32_t planar_capability(enum planar planar);

/* Return 0, -EFAULT, or -EINVAL. A type that the API does not have becomes none at all. */
int planar_in(enum planar planar, const struct differs *differs, void *argument);
int planar_out(enum planar planar, const struct differs *differs, void *argument);

#endif
