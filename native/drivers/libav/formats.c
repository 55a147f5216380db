/* SPDX-License-Identifier: Apache-2.0 */
#include "formats.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/common.h>
#include <libavutil/error.h>
#include <libavutil/imgutils.h>
#include <libavutil/log.h>

#include "session.h"

/*
 * Octets kept free behind the samples of each plane: vector code of the codecs reads and writes a little beyond the
 * last one. libavcodec's own allocator leaves 16 and an alignment's worth.
 */
#define PLANE_TAIL 128

static const enum AVPixelFormat PIXEL_FORMATS[] = {
    [PARACORE_PIXEL_FORMAT_NONE] = AV_PIX_FMT_NONE,
    [PARACORE_PIXEL_FORMAT_YUV420P] = AV_PIX_FMT_YUV420P,
    [PARACORE_PIXEL_FORMAT_YUV422P] = AV_PIX_FMT_YUV422P,
    [PARACORE_PIXEL_FORMAT_YUV444P] = AV_PIX_FMT_YUV444P,
    [PARACORE_PIXEL_FORMAT_YUV440P] = AV_PIX_FMT_YUV440P,
    [PARACORE_PIXEL_FORMAT_YUV411P] = AV_PIX_FMT_YUV411P,
    [PARACORE_PIXEL_FORMAT_GRAY] = AV_PIX_FMT_GRAY8,
    [PARACORE_PIXEL_FORMAT_NV12] = AV_PIX_FMT_NV12,
    [PARACORE_PIXEL_FORMAT_YUV420P10LE] = AV_PIX_FMT_YUV420P10LE,
    [PARACORE_PIXEL_FORMAT_YUV422P10LE] = AV_PIX_FMT_YUV422P10LE,
    [PARACORE_PIXEL_FORMAT_YUV444P10LE] = AV_PIX_FMT_YUV444P10LE,
    [PARACORE_PIXEL_FORMAT_GRAY10LE] = AV_PIX_FMT_GRAY10LE,
    [PARACORE_PIXEL_FORMAT_P010LE] = AV_PIX_FMT_P010LE,
    [PARACORE_PIXEL_FORMAT_YUV420P12LE] = AV_PIX_FMT_YUV420P12LE,
    [PARACORE_PIXEL_FORMAT_YUV422P12LE] = AV_PIX_FMT_YUV422P12LE,
    [PARACORE_PIXEL_FORMAT_YUV444P12LE] = AV_PIX_FMT_YUV444P12LE,
    [PARACORE_PIXEL_FORMAT_GBRP] = AV_PIX_FMT_GBRP,
    [PARACORE_PIXEL_FORMAT_GBRP10LE] = AV_PIX_FMT_GBRP10LE,
};

enum { PIXEL_FORMAT_COUNT = sizeof PIXEL_FORMATS / sizeof *PIXEL_FORMATS };

/* The JPEG twins differ in nothing but the range, which the wire tells separately. */
static enum AVPixelFormat without_range(enum AVPixelFormat pixel_format)
{
    switch (pixel_format) {
    case AV_PIX_FMT_YUVJ420P:
        return AV_PIX_FMT_YUV420P;
    case AV_PIX_FMT_YUVJ422P:
        return AV_PIX_FMT_YUV422P;
    case AV_PIX_FMT_YUVJ444P:
        return AV_PIX_FMT_YUV444P;
    case AV_PIX_FMT_YUVJ440P:
        return AV_PIX_FMT_YUV440P;
    case AV_PIX_FMT_YUVJ411P:
        return AV_PIX_FMT_YUV411P;
    default:
        return pixel_format;
    }
}

enum AVPixelFormat paracore_pixel_format_to_av(uint32_t pixel_format)
{
    return pixel_format < PIXEL_FORMAT_COUNT ? PIXEL_FORMATS[pixel_format] : AV_PIX_FMT_NONE;
}

uint32_t paracore_pixel_format_of_av(enum AVPixelFormat pixel_format)
{
    enum AVPixelFormat plain = without_range(pixel_format);
    for (uint32_t n = 1; n < PIXEL_FORMAT_COUNT; n++)
        if (PIXEL_FORMATS[n] == plain)
            return n;
    return PARACORE_PIXEL_FORMAT_NONE;
}

/* --- layout ------------------------------------------------------------------------------------- */

static bool aligned(const int stride[4], const int align[4])
{
    bool all = true;
    for (int n = 0; n < 4; n++)
        all &= !(stride[n] % FFMAX(align[n], 1));
    return all;
}

