/* SPDX-License-Identifier: Apache-2.0 */
/* What moved between the versions of FFmpeg that are supported: 5.1 (Debian 12) to 8. */
#ifndef PARACORE_LIBAV_COMPAT_H
#define PARACORE_LIBAV_COMPAT_H

#include <stdbool.h>

#include <libavcodec/avcodec.h>
#include <libavutil/frame.h>

#define FRAME_FLAGS (LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(58, 7, 100))
#define FRAME_DURATION (LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(57, 30, 100))

/* The pixel formats of an encoder, ended by AV_PIX_FMT_NONE; NULL when it does not say. */
static inline const enum AVPixelFormat *compat_pixel_formats(const AVCodec *codec)
{
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(61, 13, 100)
    const void *formats = NULL;
    return avcodec_get_supported_config(NULL, codec, AV_CODEC_CONFIG_PIX_FORMAT, 0, &formats, NULL) < 0 ? NULL : formats;
#else
    return codec->pix_fmts;
#endif
}

/* Frame threads call back from their own threads only if told that they may; since 6.0 they always do. */
static inline void compat_allow_threads(AVCodecContext *context)
{
#if LIBAVCODEC_VERSION_MAJOR < 60
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    context->thread_safe_callbacks = 1;
#pragma GCC diagnostic pop
#else
    (void)context;
#endif
}

static inline bool compat_is_key(const AVFrame *frame)
{
#if FRAME_FLAGS
    return frame->flags & AV_FRAME_FLAG_KEY;
#else
    return frame->key_frame;
#endif
}

static inline void compat_set_key(AVFrame *frame, bool key)
{
#if FRAME_FLAGS
    frame->flags = key ? frame->flags | AV_FRAME_FLAG_KEY : frame->flags & ~AV_FRAME_FLAG_KEY;
#else
    frame->key_frame = key;
#endif
}

static inline bool compat_is_interlaced(const AVFrame *frame)
{
#if FRAME_FLAGS
    return frame->flags & AV_FRAME_FLAG_INTERLACED;
#else
    return frame->interlaced_frame;
#endif
}

static inline bool compat_is_top_first(const AVFrame *frame)
{
#if FRAME_FLAGS
    return frame->flags & AV_FRAME_FLAG_TOP_FIELD_FIRST;
#else
    return frame->top_field_first;
#endif
}

static inline void compat_set_fields(AVFrame *frame, bool interlaced, bool top_first)
{
#if FRAME_FLAGS
    frame->flags |= (interlaced ? AV_FRAME_FLAG_INTERLACED : 0) | (top_first ? AV_FRAME_FLAG_TOP_FIELD_FIRST : 0);
#else
    frame->interlaced_frame = interlaced;
    frame->top_field_first = top_first;
#endif
}

static inline int64_t compat_duration(const AVFrame *frame)
{
#if FRAME_DURATION
    return frame->duration;
#else
    return frame->pkt_duration;
#endif
}

static inline void compat_set_duration(AVFrame *frame, int64_t duration)
{
#if FRAME_DURATION
    frame->duration = duration;
#else
    frame->pkt_duration = duration;
#endif
}

#endif
