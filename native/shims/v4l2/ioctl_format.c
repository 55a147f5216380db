/* SPDX-License-Identifier: Apache-2.0 */
/* What the device is, and the formats of its two sides (dev-decoder.rst and dev-encoder.rst). */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    WIDTH_DEFAULT = 1280,
    HEIGHT_DEFAULT = 720,
    DIMENSION_MIN = 16,  /* a block of the codecs there are */
    INTERVALS_MAX = 240, /* pictures a second that may be told to an encoder */
    SOURCE_MS = 800,     /* that a program waits for the stream's format, once per start; an error comes within a second */
};

/* --- the device --------------------------------------------------------------------------------------------- */

int ioctl_querycap(struct v4l2_file *file, int fd, void *argument)
{
    struct v4l2_capability *capability = argument;

    (void)fd;
    snprintf((char *)capability->driver, sizeof capability->driver, "paracore");
    memcpy(capability->card, file->node.card, sizeof capability->card);
    file_bus(file, (char *)capability->bus_info, sizeof capability->bus_info);
    capability->version = KERNEL_VERSION;
    capability->device_caps = planar_capability(file->planar) | V4L2_CAP_STREAMING | V4L2_CAP_EXT_PIX_FORMAT;
    capability->capabilities = capability->device_caps | V4L2_CAP_DEVICE_CAPS;
    return 0;
}

int queue_of_type(const struct v4l2_file *file, uint32_t type)
{
    (void)file;
    switch (type) {
    case V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE:
        return OUTPUT_QUEUE;
    case V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE:
        return CAPTURE_QUEUE;
    default:
        return -EINVAL;
    }
}

uint32_t type_of_queue(const struct v4l2_file *file, unsigned queue)
{
    (void)file;
    return queue == OUTPUT_QUEUE ? V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE : V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE;
}

/* --- enumeration -------------------------------------------------------------------------------------------- */

static int enum_coded(const struct v4l2_file *file, struct v4l2_fmtdesc *wanted)
{
    const struct shim_device *device = file->node.device;
    uint32_t index = 0;

    for (uint32_t n = 0; n < device->capability_count; n++) {
        const struct coded_format *coded = coded_format_of_codec(device->capabilities[n].codec);
        if (!coded || device->capabilities[n].direction != file->node.direction || index++ != wanted->index)
            continue;
        wanted->flags = V4L2_FMT_FLAG_COMPRESSED;
        if (is_decoder(file) && device->capabilities[n].flags & PARACORE_CAPABILITY_FLAG_DYNAMIC_RESOLUTION)
            wanted->flags |= V4L2_FMT_FLAG_DYN_RESOLUTION;
        wanted->pixelformat = coded->fourcc;
        snprintf((char *)wanted->description, sizeof wanted->description, "%s", coded->description);
        return 0;
    }
    return -EINVAL;
}

static bool can_raw(const struct v4l2_file *file, const struct raw_format *raw)
{
    const struct paracore_video_capability_query_reply *capability = file_capability(file);

    if (is_decoder(file) && file->source_known)
        return raw->fourcc == file->sides[CAPTURE_QUEUE].fourcc;
    return raw && raw_format_is_for(file, raw) && capability &&
           capability->pixel_formats >> raw->pixel_format & 1;
}

static int enum_raw(const struct v4l2_file *file, struct v4l2_fmtdesc *wanted)
{
    const struct raw_format *raw;
    uint32_t index = 0;

    for (size_t n = 0; (raw = raw_format_at(n)); n++) {
        if (!can_raw(file, raw) || index++ != wanted->index)
            continue;
        wanted->pixelformat = raw->fourcc;
        snprintf((char *)wanted->description, sizeof wanted->description, "%s", raw->description);
        return 0;
    }
    return -EINVAL;
}

int ioctl_enum_fmt(struct v4l2_file *file, int fd, void *argument)
{
    struct v4l2_fmtdesc *wanted = argument;
    int queue = queue_of_type(file, wanted->type);

    (void)fd;
    if (queue < 0)
        return queue;
    return (unsigned)queue == coded_queue(file) ? enum_coded(file, wanted) : enum_raw(file, wanted);
}

static bool knows(const struct v4l2_file *file, uint32_t fourcc)
{
    const struct coded_format *coded = coded_format_of_fourcc(fourcc);
    const struct raw_format *raw = raw_format_of_fourcc(fourcc);

    if (coded)
        return shim_capability(file->node.device, coded->codec, file->node.direction);
    return raw && can_raw(file, raw);
}

