/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The encoders, in the order of preference per codec, and how each is told of the controls. Every stream
 * carries its parameter sets in band, and a picture asked to be a key frame becomes one that a decoder can
 * start from.
 */
#include "codecs.h"

#include <limits.h>

#define GOP BIT(PARACORE_CONTROL_GOP)
#define B_FRAMES BIT(PARACORE_CONTROL_B_FRAMES)
#define PRESET BIT(PARACORE_CONTROL_PRESET)
#define PROFILE BIT(PARACORE_CONTROL_PROFILE)

/* Of the buffer model, in seconds of the bit rate: wide enough to leave a scene its peaks, and to follow a new rate soon. */
enum { BUFFER_SECONDS = 2 };

static const char *const X26X_PRESETS[] = {
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo",
};

void paracore_encoder_bitrate(AVCodecContext *context, int64_t bitrate)
{
    const int64_t most = INT_MAX / BUFFER_SECONDS;
    context->bit_rate = bitrate;
    context->rc_max_rate = bitrate > most ? 0 : bitrate * BUFFER_SECONDS;
    context->rc_buffer_size = (int)context->rc_max_rate;
}

/* What a bit rate leaves open; quality in the codec's own scale. */
static void set_crf(AVDictionary **options, const int64_t *control)
{
    if (!control[PARACORE_CONTROL_BITRATE] && control[PARACORE_CONTROL_QUALITY] >= 0)
        av_dict_set_int(options, "crf", control[PARACORE_CONTROL_QUALITY], 0);
}

static void configure_x26x(AVDictionary **options, const int64_t *control)
{
    av_dict_set(options, "preset", X26X_PRESETS[control[PARACORE_CONTROL_PRESET]], 0);
    av_dict_set_int(options, "forced-idr", 1, 0);
    if (control[PARACORE_CONTROL_LOW_DELAY])
        av_dict_set(options, "tune", "zerolatency", 0);
    set_crf(options, control);
}

/* x264 takes a new bit rate only while its buffer model is on: so it is, and wide enough to change nothing. */
static void configure_x264(AVCodecContext *context, AVDictionary **options, const int64_t *control)
{
    paracore_encoder_bitrate(context, control[PARACORE_CONTROL_BITRATE]);
    configure_x26x(options, control);
}

static void configure_x265(AVCodecContext *context, AVDictionary **options, const int64_t *control)
{
    char parameters[64] = "log-level=none";
    if (context->thread_count)
        snprintf(parameters, sizeof parameters, "log-level=none:pools=%d", context->thread_count);
    av_dict_set(options, "x265-params", parameters, 0);
    configure_x26x(options, control);
}

/* cpu-used is 8 at its fastest, which libvpx allows with the deadline of live video only. */
static void configure_vpx(AVCodecContext *context, AVDictionary **options, const int64_t *control)
{
    int64_t preset = control[PARACORE_CONTROL_PRESET];
    bool live = control[PARACORE_CONTROL_LOW_DELAY] || preset < 3;
    (void)context;
    av_dict_set(options, "deadline", live ? "realtime" : "good", 0);
    av_dict_set_int(options, "cpu-used", live ? 8 - preset * 8 / 9 : (9 - preset) * 5 / 6, 0);
    av_dict_set_int(options, "row-mt", 1, 0);
    if (control[PARACORE_CONTROL_LOW_DELAY])
        av_dict_set_int(options, "lag-in-frames", 0, 0);
    set_crf(options, control);
}

/* SVT-AV1 1.4: on demand only with constant quality and in random access mode. */
static bool svt_restarts(const int64_t *control)
{
    return control[PARACORE_CONTROL_LOW_DELAY] || control[PARACORE_CONTROL_BITRATE];
}

static void configure_svt(AVCodecContext *context, AVDictionary **options, const int64_t *control)
{
    char parameters[80];
    snprintf(parameters, sizeof parameters, "lp=%d:pred-struct=%d:enable-force-key-frames=%d", context->thread_count,
             control[PARACORE_CONTROL_LOW_DELAY] ? 1 : 2, !svt_restarts(control));
    av_dict_set(options, "svtav1-params", parameters, 0);
    av_dict_set_int(options, "preset", 12 - control[PARACORE_CONTROL_PRESET], 0);
    set_crf(options, control);
}

static void configure_aom(AVCodecContext *context, AVDictionary **options, const int64_t *control)
{
    int64_t preset = control[PARACORE_CONTROL_PRESET];
    bool live = control[PARACORE_CONTROL_LOW_DELAY] || preset < 3;
    (void)context;
    av_dict_set(options, "usage", live ? "realtime" : "good", 0);
    av_dict_set_int(options, "cpu-used", live ? 8 - preset / 3 : 9 - preset, 0);
    av_dict_set_int(options, "row-mt", 1, 0);
    if (control[PARACORE_CONTROL_LOW_DELAY])
        av_dict_set_int(options, "lag-in-frames", 0, 0);
    set_crf(options, control);
}

/* Its scale is that of the quantizer: 2 is best. Video range is no JPEG but what decoders expect to be asked for. */
static void configure_mjpeg(AVCodecContext *context, AVDictionary **options, const int64_t *control)
{
    int64_t quality = control[PARACORE_CONTROL_QUALITY];
    (void)options;
    context->strict_std_compliance = FF_COMPLIANCE_UNOFFICIAL;
    if (control[PARACORE_CONTROL_BITRATE])
        return;
    context->flags |= AV_CODEC_FLAG_QSCALE;
    context->global_quality = (int)(quality < 0 ? 3 : quality) * FF_QP2LAMBDA;
}

const struct encoder_kind PARACORE_ENCODERS[] = {
    {
        .name = "libx264",
        .codec = PARACORE_CODEC_H264,
        .controls = GOP | B_FRAMES | PRESET | PROFILE,
        .quality_max = 51,
        .width_min = 2,
        .height_min = 2,
        .even = true,
        .bitrate_change = true,
        .configure = configure_x264,
    },
    {
        .name = "libx265",
        .codec = PARACORE_CODEC_HEVC,
        .controls = GOP | B_FRAMES | PRESET,
        .quality_max = 51,
        .width_min = 16,
        .height_min = 16,
        .even = true,
        .configure = configure_x265,
    },
    {
        .name = "libvpx-vp9",
        .codec = PARACORE_CODEC_VP9,
        .controls = GOP | PRESET,
        .quality_max = 63,
        .width_min = 1,
        .height_min = 1,
        .configure = configure_vpx,
    },
    {
        .name = "libsvtav1",
        .codec = PARACORE_CODEC_AV1,
        .controls = GOP | PRESET,
        .quality_max = 63,
        .width_min = 64,
        .height_min = 64,
        .even = true,
        .configure = configure_svt,
        .restarts_for_key = svt_restarts,
    },
    {
        .name = "libaom-av1",
        .codec = PARACORE_CODEC_AV1,
        .controls = GOP | PRESET,
        .quality_max = 63,
        .width_min = 1,
        .height_min = 1,
        .configure = configure_aom,
    },
    {
        .name = "mjpeg",
        .codec = PARACORE_CODEC_MJPEG,
        .quality_min = 1,
        .quality_max = 31,
        .width_min = 1,
        .height_min = 1,
        .frame_threads = true,
        .configure = configure_mjpeg,
    },
    {0},
};