/*
 * Strides for the least width that gives aligned ones. The width is widened rather than
 * each stride, for some codecs rely on chroma strides being that of luma divided.
 */
static int strides(int stride[4], enum AVPixelFormat pixel_format, int width, const int align[4])
{
    for (;; width += width & -width) {
        int error = av_image_fill_linesizes(stride, pixel_format, width);
        if (error < 0 || aligned(stride, align))
            return error;
    }
}

static uint64_t align_up(uint64_t octets, uint64_t alignment)
{
    return (octets + alignment - 1) / alignment * alignment;
}

/* What every plane has over when the picture has so many rows more than it needs. */
static bool has_tails(enum AVPixelFormat pixel_format, int height, int rows, const ptrdiff_t stride[4], size_t size[4])
{
    size_t needed[4];
    bool all = av_image_fill_plane_sizes(needed, pixel_format, height, stride) >= 0 &&
               av_image_fill_plane_sizes(size, pixel_format, rows, stride) >= 0;
    for (int n = 0; all && n < 4 && size[n]; n++)
        all = size[n] >= needed[n] + PLANE_TAIL;
    return all;
}

/*
 * Each plane begins where the one before it ends, as if the picture had a few rows more: V4L2's single-planar formats
 * and OpenMAX IL can say nothing else but how many rows there are. The tails are in those rows.
 */
static int plane_sizes(enum AVPixelFormat pixel_format, int height, const int stride[4], size_t size[4])
{
    const ptrdiff_t wide[4] = {stride[0], stride[1], stride[2], stride[3]};
    for (int rows = FFALIGN(height, 2); rows <= height + 2 * PLANE_TAIL; rows += 2)
        if (has_tails(pixel_format, height, rows, wide, size))
            return 0;
    return AVERROR(EINVAL);
}

static int planes(struct paracore_picture_format *format, const int stride[4], const size_t size[4])
{
    uint64_t end = 0;
    for (uint32_t n = 0; n < PARACORE_PLANE_MAX && size[n]; n++) {
        format->plane_count = n + 1;
        format->plane_stride[n] = (uint32_t)stride[n];
        format->plane_offset[n] = (uint32_t)end;
        end += size[n];
    }
    format->size = align_up(end, PARACORE_PAGE_SIZE);
    return format->size <= PARACORE_BUFFER_MAX ? 0 : AVERROR(ENOMEM);
}

static bool describable(struct paracore_picture_format *format, enum AVPixelFormat pixel_format, int width, int height)
{
    format->pixel_format = paracore_pixel_format_of_av(pixel_format);
    return format->pixel_format && width <= 2 * (int)PARACORE_DIMENSION_MAX &&
           height <= 2 * (int)PARACORE_DIMENSION_MAX;
}

int paracore_format_layout(struct paracore_picture_format *format, enum AVPixelFormat pixel_format, int width,
                           int height, const int align[4])
{
    int stride[4], wide[4];
    size_t size[4];
    for (int n = 0; n < 4; n++) /* with aligned strides planes are aligned, too */
        wide[n] = FFMAX(align[n], (int)SPAN_ALIGNMENT);
    if (!describable(format, pixel_format, width, height))
        return AVERROR(ENOSYS);
    int error = strides(stride, pixel_format, width, wide);
    if (error < 0)
        return error;
    error = plane_sizes(pixel_format, height, stride, size);
    return error < 0 ? error : planes(format, stride, size);
}

int paracore_format_pack(struct paracore_picture_format *format, enum AVPixelFormat pixel_format, int width, int height)
{
    static const int ALIGN[4] = {32, 16, 16, 32};
    int stride[4];
    size_t size[4];
    if (!describable(format, pixel_format, width, height))
        return AVERROR(ENOSYS);
    int error = strides(stride, pixel_format, width, ALIGN);
    if (error < 0)
        return error;
    const ptrdiff_t wide[4] = {stride[0], stride[1], stride[2], stride[3]};
    error = av_image_fill_plane_sizes(size, pixel_format, FFALIGN(height, 2), wide);
    if (error >= 0)
        error = planes(format, stride, size);
    format->size += PARACORE_PAGE_SIZE; /* behind the last plane */
    return error;
}

void paracore_format_size(struct paracore_picture_format *format, int coded_width, int coded_height, int block,
                          int width, int height)
{
    format->coded_width = (uint32_t)FFALIGN(coded_width, block);
    format->coded_height = (uint32_t)FFALIGN(coded_height, block);
    format->width = (uint32_t)FFMIN(width, coded_width);
    format->height = (uint32_t)FFMIN(height, coded_height);
}

