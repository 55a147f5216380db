/* SPDX-License-Identifier: Apache-2.0 */
#include "codecs.h"

#include <errno.h>
#include <limits.h>

#include <libavutil/pixdesc.h>

#include "compat.h"
#include "formats.h"

#define FORMAT(name) BIT(PARACORE_PIXEL_FORMAT_##name)
#define YUV8 (FORMAT(YUV420P) | FORMAT(YUV422P) | FORMAT(YUV444P))
#define YUV10 (FORMAT(YUV420P10LE) | FORMAT(YUV422P10LE) | FORMAT(YUV444P10LE))
#define YUV12 (FORMAT(YUV420P12LE) | FORMAT(YUV422P12LE) | FORMAT(YUV444P12LE))
#define GRAYS (FORMAT(GRAY) | FORMAT(GRAY10LE))
#define RGBS (FORMAT(GBRP) | FORMAT(GBRP10LE))

static const struct decoder_kind DECODERS[] = {
    [PARACORE_CODEC_H264] = {{"h264"}, 16, YUV8 | YUV10 | GRAYS | RGBS},
    [PARACORE_CODEC_HEVC] = {{"hevc"}, 8, YUV8 | YUV10 | YUV12 | GRAYS | RGBS},
    [PARACORE_CODEC_VP8] = {{"vp8"}, 16, FORMAT(YUV420P)},
    [PARACORE_CODEC_VP9] = {{"vp9"}, 8, YUV8 | FORMAT(YUV440P) | YUV10 | YUV12 | RGBS},
    [PARACORE_CODEC_AV1] = {{"libdav1d", "libgav1", "libaom-av1"}, 8, YUV8 | YUV10 | YUV12 | GRAYS | RGBS},
    [PARACORE_CODEC_MPEG2] = {{"mpeg2video"}, 16, FORMAT(YUV420P) | FORMAT(YUV422P)},
    [PARACORE_CODEC_MPEG4] = {{"mpeg4"}, 16, FORMAT(YUV420P)},
    [PARACORE_CODEC_MJPEG] = {{"mjpeg"}, 16, YUV8 | FORMAT(YUV440P) | FORMAT(YUV411P) | FORMAT(GRAY) | FORMAT(GBRP)},
};

enum { DECODER_COUNT = sizeof DECODERS / sizeof *DECODERS };

const struct decoder_kind *paracore_decoder_kind(uint32_t codec)
{
    return codec && codec < DECODER_COUNT ? &DECODERS[codec] : NULL;
}

const AVCodec *paracore_decoder_find(uint32_t codec)
{
    const struct decoder_kind *kind = paracore_decoder_kind(codec);
    const AVCodec *found = NULL;
    for (int n = 0; kind && !found && n < CANDIDATES && kind->names[n]; n++)
        found = avcodec_find_decoder_by_name(kind->names[n]);
    return found;
}

const struct engine *paracore_engine_find(uint32_t codec)
{
#ifdef PARACORE_HAVE_DAV1D
    if (codec == PARACORE_CODEC_AV1)
        return &paracore_dav1d_engine;
#endif
    return paracore_decoder_find(codec) ? &paracore_avcodec_engine : NULL;
}

const struct encoder_kind *paracore_encoder_kind(uint32_t codec)
{
    for (const struct encoder_kind *kind = PARACORE_ENCODERS; kind->name; kind++)
        if (kind->codec == codec && avcodec_find_encoder_by_name(kind->name))
            return kind;
    return NULL;
}

/* --- capabilities -------------------------------------------------------------------------------- */

static void decoder_capability(uint32_t codec, uint64_t *pixel_formats, uint64_t *controls, uint32_t *flags)
{
    const struct engine *engine = paracore_engine_find(codec);
    if (!engine)
        return;
    bool direct = engine != &paracore_avcodec_engine || paracore_decoder_find(codec)->capabilities & AV_CODEC_CAP_DR1;
    *pixel_formats = paracore_decoder_kind(codec)->pixel_formats;
    *controls = BIT(PARACORE_CONTROL_THREADS) | BIT(PARACORE_CONTROL_LOW_DELAY);
    *flags = PARACORE_CAPABILITY_FLAG_DYNAMIC_RESOLUTION | (direct ? PARACORE_CAPABILITY_FLAG_ZERO_COPY : 0);
}