/* SAFETY: the backend says how large pictures may be. Octets are counted in 32 bits. */
static uint32_t dimension_of(uint32_t told)
{
    return told && told < PARACORE_DIMENSION_MAX ? told : PARACORE_DIMENSION_MAX;
}

static void size_limits(const struct v4l2_file *file, uint32_t *width, uint32_t *height)
{
    const struct paracore_video_capability_query_reply *capability = file_capability(file);

    *width = dimension_of(capability ? capability->width_max : 0);
    *height = dimension_of(capability ? capability->height_max : 0);
}

int ioctl_enum_framesizes(struct v4l2_file *file, int fd, void *argument)
{
    struct v4l2_frmsizeenum *sizes = argument;

    (void)fd;
    if (sizes->index != 0 || !knows(file, sizes->pixel_format))
        return -EINVAL;
    sizes->type = V4L2_FRMSIZE_TYPE_STEPWISE;
    sizes->stepwise.min_width = sizes->stepwise.min_height = DIMENSION_MIN;
    sizes->stepwise.step_width = sizes->stepwise.step_height = is_decoder(file) ? 1 : 2;
    size_limits(file, &sizes->stepwise.max_width, &sizes->stepwise.max_height);
    return 0;
}

int ioctl_enum_frameintervals(struct v4l2_file *file, int fd, void *argument)
{
    struct v4l2_frmivalenum *intervals = argument;
    uint32_t width, height;

    (void)fd;
    size_limits(file, &width, &height);
    if (intervals->index != 0 || !knows(file, intervals->pixel_format) || intervals->width < DIMENSION_MIN ||
        intervals->height < DIMENSION_MIN || intervals->width > width || intervals->height > height)
        return -EINVAL;
    intervals->type = V4L2_FRMIVAL_TYPE_CONTINUOUS;
    intervals->stepwise.min = (struct v4l2_fract){1, INTERVALS_MAX};
    intervals->stepwise.max = (struct v4l2_fract){1, 1};
    intervals->stepwise.step = (struct v4l2_fract){1, 1};
    return 0;
}

/* --- formats ------------------------------------------------------------------------------------------------- */

static void show_side(const struct v4l2_file *file, unsigned queue, const struct side *side, const struct color *color,
                      struct v4l2_format *format)
{
    struct v4l2_pix_format_mplane *pixels = &format->fmt.pix_mp;

    memset(&format->fmt, 0, sizeof format->fmt);
    format->type = type_of_queue(file, queue);
    pixels->width = side->width;
    pixels->height = side->height;
    pixels->pixelformat = side->fourcc;
    pixels->field = V4L2_FIELD_NONE;
    pixels->colorspace = color->space;
    pixels->ycbcr_enc = color->encoding;
    pixels->quantization = color->quantization;
    pixels->xfer_func = color->transfer;
    pixels->num_planes = (uint8_t)side->layout.planes;
    for (uint32_t n = 0; n < side->layout.planes; n++) {
        pixels->plane_fmt[n].bytesperline = side->layout.stride[n];
        pixels->plane_fmt[n].sizeimage = side->layout.size[n];
    }
}

static void take_color(const struct v4l2_pix_format_mplane *pixels, struct color *color)
{
    *color = (struct color){.space = V4L2_COLORSPACE_REC709};
    if (pixels->colorspace == V4L2_COLORSPACE_DEFAULT || pixels->colorspace > V4L2_COLORSPACE_DCI_P3)
        return;
    color->space = pixels->colorspace;
    color->encoding = pixels->ycbcr_enc <= V4L2_YCBCR_ENC_SMPTE240M ? pixels->ycbcr_enc : 0;
    color->quantization = pixels->quantization <= V4L2_QUANTIZATION_LIM_RANGE ? pixels->quantization : 0;
    color->transfer = pixels->xfer_func <= V4L2_XFER_FUNC_SMPTE2084 ? pixels->xfer_func : 0;
}

static uint32_t clamp(uint32_t value, uint32_t least, uint32_t most)
{
    return value < least ? least : value > most ? most : value;
}

static uint32_t first_coded(const struct v4l2_file *file)
{
    struct v4l2_fmtdesc first = {0};

    return enum_coded(file, &first) == 0 ? first.pixelformat : V4L2_PIX_FMT_H264;
}

