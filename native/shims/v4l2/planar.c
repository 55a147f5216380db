/* SPDX-License-Identifier: Apache-2.0 */
#include "planar.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user.h"

enum { TYPES = 2, NO_TYPE = 0 };

/* --- the multi-planar API: as it is, but for the planes of a buffer --------------------------------------------- */

static void leave_format(struct v4l2_format *format)
{
    (void)format;
}

/* v4l2-ioctl.c, check_array_args(). */
static int read_planes(struct buffer_argument *argument)
{
    const struct v4l2_buffer *given = &argument->v4l2;

    if (given->length > VIDEO_MAX_PLANES)
        return -EINVAL;
    argument->plane_count = given->m.planes ? given->length : 0;
    return user_read(argument->planes, (uintptr_t)given->m.planes, argument->plane_count * sizeof(struct v4l2_plane));
}

static int write_planes(struct buffer_argument *argument)
{
    return user_write((uintptr_t)argument->v4l2.m.planes, argument->planes,
                      argument->plane_count * sizeof(struct v4l2_plane));
}

/* --- the single-planar API -------------------------------------------------------------------------------------- */

/* v4l2-ioctl.c, v4l_sanitize_format(): without the magic number, the fields behind it are not there. */
static void format_from_single(struct v4l2_format *format)
{
    struct v4l2_pix_format single = format->fmt.pix;
    struct v4l2_pix_format_mplane *multi = &format->fmt.pix_mp;

    memset(&format->fmt, 0, sizeof format->fmt);
    multi->width = single.width;
    multi->height = single.height;
    multi->pixelformat = single.pixelformat;
    multi->field = single.field;
    multi->colorspace = single.colorspace;
    multi->num_planes = 1;
    multi->plane_fmt[0].bytesperline = single.bytesperline;
    multi->plane_fmt[0].sizeimage = single.sizeimage;
    if (single.priv != V4L2_PIX_FMT_PRIV_MAGIC)
        return;
    multi->flags = (__u8)single.flags;
    multi->ycbcr_enc = (__u8)single.ycbcr_enc;
    multi->quantization = (__u8)single.quantization;
    multi->xfer_func = (__u8)single.xfer_func;
}

static void format_to_single(struct v4l2_format *format)
{
    struct v4l2_pix_format_mplane multi = format->fmt.pix_mp;

    memset(&format->fmt, 0, sizeof format->fmt);
    format->fmt.pix = (struct v4l2_pix_format){
        .width = multi.width,
        .height = multi.height,
        .pixelformat = multi.pixelformat,
        .field = multi.field,
        .bytesperline = multi.plane_fmt[0].bytesperline,
        .sizeimage = multi.plane_fmt[0].sizeimage,
        .colorspace = multi.colorspace,
        .priv = V4L2_PIX_FMT_PRIV_MAGIC,
        .flags = multi.flags,
        .ycbcr_enc = multi.ycbcr_enc,
        .quantization = multi.quantization,
        .xfer_func = multi.xfer_func,
    };
}

static int plane_from_single(struct buffer_argument *argument)
{
    const struct v4l2_buffer *given = &argument->v4l2;

    argument->plane_count = 1;
    argument->planes[0] = (struct v4l2_plane){.bytesused = given->bytesused, .length = given->length};
    argument->planes[0].m.userptr = given->m.userptr;
    return 0;
}

static int plane_to_single(struct buffer_argument *argument)
{
    const struct v4l2_plane *plane = &argument->planes[0];
    struct v4l2_buffer *shown = &argument->v4l2;

    shown->bytesused = plane->bytesused;
    shown->length = plane->length;
    memset(&shown->m, 0, sizeof shown->m);
    if (shown->memory == V4L2_MEMORY_USERPTR)
        shown->m.userptr = plane->m.userptr;
    else
        shown->m.offset = plane->m.mem_offset;
    return 0;
}

/* --- both ------------------------------------------------------------------------------------------------------- */

static const struct api {
    uint32_t capability;
    uint32_t types[TYPES];
    void (*format_in)(struct v4l2_format *format), (*format_out)(struct v4l2_format *format);
    int (*planes_in)(struct buffer_argument *argument), (*planes_out)(struct buffer_argument *argument);
} APIS[] = {
    [MULTI_PLANAR] = {V4L2_CAP_VIDEO_M2M_MPLANE,
                      {V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE, V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE},
                      leave_format, leave_format, read_planes, write_planes},
    [SINGLE_PLANAR] = {V4L2_CAP_VIDEO_M2M,
                       {V4L2_BUF_TYPE_VIDEO_OUTPUT, V4L2_BUF_TYPE_VIDEO_CAPTURE},
                       format_from_single, format_to_single, plane_from_single, plane_to_single},
};

enum planar planar_wanted(void)
{
    const char *wish = getenv("PARACORE_V4L2_PLANES");

    return wish && !strcmp(wish, "single") ? SINGLE_PLANAR : MULTI_PLANAR;
}

uint32_t planar_capability(enum planar planar)
{
    return APIS[planar].capability;
}

static void translate(uint32_t *type, const struct api *from, const struct api *to)
{
    uint32_t given = *type;

    *type = NO_TYPE;
    for (size_t n = 0; n < TYPES; n++)
        if (from->types[n] == given)
            *type = to->types[n];
}

int planar_in(enum planar planar, const struct differs *differs, void *argument)
{
    const struct api *api = &APIS[planar];
    void *type = (uint8_t *)argument + differs->at;

    if (differs->shape == SAME)
        return 0;
    translate(type, api, &APIS[MULTI_PLANAR]);
    if (differs->shape == FORMAT)
        api->format_in(type);
    return differs->shape == BUFFER && *(uint32_t *)type != NO_TYPE ? api->planes_in(argument) : 0;
}

int planar_out(enum planar planar, const struct differs *differs, void *argument)
{
    const struct api *api = &APIS[planar];
    void *type = (uint8_t *)argument + differs->at;

    if (differs->shape == SAME)
        return 0;
    translate(type, &APIS[MULTI_PLANAR], api);
    if (differs->shape == FORMAT)
        api->format_out(type);
    return differs->shape == BUFFER ? api->planes_out(argument) : 0;
}
