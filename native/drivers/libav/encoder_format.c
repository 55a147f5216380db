/* SPDX-License-Identifier: Apache-2.0 */
/* What an encoder's pictures may look like, and how they lie in memory. */
#include "codecs.h"

#include <errno.h>

#include <libavutil/cpu.h>
#include <libavutil/pixdesc.h>

#include "formats.h"

#define RATE_MAX 1000000 /* numerator and denominator: what every encoder takes */
/* One picture that the codec reads, and one that waits. */
#define BUFFERS_MIN 2

static bool good_size(const struct encoder_kind *kind, const struct paracore_picture_format *format,
                      const AVPixFmtDescriptor *pixels)
{
    uint32_t columns = kind->even ? 1u << pixels->log2_chroma_w : 1, rows = kind->even ? 1u << pixels->log2_chroma_h : 1;
    return format->width >= kind->width_min && format->width <= PARACORE_DIMENSION_MAX &&
           format->height >= kind->height_min && format->height <= PARACORE_DIMENSION_MAX &&
           !(format->width % columns) && !(format->height % rows);
}

static AVRational bounded(uint32_t numerator, uint32_t denominator)
{
    AVRational ratio = {0, 1};
    if (numerator && denominator)
        av_reduce(&ratio.num, &ratio.den, numerator, denominator, RATE_MAX);
    return ratio;
}

/* A code point that means something, else `otherwise`. */
static uint8_t known(uint8_t point, unsigned end, uint8_t otherwise)
{
    return point && point < end ? point : otherwise;
}

/* Matrix 0 is that of RGB; for anything else it can only be meant as "not set". */
static uint8_t matrix(const struct paracore_picture_format *from)
{
    bool rgb = from->pixel_format == PARACORE_PIXEL_FORMAT_GBRP || from->pixel_format == PARACORE_PIXEL_FORMAT_GBRP10LE;
    return rgb ? AVCOL_SPC_RGB : known(from->color_matrix, AVCOL_SPC_NB, AVCOL_SPC_UNSPECIFIED);
}

static void keep_description(struct paracore_picture_format *to, const struct paracore_picture_format *from)
{
    AVRational aspect = bounded(from->aspect_num, from->aspect_den), rate = bounded(from->rate_num, from->rate_den);
    to->field_order = from->field_order;
    to->color_primaries = known(from->color_primaries, AVCOL_PRI_NB, AVCOL_PRI_UNSPECIFIED);
    to->color_transfer = known(from->color_transfer, AVCOL_TRC_NB, AVCOL_TRC_UNSPECIFIED);
    to->color_matrix = matrix(from);
    to->color_range = known(from->color_range, AVCOL_RANGE_NB, AVCOL_RANGE_UNSPECIFIED);
    to->chroma_location = known(from->chroma_location, AVCHROMA_LOC_NB, AVCHROMA_LOC_UNSPECIFIED);
    to->aspect_num = (uint32_t)aspect.num;
    to->aspect_den = (uint32_t)FFMAX(aspect.den, 1);
    to->rate_num = (uint32_t)rate.num;
    to->rate_den = (uint32_t)FFMAX(rate.den, 1);
}

static bool takes(uint32_t codec, uint32_t pixel_format)
{
    uint64_t pixel_formats, controls;
    uint32_t flags;
    paracore_codec_capability(codec, PARACORE_DIRECTION_ENCODE, &pixel_formats, &controls, &flags);
    return pixel_format && pixel_format < 64 && pixel_formats & BIT(pixel_format);
}

int paracore_encoder_threads(const struct paracore_codec *codec, const struct encoder_kind *kind)
{
    int64_t wanted = codec->control[PARACORE_CONTROL_THREADS];
    return wanted || !kind->frame_threads ? (int)wanted : av_clip(av_cpu_count(), 1, THREADS_MAX);
}

int paracore_encoder_format(const struct paracore_codec *codec, struct paracore_picture_format *format)
{
    const struct encoder_kind *kind = paracore_encoder_kind(codec->options.codec);
    struct paracore_picture_format wanted = *format;
    enum AVPixelFormat pixels = paracore_pixel_format_to_av(wanted.pixel_format);
    if (!takes(codec->options.codec, wanted.pixel_format))
        return -EOPNOTSUPP;
    if (!good_size(kind, &wanted, av_pix_fmt_desc_get(pixels)))
        return -EINVAL;
    *format = (struct paracore_picture_format){0};
    keep_description(format, &wanted);
    paracore_format_size(format, (int)wanted.width, (int)wanted.height, 2, (int)wanted.width, (int)wanted.height);
    format->buffers_min = BUFFERS_MIN + (kind->frame_threads ? (uint32_t)paracore_encoder_threads(codec, kind) : 0);
    return paracore_format_pack(format, pixels, (int)format->coded_width, (int)format->coded_height) < 0 ? -EINVAL : 0;
}