static uint32_t first_raw(const struct v4l2_file *file)
{
    struct v4l2_fmtdesc first = {0};

    return enum_raw(file, &first) == 0 ? first.pixelformat : raw_format_usual(file)->fourcc;
}

static void try_coded(const struct v4l2_file *file, const struct v4l2_pix_format_mplane *wish, struct side *side)
{
    uint32_t width, height, fourcc = wish->pixelformat;

    if (!coded_format_of_fourcc(fourcc) || !knows(file, fourcc))
        fourcc = file->sides[coded_queue(file)].fourcc;
    size_limits(file, &width, &height);
    /* An encoder's is as large as its pictures. */
    const struct side *raw = &file->sides[OUTPUT_QUEUE];
    bool given = is_decoder(file) || raw->width == 0;
    uint32_t wide = given ? wish->width : raw->width, high = given ? wish->height : raw->height;
    side_coded(side, fourcc, clamp(wide, DIMENSION_MIN, width), clamp(high, DIMENSION_MIN, height),
               wish->plane_fmt[0].sizeimage);
}

/* The encoder says how it wants its pictures; of one that is at work already only its own are known. */
static int try_pictures(struct v4l2_file *file, const struct v4l2_pix_format_mplane *wish, struct side *side)
{
    struct paracore_picture_format format = {0};
    const struct raw_format *raw = raw_format_of_fourcc(wish->pixelformat);
    uint32_t width, height;

    size_limits(file, &width, &height);
    if (!raw || !can_raw(file, raw))
        raw = raw_format_of_fourcc(first_raw(file));
    format.pixel_format = raw->pixel_format;
    format.width = clamp(wish->width, DIMENSION_MIN, width) & ~1u;
    format.height = clamp(wish->height, DIMENSION_MIN, height) & ~1u;
    int error = stream_format(file, &format);
    if (error == -EBUSY) {
        *side = file->sides[OUTPUT_QUEUE];
        return 0;
    }
    return error ? error : side_of_format(file, &format, raw->fourcc, side);
}

static int try_side(struct v4l2_file *file, unsigned queue, const struct v4l2_pix_format_mplane *wish,
                    struct side *side)
{
    if (queue == coded_queue(file)) {
        try_coded(file, wish, side);
        return 0;
    }
    if (!is_decoder(file))
        return try_pictures(file, wish, side);
    const struct raw_format *raw = raw_format_of_fourcc(wish->pixelformat);
    const struct side *coded = &file->sides[OUTPUT_QUEUE];
    if (file->source_known || !raw || !can_raw(file, raw))
        *side = file->sides[CAPTURE_QUEUE];
    else
        side_guess(side, raw->fourcc, coded->width, coded->height);
    return 0;
}

static int try_format(struct v4l2_file *file, struct v4l2_format *format, struct side *side, struct color *color)
{
    int queue = queue_of_type(file, format->type);

    if (queue < 0)
        return queue;
    int error = try_side(file, (unsigned)queue, &format->fmt.pix_mp, side);
    if (error)
        return error;
    *color = file->color;
    if (queue == OUTPUT_QUEUE) /* CAPTURE's is always that of OUTPUT: the codec changes no colours */
        take_color(&format->fmt.pix_mp, color);
    show_side(file, (unsigned)queue, side, color, format);
    return queue;
}

static struct timespec ms_from_now(long ms)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_nsec += ms * 1000000;
    time.tv_sec += time.tv_nsec / 1000000000;
    time.tv_nsec %= 1000000000;
    return time;
}

/* Whether there are units in which the decoder may be about to meet the stream's format. */
static bool may_tell(const struct v4l2_file *file)
{
    const struct queue *units = &file->queues[OUTPUT_QUEUE];

    return is_decoder(file) && file->stream && units->streaming && (units->queued || units->sequence) &&
           !file->source_known && !file->broken && !file->gone;
}

/* A program that asks as soon as it has given a unit gets the truth rather than a guess: ffmpeg 5.1 asks in several
 * calls, and mixes up what it is told before and after. */
static void await_source(struct v4l2_file *file)
{
    struct timespec until = ms_from_now(SOURCE_MS);

    while (may_tell(file) && !file->source_awaited)
        file->source_awaited = file_sleep(file, &until) != 0;
}

/* An encoder's device is first asked when the program wants to know. */
int side_settle(struct v4l2_file *file, unsigned queue)
{
    struct v4l2_pix_format_mplane first = {.width = WIDTH_DEFAULT, .height = HEIGHT_DEFAULT};

    if (queue == raw_queue(file))
        await_source(file);
    return file->sides[queue].width ? 0 : try_side(file, queue, &first, &file->sides[queue]);
}