static bool full_range(const AVFrame *frame)
{
    return without_range(frame->format) != frame->format || frame->color_range == AVCOL_RANGE_JPEG;
}

static void set_ratio(uint32_t *numerator, uint32_t *denominator, AVRational ratio)
{
    bool known = ratio.num > 0 && ratio.den > 0;
    *numerator = known ? (uint32_t)ratio.num : 0;
    *denominator = known ? (uint32_t)ratio.den : 1;
}

void paracore_format_look(struct paracore_picture_format *format, const AVFrame *frame, AVRational rate)
{
    format->crop_left = (uint32_t)frame->crop_left;
    format->crop_top = (uint32_t)frame->crop_top;
    format->color_primaries = (uint8_t)frame->color_primaries;
    format->color_transfer = (uint8_t)frame->color_trc;
    format->color_matrix = (uint8_t)frame->colorspace;
    format->color_range = full_range(frame) ? 2 : frame->color_range == AVCOL_RANGE_MPEG;
    format->chroma_location = (uint8_t)frame->chroma_location;
    set_ratio(&format->aspect_num, &format->aspect_den, frame->sample_aspect_ratio);
    set_ratio(&format->rate_num, &format->rate_den, rate);
}

/* --- comparison ----------------------------------------------------------------------------------- */

bool paracore_same_layout(const struct paracore_picture_format *one, const struct paracore_picture_format *other)
{
    return one->pixel_format == other->pixel_format && one->coded_width == other->coded_width &&
           one->coded_height == other->coded_height && one->size == other->size &&
           !memcmp(one->plane_offset, other->plane_offset, sizeof one->plane_offset) &&
           !memcmp(one->plane_stride, other->plane_stride, sizeof one->plane_stride);
}

static bool same_color(const struct paracore_picture_format *one, const struct paracore_picture_format *other)
{
    return one->color_primaries == other->color_primaries && one->color_transfer == other->color_transfer &&
           one->color_matrix == other->color_matrix && one->color_range == other->color_range &&
           one->chroma_location == other->chroma_location;
}

bool paracore_same_look(const struct paracore_picture_format *one, const struct paracore_picture_format *other)
{
    return one->crop_left == other->crop_left && one->crop_top == other->crop_top && one->width == other->width &&
           one->height == other->height && one->aspect_num == other->aspect_num &&
           one->aspect_den == other->aspect_den && one->rate_num == other->rate_num &&
           one->rate_den == other->rate_den && same_color(one, other);
}

/* --- frames ----------------------------------------------------------------------------------------- */

void paracore_frame_point(AVFrame *frame, uint8_t *memory, const struct paracore_picture_format *format)
{
    for (uint32_t n = 0; n < format->plane_count; n++) {
        frame->data[n] = memory + format->plane_offset[n];
        frame->linesize[n] = (int)format->plane_stride[n];
    }
    frame->extended_data = frame->data;
}

bool paracore_frame_lies(const AVFrame *frame, const uint8_t *memory, const struct paracore_picture_format *format)
{
    bool lies = true;
    for (uint32_t n = 0; n < format->plane_count; n++)
        lies &= frame->data[n] == memory + format->plane_offset[n] && frame->linesize[n] == (int)format->plane_stride[n];
    return lies;
}

void paracore_frame_copy(const AVFrame *frame, uint8_t *memory, const struct paracore_picture_format *format)
{
    uint8_t *to[4] = {0};
    int stride[4] = {0};
    const uint8_t *from[4] = {frame->data[0], frame->data[1], frame->data[2], frame->data[3]};
    for (uint32_t n = 0; n < format->plane_count; n++) {
        to[n] = memory + format->plane_offset[n];
        stride[n] = (int)format->plane_stride[n];
    }
    av_image_copy(to, stride, from, frame->linesize, frame->format, frame->width, frame->height);
}

/* --- quiet -------------------------------------------------------------------------------------------- */

static void swallow(void *context, int level, const char *text, va_list arguments)
{
    (void)context, (void)level, (void)text, (void)arguments;
}

static void quiet(void)
{
    av_log_set_level(AV_LOG_QUIET);
    av_log_set_callback(swallow);
    setenv("SVT_LOG", "-2", 0); /* SVT-AV1 talks to stderr by itself, below its own lowest level too */
}

void paracore_libraries_quiet(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, quiet);
}
