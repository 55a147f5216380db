/* SPDX-License-Identifier: Apache-2.0 */
/* The codecs of the wire: who decodes and encodes them, and what can be set. Tables only. */
#ifndef PARACORE_LIBAV_CODECS_H
#define PARACORE_LIBAV_CODECS_H

#include <libavcodec/avcodec.h>
#include <libavutil/dict.h>

#include "engine.h"

enum { CANDIDATES = 3 };

struct decoder_kind {
    const char *names[CANDIDATES]; /* libavcodec's, the preferred one first */
    int block;                     /* coded sizes are multiples of it */
    uint64_t pixel_formats;
};

struct encoder_kind {
    const char *name;  /* libavcodec's */
    uint32_t codec;
    uint64_t controls; /* besides those that all encoders have */
    int64_t quality_min, quality_max;
    uint32_t width_min, height_min;
    bool even;           /* whole chroma samples only */
    bool frame_threads;  /* it works on as many pictures at once as it has threads */
    bool bitrate_change; /* the wrapper looks at the bit rate again before each picture */
    /* Options from the controls; the context has bit rate, gop, threads and profile already. */
    void (*configure)(AVCodecContext *context, AVDictionary **options, const int64_t *control);
    /* Whether it makes key frames on demand only as the first of a stream; NULL: it never does so. */
    bool (*restarts_for_key)(const int64_t *control);
};

/* NULL when the wire's codec is unknown. */
const struct decoder_kind *paracore_decoder_kind(uint32_t codec);
/* The first of its decoders that this libavcodec has, or NULL. */
const AVCodec *paracore_decoder_find(uint32_t codec);
/* What decodes it here, or NULL. */
const struct engine *paracore_engine_find(uint32_t codec);
/* What encodes it here, or NULL. */
const struct encoder_kind *paracore_encoder_kind(uint32_t codec);
/* Tells a codec that can change it the bit rate. */
void paracore_encoder_bitrate(AVCodecContext *context, int64_t bitrate);

/* encoders.c: at most 8, ended by one without a name. */
extern const struct encoder_kind PARACORE_ENCODERS[];

/* Whether the value may be set now; rounds it to what the codec will take. -EINVAL, -EBUSY. Needs the lock. */
int paracore_control_check(const struct paracore_codec *codec, uint32_t control, int64_t *value);
/* Fills in the layout of an encoder's pictures. -EINVAL, -EOPNOTSUPP. */
int paracore_encoder_format(const struct paracore_codec *codec, struct paracore_picture_format *format);
/* Threads to open an encoder with; 0 leaves it to the codec, but one that keeps a picture per thread has to say. */
int paracore_encoder_threads(const struct paracore_codec *codec, const struct encoder_kind *kind);

#endif