int ioctl_g_fmt(struct v4l2_file *file, int fd, void *argument)
{
    struct v4l2_format *format = argument;
    int queue = queue_of_type(file, format->type);

    (void)fd;
    if (queue < 0)
        return queue;
    int error = side_settle(file, (unsigned)queue);
    if (error)
        return error;
    show_side(file, (unsigned)queue, &file->sides[queue], &file->color, format);
    return 0;
}

int ioctl_try_fmt(struct v4l2_file *file, int fd, void *argument)
{
    struct side side;
    struct color color;
    int queue = try_format(file, argument, &side, &color);

    (void)fd;
    return queue < 0 ? queue : 0;
}

/* What follows from a new bit stream format: a decoder's pictures, and which session there is to be. */
static void coded_changed(struct v4l2_file *file, uint32_t fourcc_before)
{
    struct side *coded = &file->sides[coded_queue(file)], *raw = &file->sides[raw_queue(file)];

    bool other = coded->fourcc != fourcc_before;

    if (other)
        stream_close(file);
    if (!is_decoder(file)) {
        raw->width = other ? 0 : raw->width; /* the other codec may want pictures to lie otherwise */
        return;
    }
    file->source_known = false;
    if (!can_raw(file, raw_format_of_fourcc(raw->fourcc)))
        raw->fourcc = first_raw(file);
    side_guess(raw, raw->fourcc, coded->width, coded->height);
}

/* An encoder's bit stream is as large as its pictures. */
static void pictures_changed(struct v4l2_file *file)
{
    struct side *coded = &file->sides[CAPTURE_QUEUE], *raw = &file->sides[OUTPUT_QUEUE];

    if (!is_decoder(file) && file->queues[CAPTURE_QUEUE].count == 0)
        side_coded(coded, coded->fourcc, raw->width, raw->height, coded->layout.size[0]);
}

int ioctl_s_fmt(struct v4l2_file *file, int fd, void *argument)
{
    struct side side;
    struct color color;
    int queue = try_format(file, argument, &side, &color);

    (void)fd;
    if (queue < 0)
        return queue;
    /* dev-decoder.rst, Commit points: the OUTPUT format fixes what CAPTURE can be. */
    bool commits = (unsigned)queue == coded_queue(file);
    if (file->queues[queue].count || (commits && file->queues[raw_queue(file)].count))
        return -EBUSY;
    uint32_t before = file->sides[queue].fourcc;
    file->sides[queue] = side;
    file->color = color;
    file->sized |= commits;
    if (commits)
        coded_changed(file, before);
    else
        pictures_changed(file);
    return 0;
}

void formats_reset(struct v4l2_file *file)
{
    struct side *raw = &file->sides[raw_queue(file)];

    file->color = (struct color){.space = V4L2_COLORSPACE_REC709};
    file->interval = (struct v4l2_fract){1, 30};
    side_coded(&file->sides[coded_queue(file)], first_coded(file), WIDTH_DEFAULT, HEIGHT_DEFAULT, 0);
    raw->fourcc = first_raw(file);
    if (is_decoder(file))
        side_guess(raw, raw->fourcc, WIDTH_DEFAULT, HEIGHT_DEFAULT);
}

/* --- rate --------------------------------------------------------------------------------------------------------- */

static void show_rate(const struct v4l2_file *file, struct v4l2_streamparm *parameters)
{
    memset(&parameters->parm, 0, sizeof parameters->parm);
    parameters->parm.output.capability = V4L2_CAP_TIMEPERFRAME;
    parameters->parm.output.timeperframe = file->interval;
}

int ioctl_g_parm(struct v4l2_file *file, int fd, void *argument)
{
    (void)fd;
    if (queue_of_type(file, ((struct v4l2_streamparm *)argument)->type) < 0)
        return -EINVAL;
    show_rate(file, argument);
    return 0;
}

int ioctl_s_parm(struct v4l2_file *file, int fd, void *argument)
{
    struct v4l2_streamparm *parameters = argument;
    struct v4l2_fract wish = parameters->parm.output.timeperframe;

    (void)fd;
    if (queue_of_type(file, parameters->type) < 0)
        return -EINVAL;
    if (wish.numerator && wish.denominator)
        file->interval = wish;
    show_rate(file, parameters);
    return 0;
}