static uint64_t encoder_pixel_formats(const AVCodec *encoder)
{
    uint64_t mask = 0;
    const enum AVPixelFormat *each = compat_pixel_formats(encoder);
    for (; each && *each != AV_PIX_FMT_NONE; each++)
        mask |= BIT(paracore_pixel_format_of_av(*each));
    return mask & ~BIT(PARACORE_PIXEL_FORMAT_NONE);
}

static void encoder_capability(uint32_t codec, uint64_t *pixel_formats, uint64_t *controls, uint32_t *flags)
{
    const struct encoder_kind *kind = paracore_encoder_kind(codec);
    if (!kind)
        return;
    *pixel_formats = encoder_pixel_formats(avcodec_find_encoder_by_name(kind->name));
    *controls = kind->controls | BIT(PARACORE_CONTROL_BITRATE) | BIT(PARACORE_CONTROL_QUALITY) |
                BIT(PARACORE_CONTROL_THREADS) | BIT(PARACORE_CONTROL_LOW_DELAY);
    *flags = PARACORE_CAPABILITY_FLAG_ZERO_COPY | (kind->bitrate_change ? PARACORE_CAPABILITY_FLAG_BITRATE_CHANGE : 0);
}

void paracore_codec_capability(uint32_t codec, uint32_t direction, uint64_t *pixel_formats, uint64_t *controls,
                               uint32_t *flags)
{
    *pixel_formats = 0;
    *controls = 0;
    *flags = 0;
    if (direction == PARACORE_DIRECTION_DECODE)
        decoder_capability(codec, pixel_formats, controls, flags);
    else if (direction == PARACORE_DIRECTION_ENCODE)
        encoder_capability(codec, pixel_formats, controls, flags);
}

/* --- controls --------------------------------------------------------------------------------------- */

/* Ranges that hold for every codec; `quality` has the encoder's own. */
static const struct {
    int64_t least, most;
} RANGES[CONTROLS] = {
    [PARACORE_CONTROL_BITRATE] = {0, 1000000000},
    [PARACORE_CONTROL_GOP] = {1, 100000},
    [PARACORE_CONTROL_B_FRAMES] = {-1, 16},
    [PARACORE_CONTROL_PRESET] = {0, 9},
    [PARACORE_CONTROL_THREADS] = {0, INT64_MAX}, /* rounded to THREADS_MAX: a wish, not an argument */
    [PARACORE_CONTROL_LOW_DELAY] = {0, 1},
    [PARACORE_CONTROL_PROFILE] = {-1, INT_MAX},
};

static bool in_range(const struct paracore_codec *codec, uint32_t control, int64_t value)
{
    if (control != PARACORE_CONTROL_QUALITY)
        return value >= RANGES[control].least && value <= RANGES[control].most;
    const struct encoder_kind *kind = paracore_encoder_kind(codec->options.codec);
    return value == -1 || (kind && value >= kind->quality_min && value <= kind->quality_max);
}

/* A bit rate can change in mid-stream only from one to another: the kind of rate control stays. */
static bool settable(const struct paracore_codec *codec, uint32_t control, int64_t value)
{
    if (!codec->started)
        return true;
    const struct encoder_kind *kind = paracore_encoder_kind(codec->options.codec);
    return control == PARACORE_CONTROL_BITRATE && codec->options.direction == PARACORE_DIRECTION_ENCODE &&
           kind->bitrate_change && value && codec->control[control];
}

int paracore_control_check(const struct paracore_codec *codec, uint32_t control, int64_t *value)
{
    if (!in_range(codec, control, *value))
        return -EINVAL;
    if (control == PARACORE_CONTROL_THREADS)
        *value = FFMIN(*value, THREADS_MAX);
    return settable(codec, control, *value) ? 0 : -EBUSY;
}
