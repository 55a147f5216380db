/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The encoders, in the order of preference per codec, and how each is told of the controls. Every stream
 * carries its parameter sets in band, and a picture asked to be a key frame becomes one that a decoder can
 * start from.
 */
#include "codecs.h"

#include <libavutil/cpu.h>

#define GOP BIT(PARACORE_CONTROL_GOP)
#define B_FRAMES BIT(PARACORE_CONTROL_B_FRAMES)
#define PRESET BIT(PARACORE_CONTROL_PRESET)
#define PROFILE BIT(PARACORE_CONTROL_PROFILE)

static const char *const X26X_PRESETS[] = {
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo",
};

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

static void configure_x264(AVCodecContext *context, AVDictionary **options, const int64_t *control)
{
    (void)context;
    configure_x26x(options, control);
}

static void configure_x265(AVCodecContext *context, AVDictionary **options, const int64_t *control)
{
    char parameters[64];
    int threads = context->thread_count ? context->thread_count : av_cpu_count();
    snprintf(parameters, sizeof parameters, "log-level=none:pools=%d", threads);
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

static void configure_svt(AVCodecContext *context, AVDictionary **options, const int64_t *control)
{
    char parameters[64];
    int threads = context->thread_count ? context->thread_count : av_cpu_count();
    snprintf(parameters, sizeof parameters, "lp=%d%s", threads, control[PARACORE_CONTROL_LOW_DELAY] ? ":pred-struct=1" : "");
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
    {"libx264", PARACORE_CODEC_H264, GOP | B_FRAMES | PRESET | PROFILE, 0, 51, 1, 1, true, true, configure_x264},
    {"libx265", PARACORE_CODEC_HEVC, GOP | B_FRAMES | PRESET, 0, 51, 16, 16, true, false, configure_x265},
    {"libvpx-vp9", PARACORE_CODEC_VP9, GOP | PRESET, 0, 63, 1, 1, false, false, configure_vpx},
    {"libsvtav1", PARACORE_CODEC_AV1, GOP | PRESET, 0, 63, 64, 64, true, false, configure_svt},
    {"libaom-av1", PARACORE_CODEC_AV1, GOP | PRESET, 0, 63, 1, 1, false, false, configure_aom},
    {"mjpeg", PARACORE_CODEC_MJPEG, 0, 1, 31, 1, 1, false, false, configure_mjpeg},
    {0},
};
